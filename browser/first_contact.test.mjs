// A person opens the address of the API in a browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser, newPage, url } from './support.mjs';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

test('the page links the API documentation, which is grouped by tag, without an error', async (t) => {
  const page = await newPage(t, browser);
  const failures = [];
  page.on('response', (response) => response.ok() || failures.push(response.url()));
  page.on('pageerror', (error) => failures.push(error.message));
  await page.goto(url);
  await page.getByRole('link', { name: 'API', exact: true }).click();
  assert.equal(page.url(), `${url}/docs`);
  const tags = page.locator('.opblock-tag');
  await tags.first().waitFor();
  const names = await tags.allInnerTexts();
  assert.ok(names.length > 3 && !names.some((name) => /default/i.test(name)), names.join());
  const icon = await (await fetch(`${url}/favicon.ico`)).text();
  assert.match(icon, /<svg/);
  assert.deepEqual(failures, []);
});

test('the documentation executes a search unchanged', async (t) => {
  const page = await newPage(t, browser);
  await page.goto(`${url}/docs`);
  const search = page.locator('.opblock', { has: page.locator('[data-path="/search"]') });
  await search.locator('.opblock-summary').click();
  await search.getByRole('button', { name: 'Try it out' }).click();
  await search.getByRole('button', { name: 'Execute' }).click();
  const status = search.locator('.live-responses-table tbody .response-col_status').first();
  await status.waitFor();
  assert.match(await status.innerText(), /^200/);
  assert.match(await search.locator('.live-responses-table tbody .response-col_description').first().innerText(), /"title"/);
});

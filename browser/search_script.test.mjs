// The script of the search page shows other results without loading the page again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser, poll, url } from './support.mjs';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** Opens the search page. The test fails if an error is logged, or if the page is loaded again. */
async function open(t, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  const failures = [];
  page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
  page.on('pageerror', (error) => failures.push(error.message));
  await page.goto(url);
  await page.evaluate(() => (window.isFirst = true));
  t.after(() => assert.deepEqual(failures, []));
  return { page, isFirst: () => page.evaluate(() => window.isFirst === true) };
}

function parameter(page, name) {
  return new URL(page.url()).searchParams.get(name);
}

test('links and the form replace the results, and the history leads back', async (t) => {
  const { page, isFirst } = await open(t);
  const all = await page.locator('#results').innerText();
  const day = page.getByRole('link', { name: 'Next 7 days' });
  await day.focus();
  await page.keyboard.press('Enter');
  await page.locator('a[aria-current=true]', { hasText: 'Next 7 days' }).waitFor();
  assert.ok(parameter(page, 'starts_at'));
  assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Next 7 days');
  assert.equal(await page.getByRole('status').last().textContent(), await page.locator('#results').textContent());

  await page.getByLabel('City').fill('nowhere at all');
  await page.keyboard.press('Enter');
  await page.locator('#results', { hasText: /^0 events/ }).waitFor();
  await page.goBack();
  await page.goBack();
  await page.locator('#results', { hasText: all }).waitFor();
  assert.equal(new URL(page.url()).search, '');
  await page.goForward();
  await page.locator('a[aria-current=true]', { hasText: 'Next 7 days' }).waitFor();
  await page.locator('.map a:has(circle)').first().click();
  await page.getByRole('link', { name: /Area of the map.*remove/ }).waitFor();
  assert.ok(await isFirst(), 'the page was not loaded again');

  await page.locator('.event h3 a').first().click();
  await page.getByRole('heading', { name: 'Zones' }).waitFor();
  await page.goBack();
  await page.getByRole('link', { name: /Area of the map.*remove/ }).waitFor();
});

test('results follow what is typed, and one step back leads to the search before it', async (t) => {
  const { page, isFirst } = await open(t);
  const city = page.getByLabel('City');
  await city.pressSequentially('nowhere at all', { delay: 50 });
  await poll(async () => parameter(page, 'city') === 'nowhere at all');
  await page.locator('#results', { hasText: /^0 events/ }).waitFor();
  assert.ok(await city.evaluate((input) => input === document.activeElement && input.value === 'nowhere at all'));
  await page.goBack();
  await poll(async () => parameter(page, 'city') === null);
  await page.locator('.event').first().waitFor();
  assert.ok(await isFirst());

  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.getByText('Category, price and status').click();
  await page.getByLabel('Currency').pressSequentially('EUR', { delay: 400 });
  await page.getByLabel('Order').selectOption('price');
  await poll(async () => parameter(page, 'currency') === 'EUR' && parameter(page, 'sort') === 'price');
  assert.deepEqual(requests.filter((address) => /currency=EU?(&|$)/.test(address)), [], 'a code is requested when it is complete');
});

test('a visitor searches nearby', async (t) => {
  const geolocation = { latitude: 40.41678, longitude: -3.70379 };
  const { page, isFirst } = await open(t, { permissions: ['geolocation'], geolocation });
  await page.getByRole('button', { name: 'Near me' }).click();
  await page.getByRole('link', { name: /Within 25 km of 40.417, -3.704/ }).waitFor();
  assert.equal(parameter(page, 'sort'), 'distance');
  assert.match(await page.locator('.where').first().innerText(), /\([\d.]+ km\)/);
  assert.ok(await isFirst());
});

test('a visitor who does not share the position gets a message', async (t) => {
  const { page } = await open(t, { permissions: [] });
  await page.getByRole('button', { name: 'Near me' }).click();
  await page.getByText('The browser does not provide your position.').waitFor();
});

test('without a script there is no button that does nothing', async (t) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(url);
  assert.ok(await page.getByRole('button', { name: 'Search' }).isVisible());
  assert.equal(await page.getByRole('button', { name: 'Near me' }).count(), 0);
});

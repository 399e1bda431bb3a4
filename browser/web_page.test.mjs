// People look for events on the web page, on narrow screens and without JavaScript.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { findLowContrast, fits, launchBrowser, screenshot, url } from './support.mjs';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** Opens the search page, and fails the test if the page requests another host, logs an error or violates its policy. */
async function open(t, options = {}) {
  const context = await browser.newContext({ javaScriptEnabled: false, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const failures = [];
  page.on('request', (request) => request.url().startsWith(url) || failures.push(`requested ${request.url()}`));
  page.on('console', (message) => message.type() === 'error' && !/status of 400/.test(message.text()) && failures.push(message.text()));
  page.on('pageerror', (error) => failures.push(error.message));
  t.after(() => assert.deepEqual(failures, []));
  await page.goto(url);
  return page;
}

function titles(page) {
  return page.locator('.event h3').allInnerTexts();
}

test('a visitor finds other events of a venue and a performer', async (t) => {
  const page = await open(t);
  const [title] = await titles(page);
  const event = await page.locator('.event h3 a').first().evaluate((link) => link.href);
  await page.locator('.where a').first().click();
  const venue = await page.locator('h1').innerText();
  assert.ok((await titles(page)).includes(title));
  await page.locator('.event h3 a').first().click();
  await page.locator('dd a', { hasText: venue }).click();
  assert.equal(await page.locator('h1').innerText(), venue);
  await page.goto(event);
  const performer = page.locator('dt:text-is("Performers") + dd a').first();
  const name = await performer.innerText();
  await performer.click();
  assert.equal(await page.locator('h1').innerText(), name);
  assert.ok((await titles(page)).length > 0);
  const calendar = await page.getByRole('link', { name: 'Calendar (iCalendar)' }).evaluate((link) => link.href);
  assert.match(await (await fetch(calendar)).text(), /BEGIN:VEVENT/);
});

test('pages continue without repeating events, and the same search is JSON', async (t) => {
  const page = await open(t);
  const ids = () => page.locator('.event h3 a').evaluateAll((links) => links.map((link) => link.href));
  const first = await ids();
  const json = await page.getByRole('link', { name: 'The same search as JSON' }).evaluate((link) => link.href);
  const { data } = await (await fetch(json)).json();
  assert.deepEqual(
    first.map((href) => href.split('/').pop()),
    data.events.map((event) => event.id),
  );
  await page.getByRole('link', { name: 'Next page' }).click();
  const second = await ids();
  assert.equal(new Set([...first, ...second]).size, first.length + second.length);
  await page.getByRole('link', { name: 'First page' }).click();
  assert.deepEqual(await ids(), first);
});

test('a day of the month selects its events, and the search is a calendar', async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 700 } });
  await page.getByRole('link', { name: 'Calendar', exact: true }).click();
  const grid = page.getByRole('table', { name: 'Events that start on each day' });
  assert.deepEqual(await grid.getByRole('columnheader').count(), 7);
  const day = grid.getByRole('link').first();
  const events = Number((await day.locator('.count').innerText()).match(/\d+/)[0]);
  await day.click();
  assert.match(await page.getByRole('heading', { level: 2 }).first().innerText(), new RegExp(`^${events} event`));
  assert.equal(await grid.locator('[aria-current=date]').count(), 1);
  const calendar = await page.getByRole('link', { name: 'Calendar (iCalendar)' }).evaluate((link) => link.href);
  assert.equal((await (await fetch(calendar)).text()).match(/BEGIN:VEVENT/g).length, events);
  await page.getByRole('link', { name: /From: .*remove/ }).click();
  await page.getByRole('link', { name: /Until: .*remove/ }).click();
  assert.equal(await grid.locator('[aria-current=date]').count(), 0);
});

test('a circle of the map selects its area, by mouse and by keyboard', async (t) => {
  const page = await open(t);
  const map = page.getByRole('region', { name: 'Map' });
  const eventsOf = async (link) => Number((await link.evaluate((circle) => circle.textContent)).match(/([\d,]+) events?/)[1].replace(',', ''));
  const found = async () => Number((await page.getByRole('heading', { level: 2 }).first().innerText()).match(/[\d,]+/)[0].replace(',', ''));
  const largest = map.locator('a:has(circle)').first();
  const count = await eventsOf(largest);
  await largest.click();
  assert.equal(await found(), count);
  assert.match(new URL(page.url()).search, /bbox=/);
  assert.ok(await page.getByRole('link', { name: /Area of the map.*remove/ }).isVisible());
  const last = map.locator('a:has(circle)').last();
  const part = await eventsOf(last);
  await last.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.has('bbox'));
  assert.equal(await found(), part);
  await map.getByRole('link', { name: 'Zoom out' }).click();
  assert.ok((await found()) >= part);
  await map.getByRole('link', { name: 'Everywhere' }).click();
  assert.ok((await found()) >= count);
});

test('a search without results names the filter to remove', async (t) => {
  const page = await open(t);
  await page.getByLabel('City').fill('Nowhere at all');
  await page.getByRole('button', { name: 'Search' }).click();
  assert.equal((await titles(page)).length, 0);
  await page.getByRole('link', { name: /Without .*City: Nowhere at all/ }).click();
  assert.ok((await titles(page)).length > 0);
});

test('a visitor reads the page in Spanish, and chooses English', async (t) => {
  const page = await open(t, { locale: 'es-ES' });
  assert.equal(await page.locator('h1').innerText(), 'Qué hay');
  assert.equal(await page.locator('html').getAttribute('lang'), 'es');
  await page.getByRole('link', { name: 'English' }).click();
  assert.equal(await page.locator('h1').innerText(), 'What is on');
  await page.locator('.event h3 a').first().click();
  assert.ok(await page.getByRole('heading', { name: 'Zones' }).isVisible());
  await page.getByRole('link', { name: 'Español' }).click();
  assert.ok(await page.getByRole('heading', { name: 'Zonas' }).isVisible());
  await page.getByRole('link', { name: 'Marquee' }).click();
  await page.getByLabel('Ciudad').fill('Nowhere at all');
  await page.getByRole('button', { name: 'Buscar' }).click();
  assert.ok(await page.getByText('Ningún evento cumple todos los filtros').isVisible());
});

/** The pages of visitors by the names of their screenshots. */
async function findPages() {
  const { data } = await (await fetch(`${url}/events?limit=1`)).json();
  const [{ id, venue, performers }] = data.events;
  return {
    search: url,
    'search-es': `${url}/?lang=es`,
    filters: `${url}/?city=madrid&category=music&status=any`,
    event: `${url}/e/${id}`,
    'event-es': `${url}/e/${id}?lang=es`,
    travel: `${url}/e/${id}?from=a`,
    venue: `${url}/v/${venue.uuid}`,
    performer: `${url}/p/${performers[0].uuid}`,
    invalid: `${url}/?min_price=cheap`,
  };
}

for (const colorScheme of ['light', 'dark']) {
  test(`every text has enough contrast and fits into 320 pixels (${colorScheme})`, async (t) => {
    const page = await open(t, { javaScriptEnabled: true, colorScheme, viewport: { width: 320, height: 700 } });
    const pages = Object.entries(await findPages());
    for (const [name, address] of pages) {
      const status = (await page.goto(address)).status();
      assert.ok([200, 400].includes(status));
      await screenshot(page, `${name}-320-${colorScheme}`);
      assert.ok(await fits(page), address);
      assert.deepEqual(await page.evaluate(findLowContrast), [], address);
      assert.equal(await page.locator('h1').count(), 1);
      const unlabelled = page.locator('input:not([type=hidden]), select').filter({ visible: true });
      for (const control of await unlabelled.all()) {
        assert.ok(await control.evaluate((element) => element.labels.length > 0));
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    for (const [name, address] of pages) {
      await page.goto(address);
      await screenshot(page, `${name}-wide-${colorScheme}`);
    }
  });
}

// The database becomes unavailable while a visitor reads page after page.

import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { element, feed, launchBrowser, poll, startWithFeed } from './support.mjs';

const EVENTS_OF_A_PAGE = 24;

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** Shows that fill three pages, each on another day. */
function shows() {
  const day = (index) => String(1 + (index % 28)).padStart(2, '0');
  const start = (index) => `2099-0${1 + Math.floor(index / 28)}-${day(index)}T20:00:00`;
  const event = (index) => element('event', { event_id: 1, event_start_date: start(index) });
  const show = (index) => element('base_event', { base_event_id: index, sell_mode: 'online', title: `Show ${index}` }, event(index));
  return feed([...Array(3 * EVENTS_OF_A_PAGE).keys()].map(show));
}

for (const javaScriptEnabled of [true, false]) {
  test(`a visitor continues to read while the database is unavailable (script: ${javaScriptEnabled})`, async (t) => {
    const { address, database } = await startWithFeed(t, shows());
    const reads = (state) => poll(async () => (await (await fetch(`${address}/readyz`)).json()).reading === state);
    const context = await browser.newContext({ javaScriptEnabled });
    t.after(() => context.close());
    const page = await context.newPage();
    const failures = [];
    page.on('console', (message) => message.type() === 'error' && !/status of 503/.test(message.text()) && failures.push(message.text()));
    page.on('pageerror', (error) => failures.push(error.message));
    const expectShows = async (first) => {
      await page.locator('.event:first-child h3', { hasText: new RegExp(`^Show ${first}$`) }).waitFor();
      assert.equal(await page.locator('.event').count(), EVENTS_OF_A_PAGE);
    };
    const next = page.getByRole('link', { name: 'Next page' });
    const notice = page.getByText('The database does not respond: these events may be out of date.');

    await page.goto(address);
    await expectShows(0);
    await next.click();
    await expectShows(EVENTS_OF_A_PAGE);
    assert.equal(await notice.count(), 0);

    await rename(database, `${database}-moved`);
    await reads('cached');
    await page.goBack();
    await expectShows(0);
    await next.click();
    await notice.waitFor();
    await expectShows(EVENTS_OF_A_PAGE);
    await next.click();
    await page.getByRole('heading', { level: 1, name: 'Database unavailable' }).waitFor();
    await page.getByText('try again').waitFor();
    const failed = page.url();
    await page.getByRole('link', { name: 'Search for events' }).click();
    await notice.waitFor();
    await expectShows(0);

    await rename(`${database}-moved`, database);
    await reads('available');
    await page.goto(failed);
    await expectShows(2 * EVENTS_OF_A_PAGE);
    assert.equal(await notice.count(), 0);
    assert.deepEqual(failures, []);
  });
}

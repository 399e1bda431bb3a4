// A visitor searches, chooses a weekend and an area, sorts, opens an event and subscribes: with a mouse, by keyboard alone, on a narrow
// screen, with and without script.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { element, feed, fits, launchBrowser, startWithFeed } from './support.mjs';

const DAY = 24 * 60 * 60 * 1000;
/** More than the elements of a page that can be focused. */
const MAX_TABS = 200;

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** The Sunday of this week in Madrid, and the day four weeks later. */
function findDays() {
  const today = Date.parse(new Date().toLocaleDateString('sv', { timeZone: 'Europe/Madrid' }));
  const sunday = today + ((7 - new Date(today).getUTCDay()) % 7) * DAY;
  return [sunday, sunday + 28 * DAY];
}

function date(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

/** Concerts in two cities on the weekend, one of them later, and a play. Those in Barcelona are first neither by price nor by title. */
function concerts() {
  const [sunday, later] = findDays();
  const cities = { Barcelona: [41.374, 2.169], Madrid: [40.417, -3.704] };
  const shows = [
    ['Jazz at noon', 'Barcelona', sunday, 30],
    ['Jazz for two', 'Barcelona', sunday, 12],
    ['Jazz to dance', 'Barcelona', sunday, 20],
    ['Jazz by night', 'Madrid', sunday, 5],
    ['Jazz and wine', 'Barcelona', later, 8],
    ['A play', 'Barcelona', sunday, 9],
  ];
  const baseEvents = shows.map(([title, city, day, price], index) => {
    const [latitude, longitude] = cities[city];
    const zone = element('zone', { zone_id: 1, capacity: 9, price: `${price}.00`, name: 'Stalls' });
    const venue = element('venue', { venue_id: city, name: `Hall of ${city}`, latitude, longitude, city, country: 'ES' });
    const [start, end] = [`${date(day)}T${18 + index}:00:00`, `${date(day + DAY)}T06:00:00`];
    const performer = element('performer', { performer_id: index, name: `Band ${index}` });
    const event = element('event', { event_id: 1, event_start_date: start, event_end_date: end }, performer, venue, zone);
    return element('base_event', { base_event_id: index, sell_mode: 'online', title }, event);
  });
  return feed(baseEvents);
}

/** How a visitor with a mouse or a finger acts. */
const pointer = {
  begin: async () => {},
  follow: (_, link) => link.click(),
  write: (_, field, text) => field.pressSequentially(text),
  choose: (_, select, label) => select.selectOption({ label }),
};

/** How a visitor without one does. */
const keyboard = {
  async begin(page) {
    await page.keyboard.press('Tab');
    assert.equal(await page.locator(':focus').innerText(), 'Skip to the content');
    await page.keyboard.press('Enter');
  },
  async reach(page, target) {
    for (let tabs = 0; !(await target.evaluate((node) => node === document.activeElement)); tabs++) {
      assert.ok(tabs < MAX_TABS, `${target} is not reached`);
      await page.keyboard.press('Tab');
    }
    const outline = await target.evaluate((node) => getComputedStyle(node).outlineStyle);
    assert.notEqual(outline, 'none', 'the focus is visible');
  },
  async follow(page, link) {
    await this.reach(page, link);
    await page.keyboard.press('Enter');
  },
  async write(page, field, text) {
    await this.reach(page, field);
    await page.keyboard.type(text);
  },
  async choose(page, select, label) {
    await this.reach(page, select);
    await page.keyboard.type(label);
  },
};

/** Waits for this number of results, which fit into the window. */
async function expectEvents(page, count) {
  await page.locator('#results', { hasText: new RegExp(`^${count} events?$`) }).waitFor();
  assert.equal(await page.locator('.event').count(), count);
  assert.ok(await fits(page), page.url());
}

/** Follows a link to a calendar. Returns the names of its events. */
async function subscribe(page, input, link) {
  const download = page.waitForEvent('download');
  await input.follow(page, link);
  const calendar = await readFile(await (await download).path(), 'utf8');
  return [...calendar.matchAll(/^SUMMARY:(.*)\r$/gm)].map(([, summary]) => summary).sort();
}

async function completeJourney(page, input) {
  const parameter = (name) => new URL(page.url()).searchParams.get(name);
  await expectEvents(page, 6);
  await input.begin(page);

  await input.write(page, page.getByLabel('Words'), 'jazz');
  await page.keyboard.press('Enter');
  await expectEvents(page, 5);
  assert.equal(parameter('q'), 'jazz');

  const weekend = page.getByRole('link', { name: 'This weekend' });
  await input.follow(page, weekend);
  await expectEvents(page, 4);
  assert.equal(await weekend.getAttribute('aria-current'), 'true');
  assert.deepEqual([parameter('q'), parameter('ends_at'), parameter('time_zone')], ['jazz', date(findDays()[0]), 'venue']);

  const circle = page.getByRole('region', { name: 'Map' }).locator('a:has(circle)', { hasText: '3 events' });
  await input.follow(page, circle);
  await expectEvents(page, 3);
  await page.getByRole('link', { name: /Area of the map.*remove/ }).waitFor();

  await input.choose(page, page.getByLabel('Order'), 'Lowest price');
  await input.follow(page, page.getByRole('button', { name: 'Search' }));
  const byPrice = ['Jazz for two', 'Jazz to dance', 'Jazz at noon'];
  await page.locator('.event:first-child h3', { hasText: byPrice[0] }).waitFor();
  await expectEvents(page, 3);
  assert.deepEqual(await page.locator('.event h3').allInnerTexts(), byPrice);
  assert.deepEqual(await page.locator('.price').allInnerTexts(), ['12 EUR', '20 EUR', '30 EUR']);
  const search = page.url();
  assert.equal(parameter('sort'), 'price');

  await input.follow(page, page.getByRole('link', { name: byPrice[1] }));
  await page.getByRole('heading', { name: 'Zones' }).waitFor();
  assert.equal(await page.locator('h1').innerText(), byPrice[1]);
  assert.ok(await fits(page));
  assert.deepEqual(await subscribe(page, input, page.getByRole('link', { name: 'Add to calendar' })), [byPrice[1]]);

  await page.goBack();
  assert.equal(page.url(), search);
  await expectEvents(page, 3);
  assert.deepEqual(await subscribe(page, input, page.getByRole('link', { name: 'Calendar (iCalendar)' })), byPrice.toSorted());

  await page.goBack();
  await page.locator('.event:first-child h3', { hasText: 'Jazz at noon' }).waitFor();
  assert.equal(parameter('sort'), null);
  assert.ok(parameter('bbox'));
}

for (const [name, input, options] of [
  ['with a mouse', pointer, { viewport: { width: 1280, height: 800 } }],
  ['by keyboard alone', keyboard, {}],
  ['by keyboard alone, without script', keyboard, { javaScriptEnabled: false }],
  ['at 360 pixels, without script', pointer, { javaScriptEnabled: false, viewport: { width: 360, height: 740 } }],
]) {
  test(`a visitor finds an event and subscribes ${name}`, async (t) => {
    const { address } = await startWithFeed(t, concerts());
    const context = await browser.newContext({ timezoneId: 'Asia/Tokyo', ...options });
    t.after(() => context.close());
    const page = await context.newPage();
    const failures = [];
    page.on('request', (request) => request.url().startsWith(address) || failures.push(`requested ${request.url()}`));
    page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
    page.on('pageerror', (error) => failures.push(error.message));
    await page.goto(address);
    await completeJourney(page, input);
    assert.deepEqual(failures, []);
  });
}

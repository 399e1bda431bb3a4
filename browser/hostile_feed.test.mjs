// A provider pushes what is meant to run in the browser of a visitor, or to make its pages unreadable.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { element, feed, fits, launchBrowser, runSql, startWithFeed } from './support.mjs';

const SCRIPT = '<script>alert(1)</script>';
/** The same as a feed must write it so that it remains in the text. */
const REFERENCES = SCRIPT.replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const HOSTILE = {
  'a script': `Show ${SCRIPT}`,
  'an escaped script': REFERENCES,
  'an element that ends an attribute': '"\'><img src=x onerror=alert(1)><svg onload=alert(1)>',
  'the end of a script element': '&lt;/script&gt;&lt;!--&lt;script&gt;alert(1)',
  'text from right to left': 'حفلة موسيقية في مدريد',
  'an override of the direction': '\u202egnitirw \u2066 desrever\u202e',
  'words of 300 characters': `${'W'.repeat(300)} ${'界'.repeat(300)}`,
};
const URLS = ['javascript:alert(1)', 'JaVaScRiPt://x/%0aalert(1)', 'data:text/html,<script>alert(1)</script>', ' javascript:alert(1)'];

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** Writes URLs that the worker does not accept, because a page must not depend on that. */
function setUrls(database) {
  const cases = URLS.map((url, index) => `WHEN ${index} THEN '${url}'`).join(' ');
  runSql(join(database, 'marquee.db'), `UPDATE event SET url = CASE rowid % ${URLS.length} ${cases} END, image_url = url`);
}

/** An event that has a text wherever a provider may write one. */
function hostileEvent(text, index) {
  const url = URLS[index % URLS.length];
  const details = { url, image_url: url, name: text, organizer_name: text, description: text };
  const performer = element('performer', { performer_id: index, name: text });
  const place = { latitude: 41.3 + index / 100, longitude: 2.1, address: text, city: text, region: text, postal_code: text };
  const venue = element('venue', { venue_id: index, name: text, ...place });
  const zone = element('zone', { zone_id: 1, price: '20.00', capacity: 9, name: text });
  const dates = { event_start_date: '2099-06-30T21:00:00', event_end_date: '2099-06-30T22:00:00' };
  const event = element('event', { event_id: 1, ...dates, ...details }, performer, venue, zone);
  return element('base_event', { base_event_id: index, sell_mode: 'online', title: text }, event);
}

/** Runs in the page: the scripts and addresses that no page has. */
function findForeign() {
  const isOurs = (script) => script.type === 'application/ld+json' || script.src.startsWith(`${location.origin}/assets/`);
  const scripts = [...document.scripts].filter((script) => !isOurs(script));
  const attributes = ['href', 'src', 'action', 'formaction', 'xlink:href'];
  const calendars = `webcal://${location.host}/`;
  const isForeign = (value) => value && !value.startsWith(calendars) && !/^https?:$/.test(new URL(value, location).protocol);
  const elements = [...document.querySelectorAll('*')].filter((node) => attributes.some((name) => isForeign(node.getAttribute(name))));
  const handlers = [...document.querySelectorAll('*')].filter((node) => node.getAttributeNames().some((name) => name.startsWith('on')));
  return [...scripts, ...elements, ...handlers].map((node) => node.outerHTML);
}

test('hostile content of a feed is text', async (t) => {
  const { address, database } = await startWithFeed(t, feed(Object.values(HOSTILE).map(hostileEvent)));
  setUrls(database);
  const { data } = await (await fetch(`${address}/events`)).json();
  assert.equal(data.events.length, Object.keys(HOSTILE).length);
  assert.ok(data.events.some((event) => event.url === URLS[0]));
  assert.ok(data.events.some((event) => event.title === SCRIPT), 'a script remains in a title');

  const context = await browser.newContext({ viewport: { width: 320, height: 700 } });
  t.after(() => context.close());
  const page = await context.newPage();
  const failures = [];
  page.on('dialog', (dialog) => failures.push(`dialog ${dialog.message()}`) && dialog.dismiss());
  page.on('request', (request) => request.url().startsWith(address) || failures.push(`requested ${request.url()}`));
  // A script that the policy refuses would be logged.
  page.on('console', (message) => message.type() === 'error' && !/status of 400/.test(message.text()) && failures.push(message.text()));
  page.on('pageerror', (error) => failures.push(error.message));
  const check = async (name) => {
    assert.ok(await fits(page), name);
    assert.deepEqual(await page.evaluate(findForeign), [], name);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).direction), 'ltr');
    assert.deepEqual(failures, [], name);
  };

  for (const event of data.events) {
    const paths = [`e/${event.id}`, `v/${event.venue.uuid}`, `p/${event.performers[0].uuid}`];
    for (const path of paths) {
      await page.goto(`${address}/${path}`);
      const heading = page.locator('h1 bdi');
      assert.equal((await heading.textContent()).trim(), event.title.trim());
      const isArabic = /^\p{Script=Arabic}/u.test(event.title);
      assert.equal(await heading.evaluate((title) => getComputedStyle(title).direction), isArabic ? 'rtl' : 'ltr', path);
      await check(`${path}: ${event.title}`);
    }
  }

  await page.goto(address);
  await check('/');
  assert.ok((await page.locator('.event h3').allInnerTexts()).includes(SCRIPT));
  // The script of the page inserts the results of a search, too.
  await page.getByLabel('Words').fill(SCRIPT);
  await page.locator('#results', { hasText: /^[1-6] event/ }).waitFor();
  await check('/?q=');
  for (const query of [`city=${encodeURIComponent(SCRIPT)}&lang=es`, `q=${'W'.repeat(300)}`, `min_price=${encodeURIComponent(SCRIPT)}`]) {
    await page.goto(`${address}/?${query}`);
    await check(query);
  }
});

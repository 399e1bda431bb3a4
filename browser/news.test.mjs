// People see how the price of an event has changed, and what is new, without JavaScript.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { key, launchBrowser, poll, url } from './support.mjs';

const TITLE = 'Show with a history';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** Pushes the show with this price and status, and waits until the API has them. */
async function push(price, status) {
  const document = `<eventList><output>
    <base_event base_event_id="history" title="${TITLE}" sell_mode="online">
      <event event_id="1" event_date="2099-03-01T20:00:00" event_end_date="2099-03-01T22:00:00" status="${status}">
        <venue venue_id="hall" name="Hall" city="Girona" country="ES"/>
        <zone zone_id="1" name="Stalls" capacity="9" price="${price}" numbered="false"/>
      </event>
    </base_event>
  </output></eventList>`;
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/xml' };
  const response = await fetch(`${url}/providers/simulator/feed?mode=delta`, { method: 'POST', headers, body: document });
  assert.equal(response.status, 202, await response.text());
  let found;
  await poll(async () => {
    const { data } = await (await fetch(`${url}/events?q=${encodeURIComponent(TITLE)}&status=any`)).json();
    [found] = data.events;
    return found && found.min_price === Number(price) && found.status === status;
  });
  return found;
}

async function newPage(t, options = {}) {
  const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en', ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const failures = [];
  page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
  t.after(() => assert.deepEqual(failures, []));
  return page;
}

test('prices are drawn, new and cancelled events are listed', async (t) => {
  await push('30', 'scheduled');
  await push('45', 'scheduled');
  const event = await push('25', 'scheduled');
  const page = await newPage(t, { viewport: { width: 360, height: 740 } });
  await page.goto(`${url}/e/${event.id}`);

  const drawing = page.locator('figure.prices svg');
  const { width, height } = await drawing.boundingBox();
  assert.ok(width > 200 && width <= 360 && height > 60, `${width} x ${height}`);
  const line = await drawing.locator('polyline').evaluate((line) => ({ stroke: getComputedStyle(line).stroke, length: line.getTotalLength() }));
  assert.ok(line.length > 600 && line.stroke !== 'none', JSON.stringify(line));
  assert.ok(await page.getByText('The lowest price was between 25 EUR and 45 EUR.').isVisible());
  const prices = page.locator('section[aria-labelledby=prices] td');
  assert.ok(!(await prices.first().isVisible()));
  await page.getByText('Price history as a table').click();
  assert.deepEqual(await prices.allInnerTexts(), ['25 EUR', '45 EUR', '30 EUR']);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'it fits a narrow screen');

  await page.goto(`${url}/?city=girona`);
  await page.getByRole('link', { name: 'New, cheaper and cancelled events of this search' }).click();
  const titles = () => page.locator('.event h3').allInnerTexts();
  assert.deepEqual(await titles(), [TITLE]);
  await page.getByRole('link', { name: 'Cheaper', exact: true }).click();
  assert.equal(new URL(page.url()).searchParams.get('kind'), 'cheaper');
  assert.ok(await page.getByText('Now from 25 EUR instead of 45 EUR').isVisible());

  await push('25', 'cancelled');
  await page.getByRole('link', { name: 'Cancelled', exact: true }).click();
  assert.deepEqual(await titles(), [TITLE]);
  await page.getByRole('link', { name: 'Español' }).click();
  assert.equal(await page.locator('h1').innerText(), 'Novedades');
  assert.deepEqual(await titles(), [TITLE]);

  const feed = await page.getByRole('link', { name: 'Esta lista como canal (Atom)' }).evaluate((link) => link.href);
  const response = await fetch(feed);
  assert.match(response.headers.get('content-type'), /application\/atom\+xml/);
  assert.match(await response.text(), new RegExp(`<title>${TITLE}</title>`));
  await page.locator('.filters a').first().click();
  assert.equal(new URL(page.url()).searchParams.get('city'), null);
  assert.ok((await titles()).includes(TITLE));
});

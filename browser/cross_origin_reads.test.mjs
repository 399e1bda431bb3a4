// A web page of another origin reads the API: the responses, the headers that it needs, and errors.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { key, launchBrowser, newPage, startApi, startSite, url } from './support.mjs';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

async function openElsewhere(t) {
  const page = await newPage(t, browser);
  const port = await startSite(t, { '/': '<title>Elsewhere</title>' });
  await page.goto(`http://localhost:${port}/`);
  return page;
}

/** Fetches in the page, and returns what its script can read. */
function read(page, target, options = {}) {
  return page.evaluate(
    async ([target, options]) => {
      const response = await fetch(target, { cache: 'no-store', ...options });
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    },
    [target, options],
  );
}

test('a page searches, follows the link to the next page, and revalidates', async (t) => {
  const page = await openElsewhere(t);
  const first = await read(page, `${url}/search?limit=2`);
  const [, next] = first.headers.link.match(/^<(.*)>; rel="next"$/);
  const second = await read(page, new URL(next, `${url}/search`).href);
  const ids = [first, second].flatMap(({ body }) => JSON.parse(body).data.events.map((event) => event.id));
  assert.equal(new Set(ids).size, 4);
  assert.ok(first.headers['x-request-id']);
  const revalidated = await read(page, `${url}/search?limit=2`, { headers: { 'If-None-Match': first.headers.etag } });
  assert.equal(revalidated.status, 304);
});

test('a page reads errors', async (t) => {
  const page = await openElsewhere(t);
  for (const [path, status, code] of [
    ['/search?limit=0', 400, 'invalid_parameter'],
    ['/search/nothing', 404, 'path_not_found'],
    ['/events/00000000-0000-0000-0000-000000000000', 404, 'not_found'],
  ]) {
    const response = await read(page, url + path);
    assert.equal(response.status, status);
    assert.equal(JSON.parse(response.body).error.code, code);
  }
});

test('a page over its rate limit reads when to retry', async (t) => {
  const api = await startApi(t, { RATE_LIMIT_PER_SECOND: '1' });
  const page = await openElsewhere(t);
  let limited;
  for (let request = 0; request < 200 && limited?.status !== 429; request++) limited = await read(page, `${api}/search?limit=1`);
  assert.equal(limited.status, 429);
  assert.equal(limited.headers['retry-after'], '1');
  assert.match(limited.headers.ratelimit, /^"default";r=0;t=1$/);
});

test('a page reads that the database is unavailable', async (t) => {
  const api = await startApi(t, { DATABASE_URL: 'postgres://localhost:1/none' });
  const page = await openElsewhere(t);
  const response = await read(page, `${api}/search`);
  assert.equal(response.status, 503);
  assert.equal(response.headers['retry-after'], '2');
});

test('a page with an API key writes', async (t) => {
  const page = await openElsewhere(t);
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' };
  const written = await read(page, `${url}/multivac/data`, { method: 'POST', headers, body: 'data=LIGHT' });
  assert.equal(written.status, 200);
});

test('only the listed origins may read when the operator lists some', async (t) => {
  const api = await startApi(t, { CORS_ALLOWED_ORIGINS: 'https://app.example' });
  const page = await openElsewhere(t);
  await assert.rejects(read(page, `${api}/search?limit=1`), /Failed to fetch/);
});

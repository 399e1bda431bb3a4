// A web page of another origin must not be able to write to a server without API keys, which accepts writes of its own machine: the
// visitor's browser runs on it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser, newPage, startApi, startSite, url } from './support.mjs';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** Every write of the OpenAPI document, with its path parameters filled in. */
async function writes() {
  const { paths } = await (await fetch(`${url}/openapi.json`)).json();
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((method) => method !== 'get')
      .map((method) => ({ method: method.toUpperCase(), path: path.replace('{slug}', 'simulator').replace('{id}', '1') })),
  );
}

const FEED = '<eventList version="1.0"><output></output></eventList>';

function form(action, enctype) {
  return `<form method="post" action="${action}" enctype="${enctype}"><input name="data" value='${FEED}'></form>
    <script>document.forms[0].submit()</script>`;
}

/** What a write could change. The schedule starts syncs, too; these have a tick. */
async function observe(api) {
  const read = async (path) => (await (await fetch(api + path)).json()).data;
  const { sync_runs: runs } = await read('/sync-runs');
  const requested = runs.filter((run) => run.tick === null);
  return { requested, data: await read('/zzz'), places: await read('/places'), batches: await read('/rates/batches') };
}

for (const host of ['127.0.0.1', 'localhost']) {
  const relation = host === 'localhost' ? 'another site' : 'another port of the same host';

  test(`forms of ${relation} are refused`, async (t) => {
    const api = await startApi(t, { API_KEYS_FILE: undefined });
    const before = await observe(api);
    const pages = {};
    const enctypes = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'];
    const targets = (await writes()).flatMap(({ path }) => enctypes.map((enctype) => ({ path, enctype })));
    targets.forEach(({ path, enctype }, index) => (pages[`/${index}`] = form(api + path, enctype)));
    const port = await startSite(t, pages);
    const page = await newPage(t, browser);
    for (const [index, { path, enctype }] of targets.entries()) {
      const submitted = page.waitForResponse((response) => response.url() === api + path);
      await page.goto(`http://${host}:${port}/${index}`);
      const response = await submitted;
      assert.equal(response.request().method(), 'POST');
      // A path that only has other methods does not read the request.
      const expected = response.status() === 405 ? 'method_not_allowed' : 'cross_origin_write';
      await page.waitForLoadState();
      assert.match(await page.locator('body').innerText(), new RegExp(expected), `${path} ${enctype}`);
    }
    assert.deepEqual(await observe(api), before);
  });

  test(`scripts of ${relation} are refused`, async (t) => {
    const api = await startApi(t, { API_KEYS_FILE: undefined });
    const before = await observe(api);
    const page = await newPage(t, browser);
    await page.goto(`http://${host}:${await startSite(t, { '/': '<title>Elsewhere</title>' })}/`);
    for (const { method, path } of await writes()) {
      // Without CORS, a page cannot read the response, and only sends methods and media types that forms can send.
      const modes = method === 'POST' ? ['no-cors', 'cors'] : ['cors'];
      for (const mode of modes) {
        const received = page.waitForResponse((response) => response.url() === api + path && response.request().method() === method);
        await page.evaluate(
          ([target, options]) => fetch(target, options).catch(() => null),
          [api + path, { method, mode, body: method === 'DELETE' ? undefined : FEED }],
        );
        assert.equal((await received).status(), 403, `${method} ${path} ${mode}`);
      }
    }
    assert.deepEqual(await observe(api), before);
  });
}

test('the Swagger UI of the server itself may write', async (t) => {
  const api = await startApi(t, { API_KEYS_FILE: undefined });
  const page = await newPage(t, browser);
  await page.goto(`${api}/docs`);
  const status = await page.evaluate(async () => {
    const body = new URLSearchParams({ data: 'from our own page' });
    return (await fetch('/multivac/data', { method: 'POST', body })).status;
  });
  assert.equal(status, 200);
});

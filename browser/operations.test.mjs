// An operator watches a run arrive, retries a dead job, and tries a broken feed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { findLowContrast, fits, key, launchBrowser, poll, runSql, screenshot, startSite, url } from './support.mjs';

const PAGES = ['ops', 'ops/runs', 'ops/runs/1', 'ops/jobs', 'ops/dry-runs', 'ops/webhooks'];

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** A page of the operator, who enters the key into the dialog of the browser. Fails the test if the page violates its policy. */
async function open(t, path, options = {}) {
  const context = await browser.newContext({ httpCredentials: { username: 'operator', password: key }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const failures = [];
  page.on('request', (request) => request.url().startsWith(url) || failures.push(`requested ${request.url()}`));
  page.on('console', (message) => message.type() === 'error' && !/status of 40[013]/.test(message.text()) && failures.push(message.text()));
  page.on('pageerror', (error) => failures.push(error.message));
  t.after(() => assert.deepEqual(failures, []));
  await page.goto(`${url}/${path}`);
  return page;
}

/** Inserts a sync that has failed at all its attempts, and returns its id. */
function insertDeadJob(name, reason) {
  const file = process.env.DATABASE_URL.replace('sqlite://', '').replace(/\?.*/, '');
  const statement = `INSERT INTO job (kind, key, lane, payload, state, run_at, attempt, max_attempts, epoch, reason, created_at, in_order)
    VALUES ('sync', 'sync/simulator/${name}', 'sync/simulator', '{"provider":"simulator","trigger":"${name}"}', 'dead', 0, 5, 5, 5, '${reason}', 0, false)
    RETURNING id`;
  return runSql(file, statement);
}

/** Creates a webhook, and waits until a worker has failed to reach it. */
async function createWebhook(target) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const response = await fetch(`${url}/webhooks`, { method: 'POST', headers, body: JSON.stringify({ url: target }) });
  assert.equal(response.status, 201);
  const { id } = (await response.json()).data.webhook;
  await fetch(`${url}/webhooks/${id}/test`, { method: 'POST', headers });
  const hasFailed = async () => (await (await fetch(`${url}/webhooks/${id}`, { headers })).json()).data.attempts.length > 0;
  await poll(hasFailed);
}

function requestSync() {
  return fetch(`${url}/providers/simulator/sync`, { method: 'POST', headers: { authorization: `Bearer ${key}` } });
}

test('without a key, the browser shows a dialog and no content', async (t) => {
  // Nothing but a dialog causes this error, which is cancelled here.
  await assert.rejects(open(t, 'ops', { httpCredentials: undefined }), /ERR_INVALID_AUTH_CREDENTIALS/);
  assert.match(await (await fetch(`${url}/ops`)).text(), /<h1>Authentication required<\/h1>/);
});

test('the overview reports a fresh copy', async (t) => {
  const page = await open(t, 'ops');
  const row = page.getByRole('row').filter({ hasText: 'simulator' });
  assert.match(await row.innerText(), /up to date/);
  assert.match(await page.getByText('Database:').innerText(), /responds/);
  await page.getByRole('link', { name: 'Runs', exact: true }).click();
  assert.equal(await page.getByRole('link', { name: 'Runs', exact: true }).getAttribute('aria-current'), 'page');
});

test('a run arrives while the page is open, and the focus remains', async (t) => {
  const page = await open(t, 'ops/runs');
  const newest = () => page.locator('tbody th a').first().innerText();
  const before = await newest();
  const focused = page.getByRole('region', { name: 'Runs' });
  await focused.focus();
  await requestSync();
  await poll(async () => (await newest()) !== before);
  assert.ok(await focused.evaluate((element) => element.matches(':focus')));
  assert.ok((await page.locator('.timeline rect').count()) > 0);

  await page.getByRole('button', { name: 'Pause updates' }).click();
  const paused = await newest();
  await requestSync();
  await poll(async () => (await (await fetch(`${url}/sync-runs?limit=1`)).json()).data.sync_runs[0].id !== Number(paused.slice(1)));
  assert.equal(await newest(), paused);
  await page.getByRole('button', { name: 'Resume updates' }).click();
  await poll(async () => (await newest()) !== paused);

  await page.locator('tbody th a').first().click();
  assert.match(await page.locator('h1').innerText(), /^Run \d+ of simulator$/);
});

for (const javaScriptEnabled of [true, false]) {
  test(`a dead job is retried and succeeds (script: ${javaScriptEnabled})`, async (t) => {
    const id = insertDeadJob(`script-${javaScriptEnabled}`, 'the disk is full');
    const page = await open(t, 'ops/jobs', { javaScriptEnabled });
    await screenshot(page, `jobs-${javaScriptEnabled}`);
    const row = page.locator(`#job-${id}`);
    assert.match(await row.innerText(), /the disk is full/);
    await page.getByRole('button', { name: `Retry job ${id}` }).click();
    assert.match(await page.getByRole('status').first().innerText(), new RegExp(`Job ${id} will be retried now`));
    await poll(async () => {
      if (!javaScriptEnabled) await page.getByRole('link', { name: 'Reload' }).click();
      return (await row.count()) === 0;
    });
  });

  test(`a broken feed is tried, and then a correct one (script: ${javaScriptEnabled})`, async (t) => {
    const page = await open(t, 'ops/dry-runs', { javaScriptEnabled });
    const feed = (end) => `<?xml version="1.0"?><eventList><output><base_event base_event_id="browser" sell_mode="online" title="Camela">
      <event event_start_date="2031-06-30T21:00:00" event_end_date="2031-06-30T22:00:00" event_id="1" sell_from="2020-07-01T00:00:00"
        sell_to="2031-06-30T20:00:00" sold_out="false"><zone zone_id="1" capacity="2" price="20.00" name="A" numbered="true"/></event>
      <event event_start_date="2031-06-31T21:00:00" event_end_date="x" event_id="2" sell_from="x" sell_to="x" sold_out="false"/>
      </base_event></output>${end}`;
    await page.getByLabel('What is not in the document').selectOption('delta');
    await page.getByLabel('Or the text of the document').fill(feed(''));
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByText('The document would be rejected').waitFor({ timeout: 120_000 });
    await screenshot(page, `broken-feed-${javaScriptEnabled}`);

    await page.getByRole('link', { name: 'Try another document' }).click();
    await page.getByLabel('What is not in the document').selectOption('delta');
    await page.getByLabel(/^File/).setInputFiles({ name: 'feed.xml', mimeType: 'text/xml', buffer: Buffer.from(feed('</eventList>')) });
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByText('The document would change the copy').waitFor({ timeout: 120_000 });
    assert.match(await page.locator('.diff li').innerText(), /inserted: Camela, 2031-06-30T21:00:00/);
    assert.match(await page.locator('.rejects li').first().innerText(), /2031-06-31/);
    await screenshot(page, `feed-${javaScriptEnabled}`);
  });
}

test('a page of another site cannot send the forms, although the browser adds the password', async (t) => {
  const id = insertDeadJob('foreign', 'stays dead');
  const form = `<form method="post" action="${url}/ops/jobs/${id}/retry"><input name="token" value="0"></form><script>document.forms[0].submit()</script>`;
  const port = await startSite(t, { '/form': form });
  const context = await browser.newContext({ httpCredentials: { username: 'operator', password: key } });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`${url}/ops/jobs`);
  const response = page.waitForResponse((response) => response.url().endsWith('/retry') && response.status() !== 401);
  await page.goto(`http://localhost:${port}/form`);
  assert.equal((await response).status(), 403);
  await page.goto(`${url}/ops/jobs`);
  assert.match(await page.locator(`#job-${id}`).innerText(), /stays dead/);
});

for (const colorScheme of ['light', 'dark']) {
  test(`every text has enough contrast and fits into 320 pixels (${colorScheme})`, async (t) => {
    insertDeadJob(colorScheme, 'a'.repeat(300));
    await createWebhook(`https://hooks.invalid/${'a'.repeat(300)}`);
    const page = await open(t, 'ops', { colorScheme, viewport: { width: 320, height: 700 } });
    for (const path of [...PAGES, 'ops/runs?state=done']) {
      await page.goto(`${url}/${path}`);
      await screenshot(page, `${path.replace(/\W/g, '-')}-320-${colorScheme}`);
      assert.ok(await fits(page), path);
      assert.deepEqual(await page.evaluate(findLowContrast), [], path);
      assert.equal(await page.locator('h1').count(), 1);
      for (const control of await page.locator('input:not([type=hidden]), select, textarea').all()) {
        assert.ok(await control.evaluate((element) => element.labels.length > 0), path);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    for (const path of PAGES) {
      await page.goto(`${url}/${path}`);
      await screenshot(page, `${path.replace(/\W/g, '-')}-wide-${colorScheme}`);
    }
  });
}

// The API behind nginx, under a path prefix, which compresses responses itself.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freePort, key, launchBrowser, newPage, poll, url } from './support.mjs';

let browser;
let prefix;
let nginx;
let folder;

before(async () => {
  browser = await launchBrowser();
  folder = await mkdtemp(join(tmpdir(), 'marquee-nginx-'));
  const port = await freePort();
  prefix = `http://127.0.0.1:${port}/events/api`;
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`);
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log stderr;
     events {}
     http {
       access_log off; ${paths.join(' ')}
       gzip on; gzip_min_length 1; gzip_proxied any; gzip_types application/json application/problem+json;
       server {
         listen 127.0.0.1:${port};
         location /events/api/ { proxy_pass ${url}/; proxy_set_header Host $http_host; proxy_set_header Accept-Encoding ""; }
       }
     }`,
  );
  nginx = spawn(process.env.NGINX, ['-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  await poll(async () => (await fetch(`${prefix}/livez`)).ok);
});

after(async () => {
  nginx.kill();
  await browser.close();
  await rm(folder, { recursive: true });
});

test('pages are followed and responses are revalidated', async () => {
  const target = `${prefix}/search?limit=3`;
  const first = await fetch(target);
  assert.equal(first.headers.get('content-encoding'), 'gzip');
  assert.equal((await first.json()).data.events.length, 3);
  const [, next] = first.headers.get('link').match(/^<(.*)>; rel="next"$/);
  const second = await fetch(new URL(next, target));
  assert.equal((await second.json()).data.events.length, 3);
  // nginx makes the validator of a response that it compresses weak.
  const etag = first.headers.get('etag');
  assert.match(etag, /^W\//);
  assert.equal((await fetch(target, { headers: { 'If-None-Match': etag } })).status, 304);
});

test('redirects and references stay under the prefix', async () => {
  const redirect = await fetch(`${prefix}/search/?limit=1`, { redirect: 'manual' });
  assert.equal(new URL(redirect.headers.get('location'), redirect.url).href, `${prefix}/search?limit=1`);
  assert.ok((await fetch(`${prefix}/search/?limit=1`)).ok);
  for (const path of ['/search?limit=0', '/sync-runs/999999']) {
    const { type } = await (await fetch(prefix + path)).json();
    const entry = new URL(type, prefix + path);
    assert.ok(entry.href.startsWith(`${prefix}/errors#`), entry.href);
    assert.ok((await (await fetch(entry)).text()).includes(`id="${entry.hash.slice(1)}"`));
  }
});

test('the location of what a write creates is under the prefix', async () => {
  const target = `${prefix}/providers/simulator/sync`;
  const response = await fetch(target, { method: 'POST', headers: { authorization: `Bearer ${key}` } });
  assert.equal(response.status, 202);
  const location = new URL(response.headers.get('location'), target);
  assert.ok(location.href.startsWith(`${prefix}/sync-runs/`), location.href);
  assert.ok((await fetch(location)).ok);
});

test('the web page works under the prefix', async (t) => {
  const page = await newPage(t, browser);
  const failures = [];
  page.on('response', (response) => response.ok() || failures.push(response.url()));
  await page.goto(`${prefix}/`);
  const title = await page.locator('.event h3').first().innerText();
  await page.locator('.event h3 a').first().click();
  assert.equal(await page.locator('h1').innerText(), title);
  assert.ok(page.url().startsWith(`${prefix}/e/`), page.url());
  await page.getByRole('link', { name: 'Marquee' }).click();
  assert.equal(page.url(), `${prefix}/`);
  assert.deepEqual(failures, []);
});

test('the API documentation executes a search', async (t) => {
  const page = await newPage(t, browser);
  await page.goto(`${prefix}/docs`);
  const status = await page.evaluate(async () => {
    const document = await (await fetch('openapi.json')).json();
    const server = new URL(document.servers[0].url, new URL('openapi.json', location.href));
    return (await fetch(new URL('search?limit=1', server))).status;
  });
  assert.equal(status, 200);
  await page.locator('.opblock', { has: page.locator('[data-path="/search"]') }).locator('.opblock-summary').click();
  await page.getByRole('button', { name: 'Try it out' }).click();
  const requested = page.waitForRequest((request) => request.url().includes('/search'));
  await page.getByRole('button', { name: 'Execute' }).click();
  assert.ok((await requested).url().startsWith(`${prefix}/search`));
});

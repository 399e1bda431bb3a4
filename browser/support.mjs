// Starts what the tests need: a Chromium, more APIs over the database of the stack, and a web server of another origin.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

/** The API of the stack, and its key. */
export const url = required('MARQUEE_URL');
export const key = required('MARQUEE_KEY');

/** Where the tests write screenshots. */
const SCREENSHOTS = process.env.SCREENSHOTS || fileURLToPath(new URL('screenshots', import.meta.url));

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run \`make test-browser\``);
  return value;
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: required('CHROMIUM'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Listens on a free port until `t` ends. Returns the port. */
function listen(t, server) {
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  const port = await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function program(name) {
  return join(required('MARQUEE_BIN'), name);
}

/** Starts a program until `t` ends. Returns a promise that rejects if it exits. */
function start(t, name, args, settings) {
  const running = spawn(program(name), args, { env: { ...process.env, ...settings }, stdio: 'ignore' });
  const failed = new Promise((_, reject) => running.on('exit', (code) => reject(new Error(`${name} exited with ${code}`))));
  failed.catch(() => {});
  t.after(() => running.kill());
  return failed;
}

/** Starts another API with these settings until `t` ends. Returns its URL. */
export async function startApi(t, settings) {
  const port = await freePort();
  const failed = start(t, 'marquee-api', [], { API_LISTEN: `127.0.0.1:${port}`, ...settings });
  const address = `http://127.0.0.1:${port}`;
  await Promise.race([failed, poll(async () => (await fetch(`${address}/livez`)).ok)]);
  return address;
}

const PROVIDER = `[[provider]]
slug = "visitors"
url = "http://127.0.0.1:1/feed"
format = "event-list-xml"
schedule = "0 0 0 1 1 *"
time_zone = "Europe/Madrid"
currency = "EUR"
allow_private_addresses = true
`;

/** Starts a worker and an API over a new database until `t` ends, and pushes a feed. Returns the API's URL and the database's folder. */
export async function startWithFeed(t, document) {
  const folder = mkdtempSync(join(tmpdir(), 'marquee-browser-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const database = join(folder, 'database');
  mkdirSync(database);
  const providers = join(folder, 'providers.toml');
  writeFileSync(providers, PROVIDER);
  const settings = { DATABASE_URL: `sqlite://${database}/marquee.db?mode=rwc`, PROVIDERS_FILE: providers };
  execFileSync(program('marquee-migrate'), ['up'], { env: { ...process.env, ...settings }, stdio: 'ignore' });
  start(t, 'marquee-worker', ['run'], { METRICS_LISTEN: `127.0.0.1:${await freePort()}`, ...settings });
  const address = await startApi(t, settings);
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/xml' };
  let run;
  await poll(async () => {
    // The worker stores the provider when it starts.
    const response = await fetch(`${address}/providers/visitors/feed`, { method: 'POST', headers, body: document });
    run = response.status === 202 && response.headers.get('location');
    return run;
  });
  await poll(async () => (await (await fetch(new URL(run, `${address}/providers/visitors/feed`))).json()).data.ended_at);
  return { address, database };
}

/** Runs a statement on a SQLite file. Returns what it selects. */
export function runSql(file, statement) {
  return execFileSync(required('SQLITE3'), ['-cmd', '.timeout 60000', file, statement]).toString().trim();
}

/** An element of a feed with these attributes. */
export function element(name, attributes, ...children) {
  const escape = (value) => String(value).replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
  const pairs = Object.entries(attributes).map(([attribute, value]) => ` ${attribute}="${escape(value)}"`);
  return `<${name}${pairs.join('')}>${children.join('')}</${name}>`;
}

/** A feed with these base events. */
export function feed(baseEvents) {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('eventList', {}, element('output', {}, ...baseEvents))}`;
}

/** Waits until a condition holds, on a machine that may be busy. */
export async function poll(condition) {
  for (const deadline = Date.now() + 120_000; ; ) {
    if (await condition().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error('the condition did not become true');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A web site with these pages by path. Returns its port: both 127.0.0.1 and localhost are its hosts. */
export function startSite(t, pages) {
  return listen(
    t,
    createServer((request, response) => {
      const page = pages[request.url];
      response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html' }).end(page);
    }),
  );
}

/** A new page in a profile without history. */
export async function newPage(t, browser) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return context.newPage();
}

/** Writes a screenshot of the whole page. */
export function screenshot(page, name) {
  return page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** Whether all of the page fits into the width of its window. */
export function fits(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
}

/** Runs in the page: the texts with a contrast below 4.5 (WCAG 2, AA). */
export function findLowContrast() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const linear = [red, green, blue].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const background = (element) => {
    for (let current = element; current; current = current.parentElement) {
      const color = parse(getComputedStyle(current).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.body.querySelectorAll('*')]
    .filter((element) => hasText(element) && element.checkVisibility())
    .filter((element) => {
      const [text, behind] = [parse(getComputedStyle(element).color), background(element)].map(luminance);
      return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05) < 4.5;
    })
    .map((element) => element.outerHTML);
}

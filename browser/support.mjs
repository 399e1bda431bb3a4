// Starts what the tests need: a Chromium, more APIs over the database of the stack, and a web server of another origin.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

/** The API of the stack, and its key. */
export const url = required('MARQUEE_URL');
export const key = required('MARQUEE_KEY');

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

/** Starts another API with these settings until `t` ends. Returns its URL. */
export async function startApi(t, settings) {
  const port = await freePort();
  const environment = { ...process.env, API_LISTEN: `127.0.0.1:${port}`, ...settings };
  const api = spawn(join(required('MARQUEE_BIN'), 'marquee-api'), { env: environment, stdio: 'ignore' });
  const failed = new Promise((_, reject) => api.on('exit', (code) => reject(new Error(`the API exited with ${code}`))));
  failed.catch(() => {});
  t.after(() => api.kill());
  const address = `http://127.0.0.1:${port}`;
  await Promise.race([failed, poll(async () => (await fetch(`${address}/livez`)).ok)]);
  return address;
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

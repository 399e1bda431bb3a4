// With MAP_PMTILES, the map of a search is shown on vector tiles of a local file.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launchBrowser, poll, startApi } from './support.mjs';

const HEADER_BYTES = 127;
const EXTENT = 4096;
const TILES = 5;
/** The colors of land in the themes of Protomaps. */
const EARTH = { light: [226, 223, 218], dark: [31, 31, 31] };

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

function varint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  return [...bytes, number];
}

/** A field of Protocol Buffers: a number, or bytes with their length. */
function field(number, value) {
  const isNumber = typeof value === 'number';
  const head = varint(number * 8 + (isNumber ? 0 : 2));
  return isNumber ? [...head, ...varint(value)] : [...head, ...varint(value.length), ...value];
}

/** A tile that is all land. */
function landTile() {
  const [zero, width, back] = [0, 2 * EXTENT, 2 * EXTENT - 1];
  const ring = [9, zero, zero, 26, width, zero, zero, width, back, zero, 15].flatMap(varint);
  const feature = [...field(3, 3), ...field(4, ring)];
  const layer = [...field(1, Buffer.from('earth')), ...field(2, feature), ...field(5, EXTENT), ...field(15, 2)];
  return Buffer.from(field(3, layer));
}

/** A file with one uncompressed tile for the whole world and for its quarters. */
function tilesFile() {
  const tile = landTile();
  const directory = Buffer.from([1, 0, TILES, ...varint(tile.length), 1]);
  const metadata = Buffer.from('{}');
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('PMTiles\x03', 'latin1');
  let offset = HEADER_BYTES;
  [directory.length, metadata.length, 0, tile.length].forEach((length, section) => {
    header.writeBigUInt64LE(BigInt(offset), 8 + 16 * section);
    header.writeBigUInt64LE(BigInt(length), 16 + 16 * section);
    offset += length;
  });
  [TILES, 1, 1].forEach((count, index) => header.writeBigUInt64LE(BigInt(count), 72 + 8 * index));
  header.set([1, 1, 1, 1, 0, 1], 96);
  [-1_800_000_000, -850_000_000, 1_800_000_000, 850_000_000].forEach((degrees, index) => {
    header.writeInt32LE(degrees, 102 + 4 * index);
  });
  return Buffer.concat([header, directory, metadata, tile]);
}

async function start(t) {
  const folder = await mkdtemp(join(tmpdir(), 'marquee-tiles-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'world.pmtiles');
  await writeFile(file, tilesFile());
  return startApi(t, { MAP_PMTILES: file });
}

/** The color in the middle of a tile. */
function colorOf(tile) {
  return tile.evaluate((canvas) => {
    const middle = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1);
    return [...middle.data].slice(0, 3);
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`the map of a search is shown on tiles of a local file, ${colorScheme}`, async (t) => {
    const address = await start(t);
    const context = await browser.newContext({ colorScheme });
    t.after(() => context.close());
    const page = await context.newPage();
    const failures = [];
    page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
    page.on('pageerror', (error) => failures.push(error.message));
    page.on('request', (request) => new URL(request.url()).origin === address || failures.push(request.url()));
    const part = page.waitForResponse((response) => response.url() === `${address}/map.pmtiles`);
    await page.goto(address);
    assert.equal((await part).status(), 206);
    const tile = page.locator('.tiles canvas.leaflet-tile-loaded').first();
    await tile.waitFor();
    await poll(async () => (await colorOf(tile)).join() === EARTH[colorScheme].join());
    assert.equal(await page.locator('#map svg:has(circle)').count(), 0, 'the built-in map is replaced');
    await page.getByText('OpenStreetMap').waitFor();

    await page.evaluate(() => (window.isFirst = true));
    const circle = page.locator('.tiles .cluster a').first();
    const [label, href] = await Promise.all(['aria-label', 'href'].map((name) => circle.getAttribute(name)));
    const events = label.split(': ').at(-1);
    assert.match(href, /[?&]bbox=/);
    await circle.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /Area of the map.*remove/ }).waitFor();
    assert.equal(await page.locator('#results').innerText(), events);
    await page.locator('.tiles .cluster a').first().waitFor();
    await page.locator('.tiles .leaflet-control-zoom-in').click();
    assert.equal(new URL(page.url()).search, href.replace(/^[^?]*/, ''), 'zooming changes no filter');
    assert.ok(await page.evaluate(() => window.isFirst), 'the page was not loaded again');
    assert.deepEqual(failures, []);
  });
}

test('readers without script see the built-in map', async (t) => {
  const address = await start(t);
  const context = await browser.newContext({ javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(address);
  await page.locator('#map svg a:has(circle)').first().click();
  await page.getByRole('link', { name: /Area of the map.*remove/ }).waitFor();
});

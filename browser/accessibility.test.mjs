// axe-core finds nothing serious on any page, in both themes.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { key, launchBrowser, url } from './support.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const OF_OPERATORS = ['ops', 'ops/runs', 'ops/runs/1', 'ops/jobs', 'ops/dry-runs', 'ops/webhooks'];

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser.close());

/** The pages of visitors, with those of an event, its venue and its performer. */
async function findPages() {
  const { data } = await (await fetch(`${url}/events?limit=1`)).json();
  const [event] = data.events;
  return [
    '',
    '?city=madrid&category=music&status=any',
    '?city=nowhere',
    '?min_price=cheap',
    '?lang=es&bbox=-4,40,-3,41',
    'new',
    'new?kind=cheaper&city=nowhere&lang=es',
    `e/${event.id}?from=a`,
    `v/${event.venue.uuid}`,
    `p/${event.performers[0].uuid}`,
    'e/none',
  ];
}

/** The serious findings on the page, in a readable form. */
async function findSerious(page) {
  await page.addScriptTag({ path: AXE });
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  return serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join('\n')}`);
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe-core finds nothing serious (${colorScheme})`, async (t) => {
    // The policy of the pages would refuse the script that examines them.
    const options = { colorScheme, bypassCSP: true, httpCredentials: { username: 'operator', password: key } };
    const context = await browser.newContext(options);
    t.after(() => context.close());
    const page = await context.newPage();
    for (const path of [...(await findPages()), ...OF_OPERATORS]) {
      await page.goto(`${url}/${path}`);
      assert.deepEqual(await findSerious(page), [], path);
    }
  });
}

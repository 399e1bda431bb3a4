// What the tests of both clients share: data, polling, pages, and the record of requests.

import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const WAIT_MS = 120_000;

/** A setting that scripts/test-clients passes. */
export function setting(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

/** Writes a request to the file from which scripts/test-clients finds operations that were not called. */
export function record(method: string, url: string): void {
  appendFileSync(setting("CALLS_FILE"), `${method.toUpperCase()} ${new URL(url, setting("MARQUEE_URL")).pathname}\n`);
}

export async function waitFor<T>(fetch: () => Promise<T>, isDone: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const value = await fetch();
    if (isDone(value)) return value;
    assert(Date.now() < deadline, `not completed in time: ${JSON.stringify(value)}`);
    await setTimeout(100);
  }
}

/** The cursor of the next page, from a `Link` header. */
export function nextCursor(link: string | null | undefined): string | undefined {
  const target = /<([^>]*)>; rel="next"/.exec(link ?? "")?.[1];
  return target && (new URL(target, setting("MARQUEE_URL")).searchParams.get("cursor") ?? undefined);
}

/** Checks that a copy of all events is complete, and returns its cursor. */
export function checkCopy(text: string): string {
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.at(-1), { events: lines.length - 2 });
  return lines[0].cursor;
}

/** A feed with one event, with `title`, and one rejected event. */
export function readFeed(client: string): { title: string; feed: string } {
  return { title: `Stand-up Hour of ${client}`, feed: readFileSync("feed.xml", "utf8").replace("CLIENT", client) };
}

export const DAY = "2031-02-10";
const PRICES = [1244, 1140, 1079];
export const ITEMS = PRICES.map((price) => ({ orig_code: "CNGGZ", dest_code: "EETLL", day: DAY, price }));
export const NDJSON = ITEMS.map((item) => `${JSON.stringify(item)}\n`).join("");
export const CSV = `orig_code,dest_code,day,price\n${PRICES.map((price) => `CNGGZ,EETLL,${DAY},${price}\n`).join("")}`;

export const PLACES = {
  regions: [{ slug: "baltic", name: "Baltic", parent_slug: null }],
  places: [
    { code: "CNGGZ", name: "Guangzhou", region_slug: null },
    { code: "EETLL", name: "Tallinn", region_slug: "baltic" },
  ],
};

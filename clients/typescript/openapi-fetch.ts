// Calls every operation of a running API with openapi-fetch and the types of openapi-typescript, and checks the results.
// scripts/test-clients generates the types and starts the API.

import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import { CSV, DAY, ITEMS, NDJSON, PLACES, checkCopy, nextCursor, readFeed, record, setting, waitFor } from "./checks.js";
import type { components, paths } from "./generated/openapi-typescript.js";

type Schemas = components["schemas"];
// openapi-fetch omits members that are always null.
type Problem = Omit<Schemas["Problem"], "data">;
type Result<T> = { data?: T; error?: unknown; response: Response };

const CLIENT = "openapi-fetch";

function connect(key?: string) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const client = createClient<paths>({ baseUrl: setting("MARQUEE_URL"), headers });
  client.use({ onRequest: ({ request }) => record(request.method, request.url) });
  return client;
}

const client = connect(setting("MARQUEE_KEY"));
const importer = connect(setting("MARQUEE_RATES_KEY"));

/** The typed body of a response with this status. */
function body<T>({ data, error, response }: Result<T>, status: number): T {
  assert.equal(response.status, status, JSON.stringify(error));
  assert(data !== undefined);
  return data;
}

function problem(result: { error?: Problem; response: Response }, status: number, code: Schemas["ErrorCode"]) {
  const { error, response } = result;
  assert.equal(response.status, status);
  assert.equal(error?.error.code, code, JSON.stringify(error));
  assert.equal(error.status, status);
  assert(error.request_id);
  return error;
}

async function checkHealth() {
  assert.equal(body(await client.GET("/livez"), 200).status, "live");
  assert.equal(body(await client.GET("/readyz"), 200).status, "ready");
}

async function checkErrors() {
  const error = problem(await client.GET("/search", { params: { query: { limit: 0 } } }), 400, "invalid_parameter");
  assert.equal(error.errors[0]?.parameter, "limit");
  const id = "267d3f1d-1b41-5fad-8d34-000000000000";
  problem(await client.GET("/events/{id}", { params: { path: { id } } }), 404, "not_found");
  const submit = (writer: typeof client) => writer.POST("/multivac/data", { body: { data: "rejected" }, ...FORM });
  problem(await submit(connect()), 401, "authentication_required");
  problem(await submit(connect("mq_unknown")), 401, "invalid_key");
  problem(await submit(importer), 403, "missing_scope");
}

// openapi-fetch writes a body as JSON, unless its media type is the one of a form or a serializer is passed.
const FORM = { headers: { "Content-Type": "application/x-www-form-urlencoded" } };

function file(mediaType: string) {
  return { headers: { "Content-Type": mediaType }, bodySerializer: (text: unknown) => String(text) };
}

async function checkSync() {
  const queued = body(await client.POST("/providers/{slug}/sync", { params: { path: { slug: "simulator" } } }), 202);
  const run = await waitForRun(queued.data.sync_run);
  assert(["succeeded", "unchanged"].includes(run.state), run.state);
  const listed = body(await client.GET("/sync-runs", { params: { query: { provider: "simulator" } } }), 200);
  assert(listed.data.sync_runs.some(({ id }) => id === run.id));
  const { providers } = body(await client.GET("/providers"), 200).data;
  const simulator = providers.find(({ slug }) => slug === "simulator");
  assert.deepEqual([simulator?.state, simulator?.currency], ["ok", "EUR"]);
}

function waitForRun(id: number) {
  const fetch = async () => body(await client.GET("/sync-runs/{id}", { params: { path: { id: id } } }), 200).data;
  return waitFor(fetch, (run) => !["queued", "running"].includes(run.state));
}

async function checkPages() {
  const first = await client.GET("/search", { params: { query: { limit: 2 } } });
  const cursor = nextCursor(first.response.headers.get("Link"));
  const second = await client.GET("/search", { params: { query: { limit: 2, cursor } } });
  const events = [first, second].flatMap((page) => body(page, 200).data.events);
  assert.equal(new Set(events.map(({ id }) => id)).size, 4);
}

async function checkExports(id: string, title: string) {
  const params = { query: { starts_at: DAY, ends_at: "2031-02-11" } };
  const options = { params, parseAs: "text" } as const;
  assert(body(await client.GET("/events.ics", options), 200).includes("BEGIN:VEVENT"));
  assert(body(await client.GET("/events.atom", options), 200).includes("<entry>"));
  assert(body(await client.GET("/events.csv", options), 200).includes(title));
  const { features } = body(await client.GET("/events.geojson", { params }), 200);
  assert(features.some((feature) => feature.id === id));
  const ofEvent = { params: { path: { id } } };
  assert(body(await client.GET("/events/{id}.ics", { ...ofEvent, parseAs: "text" }), 200).includes(title));
  assert.equal(body(await client.GET("/events/{id}.jsonld", ofEvent), 200)["name"], title);
}

async function checkChanges(eventId: string) {
  const query = { provider: "simulator" };
  const copy = body(await client.GET("/events.ndjson", { params: { query }, parseAs: "text" }), 200);
  assert(copy.includes(eventId));
  const after = checkCopy(copy);
  const page = body(await client.GET("/changes", { params: { query: { after, kind: ["created", "left"], limit: 10 } } }), 200);
  assert(page.meta.next);
  const history = body(await client.GET("/events/{id}/history", { params: { path: { id: eventId } } }), 200).data.changes;
  assert(history.every((change) => change.event_id === eventId));
  problem(await client.GET("/changes/stream", { params: { query: { after: "x" } } }), 400, "invalid_parameter");
}

async function checkPlaces() {
  const counts = body(await client.PUT("/places", { body: PLACES }), 200).data;
  assert.deepEqual([counts.regions, counts.places], [1, 2]);
  const found = body(await client.GET("/places", { params: { query: { q: "tal" } } }), 200).data.places;
  assert.deepEqual(found.map((place) => [place.code, place.region_slug]), [["EETLL", "baltic"]]);
}

async function checkFeed(feed: string) {
  const push = (query: { dry_run?: boolean }) =>
    client.POST("/providers/{slug}/feed", {
      params: { path: { slug: "simulator" }, query: { mode: "delta", ...query }, header: { "Idempotency-Key": `${CLIENT}-feed` } },
      body: feed,
      ...file("application/xml"),
    });
  const report = body(await push({ dry_run: true }), 200).data;
  assert("rejects" in report);
  assert.deepEqual([report.state, report.fetched, report.rejected], ["succeeded", 1, 1]);
  assert.equal(report.rejects[0]?.line, 12);
  const queued = body(await push({}), 202).data;
  assert("sync_run" in queued);
  assert.deepEqual(body(await push({}), 202).data, queued);
  const run = await waitForRun(queued.sync_run);
  assert.deepEqual([run.state, run.fetched, run.rejected], ["succeeded", 1, 1]);
  const rejected = await client.GET("/sync-runs/{id}/rejects", { params: { path: { id: run.id } } });
  assert.equal(body(rejected, 200).data.rejects[0]?.base_event_id, "rejected");
}

/** Finds the pushed event by all calls, and returns its id. */
async function checkCatalogue(title: string) {
  const query = { starts_at: DAY, ends_at: "2031-02-11" };
  const fetch = async () => body(await client.GET("/search", { params: { query } }), 200).data.events[0];
  // Searches use a new version of the catalogue within a second.
  const listed = await waitFor(fetch, (event) => event?.title === title);
  assert(listed);
  const path = { id: listed.id };
  const current = await client.GET("/events/{id}", { params: { path } });
  const details = body(current, 200).data;
  assert.deepEqual([details.title, details.currency, details.venue?.place_code], [title, "EUR", "EETLL"]);
  assert.deepEqual(details.zones.map(({ name, price }) => [name, price]), [["A42", 55]]);
  const header = { "Marquee-Min-Version": Number(current.response.headers.get("Marquee-Version")) };
  const as_of = details.updated_at ?? undefined;
  const past = body(await client.GET("/events/{id}", { params: { path, query: { as_of }, header } }), 200);
  assert("meta" in past && past.meta.as_of === as_of && past.data.title === title);
  const { data, meta } = body(await client.GET("/events", { params: { query: { ids: [listed.id], total: true } } }), 200);
  assert.deepEqual([data.events.map((event) => event.title), meta.total], [[title], 1]);
  const ofDay = { params: { query: { starts_at: DAY, ends_at: DAY } } };
  const { days } = body(await client.GET("/events/calendar", ofDay), 200).data;
  assert.deepEqual(days.map(({ day, count, min_price }) => [day, count, min_price]), [[DAY, 1, 55]]);
  const facets = body(await client.GET("/events/facets", { params: { query } }), 200);
  assert.deepEqual([facets.data.facets[0]?.by, facets.meta.total, facets.meta.complete], ["category", 1, true]);
  const { performers } = body(await client.GET("/performers", { params: { query: { q: "the clockwork" } } }), 200);
  const band = performers.find(({ name }) => name === "The Clockwork Ushers");
  assert(band);
  const point = { latitude: 59.437, longitude: 24.7535, radius: 1 };
  const found = await client.GET("/concerts", { params: { query: { bandIds: [band.band_id, "unknown"], ...point } } });
  assert.deepEqual([body(found, 200)[0]?.band, body(found, 200)[0]?.location], ["The Clockwork Ushers", "Old Mill"]);
  const { venues } = body(await client.GET("/venues", { params: { query: { q: "Old M" } } }), 200);
  const [mill] = venues;
  assert.equal(mill?.place_code, "EETLL");
  const ofBand = { params: { path: { id: band.band_id } } };
  assert.equal(body(await client.GET("/performers/{id}", ofBand), 200).data.name, band.name);
  const ofMill = { params: { path: { id: `simulator:${mill.id}` } } };
  assert.equal(body(await client.GET("/venues/{id}", ofMill), 200).data.name, mill.name);
  const ofProvider = { params: { path: { slug: "simulator" } } };
  assert.equal(body(await client.GET("/providers/{slug}", ofProvider), 200).data.slug, "simulator");
  assert(body(await client.GET("/categories"), 200).data.categories.some(({ slug }) => slug === "music"));
  return details.id;
}

async function checkRates(eventId: string) {
  const header = (number: number) => ({ header: { "Idempotency-Key": `${CLIENT}-${number}` } });
  const imported = [
    await importer.POST("/rates/batches", { params: header(0), body: ITEMS }),
    await importer.POST("/rates/batches", { params: header(1), body: NDJSON, ...file("application/x-ndjson") }),
    await importer.POST("/rates/batches", { params: header(2), body: CSV, ...file("text/csv") }),
    await importer.POST("/rates/batches", { params: header(0), body: ITEMS }),
  ].map((result) => body(result, 201).data);
  const batches = imported.slice(0, 3);
  assert.deepEqual(imported[3], batches[0]);
  problem(await importer.POST("/rates/batches", { params: header(0), body: [] }), 422, "idempotency_key_reused");

  const query = { date_from: DAY, date_to: DAY, orig_code: "CNGGZ", dest_code: "baltic" };
  const { rates } = body(await client.GET("/rates", { params: { query } }), 200);
  assert.deepEqual(rates.map(({ count, price }) => [count, Math.round(price ?? 0)]), [[9, 1154]]);
  const around = { path: { id: eventId }, query: { orig_code: "CNGGZ" } };
  const ofEvent = body(await client.GET("/events/{id}/rates", { params: around }), 200);
  assert.deepEqual(ofEvent.rates.map(({ count }) => count), [0, 0, 0, 9, 0, 0, 0]);

  const first = await client.GET("/rates/batches", { params: { query: { limit: 2 } } });
  const cursor = nextCursor(first.response.headers.get("Link"));
  const second = await client.GET("/rates/batches", { params: { query: { limit: 2, cursor } } });
  const listed = [first, second].flatMap((page) => body(page, 200).data.batches);
  assert.deepEqual(listed, batches.toReversed());
  for (const batch of batches) {
    const path = { id: batch.id };
    assert.deepEqual(body(await client.GET("/rates/batches/{id}", { params: { path } }), 200).data, batch);
    assert.equal((await importer.DELETE("/rates/batches/{id}", { params: { path } })).response.status, 204);
    problem(await client.GET("/rates/batches/{id}", { params: { path } }), 404, "not_found");
  }
}

async function checkRemoval() {
  const [event] = body(await client.GET("/search", { params: { query: { limit: 1 } } }), 200).data.events;
  assert(event);
  const path = { id: event.id };
  for (let request = 0; request < 2; request++) {
    const params = { path, query: { reason: "case 12" } };
    assert.equal((await client.DELETE("/events/{id}", { params })).response.status, 204);
  }
  problem(await client.GET("/events/{id}", { params: { path } }), 410, "event_removed");
}

async function checkWebhooks() {
  const webhook = { url: "https://hooks.invalid/", query: "kind=left" };
  const created = body(await client.POST("/webhooks", { body: webhook }), 201).data;
  assert(created.secret.startsWith("whsec_"));
  const params = { path: { id: created.webhook.id } };
  assert.notEqual(body(await client.POST("/webhooks/{id}/rotate", { params }), 200).data.secret, created.secret);
  body(await client.POST("/webhooks/{id}/test", { params }), 202);
  const query = { after: created.webhook.position };
  assert.equal(body(await client.POST("/webhooks/{id}/replay", { params: { ...params, query } }), 200).data.state, "active");
  assert.equal(body(await client.POST("/webhooks/{id}/enable", { params }), 200).data.failures, 0);
  const fetch = async () => body(await client.GET("/webhooks/{id}", { params }), 200).data.attempts;
  assert.equal((await waitFor(fetch, (attempts) => attempts.length > 0))[0]?.outcome, "unreachable");
  const listed = body(await client.GET("/webhooks"), 200).data.webhooks;
  assert(listed.some(({ id }) => id === created.webhook.id));
  assert.equal((await client.DELETE("/webhooks/{id}", { params })).response.status, 204);
  problem(await client.GET("/webhooks/{id}", { params }), 404, "not_found");
}

async function checkProbe() {
  const data = `datum & ${CLIENT}`;
  assert(body(await client.POST("/multivac/data", { body: { data }, ...FORM }), 200).response);
  const fetch = async () => body(await client.GET("/zzz", { params: { query: { limit: 1 } } }), 200).data.data[0];
  assert.equal((await waitFor(fetch, (datum) => datum?.processed_at != null))?.data, data);
  assert.equal(body(await client.GET("/multivac", { parseAs: "text" }), 200), data);
}

const { title, feed } = readFeed(CLIENT);
await checkHealth();
await checkErrors();
await checkSync();
await checkPages();
await checkPlaces();
await checkFeed(feed);
const eventId = await checkCatalogue(title);
await checkExports(eventId, title);
await checkChanges(eventId);
await checkRates(eventId);
await checkRemoval();
await checkWebhooks();
await checkProbe();

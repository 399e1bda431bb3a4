// Calls every operation of a running API with the client that orval generates, and checks the results. scripts/test-clients
// generates the client and starts the API.

import assert from "node:assert/strict";

import axios, { AxiosError, type AxiosResponse } from "axios";

import { CSV, DAY, ITEMS, NDJSON, PLACES, checkCopy, nextCursor, readFeed, record, setting, waitFor } from "./checks.js";
import * as marquee from "./generated/orval.js";

const CLIENT = "orval";

axios.defaults.baseURL = setting("MARQUEE_URL");
axios.defaults.paramsSerializer = { indexes: null }; // lists as repeated parameters
axios.interceptors.request.use((request) => {
  record(request.method ?? "GET", request.url ?? "/");
  return request;
});

function key(value: string) {
  return { headers: { Authorization: `Bearer ${value}` } };
}

const admin = key(setting("MARQUEE_KEY"));
const importer = key(setting("MARQUEE_RATES_KEY"));

function once(key: { headers: object }, idempotencyKey: string) {
  return { headers: { ...key.headers, "Idempotency-Key": idempotencyKey } };
}

/** The typed body of a response with this status. */
async function body<T>(request: Promise<AxiosResponse<T>>, status: number): Promise<T> {
  const response = await request.catch(({ message, response }: AxiosError) =>
    assert.fail(`${message}: ${JSON.stringify(response?.data)}`),
  );
  assert.equal(response.status, status);
  return response.data;
}

async function problem(request: Promise<unknown>, status: number, code: marquee.ErrorCode): Promise<marquee.Problem> {
  const error: unknown = await request.then(() => undefined, (reason: unknown) => reason);
  assert(error instanceof AxiosError && error.response, `expected ${status}, got ${error}`);
  const problem = error.response.data as marquee.Problem;
  assert.deepEqual([error.response.status, problem.status, problem.error.code], [status, status, code]);
  assert(problem.request_id);
  return problem;
}

async function checkHealth() {
  assert.equal((await body(marquee.livez(), 200)).status, "live");
  assert.equal((await body(marquee.readyz(), 200)).status, "ready");
}

async function checkErrors() {
  const error = await problem(marquee.search({ limit: 0 }), 400, "invalid_parameter");
  assert.equal(error.errors[0]?.parameter, "limit");
  await problem(marquee.event("267d3f1d-1b41-5fad-8d34-000000000000"), 404, "not_found");
  const datum = { data: "rejected" };
  await problem(marquee.multivacData(datum), 401, "authentication_required");
  await problem(marquee.multivacData(datum, key("mq_unknown")), 401, "invalid_key");
  await problem(marquee.multivacData(datum, importer), 403, "missing_scope");
}

async function checkSync() {
  const queued = await body(marquee.syncNow("simulator", admin), 202);
  const run = await waitForRun(queued.data.sync_run);
  assert(["succeeded", "unchanged"].includes(run.state), run.state);
  const listed = await body(marquee.syncRuns({ provider: "simulator" }), 200);
  assert(listed.data.sync_runs.some(({ id }) => id === run.id));
  const { providers } = (await body(marquee.providers(), 200)).data;
  const simulator = providers.find(({ slug }) => slug === "simulator");
  assert.deepEqual([simulator?.state, simulator?.currency], ["ok", "EUR"]);
}

function waitForRun(id: number) {
  const fetch = async () => (await body(marquee.syncRun(id), 200)).data;
  return waitFor(fetch, (run) => !["queued", "running"].includes(run.state));
}

async function checkPages() {
  const first = await marquee.search({ limit: 2 });
  const second = await marquee.search({ limit: 2, cursor: nextCursor(first.headers.link) });
  const events = [first, second].flatMap((page) => page.data.data.events);
  assert.equal(new Set(events.map(({ id }) => id)).size, 4);
}

async function checkExports(id: string, title: string) {
  const query = { starts_at: DAY, ends_at: "2031-02-11" };
  assert((await body(marquee.eventsIcs(query), 200)).includes("BEGIN:VEVENT"));
  assert((await body(marquee.eventsAtom(query), 200)).includes("<entry>"));
  assert((await body(marquee.eventsCsv(query), 200)).includes(title));
  const { features } = await body(marquee.eventsGeojson(query), 200);
  assert(features.some((feature) => feature.id === id));
  assert((await body(marquee.eventIcs(id), 200)).includes(title));
  assert.equal((await body(marquee.eventJsonld(id), 200))["name"], title);
}

async function checkChanges(eventId: string) {
  const copy = await body(marquee.eventsNdjson({ provider: "simulator" }), 200);
  assert(copy.includes(eventId));
  const after = checkCopy(copy);
  const page = await body(marquee.changes({ after, kind: ["created", "left"], limit: 10 }), 200);
  assert(page.meta.next);
  const history = (await body(marquee.eventHistory(eventId), 200)).data.changes;
  assert(history.every((change) => change.event_id === eventId));
  await problem(marquee.changesStream({ after: "x" }), 400, "invalid_parameter");
}

async function checkPlaces() {
  const counts = (await body(marquee.putPlaces(PLACES, admin), 200)).data;
  assert.deepEqual([counts.regions, counts.places], [1, 2]);
  const found = (await body(marquee.places({ q: "tal" }), 200)).data.places;
  assert.deepEqual(found.map((place) => [place.code, place.region_slug]), [["EETLL", "baltic"]]);
}

async function checkFeed(feed: string) {
  const file = new Blob([feed], { type: "application/xml" });
  const push = (params: marquee.PushFeedParams) =>
    marquee.pushFeed("simulator", file, { mode: "delta", ...params }, once(admin, `${CLIENT}-feed`));
  const report = (await body(push({ dry_run: true }), 200)).data;
  assert("rejects" in report);
  assert.deepEqual([report.state, report.fetched, report.rejected], ["succeeded", 1, 1]);
  assert.equal(report.rejects[0]?.line, 12);
  const queued = (await body(push({}), 202)).data;
  assert("sync_run" in queued);
  assert.deepEqual((await body(push({}), 202)).data, queued);
  const run = await waitForRun(queued.sync_run);
  assert.deepEqual([run.state, run.fetched, run.rejected], ["succeeded", 1, 1]);
  const { rejects } = (await body(marquee.rejects(run.id), 200)).data;
  assert.equal(rejects[0]?.base_event_id, "rejected");
}

/** Finds the pushed event by all calls, and returns its id. */
async function checkCatalogue(title: string) {
  const fetch = async () => (await body(marquee.search({ starts_at: DAY, ends_at: "2031-02-11" }), 200)).data.events[0];
  // Searches use a new version of the catalogue within a second.
  const listed = await waitFor(fetch, (event) => event?.title === title);
  assert(listed);
  const details = (await body(marquee.event(listed.id), 200)).data;
  assert.deepEqual([details.title, details.currency, details.venue?.place_code], [title, "EUR", "EETLL"]);
  assert.deepEqual(details.zones.map(({ name, price }) => [name, price]), [["A42", 55]]);
  const { data, meta } = await body(marquee.events({ ids: [listed.id], total: true }), 200);
  assert.deepEqual([data.events.map((event) => event.title), meta.total], [[title], 1]);
  const { days } = (await body(marquee.eventCalendar({ starts_at: DAY, ends_at: DAY }), 200)).data;
  assert.deepEqual(days.map(({ day, count, min_price }) => [day, count, min_price]), [[DAY, 1, 55]]);
  const facets = await body(marquee.eventFacets({ starts_at: DAY, ends_at: "2031-02-11" }), 200);
  assert.deepEqual([facets.data.facets[0]?.by, facets.meta.total, facets.meta.complete], ["category", 1, true]);
  const { performers } = await body(marquee.performers({ q: "the clockwork" }), 200);
  const band = performers.find(({ name }) => name === "The Clockwork Ushers");
  assert(band);
  const [concert] = await body(marquee.concerts({ bandIds: [band.band_id, "unknown"], latitude: 59.437, longitude: 24.7535, radius: 1 }), 200);
  assert.deepEqual([concert?.band, concert?.location], ["The Clockwork Ushers", "Old Mill"]);
  const [mill] = (await body(marquee.venues({ q: "Old M" }), 200)).venues;
  assert.equal(mill?.place_code, "EETLL");
  assert.equal((await body(marquee.performer(band.band_id), 200)).data.name, band.name);
  assert.equal((await body(marquee.venue(`simulator:${mill.id}`), 200)).data.name, mill.name);
  assert.equal((await body(marquee.provider("simulator"), 200)).data.slug, "simulator");
  assert((await body(marquee.categories(), 200)).data.categories.some(({ slug }) => slug === "music"));
  return details.id;
}

async function checkRates(eventId: string) {
  const post = (number: number, prices: marquee.RateItem[] | Blob) =>
    marquee.postRateBatch(prices, once(importer, `${CLIENT}-${number}`));
  const batches = [
    (await body(post(0, ITEMS), 201)).data,
    (await body(post(1, new Blob([NDJSON], { type: "application/x-ndjson" })), 201)).data,
    (await body(post(2, new Blob([CSV], { type: "text/csv" })), 201)).data,
  ];
  assert.deepEqual((await body(post(0, ITEMS), 201)).data, batches[0]);
  await problem(post(0, []), 422, "idempotency_key_reused");

  const query = { date_from: DAY, date_to: DAY, orig_code: "CNGGZ", dest_code: "baltic" };
  const { rates } = await body(marquee.rates(query), 200);
  assert.deepEqual(rates.map(({ count, price }) => [count, Math.round(price ?? 0)]), [[9, 1154]]);
  const ofEvent = await body(marquee.eventRates(eventId, { orig_code: "CNGGZ" }), 200);
  assert.deepEqual(ofEvent.rates.map(({ count }) => count), [0, 0, 0, 9, 0, 0, 0]);

  const first = await marquee.rateBatches({ limit: 2 });
  const second = await marquee.rateBatches({ limit: 2, cursor: nextCursor(first.headers.link) });
  assert.deepEqual([first, second].flatMap((page) => page.data.data.batches), batches.toReversed());
  for (const batch of batches) {
    const id = batch.id;
    assert.deepEqual((await body(marquee.rateBatch(id), 200)).data, batch);
    await body(marquee.deleteRateBatch(id, importer), 204);
    await problem(marquee.rateBatch(id), 404, "not_found");
  }
}

async function checkWebhooks() {
  const created = (await body(marquee.createWebhook({ url: "https://hooks.invalid/", query: "kind=left" }, admin), 201)).data;
  const { id, position } = created.webhook;
  assert.notEqual((await body(marquee.rotateWebhook(id, admin), 200)).data.secret, created.secret);
  await body(marquee.testWebhook(id, admin), 202);
  assert.equal((await body(marquee.replayWebhook(id, { after: position }, admin), 200)).data.state, "active");
  assert.equal((await body(marquee.enableWebhook(id, admin), 200)).data.failures, 0);
  const fetch = async () => (await body(marquee.webhook(id, admin), 200)).data.attempts;
  assert.equal((await waitFor(fetch, (attempts) => attempts.length > 0))[0]?.outcome, "unreachable");
  const listed = (await body(marquee.webhooks(admin), 200)).data.webhooks;
  assert(listed.some((webhook) => webhook.id === id));
  await body(marquee.deleteWebhook(id, admin), 204);
  await problem(marquee.webhook(id, admin), 404, "not_found");
}

async function checkRemoval() {
  const [event] = (await body(marquee.search({ limit: 1 }), 200)).data.events;
  assert(event);
  for (let request = 0; request < 2; request++) {
    await body(marquee.removeEvent(event.id, { reason: "case 12" }, admin), 204);
  }
  await problem(marquee.event(event.id), 410, "event_removed");
}

async function checkProbe() {
  const data = `datum & ${CLIENT}`;
  assert((await body(marquee.multivacData({ data }, admin), 200)).response);
  const fetch = async () => (await body(marquee.zzz({ limit: 1 }), 200)).data.data[0];
  assert.equal((await waitFor(fetch, (datum) => datum?.processed_at != null))?.data, data);
  assert.equal(await body(marquee.multivac(), 200), data);
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

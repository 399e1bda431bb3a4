"""Calls every operation of a running API with the client that openapi-python-client generates, and checks the results.

scripts/test-clients generates the package `marquee` and starts the API. Environment: MARQUEE_URL, MARQUEE_KEY (a key with the
scope `admin`), MARQUEE_RATES_KEY (a key with the scope `rates`), and CALLS_FILE, to which the requests are written.
"""

import io
import json
import os
import re
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
from marquee import AuthenticatedClient, Client
from marquee.api.changes import changes, changes_stream, event_history, events_ndjson
from marquee.api.concerts import concerts, performer, performers, venue, venues
from marquee.api.events import (
    categories,
    event,
    event_calendar,
    event_facets,
    event_ics,
    event_jsonld,
    events,
    events_atom,
    events_csv,
    events_geojson,
    events_ics,
    remove_event,
    search,
)
from marquee.api.health import livez, readyz
from marquee.api.places_and_prices import (
    delete_rate_batch,
    event_rates,
    places,
    post_rate_batch,
    put_places,
    rate_batch,
    rate_batches,
    rates,
)
from marquee.api.probe import multivac, multivac_data, zzz
from marquee.api.providers_and_syncs import provider, providers, push_feed, rejects, sync_now, sync_run, sync_runs
from marquee.api.webhooks import (
    create_webhook,
    delete_webhook,
    enable_webhook,
    replay_webhook,
    rotate_webhook,
    test_webhook,
    webhook,
    webhooks,
)
from marquee.models import (
    Concert,
    Datum,
    DatumForm,
    EventSummary,
    PlaceInput,
    PlacesDocument,
    Problem,
    PushFeedMode,
    RateItem,
    RegionInput,
    SyncRun,
    WebhookInput,
)
from marquee.types import File, Response
from standardwebhooks import Webhook, WebhookVerificationError

FEED = Path(__file__).with_name("feed.xml").read_text()
TITLE = "Stand-up Hour of python"
DAY = date(2031, 2, 10)
PRICES = [("CNGGZ", "EETLL", DAY, price) for price in (1244, 1140, 1079)]

T = TypeVar("T")


def record(request: httpx.Request) -> None:
    with open(os.environ["CALLS_FILE"], "a") as calls:
        print(request.method, request.url.path, file=calls)


def connect(key: str | None) -> AuthenticatedClient:
    settings: dict[str, Any] = {"httpx_args": {"event_hooks": {"request": [record]}}, "timeout": httpx.Timeout(60)}
    if key is None:
        return Client(os.environ["MARQUEE_URL"], **settings)  # type: ignore[return-value]
    return AuthenticatedClient(os.environ["MARQUEE_URL"], key, **settings)


client = connect(os.environ["MARQUEE_KEY"])


def body(response: Response[Any], status: int) -> Any:
    """The typed body of a response with this status."""
    assert response.status_code == status, f"expected {status}, got {response.status_code}: {response.content.decode()}"
    assert response.parsed is not None
    return response.parsed


def problem(response: Response[Any], status: int, code: str) -> Problem:
    error = body(response, status)
    assert isinstance(error, Problem)
    assert error.error.code == code, error
    assert error.status == status and error.request_id
    return error


def wait_for(fetch: Callable[[], T], is_done: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + 120
    while not is_done(value := fetch()):
        assert time.monotonic() < deadline, f"not completed in time: {value}"
        time.sleep(0.1)
    return value


def next_cursor(response: Response[Any]) -> str | None:
    """The cursor of the next page, from the `Link` header."""
    link = re.search(r'<([^>]*)>; rel="next"', response.headers.get("Link", ""))
    return httpx.URL(link[1]).params["cursor"] if link else None


def check_health() -> None:
    assert body(livez.sync_detailed(client=client), 200).status == "live"
    assert body(readyz.sync_detailed(client=client), 200).status == "ready"


def check_errors() -> None:
    error = problem(search.sync_detailed(client=client, limit=0), 400, "invalid_parameter")
    assert error.errors[0].parameter == "limit" and "between 1 and 50000" in error.errors[0].message
    problem(event.sync_detailed("267d3f1d-1b41-5fad-8d34-000000000000", client=client), 404, "not_found")
    datum = DatumForm(data="rejected")
    problem(multivac_data.sync_detailed(client=connect(None), body=datum), 401, "authentication_required")
    problem(multivac_data.sync_detailed(client=connect("mq_unknown"), body=datum), 401, "invalid_key")
    problem(multivac_data.sync_detailed(client=connect(os.environ["MARQUEE_RATES_KEY"]), body=datum), 403, "missing_scope")


def check_sync() -> None:
    run_id = body(sync_now.sync_detailed("simulator", client=client), 202).data.sync_run
    assert wait_for_run(run_id).state in ("succeeded", "unchanged")
    listed = body(sync_runs.sync_detailed(client=client, provider="simulator"), 200).data.sync_runs
    assert run_id in [run.id for run in listed]
    states = {provider.slug: provider for provider in body(providers.sync_detailed(client=client), 200).data.providers}
    assert states["simulator"].state == "ok" and states["simulator"].currency == "EUR"
    assert states["simulator"].last_run.id >= run_id


def wait_for_run(run_id: int) -> SyncRun:
    def fetch_run() -> SyncRun:
        return body(sync_run.sync_detailed(run_id, client=client), 200).data

    return wait_for(fetch_run, lambda run: run.state not in ("queued", "running"))


def check_pages() -> None:
    first = search.sync_detailed(client=client, limit=2)
    second = search.sync_detailed(client=client, limit=2, cursor=next_cursor(first))
    events: list[EventSummary] = body(first, 200).data.events + body(second, 200).data.events
    assert len({event.id for event in events}) == 4
    assert sorted(events, key=lambda event: str(event.start_date)) == events


def check_feed() -> None:
    feed = FEED.replace("CLIENT", "python").encode()

    def push(**options: Any) -> Response[Any]:
        file = File(payload=io.BytesIO(feed), mime_type="application/xml")
        return push_feed.sync_detailed("simulator", client=client, body=file, mode=PushFeedMode.DELTA, **options)

    report = body(push(dry_run=True), 200).data
    assert (report.state, report.fetched, report.rejected) == ("succeeded", 1, 1)
    assert report.rejects[0].line == 12 and "2031-02-30" in report.rejects[0].reason
    run_id = body(push(idempotency_key="python-feed"), 202).data.sync_run
    assert body(push(idempotency_key="python-feed"), 202).data.sync_run == run_id
    run = wait_for_run(run_id)
    assert (run.state, run.fetched, run.rejected) == ("succeeded", 1, 1)
    rejected = body(rejects.sync_detailed(run_id, client=client), 200).data.rejects
    assert [(reject.base_event_id, reject.line) for reject in rejected] == [("rejected", 12)]


def check_catalogue() -> str:
    """Finds the pushed event by all calls, and returns its id."""

    def list_titles() -> dict[str, str]:
        found = search.sync_detailed(client=client, starts_at=DAY, ends_at=DAY + timedelta(days=1))
        return {event.title: event.id for event in body(found, 200).data.events}

    # Searches use a new version of the catalogue within a second.
    event_id = wait_for(list_titles, lambda titles: TITLE in titles)[TITLE]
    response = event.sync_detailed(event_id, client=client)
    details = body(response, 200).data
    assert (details.title, details.currency, details.venue.place_code) == (TITLE, "EUR", "EETLL")
    assert [(zone.name, zone.price, zone.numbered) for zone in details.zones] == [("A42", 55.0, True)]
    version = int(response.headers["Marquee-Version"])
    past = body(event.sync_detailed(event_id, client=client, as_of=details.updated_at, marquee_min_version=version), 200)
    assert (past.data.title, past.data.zones[0].price, past.meta.as_of) == (TITLE, 55.0, details.updated_at)
    page = body(events.sync_detailed(client=client, ids=[event_id], total=True), 200)
    assert ([found.title for found in page.data.events], page.meta.total) == ([TITLE], 1)
    calendar = body(event_calendar.sync_detailed(client=client, starts_at=DAY, ends_at=DAY), 200).data
    assert [(day.day, day.count, day.min_price, day.currency) for day in calendar.days] == [(DAY, 1, 55.0, "EUR")]
    facets = body(event_facets.sync_detailed(client=client, starts_at=DAY, ends_at=DAY + timedelta(days=1)), 200)
    assert (facets.data.facets[0].by, facets.meta.total, facets.meta.complete) == ("category", 1, True)
    found = body(performers.sync_detailed(client=client, q="the clockwork"), 200).performers
    band = next(performer for performer in found if performer.name == "The Clockwork Ushers")
    shows = body(
        concerts.sync_detailed(client=client, band_ids=[band.band_id, "unknown"], latitude=59.437, longitude=24.7535, radius=1),
        200,
    )
    assert isinstance(shows[0], Concert) and (shows[0].band, shows[0].location) == ("The Clockwork Ushers", "Old Mill")
    mill = body(venues.sync_detailed(client=client, q="Old M"), 200).venues[0]
    assert mill.place_code == "EETLL"
    assert body(performer.sync_detailed(band.band_id, client=client), 200).data.name == band.name
    assert body(venue.sync_detailed(f"simulator:{mill.id}", client=client), 200).data.name == mill.name
    assert body(provider.sync_detailed("simulator", client=client), 200).data.slug == "simulator"
    assert "music" in [category.slug for category in body(categories.sync_detailed(client=client), 200).data.categories]
    return event_id


def check_exports(event_id: str) -> None:
    for operation, text in [(events_ics, b"BEGIN:VEVENT"), (events_atom, b"<entry>"), (events_csv, TITLE.encode())]:
        export = operation.sync_detailed(client=client, starts_at=DAY, ends_at=DAY + timedelta(days=1))
        assert export.status_code == 200 and text in export.content, export.content
    collection = body(events_geojson.sync_detailed(client=client, starts_at=DAY, ends_at=DAY + timedelta(days=1)), 200)
    assert event_id in [feature.id for feature in collection.features]
    assert TITLE.encode() in event_ics.sync_detailed(event_id, client=client).content
    assert body(event_jsonld.sync_detailed(event_id, client=client), 200)["name"] == TITLE


def check_changes(event_id: str) -> None:
    copy = events_ndjson.sync_detailed(client=client, provider="simulator")
    assert copy.status_code == 200, copy.content
    first, *events, last = [json.loads(line) for line in copy.content.splitlines()]
    assert last == {"events": len(events)} and str(event_id) in [event["id"] for event in events]
    page = body(changes.sync_detailed(client=client, after=first["cursor"], provider=["simulator"]), 200)
    assert page.meta.next_ and all(change.provider == "simulator" for change in page.data.changes)
    history = body(event_history.sync_detailed(event_id, client=client), 200).data.changes
    assert [str(change.event_id) for change in history] == [str(event_id)] * len(history)
    # The generated client waits for the end of a response, which a stream does not have.
    problem(changes_stream.sync_detailed(client=client, after="x"), 400, "invalid_parameter")
    with client.get_httpx_client().stream("GET", "/changes/stream", params={"after": first["cursor"]}) as stream:
        assert next(stream.iter_lines()) == f"id: {first['cursor']}"


def check_places() -> None:
    document = PlacesDocument(
        regions=[RegionInput(slug="baltic", name="Baltic", parent_slug=None)],
        places=[
            PlaceInput(code="CNGGZ", name="Guangzhou", region_slug=None),
            PlaceInput(code="EETLL", name="Tallinn", region_slug="baltic"),
        ],
    )
    counts = body(put_places.sync_detailed(client=client, body=document), 200).data
    assert (counts.regions, counts.places) == (1, 2)
    found = body(places.sync_detailed(client=client, q="tal"), 200).data.places
    assert [(place.code, place.region_slug) for place in found] == [("EETLL", "baltic")]


def check_rates(event_id: str) -> None:
    importer = connect(os.environ["MARQUEE_RATES_KEY"])
    items = [RateItem(orig_code=orig, dest_code=dest, day=day, price=price) for orig, dest, day, price in PRICES]
    lines = [
        f'{{"orig_code":"{orig}","dest_code":"{dest}","day":"{day}","price":{price}}}\n' for orig, dest, day, price in PRICES
    ]
    rows = ["orig_code,dest_code,day,price\n", *(",".join(map(str, price)) + "\n" for price in PRICES)]
    ndjson = File(payload=io.BytesIO("".join(lines).encode()), mime_type="application/x-ndjson")
    csv = File(payload=io.BytesIO("".join(rows).encode()), mime_type="text/csv")
    batches = [
        body(post_rate_batch.sync_detailed(client=importer, body=upload, idempotency_key=f"python-{number}"), 201).data
        for number, upload in enumerate([items, ndjson, csv])
    ]
    repeated = post_rate_batch.sync_detailed(client=importer, body=items, idempotency_key="python-0")
    assert body(repeated, 201).data.id == batches[0].id
    reused = post_rate_batch.sync_detailed(client=importer, body=items[:1], idempotency_key="python-0")
    problem(reused, 422, "idempotency_key_reused")
    invalid = [RateItem(orig_code="CNGGZ", dest_code="XXXXX", day=items[0].day, price=1)]
    assert problem(post_rate_batch.sync_detailed(client=importer, body=invalid), 422, "invalid_items").errors[0].line == 1

    day = rates.sync_detailed(client=client, date_from=DAY, date_to=DAY, orig_code="CNGGZ", dest_code="baltic")
    assert [(rate.count, round(rate.price)) for rate in body(day, 200).rates] == [(9, 1154)]
    around = body(event_rates.sync_detailed(event_id, client=client, orig_code="CNGGZ"), 200).rates
    assert len(around) == 7 and [rate.count for rate in around if rate.price is not None] == [9]

    page = rate_batches.sync_detailed(client=client, limit=2)
    rest = rate_batches.sync_detailed(client=client, limit=2, cursor=next_cursor(page))
    listed = body(page, 200).data.batches + body(rest, 200).data.batches
    assert [batch.idempotency_key for batch in listed] == ["python-2", "python-1", "python-0"]
    for batch in batches:
        assert body(rate_batch.sync_detailed(batch.id, client=client), 200).data.count == 3
        deleted = delete_rate_batch.sync_detailed(batch.id, client=importer)
        assert deleted.status_code == 204, deleted.content
    problem(rate_batch.sync_detailed(batches[0].id, client=client), 404, "not_found")


def check_removal() -> None:
    event_id = body(search.sync_detailed(client=client, limit=1), 200).data.events[0].id
    for _ in range(2):
        removed = remove_event.sync_detailed(event_id, client=client, reason="case 12")
        assert removed.status_code == 204, removed.content
    problem(event.sync_detailed(event_id, client=client), 410, "event_removed")


class Receiver(BaseHTTPRequestHandler):
    """Stores the messages that it receives."""

    messages: list[tuple[bytes, dict[str, str]]] = []

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.messages.append((content, dict(self.headers.items())))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def check_webhooks() -> None:
    """Verifies the signatures with the implementation of Standard Webhooks."""
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def receive(count: int) -> tuple[bytes, dict[str, str]]:
        return wait_for(lambda: Receiver.messages, lambda messages: len(messages) >= count)[count - 1]

    new = WebhookInput(url=f"http://127.0.0.1:{server.server_port}/", query="kind=left&provider=simulator")
    created = body(create_webhook.sync_detailed(client=client, body=new), 201).data
    problem(create_webhook.sync_detailed(client=connect(None), body=new), 401, "authentication_required")
    webhook_id = created.webhook.id
    check_removal()
    content, headers = receive(1)
    message = Webhook(created.secret).verify(content, headers)
    position = message["data"]["next"]
    page = body(changes.sync_detailed(client=client, after=created.webhook.position, provider=["simulator"]), 200)
    received = [(change["cursor"], change["event_id"], change["kind"]) for change in message["data"]["changes"]]
    assert message["type"] == "changes" and received == [
        (change.cursor, str(change.event_id), change.kind.value) for change in page.data.changes
    ]

    secret = body(rotate_webhook.sync_detailed(webhook_id, client=client), 200).data.secret
    body(test_webhook.sync_detailed(webhook_id, client=client), 202)
    content, headers = receive(2)
    for valid in (created.secret, secret):
        assert Webhook(valid).verify(content, headers)["type"] == "test"
    try:
        Webhook(secret).verify(content + b" ", headers)
        raise AssertionError("a changed message is not valid")
    except WebhookVerificationError:
        pass

    replayed = body(replay_webhook.sync_detailed(webhook_id, client=client, after=created.webhook.position), 200).data
    assert replayed.position == created.webhook.position
    repeated = Webhook(secret).verify(*receive(3))
    assert repeated["data"]["changes"] == message["data"]["changes"] and repeated["data"]["next"] == position
    assert body(enable_webhook.sync_detailed(webhook_id, client=client), 200).data.state == "active"

    def fetch_attempts() -> list[str]:
        details = body(webhook.sync_detailed(webhook_id, client=client), 200).data
        return [attempt.outcome.value for attempt in details.attempts]

    assert wait_for(fetch_attempts, lambda outcomes: len(outcomes) == 3) == ["delivered"] * 3
    assert webhook_id in [found.id for found in body(webhooks.sync_detailed(client=client), 200).data.webhooks]
    deleted = delete_webhook.sync_detailed(webhook_id, client=client)
    assert deleted.status_code == 204, deleted.content
    problem(webhook.sync_detailed(webhook_id, client=client), 404, "not_found")


def check_probe() -> None:
    assert body(multivac_data.sync_detailed(client=client, body=DatumForm(data="datum & python")), 200).response

    def fetch_datum() -> Datum:
        return body(zzz.sync_detailed(client=client, limit=1), 200).data.data[0]

    assert wait_for(fetch_datum, lambda datum: datum.processed_at is not None).data == "datum & python"
    assert body(multivac.sync_detailed(client=client), 200) == "datum & python"


check_health()
check_errors()
check_sync()
check_pages()
check_places()
check_feed()
pushed_event = check_catalogue()
check_exports(pushed_event)
check_changes(pushed_event)
check_rates(pushed_event)
check_webhooks()
check_probe()

"""Reads every export of a running API with independent implementations, and compares it with `/events`.

scripts/test-exports starts the API. Environment: MARQUEE_URL.
"""

import csv
import gzip
import io
import json
import os
import re
import unicodedata
import urllib.error
import urllib.request
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import feedparser
import geojson
import icalendar
from lxml import etree

URL = os.environ["MARQUEE_URL"]
QUERY = "range=all&status=any&listed=any&limit=50000"
ATOM = "{http://www.w3.org/2005/Atom}"
VENUE_COLUMNS = ("latitude", "longitude", "place_code", "address", "postal_code", "city", "region", "country")
STATUSES = {"cancelled": "CANCELLED", "postponed": "TENTATIVE"}


def get(path: str, **headers: str) -> tuple[bytes, dict[str, str]]:
    request = urllib.request.Request(URL + path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urllib.request.urlopen(request) as response:
        return response.read(), {name.lower(): value for name, value in response.headers.items()}


def media_type(headers: dict[str, str]) -> str:
    return headers["content-type"].split(";")[0]


def clean(text: str) -> str:
    """A text as formats contain it: one kind of line break, no other control characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def title(event: dict) -> str:
    return clean(event["title"] if event["name"] is None else f"{event['title']}: {event['name']}")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def check_calendar(events: list[dict], body: bytes) -> None:
    assert all(len(line) <= 75 for line in body.split(b"\r\n")) and body.count(b"\n") == body.count(b"\r\n")
    calendar = icalendar.Calendar.from_ical(body)
    assert not calendar.errors, calendar.errors
    assert (calendar["VERSION"], calendar["METHOD"]) == ("2.0", "PUBLISH") and calendar["PRODID"]
    zones = {str(zone["TZID"]): zone.to_tz() for zone in calendar.walk("VTIMEZONE")}
    entries = {str(entry["UID"]): entry for entry in calendar.walk("VEVENT")}
    assert len(entries) == len(events) == len(calendar.walk("VEVENT"))
    used = set()
    for event in events:
        entry = entries[f"{event['id']}@marquee"]
        assert not entry.errors, entry.errors
        assert str(entry["SUMMARY"]) == title(event), (entry["SUMMARY"], title(event))
        attribution = event["provider"]["attribution"]
        paragraphs = [text for text in (event["description"], attribution) if text]
        assert str(entry.get("DESCRIPTION", "")) == clean("\n\n".join(paragraphs))
        assert entry["STATUS"] == STATUSES.get(event["status"], "CONFIRMED")
        assert entry["DTSTAMP"].dt == entry["LAST-MODIFIED"].dt == instant(event["updated_at"]).replace(microsecond=0)
        age = instant(event["updated_at"]) - instant(event["first_seen_at"])
        assert entry["SEQUENCE"] == int(age.total_seconds())
        check_times(event, entry, zones, used)
        venue = event["venue"]
        if venue:
            assert str(entry["LOCATION"]).startswith(clean(venue["name"]))
        if venue and venue["latitude"] is not None:
            assert entry["GEO"].to_ical() == f"{venue['latitude']};{venue['longitude']}"
        else:
            assert "GEO" not in entry
        if event["url"]:
            assert str(entry["URL"]).isascii() and str(entry["URL"]).startswith("http")
        if event["category"]:
            assert entry["CATEGORIES"].to_ical().decode() == event["category"]
    assert used == set(zones), "each zone that is used has one component, and no other has"


def check_times(event: dict, entry: icalendar.Event, zones: dict, used: set[str]) -> None:
    start, end = entry["DTSTART"], entry.get("DTEND")
    if event["start_time"] is None:
        assert start.dt == date.fromisoformat(event["start_date"])
        if event["end_date"]:
            assert end.dt == date.fromisoformat(event["end_date"]) + timedelta(days=1)
        return
    for value, member in ((start, "starts_at"), (end, "ends_at")):
        expected = instant(event[member]).replace(microsecond=0)
        if value is None:
            assert event["ends_at"] == event["starts_at"]
            continue
        zone = value.params.get("TZID")
        if zone is not None and zone != "UTC":
            used.add(zone)
            assert zone == event["time_zone"]
            # By the rules in the calendar, and by those of this machine.
            for rules in (zones[zone], ZoneInfo(zone)):
                assert value.dt.replace(tzinfo=rules) == expected
        assert value.dt == expected


def check_feed(events: list[dict], body: bytes) -> None:
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    children = [child.tag for child in root]
    for name in ("id", "title", "updated"):
        assert children.count(ATOM + name) == 1
    assert children.count(ATOM + "author") == 1
    newest = max((instant(event["updated_at"]) for event in events))
    assert instant(root.findtext(ATOM + "updated")) == newest
    feed = feedparser.parse(body)
    assert not feed.bozo and feed.version == "atom10", feed.get("bozo_exception")
    assert [entry.id for entry in feed.entries] == [f"urn:uuid:{event['id']}" for event in events]
    for event, entry, element in zip(events, feed.entries, root.findall(ATOM + "entry"), strict=True):
        assert element.findtext(ATOM + "title") == title(event)
        assert element.findtext(ATOM + "content") == clean(event["description"] or element.findtext(ATOM + "summary"))
        assert instant(entry.updated) == instant(event["updated_at"])
        assert instant(entry.published) == instant(event["first_seen_at"])
        assert ("link" in entry) == bool(event["url"])
        assert [tag.term for tag in entry.get("tags", [])] == ([event["category"]] if event["category"] else [])


def check_geojson(events: list[dict], body: bytes) -> None:
    errors = geojson.loads(body).errors()
    assert not errors, errors
    collection = json.loads(body)
    assert set(collection) == {"type", "features"} and collection["type"] == "FeatureCollection"
    assert [feature["properties"] for feature in collection["features"]] == events
    for feature in collection["features"]:
        assert set(feature) == {"type", "id", "geometry", "properties"} and feature["type"] == "Feature"
        venue, geometry = feature["properties"]["venue"], feature["geometry"]
        if venue is None or venue["latitude"] is None:
            assert geometry is None
        else:
            assert geometry == {"type": "Point", "coordinates": [venue["longitude"], venue["latitude"]]}


def check_table(events: list[dict], body: bytes) -> None:
    assert body.count(b"\r\n") == len(events) + 1, "only records end with CRLF"
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline=""), strict=True))
    assert len(rows) == len(events)
    for event, row in zip(events, rows, strict=True):
        assert None not in row and None not in row.values()
        venue = event["venue"] or {}
        expected = {
            **event,
            **{name: venue.get(name) for name in VENUE_COLUMNS},
            "venue": venue.get("name"),
            "performers": "; ".join(performer["name"] for performer in event["performers"]),
            "provider": event["provider"]["slug"],
            "attribution": event["provider"]["attribution"],
        }
        for name, cell in row.items():
            assert not re.match(r"[=+@\t\r]|-(?![0-9.]+$)", cell), cell
            if name in expected:
                check_cell(expected[name], cell)


def check_cell(value: object, cell: str) -> None:
    if value is None:
        assert cell == ""
    elif isinstance(value, bool):
        assert cell == str(value).lower()
    elif isinstance(value, (int, float)):
        assert float(cell) == value
    else:
        assert cell.removeprefix("'") == clean(str(value)) or cell == clean(str(value)), (value, cell)


def check_event(event: dict) -> None:
    body, headers = get(f"/events/{event['id']}.ics")
    assert media_type(headers) == "text/calendar"
    check_calendar([event], body)
    body, headers = get(f"/events/{event['id']}.jsonld")
    assert media_type(headers) == "application/ld+json" and b"<" not in body
    document = json.loads(body)
    assert document["@context"] == "https://schema.org" and document["@type"].endswith(("Event", "Festival"))
    assert document["name"] == (event["name"] or event["title"])
    start = document["startDate"]
    assert (instant(start) == instant(event["starts_at"])) if event["start_time"] else start == event["start_date"]
    assert document["eventStatus"].startswith("https://schema.org/Event")
    assert ("superEvent" in document) == (event["name"] is not None)
    if event["venue"] and event["status"] != "moved_online":
        assert document["location"]["name"] == event["venue"]["name"]
    assert None not in document.values()


CHECKS = {
    "ics": ("text/calendar", check_calendar),
    "atom": ("application/atom+xml", check_feed),
    "geojson": ("application/geo+json", check_geojson),
    "csv": ("text/csv", check_table),
}


def main() -> None:
    events = json.loads(get(f"/events?{QUERY}")[0])["data"]["events"]
    titles = {event["title"] for event in events}
    assert len(titles) > 20 and any("日本語" in text for text in titles), "the catalogue is there"
    for extension, (expected, check) in CHECKS.items():
        for coding in ("identity", "gzip"):
            path = f"/events.{extension}?{QUERY}"
            body, headers = get(path, accept_encoding=coding)
            assert media_type(headers) == expected
            if coding == "gzip":
                body = gzip.decompress(body)
            check(events, body)
            try:
                get(path, accept_encoding=coding, if_none_match=headers["etag"])
                raise AssertionError("must be 304")
            except urllib.error.HTTPError as error:
                assert error.code == 304
        check(events[:1], get(f"/events.{extension}?{QUERY.replace('50000', '1')}")[0])
        print(f"{extension}: {len(events)} events")
    for event in events:
        check_event(event)
    print(f"single events: {len(events)}")


main()

"""Prints a feed of events that are hard to export, as schema-org-json."""

import datetime
import json

YEAR = datetime.date.today().year + 1
WORDS = " ".join(["w" * 200, "日" * 200, "e\u0301" * 100])
TITLES = [
    "=cmd()|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "-2+3",
    "-1.5",
    "ü ß ø ł e\u0301 🎺👩‍👩‍👧",
    "日本語のコンサート",
    "\u202eשלום עולם\u202c مرحبا",
    "\"quotes\", commas; semicolons \\ backslashes 'apostrophes'",
    "</script> </feed> ]]> <!-- --> END:VCALENDAR &amp; &",
    WORDS,
]
VENUE = {
    "@type": "Place",
    "@id": "hall",
    "name": "Sala \"Norte\", 2; \\ ü",
    "geo": {"latitude": 41.374, "longitude": -2.169},
    "address": {"streetAddress": "=1+1", "addressLocality": "Barcelona", "postalCode": "08004", "addressCountry": "ES"},
}
NEW_YORK = {**VENUE, "@id": "ny", "geo": {"latitude": 40.71, "longitude": -74.0}}
NOWHERE = {"@type": "Place", "@id": "nowhere", "name": "Secret place"}


def event(number: int, **members: object) -> dict:
    return {
        "@type": "MusicEvent",
        "@id": f"e{number}",
        "name": TITLES[number % len(TITLES)],
        "startDate": f"{YEAR}-05-01T20:00:00",
        "description": f"First line, {number}; =1+1\nsecond\\line\n\nthird \"line\"",
        "url": f"https://tickets.example/{number}?a=b;c&d=é,f",
        **members,
    }


events = [event(number) for number in range(len(TITLES))]
events += [
    event(100, name="located", location=VENUE, offers={"price": "12.5", "priceCurrency": "EUR"}, performer=["A; B", "=C"]),
    event(101, name="without coordinates", location=NOWHERE),
    event(102, name="all day", startDate=f"{YEAR}-07-01"),
    event(103, name="days", startDate=f"{YEAR}-07-01", endDate=f"{YEAR}-07-03"),
    event(104, name="New York", startDate=f"{YEAR}-06-01T20:00:00", location=NEW_YORK),
    event(105, name="winter", startDate=f"{YEAR}-01-15T20:00:00", endDate=f"{YEAR}-01-15T23:00:00"),
    event(106, name="over the change", startDate=f"{YEAR}-03-20T01:00:00", endDate=f"{YEAR}-04-02T04:00:00"),
    event(107, name="cancelled", eventStatus="EventCancelled"),
    event(108, name="postponed", eventStatus="EventPostponed"),
    event(109, name="online", eventStatus="EventMovedOnline"),
    event(110, name="own name", superEvent={"@type": "EventSeries", "@id": "s", "name": "the series"}),
]
print(json.dumps({"@context": "https://schema.org", "@graph": events}))

//! Exports of lists and of one event. `scripts/test-exports` reads them with independent implementations.

use std::sync::Arc;

use entity::{EventStatus, alias::AliasKind};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::{Value, json};

use crate::{
    aliases::{self, OLD},
    cached_responses::create_state,
    fixtures::{CatalogueFixture, NewEvent, instant},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    exports_are_cached_with_their_media_types,
    exports_have_the_events_of_the_list,
    long_exports_have_pages,
    a_calendar_has_the_times_of_each_zone,
    one_event_has_a_calendar_and_linked_data,
    requests_for_one_event_are_checked,
    parameters_of_pages_of_json_are_unknown,
);

const FORMATS: [(&str, &str); 4] = [
    ("ics", "text/calendar; charset=utf-8"),
    ("atom", "application/atom+xml; charset=utf-8"),
    ("geojson", "application/geo+json"),
    ("csv", "text/csv; charset=utf-8; header=present"),
];
/// More than one read, and a packed body.
const EVENTS: usize = 1_003;
const TITLES: [&str; 8] = [
    "=cmd()|' /C calc'!A0",
    "ü 🎺 日本語 \u{202e}שלום\u{202c}",
    "\"quotes\", commas; and \\ 'apostrophes'",
    "two\nlines\r\nor three",
    "</script></feed>]]><!-- END:VCALENDAR",
    "controls \u{1}\u{1b}[31m\u{7f}\u{85}\u{2028}",
    "-1.5",
    "@a",
];

/// The lines of a calendar, unfolded.
fn lines(response: &TestResponse) -> Vec<String> {
    let text = response.text();
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    text.replace("\r\n ", "").split_terminator("\r\n").map(str::to_owned).collect()
}

/// The values of a property.
fn values<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':')).collect()
}

async fn exports_are_cached_with_their_media_types(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([NewEvent::titled("show")]).await;
    let app = TestApp::with_state(&create_state(&database).await);
    for (extension, media_type) in FORMATS {
        let path = format!("/events.{extension}?range=all");
        for coding in ["identity", "gzip", "br"] {
            let first = app.send(Method::GET, &path, &[("accept-encoding", coding)]).await;
            let second = app.send(Method::GET, &path, &[("accept-encoding", coding)]).await;
            assert_eq!(second.header("cache-status"), Some("marquee-process; hit"));
            for response in [&first, &second] {
                assert_eq!(response.header("content-type"), Some(media_type));
                assert_eq!(response.decoded(), app.get(&path).await.body);
            }
            let etag = first.header("etag").unwrap();
            let unchanged = app.send(Method::GET, &path, &[("accept-encoding", coding), ("if-none-match", etag)]).await;
            assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
        }
        let head = app.send(Method::HEAD, &path, &[]).await;
        assert_eq!(head.header("content-type"), Some(media_type));
        assert_eq!(head.header("content-length"), Some(&*app.get(&path).await.body.len().to_string()));
    }
    let table = app.get("/events.csv").await;
    assert_eq!(table.header("content-disposition"), Some("attachment; filename=\"events.csv\""));
}

async fn exports_have_the_events_of_the_list(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert(TITLES.into_iter().map(NewEvent::titled)).await;
    let with_details = NewEvent::titled("details").prices(&[1_000, 250]).performers(&["1", "2"]).venue_with(
        "Sala, \"Norte\"",
        Some((-41.5, -2.25)),
        |venue| venue.city = Some("=Barcelona".to_owned()),
    );
    catalogue.insert([with_details]).await;
    let app = TestApp::new(&database).await;
    let query = "range=all&latitude=-41&longitude=-2&radius=20000";
    let list = app.get(&format!("/events?{query}")).await.json();
    let mut events = list["data"]["events"].as_array().unwrap().clone();
    let all = app.get("/events?range=all").await.json()["data"]["events"].as_array().unwrap().clone();
    assert_eq!((events.len(), all.len()), (1, TITLES.len() + 1));

    let features: Value = serde_json::from_slice(&app.get(&format!("/events.geojson?{query}")).await.body).unwrap();
    let (event, feature) = (events.remove(0), &features["features"][0]);
    assert_eq!(feature["geometry"], json!({ "type": "Point", "coordinates": [-2.25, -41.5] }));
    assert_eq!((&feature["properties"], &feature["id"]), (&event, &event["id"]));
    let features: Value = serde_json::from_slice(&app.get("/events.geojson?range=all").await.body).unwrap();
    let properties: Vec<Value> =
        features["features"].as_array().unwrap().iter().map(|event| event["properties"].clone()).collect();
    assert_eq!(properties, all);

    let table = app.get("/events.csv?range=all").await.body;
    let mut table = csv::Reader::from_reader(&*table);
    let headers = table.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        let index = headers.iter().position(|header| header == name).unwrap();
        records.iter().map(|record| record[index].to_owned()).collect::<Vec<_>>()
    };
    let ids: Vec<&str> = all.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(column("id"), ids);
    for title in ["'=cmd()|' /C calc'!A0", "'@a", "-1.5", "two\nlines\nor three", "controls [31m\u{2028}"] {
        assert!(column("title").contains(&title.to_owned()), "{title}: {:?}", column("title"));
    }
    assert!(column("city").contains(&"'=Barcelona".to_owned()) && column("longitude").contains(&"-2.25".to_owned()));

    let calendar = app.get("/events.ics?range=all").await;
    let lines = lines(&calendar);
    let uids: Vec<String> = ids.iter().map(|id| format!("{id}@marquee")).collect();
    assert_eq!(values(&lines, "UID"), uids);
    for summary in ["\"quotes\"\\, commas\\; and \\\\ 'apostrophes'", "two\\nlines\\nor three", TITLES[1]] {
        assert!(values(&lines, "SUMMARY").contains(&summary), "{summary}");
    }
    assert_eq!(values(&lines, "GEO"), ["-41.5;-2.25"]);
    assert_eq!(values(&lines, "LOCATION"), ["Sala\\, \"Norte\"\\, =Barcelona"]);

    let feed = app.get("/events.atom?range=all").await.text();
    assert_eq!(feed.matches("<entry>").count(), all.len());
    assert!(feed.contains("&lt;/script&gt;&lt;/feed&gt;]]&gt;&lt;!-- END:VCALENDAR") && feed.ends_with("</feed>\n"));
}

async fn long_exports_have_pages(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..EVENTS).map(|number| NewEvent::titled(&format!("show {number}")))).await;
    let app = TestApp::new(&database).await;
    let ids = |pages: &[TestResponse]| -> Vec<String> {
        pages.iter().flat_map(|page| values(&lines(page), "UID").into_iter().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let whole = app.get_pages("/events.ics?range=all").await;
    let expected = ids(&whole);
    assert_eq!((whole.len(), expected.len()), (1, EVENTS));
    let (path, document) = ("/events.ics?range=all", &whole[0].body);
    for coding in ["identity", "gzip", "br", "zstd"] {
        let response = app.send(Method::GET, path, &[("accept-encoding", coding)]).await;
        assert!(response.decoded() == *document, "{coding}");
        let (etag, length) = (response.header("etag").unwrap(), response.body.len().to_string());
        let head = app.send(Method::HEAD, path, &[("accept-encoding", coding)]).await;
        assert_eq!((head.header("etag"), head.header("content-length")), (Some(etag), Some(&*length)));
        let unchanged = app.send(Method::GET, path, &[("accept-encoding", coding), ("if-none-match", etag)]).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    }
    for (limit, pages) in [(1_002, 2), (1_003, 1), (500, 3), (499, 3), (1_000, 2)] {
        let paged = app.get_pages(&format!("/events.ics?range=all&limit={limit}")).await;
        assert_eq!((paged.len(), ids(&paged) == expected), (pages, true), "{limit}");
    }
}

async fn a_calendar_has_the_times_of_each_zone(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let in_zone = |title: &str, zone: &str, local: &str, starts: &str, ends: &str| {
        NewEvent::titled(title).with(|row| {
            row.time_zone = Some(zone.to_owned());
            row.local_start = local.to_owned();
            (row.starts_at, row.ends_at) = (instant(starts), instant(ends));
        })
    };
    let madrid = "Europe/Madrid";
    let postponed =
        in_zone("c", "America/New_York", "2021-06-01T20:00:00", "2021-06-02T00:00:00", "2021-06-02T00:00:00").with(|row| {
            row.status = EventStatus::Postponed;
            row.name = Some("own name".to_owned());
        });
    let all_day = in_zone("d", madrid, "2021-07-01", "2021-06-30T22:00:00", "2021-07-02T21:59:59").with(|row| {
        row.local_end = Some("2021-07-02".to_owned());
    });
    catalogue
        .insert([
            in_zone("a", madrid, "2021-03-28T01:30:00", "2021-03-28T00:30:00", "2021-03-28T01:30:00"),
            // The second of two equal wall clocks.
            in_zone("b", madrid, "2021-10-31T02:30:00", "2021-10-31T01:30:00", "2021-10-31T02:00:00"),
            postponed,
            all_day,
            NewEvent::titled("e").with(|row| row.status = EventStatus::Cancelled),
        ])
        .await;
    let app = TestApp::new(&database).await;

    let calendar = lines(&app.get("/events.ics?range=all&status=any").await);

    assert_eq!(values(&calendar, "TZID"), ["America/New_York", madrid]);
    assert!(calendar.iter().position(|line| line == "BEGIN:VEVENT") > calendar.iter().position(|line| line == "END:VTIMEZONE"));
    assert_eq!(values(&calendar, "DTSTART;TZID=Europe/Madrid"), ["20210328T013000"]);
    assert_eq!(values(&calendar, "DTEND;TZID=Europe/Madrid"), ["20210328T033000", "20211031T030000"]);
    assert_eq!(values(&calendar, "DTSTART;TZID=America/New_York"), ["20210601T200000"]);
    assert!(values(&calendar, "DTSTART").contains(&"20211031T013000Z"));
    let days = (values(&calendar, "DTSTART;VALUE=DATE"), values(&calendar, "DTEND;VALUE=DATE"));
    assert_eq!(days, (vec!["20210701"], vec!["20210703"]));
    assert_eq!(values(&calendar, "STATUS"), ["CANCELLED", "CONFIRMED", "TENTATIVE", "CONFIRMED", "CONFIRMED"]);
    assert!(values(&calendar, "SUMMARY").contains(&"c: own name"));
}

async fn one_event_has_a_calendar_and_linked_data(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let mut event = NewEvent::titled("</script> jazz").prices(&[1_000, 250]).performers(&["1"]).venue_with(
        "hall",
        Some((1.5, 2.5)),
        |venue| {
            (venue.city, venue.country) = (Some("Barcelona".to_owned()), Some("ES".to_owned()));
        },
    );
    event.base_event.category = Some("music/jazz".to_owned());
    event.row.name = Some("first night".to_owned());
    let (id, base_event_id) = (event.row.id, event.base_event.id);
    catalogue.insert([event]).await;
    let app = TestApp::new(&database).await;

    let calendar = app.get(&format!("/events/{id}.ics")).await;
    let list = app.get("/events.ics?range=all").await.text();
    let entries = |calendar: &str| calendar.split_at(calendar.find("BEGIN:VEVENT").unwrap()).1.to_owned();
    assert_eq!(entries(&calendar.text()), entries(&list));
    assert_eq!(calendar.header("content-type"), Some(FORMATS[0].1));

    let document = app.get(&format!("/events/{id}.jsonld")).await;
    assert_eq!(document.header("content-type"), Some("application/ld+json"));
    assert!(!document.text().contains('<'));
    let expected = json!({
        "@context": "https://schema.org",
        "@id": format!("urn:uuid:{id}"),
        "@type": "MusicEvent",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "eventStatus": "https://schema.org/EventScheduled",
        "identifier": id,
        "location": {
            "@type": "Place",
            "name": "hall",
            "address": { "@type": "PostalAddress", "addressLocality": "Barcelona", "addressCountry": "ES" },
            "geo": { "@type": "GeoCoordinates", "latitude": 1.5, "longitude": 2.5 },
        },
        "name": "first night",
        "offers": {
            "@type": "AggregateOffer",
            "availability": "https://schema.org/OutOfStock",
            "lowPrice": 2.5,
            "highPrice": 10.0,
            "priceCurrency": "EUR",
        },
        "performer": [{ "@type": "PerformingGroup", "name": "Performer 1" }],
        "startDate": "2021-02-10T20:00:00+00:00",
        "superEvent": { "@type": "EventSeries", "@id": format!("urn:uuid:{base_event_id}"), "name": "</script> jazz" },
        "url": format!("http://localhost/e/{id}"),
    });
    assert_eq!(serde_json::from_slice::<Value>(&document.body).unwrap(), expected);
    let etag = document.header("etag").unwrap();
    let unchanged = app.send(Method::GET, &document.path, &[("if-none-match", etag)]).await;
    assert_eq!(unchanged.status, 304);
}

async fn requests_for_one_event_are_checked(database: Arc<TestDatabase>) {
    let (app, target) = aliases::start_app(&database, AliasKind::Event).await;
    for suffix in [".ics", ".jsonld"] {
        let moved = app.get(&format!("/events/{OLD}{suffix}")).await;
        assert_eq!(moved.location(), format!("/events/{target}{suffix}"));
        moved.problem(308, "event_moved");
        app.get(&format!("/events/{}{suffix}", "0".repeat(32))).await.problem(404, "not_found");
        let malformed = app.get(&format!("/events/x{suffix}")).await;
        assert_eq!(malformed.validation_errors()[0].0, "id");
        let parameters = app.get(&format!("/events/{target}{suffix}?limit=1")).await;
        assert_eq!(parameters.validation_errors()[0].0, "limit");
        let refused = app.send(Method::DELETE, &format!("/events/{target}{suffix}"), &[]).await;
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
        refused.problem(405, "method_not_allowed");
    }
    app.get(&format!("/events/{target}.pdf")).await.problem(400, "invalid_parameter");
    app.get(&format!("/events/{target}/ics")).await.problem(404, "path_not_found");
}

async fn parameters_of_pages_of_json_are_unknown(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (extension, _) in FORMATS {
        let errors = app.get(&format!("/events.{extension}?total=true&fields=id&sort=distance")).await.validation_errors();
        let parameters: Vec<&str> = errors.iter().map(|(parameter, _)| parameter.as_str()).collect();
        assert_eq!(parameters, ["sort", "total", "fields"], "{extension}");
    }
}

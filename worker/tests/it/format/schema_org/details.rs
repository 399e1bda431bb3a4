//! Optional details: each is read in all of its forms, and never rejects an event.

use entity::{Category, EventStatus};
use worker::provider::{format, item::Coordinates};

use super::{conventions, read_event};

#[test]
fn reads_the_status_in_every_spelling() {
    for (status, expected) in [
        (r#""https://schema.org/EventCancelled""#, EventStatus::Cancelled),
        (r#""http://schema.org/EventCancelled/""#, EventStatus::Cancelled),
        (r#""EventCanceled""#, EventStatus::Cancelled),
        (r#""cancelled""#, EventStatus::Cancelled),
        (r#"["https://schema.org/EventCancelled"]"#, EventStatus::Cancelled),
        (r#"{"@id":"https://schema.org/EventCancelled"}"#, EventStatus::Cancelled),
        (r#"{"@type":"EventStatusType","@id":"schema:EventPostponed"}"#, EventStatus::Postponed),
        (r#""schema:EventRescheduled""#, EventStatus::Rescheduled),
        (r#"["EventMovedOnline","EventRescheduled"]"#, EventStatus::Rescheduled),
        (r#""eventmovedonline""#, EventStatus::MovedOnline),
        (r#""EventScheduled""#, EventStatus::Scheduled),
        (r#"[]"#, EventStatus::Scheduled),
        ("null", EventStatus::Scheduled),
        ("\"\"", EventStatus::Scheduled),
        (r#"{"@type":"EventStatusType","name":"EventCancelled"}"#, EventStatus::Cancelled),
        (r#"{"url":"https://schema.org/EventCancelled"}"#, EventStatus::Cancelled),
        (r#"{"@id":"_:b0","@type":"EventStatusType","name":"EventPostponed"}"#, EventStatus::Postponed),
        (r##"{"@id":"#status","name":"EventPostponed"}"##, EventStatus::Postponed),
        (r#"{"@type":"https://schema.org/EventCancelled"}"#, EventStatus::Cancelled),
        (r#""https://schema.org/EventStatusType#EventCancelled""#, EventStatus::Cancelled),
    ] {
        let (base_event, warnings) = read_event(&format!(r#""eventStatus":{status}"#));
        assert_eq!((base_event.events[0].status, base_event.sell_mode.as_str()), (expected, "online"), "{status}");
        assert_eq!(warnings, [""; 0], "{status}");
    }
    for (status, quoted) in [
        (r#"{"@type":"EventStatusType"}"#, "`EventStatusType`"),
        (r#"{"@id":"https://x.example/off"}"#, "`https://x.example/off`"),
        (r#"{"value":7}"#, r#"`{"value":7}`"#),
        ("true", "`true`"),
        (r#""\ud83d""#, "valid escapes"),
    ] {
        let (base_event, warnings) = read_event(&format!(r#""eventStatus":{status}"#));
        assert_eq!((base_event.events[0].status, warnings.len()), (EventStatus::Scheduled, 1), "{status}");
        assert!(warnings[0].starts_with("`eventStatus` must be") && warnings[0].contains(quoted), "{warnings:?}");
    }
    let (base_event, warnings) = read_event(r#""eventStatus":"EventExploded""#);
    assert_eq!((base_event.events[0].status, warnings.len()), (EventStatus::Scheduled, 1));
    assert!(warnings[0].contains("`eventStatus` must be one of") && warnings[0].contains("`EventExploded`"), "{warnings:?}");
}

#[test]
fn coordinates_are_optional() {
    let hall = |rest: &str| format!(r#""location":{{"@type":"Place","name":"Hall"{rest}}}"#);
    for (rest, coordinates, warning) in [
        (r#","geo":{"latitude":"41.5","longitude":2}"#, Some((41.5, 2.0)), ""),
        (r#","geo":[{"latitude":41.5,"longitude":2e0}]"#, Some((41.5, 2.0)), ""),
        (r#","latitude":41.5,"longitude":-2"#, Some((41.5, -2.0)), ""),
        ("", None, ""),
        (r#","geo":null"#, None, ""),
        (r#","geo":"""#, None, ""),
        (r#","geo":{"latitude":null,"longitude":null}"#, None, ""),
        (r#","geo":{"latitude":"","longitude":" "}"#, None, ""),
        (r#","geo":{"@type":"GeoCircle"}"#, None, ""),
        (
            r#","geo":{"latitude":"41,5","longitude":"2,1"}"#,
            None,
            "`latitude` must be a number from -90 to 90, got `41,5`; ignored",
        ),
        (r#","geo":{"latitude":2,"longitude":181}"#, None, "`longitude` must be a number from -180 to 180, got `181`; ignored"),
        (r#","geo":{"latitude":2}"#, None, "`latitude` or `longitude` is missing; ignored"),
        (r#","geo":{"latitude":0,"longitude":0.0}"#, None, "the coordinates 0, 0 are in the ocean; ignored"),
        (r#","geo":"41.5,2.1""#, None, "`geo` must have `latitude` and `longitude`; ignored"),
    ] {
        let (base_event, warnings) = read_event(&hall(rest));
        let venue = base_event.events[0].venue.as_ref().unwrap();
        let expected = coordinates.map(|(latitude, longitude)| Coordinates { latitude, longitude });
        assert_eq!((venue.name.as_str(), venue.coordinates), ("Hall", expected), "{rest}");
        assert_eq!(warnings.concat(), warning, "{rest}");
    }
}

#[test]
fn reads_places_in_every_form() {
    for (location, id, name) in [
        (r#""Old Mill, 1 River Road""#, "Old Mill, 1 River Road", "Old Mill, 1 River Road"),
        (r#"["Old Mill"]"#, "Old Mill", "Old Mill"),
        (r#"{"@type":"Place","@id":"m","name":"Old <b>Mill</b>"}"#, "m", "Old Mill"),
        (r#"{"@type":"Place","name":"Old Mill","address":{"addressLocality":"Bilbao"}}"#, "Old Mill, Bilbao", "Old Mill"),
        (r#"{"@type":"Place","name":null,"address":"1 River Road"}"#, "1 River Road", "1 River Road"),
        (r#"[{"@type":"VirtualLocation","url":"https://x.example"},{"@type":"Place","name":"Hall"}]"#, "Hall", "Hall"),
    ] {
        let (base_event, warnings) = read_event(&format!(r#""location":{location}"#));
        let venue = base_event.events[0].venue.as_ref().unwrap();
        assert_eq!((venue.source_id.as_str(), venue.name.as_str(), warnings), (id, name, vec![]), "{location}");
    }
    for (location, warning) in [
        ("null", ""),
        ("[]", ""),
        ("\"\"", ""),
        (r#"{"@type":"VirtualLocation","url":"https://x.example"}"#, ""),
        (r#"{"@type":"Place","geo":{"latitude":1,"longitude":1}}"#, "a location has no name; ignored"),
        (r#"{"@id":"https://missing.example/p2"}"#, "a location has no name; ignored"),
        (
            r#""https://missing.example/p2""#,
            "`https://missing.example/p2` is a reference to a node that is not in the document; ignored",
        ),
    ] {
        let (base_event, warnings) = read_event(&format!(r#""location":{location}"#));
        assert_eq!((&base_event.events[0].venue, warnings.concat().as_str()), (&None, warning), "{location}");
    }
}

#[test]
fn reads_the_address() {
    let location = |country: &str| {
        format!(
            r#""location":{{"name":"Hall","address":{{"@type":"PostalAddress","streetAddress":"1 River &amp; Road","addressLocality":"Bilbao",
                "addressRegion":"Bizkaia","postalCode":48001,"addressCountry":{country}}}}}"#
        )
    };
    for country in [r#""es""#, r#""España""#, r#"{"@type":"Country","name":"Spain"}"#, r#"["ESP"]"#] {
        let (base_event, warnings) = read_event(&location(country));
        let venue = base_event.events[0].venue.clone().unwrap();
        assert_eq!(venue.country.as_deref(), Some("ES"), "{country}");
        let address = [venue.address, venue.city, venue.region, venue.postal_code].map(Option::unwrap_or_default);
        assert_eq!(
            (address, warnings),
            (["1 River & Road", "Bilbao", "Bizkaia", "48001"].map(str::to_owned), vec![]),
            "{country}"
        );
    }
    let (base_event, warnings) = read_event(&location(r#""Atlantis""#));
    assert_eq!(base_event.events[0].venue.as_ref().unwrap().country, None);
    assert_eq!(warnings, ["`addressCountry` must be a country or its ISO 3166 code such as ES, got `Atlantis`; ignored"]);
}

#[test]
fn reads_performers_in_every_form() {
    let kettles = ["The Kettles"].as_slice();
    let blank = "a performer has no name; ignored";
    for (performers, names, warning) in [
        (r#""performer":"The Kettles""#, kettles, ""),
        (r#""performer":["The Kettles",{"name":"Ada"}]"#, &["The Kettles", "Ada"], ""),
        (r#""performers":[{"@type":"Person","name":"Ada"}]"#, &["Ada"], ""),
        (r#""performer":{"name":"The Kettles"},"performers":"Ada""#, &["The Kettles", "Ada"], ""),
        (r#""performer":{"@list":["The Kettles"]}"#, kettles, ""),
        (r#""performer":{"@type":"PerformanceRole","performer":{"name":"The Kettles"}}"#, kettles, ""),
        (r#""performers":[{"@type":"Role","performer":["The Kettles","Ada"]}]"#, &["The Kettles", "Ada"], ""),
        (r#""performer":{"@type":"Person","givenName":"Ada","familyName":"Bell"}"#, &["Ada Bell"], ""),
        (r#""performer":{"@type":"Person","givenName":"Ada"}"#, &["Ada"], ""),
        (
            r#""performer":["https://a.example/band","The Kettles"]"#,
            kettles,
            "`https://a.example/band` is a reference to a node that is not in the document; ignored",
        ),
        (r#""performer":"https://a.example/band","x":{"@id":"https://a.example/band","name":"The Kettles"}"#, kettles, ""),
        (r#""performer":null"#, &[], ""),
        (r#""performer":[]"#, &[], ""),
        (r#""performer":" ""#, &[], blank),
        (r#""performer":[{"@type":"Person","name":""},"The Kettles"]"#, kettles, blank),
        (r#""performer":{"@type":"Person"}"#, &[], blank),
        (r#""performer":{"name":"<b></b>"}"#, &[], "`name` must have a text, got `<b></b>`; ignored"),
    ] {
        let (base_event, warnings) = read_event(performers);
        let actual: Vec<_> = base_event.events[0].performers.iter().map(|performer| performer.name.as_str()).collect();
        assert_eq!((actual.as_slice(), warnings.concat().as_str()), (names, warning), "{performers}");
    }
}

#[test]
fn reads_what_describes_an_event() {
    let (base_event, warnings) = read_event(
        r#""description":"<p>One &amp; all</p><p>Two</p>","url":"https://x.example/7","image":["relative.jpg",
           {"@type":"ImageObject","contentUrl":"https://x.example/7.jpg"}],"organizer":[{"@id":"o","name":"Jazz &amp; Friends"}],
           "doorTime":"2031-08-01T19:00""#,
    );
    let details = base_event.details;
    assert_eq!(details.description.as_deref(), Some("One & all\n\nTwo"));
    assert_eq!(details.url.as_deref(), Some("https://x.example/7"));
    assert_eq!(details.image_url.as_deref(), Some("https://x.example/7.jpg"));
    assert_eq!(details.organizer_name.as_deref(), Some("Jazz & Friends"));
    assert_eq!((base_event.organizer_company_id.as_deref(), warnings), (Some("o"), vec![]));
}

#[test]
fn urls_that_begin_with_a_slash_lead_to_the_server_of_the_feed() {
    for (url, expected) in [
        ("/7.jpg?w=600", Some("https://feeds.example/7.jpg?w=600")),
        ("//cdn.example/7.jpg", Some("https://cdn.example/7.jpg")),
        ("https://x.example/7.jpg", Some("https://x.example/7.jpg")),
        ("7.jpg", None),
        ("../7.jpg", None),
        ("/a b.jpg", None),
        ("data:image/gif;base64,R0lGOD", None),
    ] {
        let document = format!(
            r#"[{{"@type":"Event","@id":"7","name":"A","startDate":"2031-08-01","image":"{url}","offers":{{"url":"{url}"}}}}]"#
        );
        let feed = format::find("schema-org-json").unwrap().parse(document.as_bytes(), &conventions()).unwrap();
        let details = &feed.base_events[0].details;
        assert_eq!(details.image_url.as_deref(), expected, "{url}");
        // That of an offer may be the id of the event, which does not depend on the server.
        assert_eq!(details.url.as_deref(), expected.filter(|expected| *expected == url), "{url}");
    }
}

#[test]
fn urls_must_be_absolute() {
    for (properties, url, warning) in [
        (r#""url":"/e/7""#, Some("https://feeds.example/e/7"), ""),
        (r#""url":"e/7?x=a:b""#, None, ""),
        (r#""url":{"@id":"https://x.example/7"}"#, Some("https://x.example/7"), ""),
        (r#""url":["","https://x.example/7"]"#, Some("https://x.example/7"), ""),
        (r#""offers":{"url":"https://x.example/t"}"#, Some("https://x.example/t"), ""),
        (r#""offers":"https://x.example/t""#, Some("https://x.example/t"), ""),
        (r#""offers":[{"price":5},"https://x.example/t"]"#, Some("https://x.example/t"), ""),
        (
            r#""offers":"at the door""#,
            None,
            "`offers` must be an http:// or https:// URL without white space, got `at the door`; ignored",
        ),
        (r#""url":"https://x.example/7","offers":{"url":"https://x.example/t"}"#, Some("https://x.example/7"), ""),
        (
            r#""url":"javascript:alert(1)""#,
            None,
            "`url` must be an http:// or https:// URL without white space, or begin with `/`, got `javascript:alert(1)`; ignored",
        ),
    ] {
        let (base_event, warnings) = read_event(properties);
        assert_eq!((base_event.details.url.as_deref(), warnings.concat().as_str()), (url, warning), "{properties}");
    }
}

#[test]
fn finds_the_category() {
    for (properties, category) in [
        (r#""@type":"MusicEvent""#, Some("music")),
        (r#""@type":["Event","http://schema.org/DanceEvent"]"#, Some("theatre/dance")),
        (r#""@type":"MusicEvent","keywords":"summer, Jazz""#, Some("music/jazz")),
        (r#""genre":["Conciertos"]"#, Some("music")),
        (r#""about":{"@type":"Thing","name":"Ausstellung"}"#, Some("exhibition")),
        (r#""additionalType":"https://x.example/types/Cinema/""#, Some("film")),
        (r#""@type":"SportsEvent","sport":"Fútbol""#, Some("sport/football")),
        (r#""category":"Things""#, None),
    ] {
        let (base_event, _) = read_event(properties);
        assert_eq!(base_event.details.category.map(Category::slug), category, "{properties}");
    }
}

#[test]
fn an_event_of_a_series_has_only_its_own_details() {
    let (base_event, _) = read_event(
        r#""description":"The same","url":"https://x.example/7","organizer":"Friends",
           "superEvent":{"@id":"s","name":"Run","description":"The same","url":"https://x.example/s","organizer":"Friends"}"#,
    );
    let (base, event) = (base_event.details, &base_event.events[0].details);
    assert_eq!((base.url.as_deref(), base.description.as_deref()), (Some("https://x.example/s"), Some("The same")));
    assert_eq!((event.url.as_deref(), &event.description, &event.organizer_name), (Some("https://x.example/7"), &None, &None));
    assert_eq!(base.organizer_name.as_deref(), Some("Friends"));
}

#[test]
fn cleans_titles() {
    for (name, title) in [
        (r#""Rock &amp; Roll &#8211; <em>Live</em>""#, "Rock & Roll – Live"),
        (r#"" Two\r\n lines\t\u0007""#, "Two lines"),
        (r#""Don\u0092t look\u0085""#, "Don’t look…"),
        (r#"{"@language":"en","@value":"Tagged"}"#, "Tagged"),
        (r#"[{"@language":"en","@value":"English"},{"@language":"fr","@value":"Français"}]"#, "English"),
        (r#"["",7]"#, "7"),
    ] {
        let (base_event, warnings) = read_event(&format!(r#""name":{name}"#));
        assert_eq!((base_event.title.as_str(), warnings), (title, vec![]), "{name}");
    }
}

#[test]
fn an_unreadable_end_is_ignored_with_a_warning() {
    for (properties, end, warning) in [
        (r#""endDate":"2031-08-01T22:00""#, Some("2031-08-01T22:00:00"), ""),
        (r#""endDate":"2031-08-01""#, Some("2031-08-01"), ""),
        (r#""duration":"PT2H30M""#, Some("2031-08-01T22:30:00"), ""),
        (r#""endDate":"","duration":"P1D""#, Some("2031-08-02T20:00:00"), ""),
        (r#""endDate":null"#, None, ""),
        (r#""endDate":"2031-07-31""#, None, "the end `2031-07-31` is before the start `2031-08-01T20:00:00`; the end is ignored"),
        (r#""duration":"2 hours""#, None, "`duration` must be a duration such as PT2H30M, got `2 hours`; ignored"),
    ] {
        let (base_event, warnings) = read_event(properties);
        let actual = base_event.events[0].end.as_ref().map(|end| end.wall_clock.as_str());
        assert_eq!((actual, warnings.concat().as_str()), (end, warning), "{properties}");
    }
    let (base_event, warnings) = read_event(r#""endDate":"late""#);
    assert_eq!((&base_event.events[0].end, warnings.len()), (&None, 1));
    assert!(warnings[0].starts_with("`endDate` must be a date such as"), "{warnings:?}");
}

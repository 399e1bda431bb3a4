//! Where events are found, and what references resolve to.

use entity::EventStatus;
use worker::provider::item::{Coordinates, RejectSubject};

use super::{event_ids, parse, parse_valid, titles};

const EVENT: &str = r#"{"@type":"Event","@id":"e","name":"E","startDate":"2031-08-01"}"#;

#[test]
fn finds_events_in_every_container() {
    for container in [
        "[EVENT]",
        "EVENT",
        "[[EVENT], null]",
        r#"{"@graph":[EVENT]}"#,
        r#"[{"@context":"https://schema.org","@graph":[EVENT]},{"@graph":[]}]"#,
        r#"{"@type":"ItemList","itemListElement":[{"@type":"ListItem","position":1,"item":EVENT}]}"#,
        r#"{"@type":"ItemList","itemListElement":[EVENT]}"#,
        r#"{"@type":"DataFeed","dataFeedElement":[{"@type":"DataFeedItem","item":EVENT}]}"#,
        r#"{"@type":"hydra:Collection","hydra:member":[EVENT]}"#,
        r#"{"@type":"Collection","member":[EVENT],"totalItems":1}"#,
        r#"{"@type":"WebPage","mainEntity":EVENT}"#,
        r#"{"@type":"MusicVenue","name":"Hall","event":[EVENT]}"#,
        r#"{"@type":"Place","name":"Hall","events":EVENT}"#,
        r#"{"@type":"MusicGroup","name":"Kettles","event":EVENT}"#,
        r#"{"status":"ok","data":{"items":[EVENT]}}"#,
        r#"{"@graph":{"@list":[EVENT]}}"#,
        r#"{"http://schema.org/event":[EVENT]}"#,
        r#"{"@type":"WebPage","about":EVENT,"mentions":[]}"#,
        r#"{"@type":"Article","mentions":[{"@type":"Event","name":"Other"},EVENT]}"#,
        r#"{"@type":"Collection","items":[EVENT]}"#,
        r#"{"@type":"Organization","makesOffer":[{"@type":"Offer","itemOffered":EVENT}]}"#,
        r#"{"@type":"Organization","hasOfferCatalog":{"@type":"OfferCatalog","itemListElement":[{"itemOffered":EVENT}]}}"#,
        r#"{"@type":"WebPage","@reverse":{"subjectOf":[EVENT]}}"#,
        r#"{"name":"Hall","@reverse":{"location":EVENT}}"#,
        r#"{"@type":"GovernmentOrganization","name":"City","event":EVENT}"#,
        r#"{"@type":"WebPage","name":"Agenda","event":EVENT}"#,
    ] {
        let document = container.replace("EVENT", EVENT);
        assert_eq!(event_ids(&parse_valid(&document)), ["e/e"], "{document}");
    }
}

#[test]
fn what_contains_an_event_is_its_venue_performer_or_organizer() {
    let read = |container: &str| parse_valid(&container.replace("EVENT", EVENT)).remove(0);
    let base_event = read(r#"{"@type":"MusicVenue","name":"Hall","geo":{"latitude":41.5,"longitude":2.5},"event":[EVENT]}"#);
    let venue = base_event.events[0].venue.as_ref().unwrap();
    assert_eq!((venue.name.as_str(), venue.coordinates.unwrap().latitude), ("Hall", 41.5));
    let base_event = read(r##"[{"@type":"Person","name":"Ada","event":[{"@id":"e"}]}, EVENT]"##);
    assert_eq!(base_event.events[0].performers[0].name, "Ada");
    for kind in ["Organization", "GovernmentOrganization", "schema:PoliticalParty", "NewsMediaOrganization"] {
        let base_event = read(&format!(r#"{{"@type":"{kind}","name":"Friends","events":[EVENT]}}"#));
        assert_eq!(base_event.details.organizer_name.as_deref(), Some("Friends"), "{kind}");
        assert_eq!(base_event.events[0].venue, None, "{kind}");
    }
    for kind in ["Library", "LocalBusiness", "StadiumOrArena"] {
        let base_event = read(&format!(r#"{{"@type":"{kind}","name":"Hall","events":[EVENT]}}"#));
        assert_eq!(base_event.events[0].venue.as_ref().unwrap().name, "Hall", "{kind}");
    }
    let base_event = read(r#"{"@type":"Place","name":"Hall","@reverse":{"location":[EVENT]}}"#);
    assert_eq!(base_event.events[0].venue.as_ref().unwrap().name, "Hall");
    let base_event = read(r#"{"@type":"WebPage","name":"Agenda","event":[EVENT]}"#);
    assert_eq!(base_event.events[0].venue, None);
}

#[test]
fn the_parts_of_an_event_have_its_place_and_are_cancelled_with_it() {
    let festival = |rest: &str, night: &str| {
        format!(
            r#"[{{"@type":"EventSeries","@id":"f","name":"Fest","location":{{"name":"Park"}},{rest}
                "subEvent":[{{"@type":"Event","@id":"a","name":"A","startDate":"2031-08-01"{night}}}]}}]"#
        )
    };
    for (rest, night, venue, status) in [
        ("", "", Some("Park"), EventStatus::Scheduled),
        ("", r#","location":{"name":"Hall"}"#, Some("Hall"), EventStatus::Scheduled),
        ("", r#","location":{"@type":"VirtualLocation"}"#, None, EventStatus::Scheduled),
        (r#""eventStatus":"EventCancelled","#, "", Some("Park"), EventStatus::Cancelled),
        (r#""eventStatus":"EventCancelled","#, r#","eventStatus":"EventScheduled""#, Some("Park"), EventStatus::Scheduled),
        (r#""eventStatus":"EventCancelled","#, r#","eventStatus":"EventPostponed""#, Some("Park"), EventStatus::Postponed),
        (r#""eventStatus":"EventPostponed","#, "", Some("Park"), EventStatus::Scheduled),
    ] {
        let document = festival(rest, night);
        let base_event = parse_valid(&document).remove(0);
        let event = &base_event.events[0];
        assert_eq!((event.venue.as_ref().map(|venue| venue.name.as_str()), event.status), (venue, status), "{document}");
    }
}

#[test]
fn a_node_with_a_start_and_another_type_is_a_warning() {
    let node = |kind: &str| format!(r#"{{"@type":{kind},"@id":"c","name":"C","startDate":"2031-08-01"}}"#);
    for (kind, name) in [
        (r#""Concert""#, "`Concert`"),
        (r#""music-event""#, "`music-event`"),
        (r#"["Product","http://x.example/Gig"]"#, "`Product, http://x.example/Gig`"),
    ] {
        let feed = parse(format!("[{EVENT},{}]", node(kind)).as_bytes()).unwrap();
        let expected = format!("{name} is not a type of event of schema.org; the node is ignored, although it has a `startDate`");
        assert_eq!(feed.warnings.listed[0].reason, expected, "{kind}");
        assert_eq!((feed.event_count(), feed.rejects.len(), feed.warnings.count), (1, 0, 1), "{kind}");
        let error = parse(node(kind).as_bytes()).unwrap_err();
        assert_eq!(error.code(), "no_items", "{kind}");
        assert!(error.to_string().ends_with(&format!("{name} is not a type of event of schema.org (line 1)")), "{error}");
    }
    for kind in [r#""Schedule""#, r#""TVSeries""#, r#""OrganizationRole""#] {
        assert_eq!(parse_valid(&format!("[{EVENT},{}]", node(kind))).len(), 1, "{kind}");
    }
}

#[test]
fn the_prefix_of_the_context_stands_for_schema_org() {
    for (prefix, vocabulary) in
        [("sdo", "https://schema.org/"), ("s", "http:\\/\\/schema.org\\/"), ("schema", "http://schema.org/")]
    {
        let document = format!(
            r#"{{"@context":{{"{prefix}":"{vocabulary}"}},"@type":"{prefix}:MusicEvent","@id":"e","{prefix}:name":"E",
                "{prefix}:startDate":"2031-08-01","{prefix}:eventStatus":{{"@id":"{prefix}:EventCancelled"}}}}"#
        );
        let base_events = parse_valid(&document);
        assert_eq!((event_ids(&base_events), base_events[0].events[0].status), (vec!["e/e".to_owned()], EventStatus::Cancelled));
    }
}

#[test]
fn a_part_of_an_event_belongs_to_it() {
    let parts = r#"{"@type":"Event","@id":"a","name":"A","startDate":"2031-08-01"},
                   {"@type":"MusicEvent","@id":"b","name":"B","startDate":"2031-08-02"}"#;
    let festival = r#""@type":"Festival","@id":"f","name":"Fest""#;
    for (document, ids) in [
        (format!(r#"{{{festival},"startDate":"2031-08-01","subEvent":[{parts}]}}"#), ["f/f", "f/a", "f/b"].as_slice()),
        (format!(r#"{{{festival},"startDate":"2031-08-01","subEvents":["a",{{"@id":"b"}}]}},{parts}"#), &["f/f", "f/a", "f/b"]),
        (format!(r#"{{{festival},"subEvent":[{parts}]}}"#), &["f/a", "f/b"]),
        (format!(r#"{{"@type":"EventSeries","@id":"f","name":"Fest","subEvent":[{parts}]}}"#), &["f/a", "f/b"]),
        (format!(r#"{{"@type":"Course","@id":"f","name":"Fest","hasCourseInstance":[{parts}]}}"#), &["f/a", "f/b"]),
    ] {
        let base_events = parse_valid(&format!("[{document}]"));
        assert_eq!(event_ids(&base_events), ids, "{document}");
        assert_eq!(titles(&base_events), ["Fest"], "{document}");
        let names: Vec<_> = base_events[0].events.iter().filter_map(|event| event.name.as_deref()).collect();
        assert_eq!(names, ["A", "B"], "{document}");
    }
}

#[test]
fn an_event_belongs_to_its_series() {
    let event =
        |series: &str| format!(r#"{{"@type":"Event","@id":"e","name":"Night","startDate":"2031-08-01","superEvent":{series}}}"#);
    for (document, id, title) in [
        (format!(r##"[{{"@type":"EventSeries","@id":"#s","name":"Run"}},{}]"##, event(r##"{"@id":"#s"}"##)), "#s/e", "Run"),
        (format!(r##"[{},{{"@type":"EventSeries","@id":"#s","name":"Run"}}]"##, event(r##""#s""##)), "#s/e", "Run"),
        (event(r#"{"@type":"EventSeries","@id":"s","name":"Run"}"#), "s/e", "Run"),
        (event(r#"{"@type":"EventSeries","name":"Run"}"#), "Run/e", "Run"),
        (event(r#"[{"name":"Run"}]"#), "Run/e", "Run"),
        (event(r#""The Run""#), "The Run/e", "The Run"),
        (event(r#""https://x.example/run""#), "https://x.example/run/e", "Night"),
        (event(r#"{"@id":"elsewhere"}"#), "elsewhere/e", "Night"),
        (event("null"), "e/e", "Night"),
    ] {
        let base_events = parse_valid(&document);
        assert_eq!((event_ids(&base_events), titles(&base_events)), (vec![id.to_owned()], vec![title]), "{document}");
        let name = base_events[0].events[0].name.as_deref();
        assert_eq!(name, (title != "Night").then_some("Night"), "{document}");
    }
}

#[test]
fn a_series_with_dates_is_an_event_and_one_without_is_not() {
    let night = |id: u8| {
        format!(
            r#"{{"@type":"Event","@id":"{id}","name":"Night","startDate":"2031-08-0{id}",
                "superEvent":{{"@type":"Festival","@id":"s","name":"Run"DATES}}}}"#
        )
    };
    let document = format!("[{},{}]", night(1), night(2));
    assert_eq!(event_ids(&parse_valid(&document.replace("DATES", ""))), ["s/1", "s/2"]);
    let dates = r#","startDate":"2031-08-01","endDate":"2031-08-02""#;
    assert_eq!(event_ids(&parse_valid(&document.replace("DATES", dates))), ["s/1", "s/2", "s/s"]);
}

#[test]
fn accepts_every_kind_of_event() {
    for kind in [
        "Event",
        "BusinessEvent",
        "ChildrensEvent",
        "ComedyEvent",
        "ConferenceEvent",
        "CourseInstance",
        "DanceEvent",
        "DeliveryEvent",
        "EducationEvent",
        "EventSeries",
        "ExhibitionEvent",
        "Festival",
        "FoodEvent",
        "Hackathon",
        "LiteraryEvent",
        "MusicEvent",
        "PerformingArtsEvent",
        "PublicationEvent",
        "BroadcastEvent",
        "OnDemandEvent",
        "SaleEvent",
        "ScreeningEvent",
        "SocialEvent",
        "SportsEvent",
        "TheaterEvent",
        "VisualArtsEvent",
        "schema:Event",
        "http://schema.org/Event",
        "https://schema.org/Event",
        "https://www.schema.org/Event",
        "http://schema.org/MusicEvent/",
        "sdo:MusicEvent",
        "s:MusicEvent",
        "event",
        "MUSICEVENT",
    ] {
        let document = format!(r#"{{"@type":"{kind}","@id":"e","name":"E","startDate":"2031-08-01"}}"#);
        assert_eq!(event_ids(&parse_valid(&document)), ["e/e"], "{kind}");
        let document = format!(r#"{{"type":["Product","{kind}"],"id":"e","name":"E","startDate":"2031-08-01"}}"#);
        assert_eq!(event_ids(&parse_valid(&document)), ["e/e"], "{kind} in a list");
    }
    for kind in ["Place", "Course", "EventReservation", "EventStatusType", "Eventful", ""] {
        let document = format!(r#"{{"@type":"{kind}","@id":"e","name":"E","startDate":"2031-08-01"}}"#);
        assert_eq!(parse(document.as_bytes()).unwrap_err().code(), "no_items", "{kind}");
    }
}

#[test]
fn references_have_the_properties_of_their_node() {
    let document = r##"{"@graph":[
        {"@type":"Event","@id":"e","name":"E","startDate":"2031-08-01","performer":[{"@id":"#band"},"#solo"],
         "location":{"@id":"#hall","name":"Hall"},"organizer":{"@id":"#org"},"offers":{"@id":"#offer"}},
        {"@type":"MusicGroup","@id":"#band","name":"The Kettles"},
        {"@type":"Person","@id":"#solo","name":"Ada"},
        {"@type":"Place","@id":"#hall","name":"Hall One","address":{"@id":"#address"},"geo":{"@id":"_:b1"}},
        {"@type":"PostalAddress","@id":"#address","addressLocality":"Bilbao"},
        {"@type":"GeoCoordinates","@id":"_:b1","latitude":43.26,"longitude":-2.93},
        {"@type":"Organization","@id":"#org","name":"Friends"},
        {"@type":"Offer","@id":"#offer","price":"12"}]}"##;
    let base_event = parse_valid(document).remove(0);
    let event = &base_event.events[0];
    let performers: Vec<_> =
        event.performers.iter().map(|performer| (performer.source_id.as_str(), performer.name.as_str())).collect();
    assert_eq!(performers, [("#band", "The Kettles"), ("#solo", "Ada")]);
    let venue = event.venue.as_ref().unwrap();
    assert_eq!((venue.source_id.as_str(), venue.name.as_str(), venue.city.as_deref()), ("#hall", "Hall", Some("Bilbao")));
    assert_eq!(venue.coordinates, Some(Coordinates { latitude: 43.26, longitude: -2.93 }));
    assert_eq!(base_event.organizer_company_id.as_deref(), Some("#org"));
    assert_eq!((event.zones[0].source_id.as_str(), event.zones[0].price), ("#offer", 1200));
}

#[test]
fn references_in_a_circle_end() {
    let document = r##"[{"@type":"Event","@id":"a","name":"A","startDate":"2031-08-01","superEvent":{"@id":"b"},"subEvent":{"@id":"b"},
                         "offers":{"@id":"o"}},
                        {"@type":"Event","@id":"b","name":"B","startDate":"2031-08-01","superEvent":{"@id":"a"},"subEvent":[{"@id":"a"}]},
                        {"@type":"AggregateOffer","@id":"o","offers":[{"@id":"o"},{"@id":"o"}],"price":1}]"##;
    assert_eq!(event_ids(&parse_valid(document)), ["b/a", "a/b"]);
}

#[test]
fn ids_are_read_exactly() {
    for (id, expected) in [
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.0", "1.0"),
        ("1e3", "1e3"),
        ("-7", "-7"),
        ("\"007\"", "007"),
        (r#"{"@type":"PropertyValue","value":42}"#, "42"),
        (r#"["x","y"]"#, "x"),
        (r#"[{"@type":"PropertyValue","propertyID":"x","value":"42"},{"value":"43"}]"#, "42"),
        (r#"[{"@type":"PropertyValue","propertyID":"x"},["",{"@value":"y"}]]"#, "y"),
    ] {
        let document = format!(
            r#"{{"@type":"Event","@id":"_:b0","identifier":{id},"url":"https://x.example/e","name":"E","startDate":"2031-08-01"}}"#
        );
        assert_eq!(event_ids(&parse_valid(&document)), [format!("{expected}/{expected}")], "{id}");
    }
}

#[test]
fn a_url_identifies_an_event_with_its_start() {
    let event = |rest: &str| format!(r#"{{"@type":"Event","name":"E",{rest}}}"#);
    let page = r#""url":"https://x.example/e""#;
    let dates = ["2031-08-01", "2031-08-02T20:00:00", "2031-08-03T20:00:00+02:00"];
    let document: Vec<String> = dates.iter().map(|date| event(&format!(r#"{page},"startDate":"{date}""#))).collect();
    let expected = ["2031-08-01", "2031-08-02T20:00:00", "2031-08-03T20:00:00"];
    let expected = expected.map(|date| format!("https://x.example/e/https://x.example/e#{date}"));
    assert_eq!(event_ids(&parse_valid(&format!("[{}]", document.join(",")))), expected);
    assert_eq!(event_ids(&parse_valid(&document[1])), [expected[1].clone()], "the same id when the others have left");
    let tickets = event(r#""startDate":"2031-08-01","offers":{"url":"https://x.example/t/1"}"#);
    assert_eq!(event_ids(&parse_valid(&tickets)), ["https://x.example/t/1/https://x.example/t/1#2031-08-01"]);
}

#[test]
fn dates_of_one_url_keep_what_describes_them() {
    let date = |day: u8, description: &str| {
        let description = if description.is_empty() { String::new() } else { format!(r#","description":"{description}""#) };
        format!(r#"{{"@type":"Event","name":"E","url":"https://x.example/e","startDate":"2031-08-0{day}"{description}}}"#)
    };
    for (descriptions, of_base_event, of_events) in [
        (["Same.", "Same.", "Same."], Some("Same."), [None, None, None]),
        (["First.", "", ""], None, [Some("First."), None, None]),
        (["First.", "First.", "Last."], Some("Last."), [Some("First."), Some("First."), None]),
    ] {
        let document: Vec<String> = (1..).zip(descriptions).map(|(day, description)| date(day, description)).collect();
        let base_event = parse_valid(&format!("[{}]", document.join(","))).remove(0);
        assert_eq!(base_event.details.description.as_deref(), of_base_event, "{descriptions:?}");
        let of_each: Vec<_> = base_event.events.iter().map(|event| event.details.description.as_deref()).collect();
        assert_eq!(of_each, of_events, "{descriptions:?}");
    }
}

#[test]
fn a_document_without_events_is_empty_only_if_it_has_an_empty_list() {
    for document in [
        "[]",
        "[[]]",
        r#"{"@graph":[]}"#,
        r#"{"@type":"ItemList","itemListElement":[]}"#,
        r#"{"@type":"DataFeed","dataFeedElement":[]}"#,
        r#"{"@type":"hydra:Collection","hydra:member":[]}"#,
        r#"{"@type":"MusicVenue","event":[]}"#,
        r#"{"events":[]}"#,
    ] {
        assert_eq!(parse_valid(document), [], "{document}");
    }
    for document in [
        "{}",
        r#"[{"@type":"Organization"}]"#,
        r#"{"@type":"hydra:Error","hydra:title":"An error occurred"}"#,
        r#"{"error":"rate limited"}"#,
        r#"{"errors":[],"code":500}"#,
        r#"{"@type":"EventSeries","@id":"s","name":"S"}"#,
        "[null]",
        r#"["text"]"#,
        r#"{"@type":"Event","@id":"only-a-reference"}"#,
    ] {
        assert_eq!(parse(document.as_bytes()).expect_err(document).code(), "no_items", "{document}");
    }
}

#[test]
fn the_last_of_two_entries_with_one_id_is_imported_whole() {
    let document = r#"[{"@type":"Event","@id":"7","name":"First","startDate":"2031-08-01","description":"Old","offers":{"price":10}},
        {"@type":"Event","@id":"7","name":"Second","startDate":"2031-09-01","performer":"Ada"}]"#;
    let feed = parse(document.as_bytes()).unwrap();
    let base_event = &feed.base_events[0];
    let event = &base_event.events[0];
    assert_eq!((feed.rejects.len(), feed.event_count(), base_event.title.as_str()), (0, 1, "Second"));
    assert_eq!((event.start.wall_clock.as_str(), event.zones.len(), event.performers.len()), ("2031-09-01", 0, 1));
    assert_eq!(base_event.details.description, None);
    let warning = &feed.warnings.listed[0];
    let subject = Some(RejectSubject::Event { base_event: "7".to_owned(), event: Some("7".to_owned()) });
    assert_eq!((warning.position, &warning.subject, feed.warnings.count), (1, &subject, 1));
    assert_eq!(warning.reason, "event `7` occurs again in base event `7`; this entry is ignored, and the last one imported");
}

//! Optional details: they are imported, or ignored with a warning. Their errors never reject the event.

use entity::{Category, EventStatus};
use worker::provider::{
    currency::Currency,
    item::{Coordinates, EventItem, FeedWarning, ItemDetails, RejectSubject, VenueItem},
};

use super::{event, parse, parse_valid};
use crate::fixtures;

const FESTIVAL: &str = "sound/festival.xml";

/// The first event of the festival with a changed part, which must be accepted, and all warnings.
fn change(original: &str, changed: &str) -> (EventItem, Vec<FeedWarning>) {
    let document = fixtures::text(FESTIVAL);
    assert!(document.contains(original), "{original}");
    let document = document.replacen(original, changed, 1);
    let mut feed = parse(document.as_bytes()).unwrap_or_else(|error| panic!("{changed}: {error}"));
    assert_eq!(feed.rejects, [], "{changed}");
    let mut base_event = feed.base_events.remove(0);
    assert_eq!(base_event.events.len(), 2, "{changed}");
    for warning in &feed.warnings.listed {
        let element = &document[warning.position..];
        assert!(element.starts_with('<') && element[..element.find('>').unwrap()].contains(changed.trim()), "{warning:?}");
    }
    (base_event.events.remove(0), feed.warnings.listed)
}

#[test]
fn imports_all_optional_attributes() {
    let base_event = &parse_valid(FESTIVAL)[0];
    let expected = ItemDetails {
        url: Some("https://tickets.example/harbour".to_owned()),
        image_url: Some("HTTP://images.example/h.png?a=1&b=2".to_owned()),
        organizer_name: Some("Harbour Trust".to_owned()),
        description: Some("Two days\nby the sea.\n\nBring a coat.".to_owned()),
        category: Category::find("festival"),
    };
    assert_eq!(base_event.details, expected);
    let first = event(base_event, "1");
    assert_eq!((first.name.as_deref(), first.status, first.sold_out), (Some("Opening – Night"), EventStatus::Cancelled, false));
    assert_eq!(first.details.url.as_deref(), Some("https://tickets.example/harbour/1"));
    let text = |text: &str| Some(text.to_owned());
    let hall = VenueItem {
        source_id: "7".to_owned(),
        name: "Pier Hall".to_owned(),
        coordinates: Some(Coordinates { latitude: 28.124, longitude: -15.436 }),
        place_code: text("ESLPA"),
        address: text("Calle Mayor 1"),
        city: text("Las Palmas"),
        region: text("Canarias"),
        country: text("ES"),
        postal_code: text("35002"),
        time_zone: None,
    };
    assert_eq!(first.venue, Some(hall));
    let prices: Vec<_> = first.zones.iter().map(|zone| (zone.price, zone.currency.as_ref().map(Currency::code))).collect();
    assert_eq!(prices, [(2000, Some("GBP")), (2500, None), (1500, Some("JPY"))]);
    assert_eq!(first.zones[0].numbered, Some(true));
    let second = event(base_event, "2");
    assert_eq!(second.venue.as_ref().map(|venue| (venue.name.as_str(), venue.coordinates)), Some(("Online", None)));
    assert_eq!((second.status, second.name.as_deref()), (EventStatus::Scheduled, None));
}

#[test]
fn an_invalid_detail_is_ignored_with_a_warning() {
    for (original, changed, reason) in [
        (
            "event_end_date=\"2031-07-04T23:00:00\"",
            "event_end_date=\"late\"",
            "`event_end_date` must be a date such as 2021-06-30T21:00:00, got `late`; ignored",
        ),
        (
            "event_end_date=\"2031-07-04T23:00:00\"",
            "event_end_date=\"2031-07-04T19:59:59\"",
            "the end `2031-07-04T19:59:59` is before the start `2031-07-04T20:00:00`; the end is ignored",
        ),
        (
            "sell_from=\"2031-01-01T09:00:00\"",
            "sell_from=\"2031-02-30\"",
            "`sell_from` must be an existing date, got `2031-02-30`; ignored",
        ),
        ("sold_out=\"no\"", "sold_out=\"perhaps\"", "`sold_out` must be `true` or `false`, got `perhaps`; ignored"),
        ("numbered=\"TRUE\"", "numbered=\"2\"", "`numbered` must be `true` or `false`, got `2`; ignored"),
        ("capacity=\"5\"", "capacity=\"-1\"", "`capacity` must be an integer from 0 to 10000000, got `-1`; ignored"),
        ("zone_id=\"1\" price", "price", "`zone_id` is missing; the zone is ignored"),
        ("price=\"20.00\"", "price=\"five\"", "`price` must be a decimal number such as 20.00, got `five`; the zone is ignored"),
        ("price=\"20.00\"", "price=\"-5.00\"", "`price` must be 0 or more, got `-5.00`; the zone is ignored"),
        (
            "currency=\"EUR\"",
            "currency=\"bitcoin\"",
            "`currency` must be an ISO 4217 currency code such as EUR, got `BITCOIN`; the zone is ignored",
        ),
        (
            "status=\"Cancelled\"",
            "status=\"maybe\"",
            "`status` must be one of scheduled, cancelled, postponed, rescheduled, moved_online, got `maybe`; ignored",
        ),
        ("name=\"Salt Choir\"", "name=\" \"", "`name` is missing; the performer is ignored"),
        ("venue_id=\"7\" ", " ", "`venue_id` is missing; the venue is ignored"),
        ("latitude=\"28.124\"", "latitude=\"90.5\"", "`latitude` must be a number from -90 to 90, got `90.5`; ignored"),
        ("longitude=\"-15.436\"", "longitude=\"NaN\"", "`longitude` must be a number from -180 to 180, got `NaN`; ignored"),
        ("longitude=\"-15.436\"", "longitude=\"\"", "`longitude` is missing; ignored"),
        (
            "country=\"es\"",
            "country=\"Atlantis\"",
            "`country` must be a country or its ISO 3166 code such as ES, got `Atlantis`; ignored",
        ),
        (
            "time_zone=\"Asia/Tokyo\"",
            "time_zone=\"JST+9\"",
            "`time_zone` must be an IANA time zone such as Europe/Madrid, got `JST+9`; ignored",
        ),
        (
            "url=\"https://tickets.example/harbour\"",
            "url=\"harbour\"",
            "`url` must be an http:// or https:// URL without white space, or begin with `/`, got `harbour`; ignored",
        ),
        (
            "url=\"https://tickets.example/harbour\"",
            "url=\"javascript:alert(1)\"",
            "`url` must be an http:// or https:// URL without white space, or begin with `/`, got `javascript:alert(1)`; ignored",
        ),
        (
            "image_url=\"HTTP://images.example/h.png",
            "image_url=\"https://a b.example/h.png",
            "`image_url` must be an http:// or https:// URL without white space, or begin with `/`, got `https://a b.example/h.png?a=1&b=2`; ignored",
        ),
    ] {
        let (_, warnings) = change(original, changed);
        let reasons: Vec<&str> = warnings.iter().map(|warning| warning.reason.as_str()).collect();
        assert_eq!(reasons, [reason], "{changed}");
    }
}

#[test]
fn warnings_have_the_item_and_stay_in_document_order() {
    let document = fixtures::text(FESTIVAL)
        .replacen("url=\"https://tickets.example/harbour\"", "url=\"harbour\"", 1)
        .replacen("status=\"Cancelled\"", "status=\"maybe\"", 1)
        .replacen("capacity=\"5\"", "capacity=\"x\"", 1);
    let warnings = parse(document.as_bytes()).unwrap().warnings.listed;
    let base_event = RejectSubject::BaseEvent(Some("9".to_owned()));
    let event = RejectSubject::Event { base_event: "9".to_owned(), event: Some("1".to_owned()) };
    let subjects: Vec<_> = warnings.iter().map(|warning| warning.subject.clone().unwrap()).collect();
    assert_eq!(subjects, [base_event, event.clone(), event]);
    assert!(warnings.is_sorted_by_key(|warning| warning.position), "{warnings:?}");
}

#[test]
fn a_rejected_event_has_no_warnings() {
    let document =
        fixtures::text(FESTIVAL).replacen("2031-07-04T20:00:00", "never", 1).replacen("capacity=\"5\"", "capacity=\"x\"", 1);
    let feed = parse(document.as_bytes()).unwrap();
    assert_eq!((feed.rejects.len(), feed.warnings.count), (1, 0));
}

#[test]
fn reads_every_spelling_of_a_status() {
    for (text, expected) in [
        ("scheduled", EventStatus::Scheduled),
        ("CANCELED", EventStatus::Cancelled),
        ("EventCancelled", EventStatus::Cancelled),
        ("http://schema.org/EventPostponed/", EventStatus::Postponed),
        ("schema:EventRescheduled", EventStatus::Rescheduled),
        ("moved_online", EventStatus::MovedOnline),
        ("https://schema.org/EventMovedOnline", EventStatus::MovedOnline),
    ] {
        let (event, warnings) = change("status=\"Cancelled\"", &format!("status=\"{text}\""));
        assert_eq!((event.status, warnings), (expected, vec![]), "{text}");
    }
}

#[test]
fn reads_booleans_in_any_case() {
    for (text, expected) in
        [("True", true), ("TRUE", true), ("yes", true), ("Y", true), ("1", true), ("False", false), ("No", false), ("0", false)]
    {
        let (event, warnings) = change("sold_out=\"no\"", &format!("sold_out=\"{text}\""));
        assert_eq!((event.sold_out, warnings), (expected, vec![]), "{text}");
    }
}

#[test]
fn a_url_has_at_most_2000_characters() {
    for (length, is_accepted) in [(2_000, true), (2_001, false)] {
        let url = format!("https://tickets.example/{}", "x".repeat(length - "https://tickets.example/".len()));
        let (_, warnings) = change("url=\"https://tickets.example/harbour\"", &format!("url=\"{url}\""));
        assert_eq!(warnings.is_empty(), is_accepted, "{length}");
    }
}

#[test]
fn reads_a_price_that_can_be_read_in_one_way() {
    for (text, expected) in [
        ("20", [2000].as_slice()),
        ("Free", &[0]),
        ("12,50", &[1250]),
        ("1,250.00", &[125_000]),
        ("€ 20.00", &[2000]),
        ("10-20", &[1000, 2000]),
    ] {
        let (event, warnings) = change("price=\"25.00\"", &format!("price=\"{text}\""));
        let prices: Vec<i64> = event.zones.iter().filter(|zone| zone.source_id == "2").map(|zone| zone.price).collect();
        assert_eq!((prices.as_slice(), warnings), (expected, vec![]), "{text}");
    }
}

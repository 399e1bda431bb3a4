//! `icalendar`: time zones, and dates in them.

use worker::provider::item::{BaseEventItem, EventItem};

use super::icalendar::{dates, event, parse, parse_bytes, parse_one};

/// The rules of New York, under another name.
const CUSTOM: &str = "BEGIN:VTIMEZONE\nTZID:Custom\nBEGIN:DAYLIGHT\nDTSTART:20070311T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n\
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:20071104T020000\nTZOFFSETFROM:-0400\n\
    TZOFFSETTO:-0500\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\nEND:STANDARD\nEND:VTIMEZONE\n";

/// The clock, the wall-clock time and the hour in UTC of the first date.
fn first_start(base_event: &BaseEventItem) -> (Option<&str>, &str, String) {
    let EventItem { time_zone, start, .. } = &base_event.events[0];
    let utc = start.instant.to_utc().unwrap().format("%d %H:%M").to_string();
    (time_zone.map(chrono_tz::Tz::name), &start.wall_clock, utc)
}

#[test]
fn an_event_has_the_clock_that_its_calendar_states() {
    let new_york = "DTSTART;TZID=America/New_York:20310630T200000\nLOCATION:Hall";
    let tokyo = "X-WR-TIMEZONE:Asia/Tokyo\n";
    let linked = "BEGIN:VTIMEZONE\nTZID:Linked\nX-LIC-LOCATION:America/New_York\nEND:VTIMEZONE\n";
    for (before, lines, clock, start, utc) in [
        ("", new_york, Some("America/New_York"), "2031-06-30T20:00:00", "01 00:00"),
        (tokyo, new_york, Some("America/New_York"), "2031-06-30T20:00:00", "01 00:00"),
        (linked, "DTSTART;TZID=Linked:20310630T200000", Some("America/New_York"), "2031-06-30T20:00:00", "01 00:00"),
        ("", "DTSTART;TZID=europe/london:20310630T200000", Some("Europe/London"), "2031-06-30T20:00:00", "30 19:00"),
        ("", "DTSTART;TZID=/a.example/Europe/London:20310630T200000", Some("Europe/London"), "2031-06-30T20:00:00", "30 19:00"),
        (tokyo, "DTSTART:20310630T200000", Some("Asia/Tokyo"), "2031-06-30T20:00:00", "30 11:00"),
        (tokyo, "DTSTART:20310630T200000Z", Some("Asia/Tokyo"), "2031-07-01T05:00:00", "30 20:00"),
        (tokyo, "DTSTART;VALUE=DATE:20310630", Some("Asia/Tokyo"), "2031-06-30", "29 15:00"),
        // The place is known better than the clock of who wrote the time.
        (
            "",
            "DTSTART;TZID=America/New_York:20310630T200000\nLOCATION:Pier\nGEO:41.374;2.169",
            Some("Europe/Madrid"),
            "2031-07-01T02:00:00",
            "01 00:00",
        ),
        // These are at no place.
        ("", "DTSTART:20310630T200000Z\nLOCATION:Hall", None, "2031-06-30T22:00:00", "30 20:00"),
        ("", "DTSTART;TZID=UTC:20310630T200000", None, "2031-06-30T22:00:00", "30 20:00"),
        ("", "DTSTART;TZID=GMT+0100:20310630T200000", None, "2031-06-30T21:00:00", "30 19:00"),
        ("", "DTSTART:20310630T200000", None, "2031-06-30T20:00:00", "30 18:00"),
        (CUSTOM, "DTSTART;TZID=Custom:20310630T200000", None, "2031-07-01T02:00:00", "01 00:00"),
        (CUSTOM, "DTSTART;TZID=Custom:20311230T200000", None, "2031-12-31T02:00:00", "31 01:00"),
    ] {
        let feed = parse(&format!("{before}{}", event(lines)));
        assert_eq!(first_start(&feed.base_events[0]), (clock, start, utc.to_owned()), "{before}{lines}");
        assert_eq!(feed.warnings.listed, [], "{before}{lines}");
    }
}

#[test]
fn coordinates_without_a_name_have_a_clock() {
    let feed = parse(&event("DTSTART:20310630T190000Z\nGEO:28.124;-15.436"));
    let expected = (Some("Atlantic/Canary"), "2031-06-30T20:00:00", "30 19:00".to_owned());
    assert_eq!((first_start(&feed.base_events[0]), &feed.base_events[0].events[0].venue), (expected, &None));
}

#[test]
fn an_unknown_zone_is_a_warning() {
    for (before, lines, reason) in [
        (
            "",
            "DTSTART;TZID=Foo/Bar:20310630T200000",
            "`TZID` `Foo/Bar` is not a known time zone, and no VTIMEZONE defines it; Europe/Madrid is",
        ),
        (
            "X-WR-TIMEZONE:Asia/Tokyo\n",
            "DTSTART;TZID=Foo:20310630T200000\nDTEND;TZID=Foo:20310630T210000",
            "`Foo` is not a known time zone",
        ),
        ("X-WR-TIMEZONE:Foo\n", "DTSTART:20310630T200000", "`X-WR-TIMEZONE` must be a known time zone, got `Foo`"),
    ] {
        let feed = parse(&format!("{before}{}", event(lines)));
        let [warning] = feed.warnings.listed.as_slice() else { panic!("{lines}: {:?}", feed.warnings) };
        assert!(warning.reason.contains(reason), "{}", warning.reason);
        assert_eq!(feed.base_events[0].events[0].start.wall_clock, "2031-06-30T20:00:00");
    }
}

#[test]
fn an_override_has_the_clock_of_its_series() {
    let components = [
        event("DTSTART;TZID=America/New_York:20310624T200000\nRRULE:FREQ=WEEKLY;COUNT=2"),
        event("RECURRENCE-ID:20310702T000000Z\nDTSTART:20310702T010000Z"),
    ];
    assert_eq!(
        dates(&parse_one(&components.concat())),
        [("20310625T000000Z", "2031-06-24T20:00:00", None), ("20310702T000000Z", "2031-07-01T21:00:00", None)]
    );
}

#[test]
fn a_recurrence_in_the_skipped_hour_is_after_it() {
    let lines = "DTSTART;TZID=Europe/Madrid:20310329T023000\nDTEND;TZID=Europe/Madrid:20310329T033000\nRRULE:FREQ=DAILY;COUNT=3";
    assert_eq!(
        dates(&parse_one(&event(lines))),
        [
            ("20310329T013000Z", "2031-03-29T02:30:00", Some("2031-03-29T03:30:00")),
            ("20310330T013000Z", "2031-03-30T03:30:00", Some("2031-03-30T04:30:00")),
            ("20310331T003000Z", "2031-03-31T02:30:00", Some("2031-03-31T03:30:00")),
        ]
    );
}

#[test]
fn a_defined_zone_repeats_with_its_changes() {
    let lines = "DTSTART;TZID=Custom:20310308T200000\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=20310312";
    let starts = [("20310309T010000Z", "2031-03-09T02:00:00", None), ("20310310T000000Z", "2031-03-10T01:00:00", None)];
    assert_eq!(dates(&parse_one(&format!("{CUSTOM}{}", event(lines)))), starts);
}

#[test]
fn days_refer_to_dates_with_times_and_times_to_days() {
    let weekly = "DTSTART;TZID=Europe/Madrid:20310610T200000\nRRULE:FREQ=WEEKLY;COUNT=3";
    let weekly_days = "DTSTART;VALUE=DATE:20310610\nRRULE:FREQ=WEEKLY;COUNT=3";
    let moved = |lines: &str| event(&format!("{lines}\nDTSTART;TZID=Europe/Madrid:20310617T210000"));
    let evening = ("20310617T180000Z", "2031-06-17T21:00:00", None);
    let timed = |day: &'static str| match day {
        "10" => ("20310610T180000Z", "2031-06-10T20:00:00", None),
        "17" => ("20310617T180000Z", "2031-06-17T20:00:00", None),
        _ => ("20310624T180000Z", "2031-06-24T20:00:00", None),
    };
    let whole = |day: &'static str| match day {
        "10" => ("20310610", "2031-06-10", Some("2031-06-10")),
        _ => ("20310624", "2031-06-24", Some("2031-06-24")),
    };
    for (components, expected) in [
        (event(&format!("{weekly}\nEXDATE;VALUE=DATE:20310617")), vec![timed("10"), timed("24")]),
        (event(&format!("{weekly}\nEXDATE:20310617T180000Z,20310610T200000")), vec![timed("24")]),
        (event("DTSTART;TZID=Europe/Madrid:20310610T200000\nRDATE;VALUE=DATE:20310617,20310610"), vec![timed("10"), timed("17")]),
        (event(&format!("{weekly_days}\nEXDATE:20310617T000000Z")), vec![whole("10"), whole("24")]),
        (event(&format!("{weekly_days}\nEXDATE:20310616T220000Z")), vec![whole("10"), whole("24")]),
        (event(weekly) + &moved("RECURRENCE-ID;VALUE=DATE:20310617"), vec![timed("10"), evening, timed("24")]),
        (
            event(weekly_days) + &moved("RECURRENCE-ID;VALUE=DATE:20310617"),
            vec![whole("10"), ("20310617", "2031-06-17T21:00:00", None), whole("24")],
        ),
        (
            event(weekly_days) + &moved("RECURRENCE-ID;TZID=Europe/Madrid:20310617T000000"),
            vec![whole("10"), ("20310617", "2031-06-17T21:00:00", None), whole("24")],
        ),
    ] {
        assert_eq!(dates(&parse_one(&components)), expected, "{components}");
    }
}

#[test]
fn a_period_has_its_own_end() {
    let lines =
        "DTSTART:20310610T180000Z\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20310611T180000Z/PT2H,20310612T180000Z/20310612T210000Z";
    assert_eq!(
        dates(&parse_one(&event(lines))),
        [
            ("20310610T180000Z", "2031-06-10T20:00:00", Some("2031-06-10T21:00:00")),
            ("20310611T180000Z", "2031-06-11T20:00:00", Some("2031-06-11T22:00:00")),
            ("20310612T180000Z", "2031-06-12T20:00:00", Some("2031-06-12T23:00:00")),
        ]
    );
}

#[test]
fn lines_are_folded_within_characters_and_end_in_any_way() {
    let calendar = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", event("DTSTART:20310630T210000"));
    for (summary, separator) in [(b"Caf\xC3\r\n \xA9 del mar".as_slice(), "\r\n"), (b"Caf\xC3\xA9 del mar", "\r")] {
        let document = calendar.replace('\n', separator);
        let (before, after) = document.split_once("Jam").unwrap();
        let feed = parse_bytes(&[before.as_bytes(), summary, after.as_bytes()].concat()).unwrap();
        assert_eq!((feed.base_events[0].title.as_str(), feed.event_count()), ("Caf\u{e9} del mar", 1), "{separator:?}");
    }
    let invalid = calendar.replace("Jam", "\u{e9}").into_bytes();
    let invalid: Vec<u8> = invalid.into_iter().filter(|byte| *byte != 0xA9).collect();
    assert_eq!(parse_bytes(&invalid).unwrap_err().code(), "not_utf8");
}

#[test]
fn an_attached_picture_is_the_image_if_there_is_no_other() {
    let attached = "DTSTART:20310630T210000\nATTACH:https://a.example/a.pdf\nATTACH;FMTTYPE=image/jpeg:https://a.example/a.jpg";
    let image = |lines: &str| parse_one(&event(lines)).details.image_url;
    assert_eq!(image(attached).as_deref(), Some("https://a.example/a.jpg"));
    let both = format!("{attached}\nIMAGE;VALUE=URI:https://a.example/b.jpg");
    assert_eq!(image(&both).as_deref(), Some("https://a.example/b.jpg"));
}

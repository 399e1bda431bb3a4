//! `icalendar`: dates, recurrences and properties of VEVENTs.

use entity::{Category, EventStatus};
use proptest::prelude::*;
use worker::provider::{
    format::{self, Conventions, FeedDocumentError},
    item::{BaseEventItem, EventItem, ParsedFeed},
};

use super::{
    any_bytes::{mutate, mutation},
    conventions, month,
};

/// A calendar with these components, of a provider in Madrid.
pub(super) fn parse(components: &str) -> ParsedFeed {
    let document = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example//EN\n{components}END:VCALENDAR\n");
    parse_document(&document.replace('\n', "\r\n")).unwrap_or_else(|error| panic!("{components}: {error}"))
}

fn parse_document(document: &str) -> Result<ParsedFeed, FeedDocumentError> {
    parse_bytes(document.as_bytes())
}

pub(super) fn parse_bytes(document: &[u8]) -> Result<ParsedFeed, FeedDocumentError> {
    parse_in(document, "2031-01-01")
}

/// Parses a document in the month that begins on this day.
fn parse_in(document: &[u8], first_day: &str) -> Result<ParsedFeed, FeedDocumentError> {
    format::find("icalendar").unwrap().parse(document, &Conventions { month: month(first_day), ..conventions() })
}

/// A VEVENT with these lines.
pub(super) fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:7@example\nDTSTAMP:20310101T000000Z\nSUMMARY:Jam\n{lines}\nEND:VEVENT\n")
}

/// The only base event, without rejects.
pub(super) fn parse_one(components: &str) -> BaseEventItem {
    let mut feed = parse(components);
    assert_eq!(feed.rejects, [], "{components}");
    assert_eq!(feed.base_events.len(), 1, "{components}");
    feed.base_events.remove(0)
}

/// Ids after the UID, starts and ends.
pub(super) fn dates(base_event: &BaseEventItem) -> Vec<(&str, &str, Option<&str>)> {
    let key = |event: &EventItem| event.source_id.find('/').map_or(0, |slash| slash + 1);
    let events = base_event.events.iter();
    events
        .map(|event| {
            let end = event.end.as_ref().map(|end| end.wall_clock.as_str());
            (&event.source_id[key(event)..], event.start.wall_clock.as_str(), end)
        })
        .collect()
}

#[test]
fn reads_every_form_of_a_date() {
    for (lines, start, end) in [
        ("DTSTART:20310630T210000", "2031-06-30T21:00:00", None),
        ("DTSTART:20310630T190000Z\nDTEND:20310630T200000Z", "2031-06-30T21:00:00", Some("2031-06-30T22:00:00")),
        ("DTSTART:20310630T210000+0200\nDURATION:PT90M", "2031-06-30T21:00:00", Some("2031-06-30T22:30:00")),
        ("DTSTART:2031-06-30T19:00:00Z\nDTEND:2031-06-30T20:00Z", "2031-06-30T21:00:00", Some("2031-06-30T22:00:00")),
        ("DTSTART:20310630T240000", "2031-07-01T00:00:00", None),
        ("DTSTART;VALUE=DATE:20310630", "2031-06-30", Some("2031-06-30")),
        ("DTSTART;VALUE=DATE:20310630\nDTEND;VALUE=DATE:20310703", "2031-06-30", Some("2031-07-02")),
        ("DTSTART;VALUE=DATE:20310630\nDTEND;VALUE=DATE:20310630", "2031-06-30", Some("2031-06-30")),
        // On the clock of the place: the Canary Islands are an hour behind.
        ("DTSTART:20310630T190000Z\nLOCATION:Pier\nGEO:28.124;-15.436", "2031-06-30T20:00:00", None),
        ("DTSTART:20310630T200000\nLOCATION:Pier\nGEO:28.124;-15.436", "2031-06-30T20:00:00", None),
    ] {
        assert_eq!(dates(&parse_one(&event(lines))), [("7@example", start, end)], "{lines}");
    }
}

#[test]
fn expands_recurrences_with_their_exceptions() {
    let components = [
        event(
            "DTSTART;TZID=Europe/Madrid:20310325T200000\nDTEND;TZID=Europe/Madrid:20310325T220000\nRRULE:FREQ=WEEKLY;COUNT=4\n\
             EXDATE;TZID=Europe/Madrid:20310401T200000\nRDATE;TZID=Europe/Madrid:20310426T200000",
        ),
        event(
            "RECURRENCE-ID;TZID=Europe/Madrid:20310408T200000\nSEQUENCE:3\nDTSTART;TZID=Europe/Madrid:20310409T190000\n\
             DTEND;TZID=Europe/Madrid:20310409T210000\nSTATUS:CANCELLED\nLOCATION:Cellar",
        )
        .replace("SUMMARY:Jam", "SUMMARY:Last Jam"),
    ];
    let base_event = parse_one(&components.concat());
    assert_eq!(
        dates(&base_event),
        [
            ("20310325T190000Z", "2031-03-25T20:00:00", Some("2031-03-25T22:00:00")),
            // It keeps its id, although it was moved. The clocks have changed.
            ("20310408T180000Z", "2031-04-09T19:00:00", Some("2031-04-09T21:00:00")),
            ("20310415T180000Z", "2031-04-15T20:00:00", Some("2031-04-15T22:00:00")),
            ("20310426T180000Z", "2031-04-26T20:00:00", Some("2031-04-26T22:00:00")),
        ]
    );
    let [first, moved, ..] = base_event.events.as_slice() else { panic!("{base_event:?}") };
    assert_eq!((&first.name, first.status, &first.venue), (&None, EventStatus::Scheduled, &None));
    assert_eq!((moved.name.as_deref(), moved.status), (Some("Last Jam"), EventStatus::Cancelled));
    assert_eq!(moved.venue.as_ref().map(|venue| venue.name.as_str()), Some("Cellar"));
}

#[test]
fn the_end_of_a_rule_is_included() {
    // The clocks change on March 30.
    for until in ["20310401T190000Z", "20310401T210000", "20310401"] {
        let lines = format!("DTSTART;TZID=Europe/Madrid:20310325T210000\nRRULE:FREQ=WEEKLY;UNTIL={until}");
        let starts = ["2031-03-25T21:00:00", "2031-04-01T21:00:00"];
        let base_event = parse_one(&event(&lines));
        assert_eq!(dates(&base_event).iter().map(|(_, start, _)| *start).collect::<Vec<_>>(), starts, "{until}");
    }
    // An event that repeats in UTC is an hour later in summer.
    let base_event = parse_one(&event("DTSTART:20310325T190000Z\nRRULE:FREQ=WEEKLY;UNTIL=20310401T190000Z"));
    let starts: Vec<&str> = dates(&base_event).iter().map(|(_, start, _)| *start).collect();
    assert_eq!(starts, ["2031-03-25T20:00:00", "2031-04-01T21:00:00"]);
}

#[test]
fn an_override_may_move_all_later_dates() {
    let components = [
        event("DTSTART:20310301T190000Z\nRRULE:FREQ=WEEKLY;COUNT=3"),
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20310308T190000Z\nDTSTART:20310309T190000Z"),
    ];
    let base_event = parse_one(&components.concat());
    assert_eq!(
        dates(&base_event),
        [
            ("20310301T190000Z", "2031-03-01T20:00:00", None),
            ("20310308T190000Z", "2031-03-09T20:00:00", None),
            ("20310316T190000Z", "2031-03-16T20:00:00", None),
        ]
    );
}

#[test]
fn a_rule_without_an_end_is_expanded_for_two_years() {
    let days = parse_one(&event("DTSTART;VALUE=DATE:20310101\nRRULE:FREQ=DAILY"));
    assert_eq!((days.events.len(), days.events[731].source_id.as_str()), (732, "7@example/20330101"));
    let never = parse_one(&event("DTSTART;VALUE=DATE:20310101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"));
    assert!(never.events.len() < 2, "{}", never.events.len());
}

#[test]
fn dates_around_the_month_are_imported() {
    // Written in 2019, and never since.
    let read = |start_and_rule: &str, first_day: &str| {
        let lines = format!("DTSTAMP:20190101T000000Z\nDTSTART{start_and_rule}");
        let event = event(&lines).replace("DTSTAMP:20310101T000000Z\n", "");
        let feed = parse_in(format!("BEGIN:VCALENDAR\n{event}END:VCALENDAR\n").as_bytes(), first_day).unwrap();
        let [base_event] = feed.base_events.as_slice() else { panic!("{feed:?}") };
        let ids: Vec<String> = base_event.events.iter().map(|event| event.source_id.clone()).collect();
        (ids, feed.warnings.listed.iter().map(|warning| warning.reason.clone()).collect::<Vec<_>>())
    };
    let (weekly, warnings) = read(";VALUE=DATE:20190107\nRRULE:FREQ=WEEKLY", "2026-11-01");
    assert_eq!((weekly.len(), weekly.first().unwrap().as_str()), (513, "7@example/20190107"));
    assert_eq!(weekly.last().unwrap(), "7@example/20281030");
    assert_eq!(warnings, ["`RRULE` has more dates than are imported, which are those from `2019-01-07` to `2028-10-30`"]);
    let (next_month, _) = read(";VALUE=DATE:20190107\nRRULE:FREQ=WEEKLY", "2026-12-01");
    assert!(next_month.starts_with(&weekly) && next_month.len() > weekly.len());

    let (daily, warnings) = read(";VALUE=DATE:20190107\nRRULE:FREQ=DAILY", "2026-11-01");
    assert_eq!((daily.len(), daily.last().unwrap().as_str(), warnings.len()), (1_000, "7@example/20281101", 1));
    let (twice, _) = read(":20190107T080000\nRRULE:FREQ=DAILY;BYHOUR=8,20", "2026-11-01");
    assert_eq!((twice.len(), twice[0].as_str()), (1_000, "7@example/20261101T070000Z"), "upcoming dates are imported first");
    let (ended, warnings) = read(";VALUE=DATE:20190107\nRRULE:FREQ=WEEKLY;COUNT=7", "2026-11-01");
    assert_eq!((ended.len(), warnings), (7, vec![]));
}

#[test]
fn reads_the_properties_of_an_event() {
    let lines = "DTSTART:20310630T210000\nDESCRIPTION:First line\\nand a long\n  one\\, folded\nURL:https://a.example/7\n\
                 ORGANIZER;CN=\"Harbour Trust\":mailto:a@b.example\nLOCATION:Corn Hall\\, Mill Street 1\nGEO:41.374;2.169\n\
                 CATEGORIES:Members,Jazz";
    let base_event = parse_one(&event(lines));
    assert_eq!(
        (base_event.source_id.as_str(), base_event.title.as_str(), base_event.sell_mode.as_str()),
        ("7@example", "Jam", "online")
    );
    assert_eq!(base_event.details.description.as_deref(), Some("First line\nand a long one, folded"));
    assert_eq!(base_event.details.url.as_deref(), Some("https://a.example/7"));
    assert_eq!(base_event.details.category.map(Category::slug), Some("music/jazz"));
    assert_eq!(base_event.details.organizer_name.as_deref(), Some("Harbour Trust"));
    let [event] = base_event.events.as_slice() else { panic!("{base_event:?}") };
    assert_eq!(event.details, Default::default(), "the same as of the base event");
    let venue = event.venue.as_ref().unwrap();
    assert_eq!((venue.source_id.as_str(), venue.name.as_str()), ("Corn Hall, Mill Street 1", "Corn Hall, Mill Street 1"));
    assert_eq!(venue.coordinates.map(|at| (at.latitude, at.longitude)), Some((41.374, 2.169)));
}

#[test]
fn invalid_events_are_rejected_and_the_others_accepted() {
    let others = event("DTSTART:20310630T210000").replace("UID:7", "UID:8");
    for (component, reason) in [
        (event("LOCATION:Hall"), "`DTSTART` is missing"),
        (event("DTSTART:20310231T210000Z"), "`DTSTART` must be an existing date, got `20310231T210000Z`"),
        (event("DTSTART:20310630T250000"), "`DTSTART` must have a time from 00:00:00 to 24:00:00, got `20310630T250000`"),
        (event("DTSTART:soon"), "`DTSTART` must be a date such as 20310630T210000, got `soon`"),
        (event("DTSTART:20310630T210000\nRECURRENCE-ID:soon"), "`RECURRENCE-ID` must be a date"),
        (event("DTSTART:20310630T210000\nRRULE:FREQ=DAILY;UNTIL=20310629T210000"), "`RRULE` must not end before `DTSTART`"),
        (event("DTSTART:20310630T210000").replace("SUMMARY:Jam\n", ""), "`SUMMARY`"),
        (event("DTSTART:20310630T210000").replace("UID:7@example\n", ""), "`UID` is missing"),
        (event("DTSTART:20310630T210000\nRRULE:FREQ=SECONDLY"), "`RRULE` must not repeat every minute"),
    ] {
        let document = format!("BEGIN:VCALENDAR\n{component}{others}END:VCALENDAR\n");
        let feed = parse_document(&document).unwrap_or_else(|error| panic!("{component}: {error}"));
        let [reject] = feed.rejects.as_slice() else { panic!("{component}: {feed:?}") };
        assert!(reject.reason.contains(reason), "{component}: {}", reject.reason);
        let raw = &document[reject.span.clone()];
        assert!(raw.starts_with("BEGIN:VEVENT") && raw.ends_with("END:VEVENT"), "{raw}");
        assert_eq!(feed.event_count(), 1, "{component}");
    }
}

#[test]
fn invalid_details_are_ignored_with_a_warning() {
    for (line, reason) in [
        ("URL:relative", "`URL` must be an http:// or https:// URL"),
        ("LOCATION:Hall\nGEO:91;0", "`GEO` must be a latitude"),
        ("LOCATION:Hall\nGEO:0.0;-0.0", "the coordinates 0, 0 are in the ocean"),
        ("STATUS:WEIRD", "`STATUS` must be TENTATIVE, CONFIRMED or CANCELLED, got `WEIRD`"),
        ("STATUS:COMPLETED", "`STATUS` must be TENTATIVE, CONFIRMED or CANCELLED, got `COMPLETED`"),
        ("DTEND:20310630T200000", "is before the start"),
        ("DTEND:tomorrow", "`DTEND` must be a date such as 20310630T210000, got `tomorrow`"),
        ("DTEND:20310631T230000", "`DTEND` must be an existing date, got `20310631T230000`"),
        ("DURATION:2h", "`DURATION` must be a duration such as PT2H, got `2h`"),
        ("RRULE:FREQ=FOO", "`RRULE` must be a recurrence rule such as FREQ=WEEKLY;BYDAY=FR, got `FREQ=FOO`; only the first"),
        ("RRULE:FREQ=DAILY;UNTIL=soon", "only the first date is imported"),
        ("RRULE:FREQ=DAILY;BYMONTHDAY=99", "only the first date is imported"),
        ("RRULE:FREQ=DAILY;COUNT=1\nEXDATE:someday", "`EXDATE` must be a date such as 20310630T210000, got `someday`; ignored"),
        ("RDATE:someday", "`RDATE` must be a date such as 20310630T210000, got `someday`; ignored"),
        ("GEO:41.374;2.169", "`GEO` without a valid `LOCATION` is only used for the time zone"),
        ("GEO:north", "`GEO` must be a latitude"),
        ("DESCRIPTION:One\nand two", "the line `and two` is not a property"),
        ("ATTACH;FMTTYPE=image/png:relative.png", "`ATTACH` must be an http:// or https:// URL"),
    ] {
        let feed = parse(&event(&format!("DTSTART:20310630T210000\n{line}")));
        assert_eq!((feed.event_count(), feed.rejects.len()), (1, 0), "{line}");
        let [warning] = feed.warnings.listed.as_slice() else { panic!("{line}: {:?}", feed.warnings) };
        assert!(warning.reason.contains(reason), "{line}: {}", warning.reason);
        let event = &feed.base_events[0].events[0];
        assert_eq!((event.status, &event.end), (EventStatus::Scheduled, &None), "{line}");
        assert!(event.venue.as_ref().is_none_or(|venue| venue.coordinates.is_none()));
    }
    for (line, status) in [
        ("STATUS:CANCELLED", EventStatus::Cancelled),
        ("STATUS:cancelled", EventStatus::Cancelled),
        ("STATUS:TENTATIVE", EventStatus::Scheduled),
        ("STATUS:Confirmed", EventStatus::Scheduled),
    ] {
        let feed = parse(&event(&format!("DTSTART:20310630T210000\n{line}")));
        assert_eq!((feed.base_events[0].events[0].status, feed.warnings.listed.len()), (status, 0), "{line}");
    }
}

#[test]
fn of_several_events_with_one_uid_the_last_is_used_as_a_whole() {
    let first = event("DTSTART:20310301T190000Z\nRRULE:FREQ=WEEKLY;COUNT=3\nDESCRIPTION:Old\nLOCATION:Hall");
    let moved = event("RECURRENCE-ID:20310408T180000Z\nDTSTART:20310409T180000Z");
    let last = event("DTSTART:20310401T180000Z\nRRULE:FREQ=WEEKLY;COUNT=2\nURL:https://a.example/7");
    let last = last.replace("SUMMARY:Jam", "SUMMARY:New Jam");
    for document in [format!("{first}{moved}{last}"), format!("{first}{first}{last}{moved}")] {
        let feed = parse(&document);
        let [base_event] = feed.base_events.as_slice() else { panic!("{feed:?}") };
        assert_eq!((base_event.title.as_str(), &base_event.details.description), ("New Jam", &None), "{document}");
        assert_eq!(base_event.details.url.as_deref(), Some("https://a.example/7"));
        let starts: Vec<&str> = dates(base_event).iter().map(|(_, start, _)| *start).collect();
        assert_eq!(starts, ["2031-04-01T20:00:00", "2031-04-09T20:00:00"]);
        assert!(base_event.events.iter().all(|event| event.venue.is_none()));
        let replaced = document.matches("DESCRIPTION:Old").count();
        let warnings = feed.warnings.listed.iter().filter(|warning| warning.reason.contains("a later VEVENT has the same `UID`"));
        assert_eq!((warnings.count(), feed.warnings.listed.len()), (replaced, replaced), "{:?}", feed.warnings);
    }
}

#[test]
fn rejects_documents_that_are_not_calendars() {
    for (document, code) in [
        ("", "empty_document"),
        ("<html><title>Down</title></html>", "html_page"),
        ("{}", "wrong_root"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:7\n", "truncated"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "no_items"),
    ] {
        assert_eq!(parse_document(document).expect_err(document).code(), code, "{document}");
    }
}

/// An event that repeats, with an exception, a further date and an override.
const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:7\r\nDTSTAMP:20310101T000000Z\r\nSUMMARY:Jam\r\n\
    DTSTART;TZID=Europe/Madrid:20310325T200000\r\nDURATION:PT2H\r\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,-1FR;COUNT=9\r\n\
    EXDATE;TZID=Europe/Madrid:20310408T200000\r\nRDATE;VALUE=DATE:20310426\r\nGEO:41.374;2.169\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:7\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20310422T180000Z\r\nDTSTART:20310423T180000Z\r\n\
    DTEND:20310423T190000Z\r\nSUMMARY:Jam\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_calendar_has_only_valid_items(mutations in prop::collection::vec(mutation(), 0..4)) {
        let document = mutate(SERIES.as_bytes().to_vec(), &mutations);
        if let Ok(feed) = parse_bytes(&document) {
            for reject in &feed.rejects {
                prop_assert!(!reject.reason.is_empty() && document.get(reject.span.clone()).is_some(), "{reject:?}");
            }
            for event in feed.base_events.iter().flat_map(|base_event| &base_event.events) {
                prop_assert!(event.end.as_ref().is_none_or(|end| end.instant >= event.start.instant));
            }
        }
    }
}

//! Events that repeat.

use super::read_event;

/// The starts of the dates of a schedule.
fn starts(schedule: &str) -> (Vec<String>, String) {
    let (base_event, warnings) = read_event(&format!(r#""eventSchedule":{schedule}"#));
    (base_event.events.iter().map(|event| event.start.wall_clock.clone()).collect(), warnings.concat())
}

#[test]
fn expands_schedules() {
    let march = r#""startDate":"2031-03-03","startTime":"20:00""#;
    for (schedule, days) in [
        (r#""endDate":"2031-03-05","repeatFrequency":"P1D""#, ["03-03", "03-04", "03-05"].as_slice()),
        (r#""repeatCount":3,"repeatFrequency":"P2D""#, &["03-03", "03-05", "03-07"]),
        (r#""endDate":"2031-03-20","repeatFrequency":"P1W""#, &["03-03", "03-10", "03-17"]),
        (r#""endDate":"2031-03-20","repeatFrequency":"weekly","exceptDate":"2031-03-10""#, &["03-03", "03-17"]),
        (
            r#""endDate":"2031-03-20","repeatFrequency":"P2W","byDay":["https://schema.org/Wednesday","schema:Friday"]"#,
            &["03-05", "03-07", "03-19"],
        ),
        (r#""endDate":"2031-03-16","byDay":["MO","su"]"#, &["03-03", "03-09", "03-10", "03-16"]),
        (r#""repeatCount":3,"repeatFrequency":"P1M""#, &["03-03", "04-03", "05-03"]),
        (r#""repeatCount":3,"repeatFrequency":"P1M","byMonthDay":[1,15]"#, &["03-15", "04-01", "04-15"]),
        (r#""repeatCount":2,"repeatFrequency":"P1M","byDay":"Tuesday","byMonthWeek":2"#, &["03-11", "04-08"]),
        (r#""repeatCount":2,"repeatFrequency":"P1M","byDay":"2TU""#, &["03-11", "04-08"]),
        (r#""repeatCount":3,"byDay":"1MO""#, &["03-03", "04-07", "05-05"]),
        (r#""repeatCount":3,"repeatFrequency":"P1M","byDay":["-1FR","1MO"]"#, &["03-03", "03-28", "04-07"]),
        (r#""endDate":"2031-03-12","repeatFrequency":"P1W","byDay":"MO,WE""#, &["03-03", "03-05", "03-10", "03-12"]),
        (r#""repeatCount":1,"repeatFrequency":"P1Y","byDay":"20MO""#, &["05-19"]),
        (r#""endDate":"2031-03-16","byDay":{"@type":"DayOfWeek","name":"Sunday"}"#, &["03-09", "03-16"]),
        (r#""repeatCount":1,"repeatFrequency":"P1Y""#, &["03-03"]),
        ("\"repeatFrequency\":null", &["03-03"]),
    ] {
        let expected: Vec<String> = days.iter().map(|day| format!("2031-{day}T20:00:00")).collect();
        assert_eq!(starts(&format!("{{{march},{schedule}}}")), (expected, String::new()), "{schedule}");
    }
}

#[test]
fn times_are_converted_from_the_zone_of_the_schedule() {
    let new_york = r#","location":{"name":"Hall","geo":{"latitude":40.75,"longitude":-73.99}}"#;
    for (schedule, rest, start, end) in [
        (r#""startTime":"19:00:00Z","endTime":"21:00:00Z""#, "", "2031-07-01T21:00:00", Some("2031-07-01T23:00:00")),
        (r#""startTime":"19:00:00Z","endTime":"01:00:00Z""#, "", "2031-07-01T21:00:00", Some("2031-07-02T03:00:00")),
        (r#""startTime":"19:00-04:00","duration":"PT2H""#, "", "2031-07-02T01:00:00", Some("2031-07-02T03:00:00")),
        (r#""startTime":"2031-07-01T19:00:00+02:00""#, "", "2031-07-01T19:00:00", None),
        (
            r#""startTime":"19:00","endTime":"21:00","scheduleTimezone":"America/New_York""#,
            "",
            "2031-07-02T01:00:00",
            Some("2031-07-02T03:00:00"),
        ),
        (r#""startTime":"19:00","scheduleTimezone":"America/New_York""#, new_york, "2031-07-01T19:00:00", None),
        (r#""startTime":"19:00:00Z""#, new_york, "2031-07-01T15:00:00", None),
        (r#""startTime":"19:00","scheduleTimezone":"Europe/Madrid""#, "", "2031-07-01T19:00:00", None),
        (r#""scheduleTimezone":"America/New_York""#, "", "2031-07-01", Some("2031-07-01")),
    ] {
        let (base_event, warnings) = read_event(&format!(
            r#""eventSchedule":{{"startDate":"2031-07-01","repeatFrequency":"P1D","repeatCount":2,{schedule}}}{rest}"#
        ));
        let event = &base_event.events[0];
        let actual = (event.start.wall_clock.as_str(), event.end.as_ref().map(|end| end.wall_clock.as_str()));
        assert_eq!((actual, warnings), ((start, end), vec![]), "{schedule}{rest}");
    }
    // The days are those of the schedule's zone, and its clocks change on other days.
    let (dates, _) = starts(
        r#"{"startDate":"2031-03-07","startTime":"20:00","repeatFrequency":"P1W","byDay":"Friday","repeatCount":5,
            "scheduleTimezone":"America/New_York"}"#,
    );
    let expected = ["03-08T02", "03-15T01", "03-22T01", "03-29T01", "04-05T02"];
    assert_eq!(dates, expected.map(|date| format!("2031-{date}:00:00")));
    let (dates, _) = starts(r#"{"repeatFrequency":"P1D","repeatCount":1,"scheduleTimezone":"Asia/Tokyo"}"#);
    assert_eq!(dates, ["2031-08-01T20:00:00"], "the date of the event is on the clock of the venue");
}

#[test]
fn an_unknown_zone_of_a_schedule_is_ignored_with_a_warning() {
    let (dates, warning) = starts(r#"{"startDate":"2031-07-01","startTime":"19:00","scheduleTimezone":"Mars/Base"}"#);
    assert_eq!(dates, ["2031-07-01T19:00:00"]);
    assert_eq!(warning, "`scheduleTimezone` must be an IANA time zone such as Europe/Madrid, got `Mars/Base`; ignored");
}

#[test]
fn dates_have_ids_and_ends() {
    for (rest, ends) in [
        (r#","endTime":"22:30""#, [Some("2031-03-03T22:30:00"), Some("2031-03-04T22:30:00")]),
        (r#","endTime":"01:00:00""#, [Some("2031-03-04T01:00:00"), Some("2031-03-05T01:00:00")]),
        (r#","duration":"PT2H""#, [Some("2031-03-03T22:00:00"), Some("2031-03-04T22:00:00")]),
        ("", [None, None]),
    ] {
        let schedule = format!(r#"{{"startDate":"2031-03-03T20:00","repeatFrequency":"P1D","repeatCount":2{rest}}}"#);
        let (base_event, warnings) = read_event(&format!(r#""performer":"Ada","eventSchedule":{schedule}"#));
        let actual: Vec<_> =
            base_event.events.iter().map(|event| event.end.as_ref().map(|end| end.wall_clock.as_str())).collect();
        assert_eq!((actual.as_slice(), warnings), (ends.as_slice(), vec![]), "{rest}");
        let ids: Vec<_> = base_event.events.iter().map(|event| event.source_id.as_str()).collect();
        assert_eq!((base_event.source_id.as_str(), ids), ("7", vec!["7#2031-03-03T20:00:00", "7#2031-03-04T20:00:00"]));
        assert_eq!(base_event.performers[0].name, "Ada");
    }
}

#[test]
fn an_expansion_is_bounded() {
    let (dates, warning) = starts(r#"{"startDate":"2031-01-01","repeatFrequency":"P1D"}"#);
    let expected = "`eventSchedule` has more dates than are imported, which are those from `2031-01-01` to `2033-01-01`";
    assert_eq!((dates.len(), warning.as_str()), (732, expected));
    let (dates, warning) = starts(r#"{"startDate":"2031-01-01","repeatFrequency":"P1M","endDate":"2099-01-01"}"#);
    assert_eq!((dates.len(), warning.is_empty()), (25, false));
    let (dates, _) = starts(r#"{"startDate":"9999-12-30","repeatFrequency":"P1D"}"#);
    assert_eq!(dates, ["9999-12-30", "9999-12-31"]);
    let (dates, warning) = starts(r#"{"startDate":"2010-01-01","repeatFrequency":"P1D","repeatCount":9000}"#);
    assert_eq!((dates.len(), dates.last().map(String::as_str), warning.is_empty()), (1_000, Some("2020-01-02"), false));
}

#[test]
fn dates_around_the_month_are_imported() {
    // Read in January 2031.
    for (rule, count, first, last, is_limited) in [
        (r#""startDate":"2025-01-01","endDate":"2040-12-31","repeatFrequency":"P1D""#, 1_000, "2030-04-08", "2033-01-01", true),
        (r#""startDate":"2025-01-01","endDate":"2031-02-01","repeatFrequency":"P1D""#, 763, "2028-12-31", "2031-02-01", true),
        (r#""startDate":"2019-01-07","repeatFrequency":"P1W""#, 209, "2029-01-01", "2032-12-27", true),
        (r#""startDate":"2029-01-01","endDate":"2032-12-27","repeatFrequency":"P1W""#, 209, "2029-01-01", "2032-12-27", false),
        (r#""startDate":"2019-01-07","endDate":"2019-01-21","repeatFrequency":"P1W""#, 3, "2019-01-07", "2019-01-21", false),
        (r#""startDate":"2019-01-07","repeatCount":3,"repeatFrequency":"P1W""#, 3, "2019-01-07", "2019-01-21", false),
        (r#""startDate":"2024-12-30","repeatCount":400,"repeatFrequency":"P1W""#, 400, "2024-12-30", "2032-08-23", false),
        (r#""startDate":"2040-01-01","repeatFrequency":"P1D""#, 732, "2040-01-01", "2042-01-01", true),
    ] {
        let (dates, warning) = starts(&format!("{{{rule}}}"));
        let actual = (dates.len(), dates.first().map(String::as_str), dates.last().map(String::as_str), !warning.is_empty());
        assert_eq!(actual, (count, Some(first), Some(last), is_limited), "{rule}: {warning}");
    }
}

#[test]
fn several_schedules_are_joined() {
    let monday = r#"{"startDate":"2031-03-03T20:00","repeatFrequency":"P1W","repeatCount":2}"#;
    let sunday = r#"{"startDate":"2031-03-09T16:00","repeatFrequency":"P1W","repeatCount":1}"#;
    let (dates, _) = starts(&format!("[{monday},{sunday},{monday}]"));
    assert_eq!(dates, ["2031-03-03T20:00:00", "2031-03-09T16:00:00", "2031-03-10T20:00:00"]);
}

#[test]
fn an_unreadable_schedule_is_ignored_with_a_warning() {
    for (schedule, reason) in [
        (r#"{"repeatFrequency":"sometimes"}"#, "`repeatFrequency` must be a frequency such as P1W, got `sometimes`"),
        (r#"{"byDay":"Someday"}"#, "`byDay` must be a day of the week such as Monday, got `Someday`"),
        (r#"{"startDate":"soon"}"#, "`startDate` must be a date such as"),
        (r#"{"byDay":"0MO"}"#, "`byDay` must be a day of the week such as Monday, got `0MO`"),
        (r#"{"startTime":"19:00+15:00"}"#, "`startTime` must be a time such as 20:00, got `19:00+15:00`"),
        (r#"{"startTime":"late"}"#, "`startTime` must be a time such as 20:00, got `late`"),
        (r#"{"repeatFrequency":"P0D"}"#, "`repeatFrequency` must be a frequency"),
        (r#"{"repeatFrequency":"P1D","repeatCount":1,"exceptDate":"2031-08-01"}"#, "`eventSchedule` has no date"),
    ] {
        let (dates, warning) = starts(schedule);
        assert_eq!(dates, ["2031-08-01T20:00:00"], "{schedule}: the date of the event");
        assert!(warning.contains(reason), "{schedule}: {warning}");
    }
}

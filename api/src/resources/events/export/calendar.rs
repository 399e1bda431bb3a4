//! `.ics`: iCalendar ([RFC 5545](https://www.rfc-editor.org/rfc/rfc5545)), to subscribe to or to import.
//!
//! The crates that write calendars hold all of them as trees, and none writes the time zones that a calendar must contain. So lines are
//! written here, and the tests read them with another implementation.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, TimeZone};
use chrono_tz::Tz;
use entity::{EventStatus, UtcInstant};

use super::{
    ExportContext, ExportFormat,
    content_line::{write_line, write_text},
    page_of,
    place::place_lines,
    text::to_uri,
    time_zone::TimeZones,
};
use crate::{error::ApiError, find::EventView, public_url::PublicUrl, response::FileFormat};

/// How often calendars that subscribe should request it again.
const REFRESH_INTERVAL: &str = "PT1H";
const NAME: &str = "Marquee";
const DATE: &str = "%Y%m%d";
const DATE_AND_TIME: &str = "%Y%m%dT%H%M%S";
/// The characters of a date without a time.
const DATE_LENGTH: usize = "2021-02-10".len();

/// A calendar while it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct ICalendar {
    zones: TimeZones,
    public_url: Option<PublicUrl>,
}

impl FileFormat for ICalendar {
    const MEDIA_TYPE: &'static str = "text/calendar; charset=utf-8";

    type Schema = String;
}

impl ExportFormat for ICalendar {
    const PATH: &'static str = "/events.ics";
    const TAIL: &'static [u8] = b"END:VCALENDAR\r\n";

    fn new(context: &ExportContext) -> Self {
        Self { zones: TimeZones::default(), public_url: context.public_url.clone() }
    }

    fn write(&mut self, event: EventView, body: &mut Vec<u8>) -> Result<(), ApiError> {
        write_line(body, "BEGIN", "VEVENT");
        write_line(body, "UID", &format!("{}@marquee", event.id));
        for (name, instant) in
            [("DTSTAMP", event.updated_at), ("CREATED", event.first_seen_at), ("LAST-MODIFIED", event.updated_at)]
        {
            write_line(body, name, &utc_text(instant));
        }
        write_line(body, "SEQUENCE", &sequence(&event).to_string());
        self.write_times(&event, body);
        write_line(body, "STATUS", status(event.status));
        let summary = event.name.as_ref().map_or_else(|| event.title.clone(), |name| format!("{}: {name}", event.title));
        write_text(body, "SUMMARY", &summary);
        let description = [event.description.as_deref(), event.provider_attribution.as_deref()];
        let description: Vec<&str> = description.into_iter().flatten().collect();
        if !description.is_empty() {
            write_text(body, "DESCRIPTION", &description.join("\n\n"));
        }
        if let Some(category) = &event.category {
            write_text(body, "CATEGORIES", category);
        }
        if let Some(venue) = event.venue() {
            write_text(body, "LOCATION", &place_lines(&event).join(", "));
            if let Some((latitude, longitude)) = venue.coordinates {
                write_line(body, "GEO", &format!("{latitude};{longitude}"));
            }
        }
        let page = page_of(self.public_url.as_ref(), &event);
        if let Some(url) = page.or_else(|| event.url.as_deref().and_then(to_uri)) {
            write_line(body, "URL", &url);
        }
        write_line(body, "END", "VEVENT");
        Ok(())
    }

    fn head(&self, context: &ExportContext) -> Result<Vec<u8>, ApiError> {
        let mut head = Vec::new();
        write_line(&mut head, "BEGIN", "VCALENDAR");
        write_line(&mut head, "VERSION", "2.0");
        write_line(&mut head, "PRODID", "-//Marquee//Events//EN");
        write_line(&mut head, "CALSCALE", "GREGORIAN");
        write_line(&mut head, "METHOD", "PUBLISH");
        write_text(&mut head, "NAME", NAME);
        write_text(&mut head, "X-WR-CALNAME", NAME);
        if let Some(search) = context.search_url().filter(|_| !context.page.is_empty()) {
            write_line(&mut head, "URL", &search);
            write_line(&mut head, "SOURCE;VALUE=URI", &context.self_url());
        }
        write_line(&mut head, "REFRESH-INTERVAL;VALUE=DURATION", REFRESH_INTERVAL);
        write_line(&mut head, "X-PUBLISHED-TTL", REFRESH_INTERVAL);
        // Some readers need them before the events.
        self.zones.write(&mut head);
        Ok(head)
    }
}

impl ICalendar {
    fn write_times(&mut self, event: &EventView, body: &mut Vec<u8>) {
        if let Some((first, end)) = all_day(event) {
            write_line(body, "DTSTART;VALUE=DATE", &first.format(DATE).to_string());
            if let Some(end) = end.filter(|end| *end > first) {
                write_line(body, "DTEND;VALUE=DATE", &end.format(DATE).to_string());
            }
            return;
        }
        self.write_time(body, "DTSTART", event.starts_at, event.zone());
        if event.ends_at > event.starts_at {
            self.write_time(body, "DTEND", event.ends_at, event.zone());
        }
    }

    /// A wall clock of a zone, if it stands for this instant; it stands for the first of two.
    fn write_time(&mut self, body: &mut Vec<u8>, name: &str, instant: UtcInstant, zone: Tz) {
        let local = instant.to_utc().map(|instant| instant.with_timezone(&zone).trunc_subsecs(0));
        match local {
            Some(local) if zone != Tz::UTC && zone.from_local_datetime(&local.naive_local()).earliest() == Some(local) => {
                self.zones.add(zone, local.naive_local());
                write_line(body, &format!("{name};TZID={}", zone.name()), &local.format(DATE_AND_TIME).to_string());
            }
            _ => write_line(body, name, &utc_text(instant)),
        }
    }
}

/// The first day of an event without a start time, and the day after its last one if that is known.
fn all_day(event: &EventView) -> Option<(NaiveDate, Option<NaiveDate>)> {
    if event.local_start.len() != DATE_LENGTH {
        return None;
    }
    let day_after = |end: &str| {
        let day: NaiveDate = end.get(..DATE_LENGTH)?.parse().ok()?;
        let is_midnight = end.parse().is_ok_and(|end: NaiveDateTime| end.time() == NaiveTime::MIN);
        if is_midnight { Some(day) } else { day.succ_opt() }
    };
    Some((event.local_start.parse().ok()?, event.local_end.as_deref().and_then(day_after)))
}

fn utc_text(instant: UtcInstant) -> String {
    instant.to_utc().map(|instant: DateTime<_>| instant.format("%Y%m%dT%H%M%SZ").to_string()).unwrap_or_default()
}

/// A number that grows with each change: the seconds from the first version of an event to this one.
fn sequence(event: &EventView) -> i32 {
    let seconds = TimeDelta::microseconds(event.updated_at.0.saturating_sub(event.first_seen_at.0)).num_seconds();
    i32::try_from(seconds.max(0)).unwrap_or(i32::MAX)
}

fn status(status: EventStatus) -> &'static str {
    match status {
        EventStatus::Scheduled | EventStatus::Rescheduled | EventStatus::MovedOnline => "CONFIRMED",
        EventStatus::Cancelled => "CANCELLED",
        EventStatus::Postponed => "TENTATIVE",
    }
}

//! `icalendar`: RFC 5545, as calendars publish it.
//!
//! A base event is everything with one UID: a VEVENT, its recurrences, and the VEVENTs that override some of them. Recurrences have no
//! end in most calendars, so they are expanded around the month in which the calendar is read. `docs/feed-format.md` is the reference for
//! the properties.

mod date_reader;
mod dates;
mod event;
mod lines;
mod occurrences;
mod rule;
mod series;
mod zone_names;
mod zones;

use std::{collections::HashMap, ops::Range};

use calcard::{
    Entry, Parser,
    icalendar::{ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty},
};
use chrono_tz::Tz;

use self::{
    event::EventFields,
    lines::{EventLines, find_dates, find_events},
    occurrences::{EventGroup, Expanded, Occurrence, expand},
    zones::{CalendarZone, CalendarZones},
};
use super::{
    Conventions, FeedDocumentError,
    text::{check_text, locate},
    values::{self, ItemErrors, describe_missing, describe_missing_id, name_field},
};
use crate::provider::{
    id_from::IdFrom,
    item::{BaseEventItem, EventItem, FeedWarning, ONLINE, ParsedFeed, RejectSubject, RejectedItem},
    quote::quote,
};

const REPLACED: &str = "a later VEVENT has the same `UID`, without `RECURRENCE-ID`; ignored";
const NO_EVENTS: &str = "the calendar has no VEVENT; it must have at least one";
const ZONE: &str = "X-WR-TIMEZONE";

/// Validates the setting `id_from`: the name of one property.
pub(super) fn accept_id_from(id_from: &IdFrom) -> Result<Option<IdFrom>, String> {
    if id_from.as_str().contains(['.', '@', '_']) {
        let property = quote(id_from.as_str());
        return Err(format!("must be a property of VEVENT such as URL or X-EVENT-ID, got {property}"));
    }
    Ok(Some(id_from.to_uppercase()).filter(|property| property.as_str() != ICalendarProperty::Uid.as_str()))
}

/// Parses a whole document.
pub(super) fn parse(document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
    let repaired = lines::repair(document);
    let text = check_text(&repaired)?;
    if text.trim().is_empty() {
        return Err(FeedDocumentError::Empty);
    }
    let mut lines = find_events(text)?.into_iter();
    let mut reader = CalendarReader { conventions, text, feed: ParsedFeed::default(), steps: 0 };
    for calendar in parse_calendars(text)? {
        let fields = reader.read_fields(&calendar);
        let events =
            calendar.components.into_iter().filter(|component| component.component_type == ICalendarComponentType::VEvent);
        let events = events.map(|component| Ok((component, lines.next().ok_or_else(unbalanced)?)));
        reader.read_calendar(fields, events.collect::<Result<_, FeedDocumentError>>()?)?;
    }
    if reader.feed.base_events.is_empty() && reader.feed.rejects.is_empty() {
        return Err(FeedDocumentError::NoItems { detail: NO_EVENTS });
    }
    Ok(reader.feed)
}

fn parse_calendars(text: &str) -> Result<Vec<ICalendar>, FeedDocumentError> {
    let mut parser = Parser::new(text);
    let mut calendars = Vec::new();
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => calendars.push(calendar),
            Entry::Eof => return Ok(calendars),
            Entry::UnterminatedComponent(_) => return Err(FeedDocumentError::Truncated),
            Entry::InvalidLine(line) if line.trim().is_empty() => {}
            Entry::InvalidLine(line) => {
                let (line_number, column) = locate(text.as_bytes(), text.find(&line).unwrap_or_default());
                let detail = format!("{} is not a line of a calendar", quote(&line));
                return Err(FeedDocumentError::Malformed { line: line_number, column, detail });
            }
            _ => return Err(unbalanced()),
        }
    }
}

fn unbalanced() -> FeedDocumentError {
    FeedDocumentError::Malformed { line: 1, column: 1, detail: "the BEGIN and END lines of components do not match".to_owned() }
}

/// Whether a VEVENT describes all dates, and does not replace one of them.
fn is_main(component: &ICalendarComponent) -> bool {
    !component.has_property(&ICalendarProperty::RecurrenceId)
}

/// Removes the VEVENTs that a later one with the same UID replaces, and returns their byte ranges.
fn remove_replaced(events: &mut Vec<LocatedEvent>) -> Vec<Range<usize>> {
    let last = events.iter().rposition(|(component, _)| is_main(component));
    let mut replaced = Vec::new();
    let mut index = 0;
    events.retain(|(component, span)| {
        let is_replaced = is_main(component) && last.is_some_and(|last| index < last);
        index += 1;
        if is_replaced {
            replaced.push(span.clone());
        }
        !is_replaced
    });
    replaced
}

struct CalendarReader<'a> {
    conventions: &'a Conventions,
    text: &'a str,
    feed: ParsedFeed,
    /// The recurrences that were expanded so far.
    steps: usize,
}

/// What applies to all events of a calendar.
struct CalendarFields {
    /// The zone of times without one.
    zone: Option<CalendarZone>,
    zones: CalendarZones,
}

/// A VEVENT and its byte range.
type LocatedEvent = (ICalendarComponent, Range<usize>);

impl CalendarReader<'_> {
    fn read_fields(&mut self, calendar: &ICalendar) -> CalendarFields {
        let mut zones = CalendarZones::new(&calendar.components);
        let name = calendar.components.iter().find_map(|component| event::text_of(component, ZONE));
        let zone = name.and_then(|name| zones.resolve(name));
        if let Some(name) = name.filter(|_| zone.is_none()) {
            let position = self.text.find(ZONE).unwrap_or_default();
            self.feed.warnings.push(position, format!("`{ZONE}` must be a known time zone, got {}; ignored", quote(name)));
        }
        CalendarFields { zone, zones }
    }

    fn read_calendar(
        &mut self,
        mut calendar: CalendarFields,
        events: Vec<(ICalendarComponent, EventLines)>,
    ) -> Result<(), FeedDocumentError> {
        let mut groups: Vec<Vec<LocatedEvent>> = Vec::new();
        let mut indexes = HashMap::new();
        for (component, EventLines { span, stray }) in events {
            if let Some((position, reason)) = stray {
                self.feed.warnings.push(position, reason);
            }
            // Overrides have only their UID in common with their series.
            let uid = event::text(&component, &ICalendarProperty::Uid).map(|uid| uid.trim().to_owned());
            let index = uid.map_or(groups.len(), |uid| *indexes.entry(uid).or_insert(groups.len()));
            if index == groups.len() {
                groups.push(Vec::new());
            }
            groups[index].push((component, span));
        }
        for events in groups {
            self.read_group(events, &mut calendar)?;
        }
        Ok(())
    }

    /// The id of the base event: its UID, or the value of the provider's property.
    fn read_base_id(&self, component: &ICalendarComponent) -> Result<String, String> {
        let value = event::text_of(component, self.id_property());
        let value = value.ok_or_else(|| match &self.conventions.id_from {
            Some(property) => describe_missing_id(property),
            None => describe_missing(&["UID"]),
        })?;
        name_field(self.id_property(), values::parse_id(value))
    }

    fn id_property(&self) -> &str {
        self.conventions.id_from.as_ref().map_or(ICalendarProperty::Uid.as_str(), IdFrom::as_str)
    }

    /// Reads all VEVENTs with one UID.
    fn read_group(&mut self, mut events: Vec<LocatedEvent>, calendar: &mut CalendarFields) -> Result<(), FeedDocumentError> {
        let replaced = remove_replaced(&mut events);
        let (components, spans): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        let main = components.iter().position(is_main).unwrap_or_default();
        let uid = match self.read_base_id(&components[main]) {
            Ok(uid) => uid,
            Err(reason) => {
                for span in spans {
                    self.reject(span, RejectSubject::BaseEvent(None), reason.clone());
                }
                return Ok(());
            }
        };
        let title = event::text(&components[main], &ICalendarProperty::Summary).unwrap_or_default();
        let title = match name_field("SUMMARY", values::parse_name(title)) {
            Ok(title) => title,
            Err(reason) => {
                self.reject_group(uid, &spans, reason);
                return Ok(());
            }
        };
        let subject = RejectSubject::BaseEvent(Some(uid.clone()));
        for span in &replaced {
            self.warn_of(span, &subject, REPLACED.to_owned());
        }
        let expanded = match self.expand_group(&components, &spans, main, calendar)? {
            Ok(expanded) => expanded,
            Err(reason) => {
                self.reject_group(uid, &spans, reason);
                return Ok(());
            }
        };
        // The fields of each VEVENT repeat the warnings about these.
        let details = event::parse_details(&components[main], self.conventions, &mut ItemErrors::default());
        let base_event = BaseEventItem {
            source_id: uid,
            title,
            sell_mode: ONLINE.to_owned(),
            organizer_company_id: None,
            details,
            performers: Vec::new(),
            events: Vec::with_capacity(expanded.occurrences.len()),
            span: spans[main].clone(),
        };
        self.read_occurrences(base_event, expanded, (&components, &spans, main), calendar);
        Ok(())
    }

    /// Computes the dates of all VEVENTs with one UID.
    fn expand_group(
        &mut self,
        components: &[ICalendarComponent],
        spans: &[Range<usize>],
        main: usize,
        calendar: &mut CalendarFields,
    ) -> Result<Result<Expanded, String>, FeedDocumentError> {
        let lines = spans.iter().map(|span| find_dates(self.text.get(span.clone()).unwrap_or_default())).collect();
        let place = event::parse_place(&components[main], &mut ItemErrors::default());
        let default = calendar.zone.clone().or(place.zone.map(CalendarZone::Named));
        let default = default.unwrap_or(CalendarZone::Named(self.conventions.time_zone));
        let group = EventGroup { components, lines };
        expand(&group, &mut calendar.zones, (&default, self.conventions.month), &mut self.steps)
    }

    /// Adds a base event with its dates.
    fn read_occurrences(
        &mut self,
        mut base_event: BaseEventItem,
        expanded: Expanded,
        (components, spans, main): (&[ICalendarComponent], &[Range<usize>], usize),
        calendar: &CalendarFields,
    ) {
        let uid = base_event.source_id.clone();
        let subject = RejectSubject::BaseEvent(Some(uid.clone()));
        if let Some(reason) = expanded.limited {
            self.warn_of(&spans[main], &subject, reason);
        }
        for (index, reason) in expanded.invalid {
            self.reject(spans[index].clone(), RejectSubject::Event { base_event: uid.clone(), event: None }, reason);
        }
        for (index, reason) in expanded.warnings {
            self.warn_of(&spans[index], &subject, reason);
        }
        let fields = self.parse_fields(components, spans, &base_event);
        // Several events may have the same value of another property, so that each date is part of an id.
        let has_dates = self.conventions.id_from.is_some() || components.iter().any(occurrences::is_recurring);
        for occurrence in &expanded.occurrences {
            let (fields, span) = (&fields[occurrence.component], &spans[occurrence.component]);
            let clock = expanded.clocks[occurrence.component].or(expanded.clocks[main]);
            let clock = clock.or_else(|| calendar.zone.as_ref()?.clock());
            let id = if has_dates { format!("{uid}/{}", occurrence.key) } else { uid.clone() };
            base_event.events.extend(self.read_occurrence(&uid, &id, occurrence, (fields, clock), span));
        }
        self.feed.base_events.push(base_event);
    }

    /// Reads one date.
    fn read_occurrence(
        &mut self,
        uid: &str,
        id: &str,
        occurrence: &Occurrence,
        (fields, clock): (&EventFields, Option<Tz>),
        span: &Range<usize>,
    ) -> Option<EventItem> {
        let subject = RejectSubject::Event { base_event: uid.to_owned(), event: Some(id.to_owned()) };
        let mut errors = ItemErrors::default();
        let id = errors.record(name_field(self.id_property(), values::parse_id(id)));
        let event =
            id.and_then(|id| fields.build_event(occurrence, id, (clock, self.conventions.time_zone), span.clone(), &mut errors));
        match &event {
            Some(_) => self.warn(span, &subject, errors),
            None => self.reject(span.clone(), subject, errors.describe().unwrap_or_default()),
        }
        event
    }

    /// Parses each VEVENT once, for all its dates.
    fn parse_fields(
        &mut self,
        components: &[ICalendarComponent],
        spans: &[Range<usize>],
        base_event: &BaseEventItem,
    ) -> Vec<EventFields> {
        let subject = RejectSubject::BaseEvent(Some(base_event.source_id.clone()));
        let parse = |(component, span): (&ICalendarComponent, &Range<usize>)| {
            let mut errors = ItemErrors::default();
            let fields = EventFields::parse(component, base_event, self.conventions, &mut errors);
            self.warn(span, &subject, errors);
            fields
        };
        components.iter().zip(spans).map(parse).collect()
    }

    fn reject_group(&mut self, uid: String, spans: &[Range<usize>], reason: String) {
        let span = spans.first().cloned().unwrap_or_default();
        self.feed.rejects.push(RejectedItem { span, subject: RejectSubject::BaseEvent(Some(uid)), events: spans.len(), reason });
    }

    fn reject(&mut self, span: Range<usize>, subject: RejectSubject, reason: String) {
        self.feed.rejects.push(RejectedItem { span, subject, events: 1, reason });
    }

    fn warn_of(&mut self, span: &Range<usize>, subject: &RejectSubject, reason: String) {
        self.feed.warnings.add(FeedWarning { position: span.start, subject: Some(subject.clone()), reason });
    }

    fn warn(&mut self, span: &Range<usize>, subject: &RejectSubject, errors: ItemErrors) {
        for reason in errors.warnings {
            self.warn_of(span, subject, reason);
        }
    }
}

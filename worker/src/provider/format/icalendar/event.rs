//! The properties of a VEVENT.

use std::ops::Range;

use calcard::icalendar::{ICalendarComponent, ICalendarParameterName, ICalendarProperty, ICalendarValue};
use chrono::DateTime;
use chrono_tz::Tz;
use entity::EventStatus;

use super::occurrences::Occurrence;
use crate::provider::{
    format::{
        Conventions,
        values::{self, ItemErrors, name_field},
    },
    item::{BaseEventItem, Coordinates, EventItem, ItemDetails, VenueItem},
    local_time::{DayEdge, LocalTime},
    quote::quote,
    time_zone,
};

/// The text of a property.
pub(super) fn text<'a>(component: &'a ICalendarComponent, property: &ICalendarProperty) -> Option<&'a str> {
    component.property(property)?.values.first()?.as_text().filter(|text| !text.trim().is_empty())
}

/// The text of the property with this name.
pub(super) fn text_of<'a>(component: &'a ICalendarComponent, name: &str) -> Option<&'a str> {
    let entry = component.entries.iter().find(|entry| entry.name.as_str().eq_ignore_ascii_case(name))?;
    entry.values.first()?.as_text().map(str::trim).filter(|text| !text.is_empty())
}

fn optional<T>(
    component: &ICalendarComponent,
    property: &ICalendarProperty,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    text(component, property).map(|text| name_field(property.as_str(), parse(text))).transpose()
}

/// Parses what describes an event.
pub(super) fn parse_details(component: &ICalendarComponent, conventions: &Conventions, errors: &mut ItemErrors) -> ItemDetails {
    let parse_url = |value: &str| values::parse_url(value, Some(&conventions.origin));
    let organizer = component.property(&ICalendarProperty::Organizer);
    let organizer = organizer.and_then(|entry| entry.parameter(&ICalendarParameterName::Cn)?.as_text());
    let categories = component.properties(&ICalendarProperty::Categories).flat_map(|entry| &entry.values);
    let categories: Vec<&str> = categories.filter_map(ICalendarValue::as_text).collect();
    ItemDetails {
        category: conventions.category_map.find(&[], &categories),
        description: errors.tolerate(optional(component, &ICalendarProperty::Description, values::parse_description)),
        url: errors.tolerate(optional(component, &ICalendarProperty::Url, parse_url)),
        image_url: errors.tolerate(optional(component, &ICalendarProperty::Image, parse_url)),
        organizer_name: errors.tolerate(organizer.map(|name| name_field("ORGANIZER", values::parse_name(name))).transpose()),
    }
}

/// Parses the place of an event. A calendar has no ids of places, so its text identifies it.
pub(super) fn parse_venue(component: &ICalendarComponent, errors: &mut ItemErrors) -> Option<VenueItem> {
    let name = errors.tolerate(optional(component, &ICalendarProperty::Location, values::parse_name))?;
    let source_id = errors.tolerate(name_field("LOCATION", values::parse_id(&name)).map(Some))?;
    Some(VenueItem { source_id, name, coordinates: errors.tolerate(parse_coordinates(component)), ..VenueItem::default() })
}

/// Parses `GEO`: latitude and longitude.
fn parse_coordinates(component: &ICalendarComponent) -> Result<Option<Coordinates>, String> {
    let Some(entry) = component.property(&ICalendarProperty::Geo) else { return Ok(None) };
    let degrees: Vec<f64> = entry.values.iter().filter_map(ICalendarValue::as_float).collect();
    match degrees[..] {
        // Programs without coordinates write this point in the Atlantic.
        [latitude, longitude] if latitude == 0.0 && longitude == 0.0 => Err("the coordinates 0, 0 are in the ocean".to_owned()),
        [latitude, longitude] if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 => {
            Ok(Some(Coordinates { latitude: latitude + 0.0, longitude: longitude + 0.0 }))
        }
        _ => Err("`GEO` must be a latitude and a longitude such as 41.374;2.169".to_owned()),
    }
}

/// What a VEVENT states about each of its dates.
pub(super) struct EventFields {
    name: Option<String>,
    status: EventStatus,
    details: ItemDetails,
    venue: Option<VenueItem>,
}

impl EventFields {
    /// Reads the properties of a VEVENT, as far as they differ from its base event.
    pub(super) fn parse(
        component: &ICalendarComponent,
        base_event: &BaseEventItem,
        conventions: &Conventions,
        errors: &mut ItemErrors,
    ) -> Self {
        let name = errors.tolerate(optional(component, &ICalendarProperty::Summary, values::parse_name));
        Self {
            name: name.filter(|name| *name != base_event.title),
            status: parse_status(component, errors),
            details: parse_details(component, conventions, errors).without(&base_event.details),
            venue: parse_venue(component, errors),
        }
    }

    /// Builds the event of one date. Times of a provider in this zone, unless the venue has another.
    pub(super) fn build_event(
        &self,
        occurrence: &Occurrence,
        source_id: String,
        provider_zone: Tz,
        span: Range<usize>,
        errors: &mut ItemErrors,
    ) -> Option<EventItem> {
        let time_zone = self.venue.as_ref().and_then(time_zone::of_venue);
        let zone = time_zone.unwrap_or(provider_zone);
        let is_all_day = occurrence.is_all_day;
        let start = errors.record(name_field("DTSTART", parse_time(&occurrence.start, is_all_day, zone, DayEdge::Start)))?;
        let end = occurrence.last_moment().map(|end| name_field("DTEND", parse_time(&end, is_all_day, zone, DayEdge::End)));
        let mut end = errors.tolerate(end.transpose());
        if let Some(known_end) = &mut end
            && let Err(error) = LocalTime::check_order(&start, known_end)
        {
            errors.warn(format!("{error}; the end is ignored"));
            end = start.end_of_day(zone);
        }
        Some(EventItem {
            source_id,
            name: self.name.clone(),
            status: self.status,
            details: self.details.clone(),
            time_zone,
            start,
            end,
            sell_from: None,
            sell_to: None,
            sold_out: false,
            performers: Vec::new(),
            venue: self.venue.clone(),
            zones: Vec::new(),
            span,
        })
    }
}

fn parse_time(
    time: &DateTime<calcard::common::timezone::Tz>,
    is_all_day: bool,
    zone: Tz,
    edge: DayEdge,
) -> Result<LocalTime, String> {
    let text = if is_all_day {
        time.naive_local().format("%Y-%m-%d").to_string()
    } else {
        time.naive_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    LocalTime::parse(&text, zone, edge)
}

/// `TENTATIVE` and `CONFIRMED` events take place as announced.
fn parse_status(component: &ICalendarComponent, errors: &mut ItemErrors) -> EventStatus {
    let status = component.property(&ICalendarProperty::Status).and_then(|entry| entry.values.first()?.as_text());
    match status.map(|status| status.trim().to_ascii_uppercase()).as_deref() {
        Some("CANCELLED") => return EventStatus::Cancelled,
        None | Some("" | "TENTATIVE" | "CONFIRMED") => {}
        Some(_) => {
            let actual = quote(status.unwrap_or_default());
            errors.warn(format!("`STATUS` must be TENTATIVE, CONFIRMED or CANCELLED, got {actual}; ignored"));
        }
    }
    EventStatus::Scheduled
}

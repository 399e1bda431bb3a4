//! The properties of a VEVENT.

use std::ops::Range;

use calcard::icalendar::{ICalendarComponent, ICalendarEntry, ICalendarParameterName, ICalendarProperty, ICalendarValue};
use chrono_tz::Tz;
use entity::EventStatus;

use super::{dates::Moment, occurrences::Occurrence};
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

const IN_THE_OCEAN: &str = "the coordinates 0, 0 are in the ocean";

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
        image_url: errors.tolerate(find_image(component).map(|(name, url)| name_field(name, parse_url(url))).transpose()),
        organizer_name: errors.tolerate(organizer.map(|name| name_field("ORGANIZER", values::parse_name(name))).transpose()),
    }
}

/// The URL of the picture, with the name of its property: that of `IMAGE`, or else of the first attached picture.
fn find_image(component: &ICalendarComponent) -> Option<(&'static str, &str)> {
    let is_picture = |entry: &&ICalendarEntry| {
        let kind = entry.parameter(&ICalendarParameterName::Fmttype).and_then(|kind| kind.as_text()).unwrap_or_default();
        kind.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("image/"))
    };
    let attached = || {
        let picture = component.properties(&ICalendarProperty::Attach).find(is_picture)?;
        Some(("ATTACH", picture.values.first()?.as_text()?))
    };
    text(component, &ICalendarProperty::Image).map(|url| ("IMAGE", url)).or_else(attached)
}

/// Where an event is.
pub(super) struct Place {
    pub(super) venue: Option<VenueItem>,
    /// The time zone of its coordinates.
    pub(super) zone: Option<Tz>,
}

/// Parses the place of an event. A calendar has no ids of places, so its text identifies it.
pub(super) fn parse_place(component: &ICalendarComponent, errors: &mut ItemErrors) -> Place {
    let name = errors.tolerate(optional(component, &ICalendarProperty::Location, values::parse_name));
    let venue = name.and_then(|name| {
        let source_id = errors.tolerate(name_field("LOCATION", values::parse_id(&name)).map(Some))?;
        Some(VenueItem { source_id, name, ..VenueItem::default() })
    });
    let Some(mut venue) = venue else {
        let coordinates = parse_coordinates(component).unwrap_or_else(|error| {
            // Programs write 0, 0 if there is no place.
            if error != IN_THE_OCEAN {
                errors.warn(format!("{error}; ignored"));
            }
            None
        });
        if coordinates.is_some() {
            errors.warn("`GEO` without a valid `LOCATION` is only used for the time zone".to_owned());
        }
        return Place { venue: None, zone: time_zone::of_venue(&VenueItem { coordinates, ..VenueItem::default() }) };
    };
    venue.coordinates = errors.tolerate(parse_coordinates(component));
    Place { zone: time_zone::of_venue(&venue), venue: Some(venue) }
}

/// Parses `GEO`: latitude and longitude.
fn parse_coordinates(component: &ICalendarComponent) -> Result<Option<Coordinates>, String> {
    let Some(entry) = component.property(&ICalendarProperty::Geo) else { return Ok(None) };
    let degrees: Vec<f64> = entry.values.iter().filter_map(ICalendarValue::as_float).collect();
    match degrees[..] {
        // Programs without coordinates write this point in the Atlantic.
        [latitude, longitude] if latitude == 0.0 && longitude == 0.0 => Err(IN_THE_OCEAN.to_owned()),
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
    place: Place,
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
            place: parse_place(component, errors),
        }
    }

    /// Builds the event of one date, on the clock of its coordinates, or else of the zone that it states, or else of the provider.
    pub(super) fn build_event(
        &self,
        occurrence: &Occurrence,
        source_id: String,
        (stated_zone, provider_zone): (Option<Tz>, Tz),
        span: Range<usize>,
        errors: &mut ItemErrors,
    ) -> Option<EventItem> {
        let time_zone = self.place.zone.or(stated_zone);
        let zone = time_zone.unwrap_or(provider_zone);
        let parse = |name: &str, moment: Moment, edge: DayEdge| name_field(name, LocalTime::parse(&moment.text(), zone, edge));
        let start = errors.record(parse("DTSTART", occurrence.start, DayEdge::Start))?;
        let end = occurrence.end.map(|end| parse("DTEND", end, DayEdge::End));
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
            venue: self.place.venue.clone(),
            zones: Vec::new(),
            span,
        })
    }
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

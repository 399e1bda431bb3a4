//! `.jsonld`: an event as search engines and other catalogues read it ([schema.org](https://schema.org/Event)).

use std::collections::HashMap;

use poem_openapi::types::Any;
use serde_json::{Map, Value, json};

use super::page_of;
use crate::{
    error::ApiError,
    find::EventView,
    public_url::PublicUrl,
    resources::events::{
        Event,
        event::{Availability, EventVenue, with_offset},
        status::EventStatus,
    },
    response::{FileFormat, Nullable, encode_json},
};

/// The document of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonLd;

impl FileFormat for JsonLd {
    const MEDIA_TYPE: &'static str = "application/ld+json";

    type Schema = HashMap<String, Any<Value>>;
}

/// Encodes an event. Its URL leads to its page if the address of the service is known, else to the seller.
pub(in crate::resources::events) fn encode(view: EventView, public_url: Option<&PublicUrl>) -> Result<Vec<u8>, ApiError> {
    let page = page_of(public_url, &view);
    let sale_starts_at = view.sale_starts_at.map(|instant| with_offset(instant, view.zone()).0);
    let event = Event::new(view, false);
    let json = encode_json(&document(&event, page.as_ref().or(event.url.0.as_ref()), sale_starts_at.as_deref()))
        .map_err(ApiError::Encoding)?;
    // So that it cannot end the script of a page into which it is copied. Only texts contain this character.
    Ok(json.replace('<', "\\u003c").into_bytes())
}

fn document(event: &Event, url: Option<&String>, sale_starts_at: Option<&str>) -> Value {
    let name = event.name.0.as_ref();
    without_nulls(json!({
        "@context": "https://schema.org",
        "@type": kind(event.category.0.as_deref()),
        "@id": format!("urn:uuid:{}", event.id.0),
        "identifier": event.id,
        "name": name.unwrap_or(&event.title),
        "description": event.description,
        "url": url,
        "image": event.image_url,
        "startDate": date(&event.start_date.0, event.start_time.0.is_some(), &event.starts_at.0),
        "endDate": event.end_date.0.as_ref().map(|day| date(&day.0, event.end_time.0.is_some(), &event.ends_at.0)),
        "previousStartDate": event.previous_start_at,
        "eventStatus": status(event.status),
        "eventAttendanceMode": attendance_mode(event),
        "location": location(event),
        "performer": performers(event),
        "organizer": event.organizer.0.as_ref().map(|name| json!({ "@type": "Organization", "name": name })),
        "offers": offers(event, sale_starts_at),
        "superEvent": name.map(|_| json!({ "@type": "EventSeries", "@id": format!("urn:uuid:{}", event.base_event_id.0), "name": event.title })),
    }))
}

/// The type for a category.
fn kind(category: Option<&str>) -> &'static str {
    match category.map(|category| category.split('/').next().unwrap_or_default()) {
        Some("music") => "MusicEvent",
        Some("theatre") => "TheaterEvent",
        Some("comedy") => "ComedyEvent",
        Some("sport") => "SportsEvent",
        Some("family") => "ChildrensEvent",
        Some("film") => "ScreeningEvent",
        Some("exhibition") => "ExhibitionEvent",
        Some("food") => "FoodEvent",
        Some("talk") => "EducationEvent",
        Some("festival") => "Festival",
        _ => "Event",
    }
}

/// A day, or a moment if the time is known.
fn date<'a>(day: &'a str, has_time: bool, moment: &'a str) -> &'a str {
    if has_time { moment } else { day }
}

fn status(status: EventStatus) -> &'static str {
    match status {
        EventStatus::Scheduled => "https://schema.org/EventScheduled",
        EventStatus::Cancelled => "https://schema.org/EventCancelled",
        EventStatus::Postponed => "https://schema.org/EventPostponed",
        EventStatus::Rescheduled => "https://schema.org/EventRescheduled",
        EventStatus::MovedOnline => "https://schema.org/EventMovedOnline",
    }
}

/// Known if the event is online, or has a venue.
fn attendance_mode(event: &Event) -> Option<&'static str> {
    match (event.status, &event.venue.0) {
        (EventStatus::MovedOnline, _) => Some("https://schema.org/OnlineEventAttendanceMode"),
        (_, Some(_)) => Some("https://schema.org/OfflineEventAttendanceMode"),
        (_, None) => None,
    }
}

fn location(event: &Event) -> Option<Value> {
    if event.status == EventStatus::MovedOnline {
        return Some(without_nulls(json!({ "@type": "VirtualLocation", "url": event.url })));
    }
    let venue = event.venue.0.as_ref()?;
    let point = venue.latitude.0.zip(venue.longitude.0);
    let geo =
        point.map(|(latitude, longitude)| json!({ "@type": "GeoCoordinates", "latitude": latitude, "longitude": longitude }));
    Some(without_nulls(json!({ "@type": "Place", "name": venue.name, "address": address(venue), "geo": geo })))
}

fn address(venue: &EventVenue) -> Option<Value> {
    let parts: [(&str, &Nullable<String>); 5] = [
        ("streetAddress", &venue.address),
        ("postalCode", &venue.postal_code),
        ("addressLocality", &venue.city),
        ("addressRegion", &venue.region),
        ("addressCountry", &venue.country),
    ];
    let mut address: Map<String, Value> =
        parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part.0.clone()?.into()))).collect();
    if address.is_empty() {
        return None;
    }
    address.insert("@type".to_owned(), "PostalAddress".into());
    Some(address.into())
}

fn performers(event: &Event) -> Option<Vec<Value>> {
    // Feeds do not state whether it is a person or a group.
    let performers = event.performers.iter().map(|performer| json!({ "@type": "PerformingGroup", "name": performer.name }));
    (!event.performers.is_empty()).then(|| performers.collect())
}

fn offers(event: &Event, sale_starts_at: Option<&str>) -> Option<Value> {
    let availability = match event.availability {
        Availability::OnSale => Some("https://schema.org/InStock"),
        Availability::SoldOut => Some("https://schema.org/SoldOut"),
        Availability::NotYet => Some("https://schema.org/PreOrder"),
        Availability::Ended => Some("https://schema.org/OutOfStock"),
        Availability::Unknown => None,
    };
    event.min_price.0?;
    Some(without_nulls(json!({
        "@type": "AggregateOffer",
        "lowPrice": event.min_price,
        "highPrice": event.max_price,
        "priceCurrency": event.currency,
        "availability": availability,
        "validFrom": sale_starts_at,
        "url": event.url,
    })))
}

/// An object without the members that have no value.
fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
    }
    object
}

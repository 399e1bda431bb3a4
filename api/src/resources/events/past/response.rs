//! The response of a request for an event as it was.

use entity::{UtcInstant, event::Availability as EventAvailability, to_decimal, zone};
use poem_openapi::{Object, Union, types::Example};
use serde::{Deserialize, Serialize};

use super::{
    fields::{LoggedFields, PastFields},
    rows::PastParts,
};
use crate::{
    resources::events::{
        event::{Availability, Event, EventPerformer, EventSource, EventVenue, with_offset},
        response::EventDetails,
        rows::EventRows,
        status::EventStatus,
    },
    response::{AlwaysNull, CurrencyCode, Envelope, EventId, Instant, LocalDate, LocalDateTime, LocalTime, Nullable},
};

/// Members of which the names are those of today.
const CURRENT: [&str; 3] = ["performers", "venue", "provider"];

/// An event as it is, or as it was.
#[derive(Clone, Debug, Serialize, Union)]
#[serde(untagged)]
pub enum EventReply {
    /// As it is.
    Current(Envelope<EventDetails>),
    /// As it was at `as_of`.
    Past(PastEventReply),
}

/// An event as it was at an instant.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PastEventReply {
    /// The event.
    pub data: PastEvent,
    /// What of it is not known.
    pub meta: PastMeta,
    /// Always null.
    pub error: AlwaysNull,
}

/// Which parts of an event in the past are known.
#[derive(Clone, Debug, Object, Serialize)]
pub struct PastMeta {
    /// The instant.
    pub as_of: Instant,
    /// The members of `data` with values of today. `performers` and `venue` are those that the event had at the instant, with the names and
    /// addresses that they have today. `provider` always is; `time_zone` and `currency` are if the event has no own ones, but those of its
    /// provider.
    pub current: Vec<String>,
    /// The members of `data` that are null or empty because they are not known.
    pub unknown: Vec<String>,
}

/// An event as it was. `start_*`, `end_*` and `sell_*` are what the clock at the venue showed.
#[derive(Clone, Debug, Object, Serialize)]
pub struct PastEvent {
    /// The permanent id.
    pub id: EventId,
    /// The title of the show.
    pub title: String,
    /// The event's own name, if it differed from the title.
    pub name: Nullable<String>,
    /// The id of the show, the same for all of its dates.
    pub base_event_id: EventId,
    /// Whether the event was to take place as announced.
    pub status: EventStatus,
    /// Whether the event could be bought.
    pub availability: Availability,
    /// Whether the event was in the feed of its provider.
    pub listed: bool,
    /// The start, with the offset of the time zone.
    pub starts_at: Instant,
    /// The end, with the offset of the time zone; an event without an end ends when it starts.
    pub ends_at: Instant,
    /// The start date.
    pub start_date: LocalDate,
    /// The start time, if it was known.
    pub start_time: Nullable<LocalTime>,
    /// The end date, if it was known.
    pub end_date: Nullable<LocalDate>,
    /// The end time, if it was known.
    pub end_time: Nullable<LocalTime>,
    /// The time zone of the venue (IANA).
    pub time_zone: String,
    /// The lowest price of all zones, if there were zones.
    #[oai(validator(minimum(value = "0")))]
    pub min_price: Nullable<f64>,
    /// The highest price of all zones, if there were zones.
    #[oai(validator(minimum(value = "0")))]
    pub max_price: Nullable<f64>,
    /// The currency of the prices (ISO 4217).
    pub currency: CurrencyCode,
    /// The category, and after a slash its second level.
    pub category: Nullable<String>,
    /// The description as plain text of several lines.
    pub description: Nullable<String>,
    /// Where to buy.
    pub url: Nullable<String>,
    /// A picture.
    pub image_url: Nullable<String>,
    /// The performers, in the provider's order, with their names of today.
    pub performers: Vec<EventPerformer>,
    /// The venue, with its name and address of today.
    pub venue: Nullable<EventVenue>,
    /// The name of the organizer.
    pub organizer: Nullable<String>,
    /// The provider of today, with its ids of the event.
    pub provider: EventSource,
    /// When the sale began.
    pub sell_from: Nullable<LocalDateTime>,
    /// When the sale ended.
    pub sell_to: Nullable<LocalDateTime>,
    /// When the event was first seen in the feed.
    pub first_seen_at: Instant,
    /// When the event had last changed.
    pub updated_at: Nullable<Instant>,
    /// When the event had been removed from the feed; null if it was in the feed.
    pub left_at: Nullable<Instant>,
    /// When the event started before it had last been rescheduled.
    pub previous_start_at: Nullable<Instant>,
    /// Whether the provider marked the event as sold out.
    pub sold_out: bool,
    /// The provider's sell mode, such as `online`.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Nullable<String>,
    /// The priced areas by name and price. Their ids and tickets are not known.
    pub zones: Vec<PastZone>,
    /// The same as `first_seen_at`.
    pub first_seen: Instant,
    /// When the event had last been seen in the feed.
    pub last_seen: Nullable<Instant>,
    /// The same as `left_at`.
    pub left: Nullable<Instant>,
    /// When the event had last returned to the feed after it had been removed.
    pub came_back: Nullable<Instant>,
}

/// A priced area, as the log of changes has it.
#[derive(Clone, Debug, Deserialize, Object, PartialEq, Serialize)]
pub struct PastZone {
    /// The name.
    pub name: Nullable<String>,
    /// The price of a ticket.
    #[oai(validator(minimum(value = "0")))]
    pub price: f64,
    /// The currency of the price (ISO 4217), if it is not that of the provider.
    #[serde(default)]
    pub currency: Nullable<CurrencyCode>,
}

/// The values of an event beside its logged fields.
pub(super) struct PastContext {
    pub(super) as_of: UtcInstant,
    pub(super) availability: EventAvailability,
    pub(super) updated_at: Option<UtcInstant>,
    pub(super) parts: PastParts,
}

impl PastZone {
    /// Zones by name and price, as the worker logs them.
    pub(super) fn list(zones: &[zone::Model], currency_digits: i16) -> Vec<Self> {
        let mut zones: Vec<&zone::Model> = zones.iter().collect();
        zones.sort_unstable_by_key(|zone| (&zone.name, zone.price, &zone.currency));
        let zones = zones.into_iter().map(|zone| Self {
            name: zone.name.clone().into(),
            price: to_decimal(zone.price, zone.currency_digits.unwrap_or(currency_digits)),
            currency: zone.currency.as_deref().map(CurrencyCode::from).into(),
        });
        zones.collect()
    }
}

impl PastMeta {
    fn new(fields: &PastFields, logged: &LoggedFields, context: &PastContext) -> Self {
        let has_own_currencies = logged.currency.is_some() && logged.zones.iter().all(|zone| zone.currency.0.is_some());
        let defaults = [("time_zone", logged.time_zone.is_none()), ("currency", !has_own_currencies)];
        let was_removed = !logged.listed && fields.listed_changed;
        let unknown = [
            ("performers", context.parts.performers.is_none()),
            ("venue", context.parts.venue.is_none()),
            ("updated_at", context.updated_at.is_none()),
            ("left_at", was_removed),
            ("previous_start_at", fields.start_changed),
            ("last_seen", logged.listed || fields.listed_changed),
            ("left", was_removed),
            ("came_back", fields.listed_changed),
        ];
        let names = |members: &[(&str, bool)]| {
            members.iter().filter(|(_, is_member)| *is_member).map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
        };
        let current = CURRENT.map(str::to_owned).into_iter().chain(names(&defaults)).collect();
        Self { as_of: context.as_of.into(), current, unknown: names(&unknown) }
    }

    fn knows(&self, member: &str) -> bool {
        !self.unknown.iter().any(|unknown| unknown == member)
    }
}

impl PastEventReply {
    pub(super) fn new(rows: EventRows, fields: &PastFields, logged: LoggedFields, context: PastContext) -> Self {
        let meta = PastMeta::new(fields, &logged, &context);
        Self { data: PastEvent::new(rows, fields, (logged, context), &meta), meta, error: AlwaysNull }
    }
}

impl PastEvent {
    fn new(rows: EventRows, fields: &PastFields, (logged, context): (LoggedFields, PastContext), meta: &PastMeta) -> Self {
        let PastContext { as_of, availability, updated_at, parts } = context;
        let (venue, performers) = (parts.venue.flatten(), parts.performers.unwrap_or_default());
        let currency = logged.currency.unwrap_or_else(|| rows.provider.currency.clone());
        let time_zone = logged.time_zone.unwrap_or_else(|| rows.provider.time_zone.clone());
        let zone = time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
        let known = |member: &str, value: Option<UtcInstant>| value.filter(|_| meta.knows(member));
        let row = &rows.event;
        // While it is not listed, they are those of its removal.
        let left_at: Nullable<Instant> = known("left_at", row.left_at.filter(|_| !logged.listed)).map(Instant::from).into();
        let last_seen = known("last_seen", row.last_seen_at).map(Instant::from).into();
        let came_back = known("came_back", row.came_back_at).map(Instant::from).into();
        let previous_start_at = known("previous_start_at", row.previous_start_at);
        let Event { id, base_event_id, performers, venue, provider, first_seen_at, .. } =
            Event::new(EventRows { venue, performers, ..rows }.into_view(as_of), false);
        Self {
            id,
            title: logged.title,
            name: logged.name.into(),
            base_event_id,
            status: logged.status.into(),
            availability: availability.into(),
            listed: logged.listed,
            starts_at: with_offset(fields.starts_at, zone),
            ends_at: with_offset(fields.ends_at, zone),
            start_date: logged.start_date,
            start_time: logged.start_time.into(),
            end_date: logged.end_date.into(),
            end_time: logged.end_time.into(),
            time_zone,
            min_price: logged.min_price.into(),
            max_price: logged.max_price.into(),
            currency: currency.into(),
            category: logged.category.into(),
            description: logged.description.into(),
            url: logged.url.into(),
            image_url: logged.image_url.into(),
            performers,
            venue,
            organizer: logged.organizer.into(),
            provider,
            sell_from: logged.sell_from.map(LocalDateTime).into(),
            sell_to: logged.sell_to.map(LocalDateTime).into(),
            first_seen: first_seen_at.clone(),
            first_seen_at,
            updated_at: updated_at.map(Instant::from).into(),
            left: left_at.clone(),
            left_at,
            previous_start_at: previous_start_at.map(|instant| with_offset(instant, zone)).into(),
            sold_out: logged.sold_out,
            sell_mode: logged.sell_mode,
            organizer_company_id: logged.organizer_company_id.into(),
            zones: logged.zones,
            last_seen,
            came_back,
        }
    }
}

impl Example for PastEventReply {
    fn example() -> Self {
        let Envelope { data: EventDetails { event, sold_out, sell_mode, organizer_company_id, .. }, .. } = Envelope::example();
        let meta = PastMeta {
            as_of: "2021-01-15T12:00:00Z".into(),
            current: CURRENT.map(str::to_owned).into(),
            unknown: vec!["last_seen".to_owned()],
        };
        let zone = PastZone { name: Nullable(Some("A42".to_owned())), price: 55.0, currency: Nullable(Some("EUR".into())) };
        let data = PastEvent {
            id: event.id,
            title: event.title,
            name: event.name,
            base_event_id: event.base_event_id,
            status: event.status,
            availability: event.availability,
            listed: event.listed,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            start_date: event.start_date,
            start_time: event.start_time,
            end_date: event.end_date,
            end_time: event.end_time,
            time_zone: event.time_zone,
            min_price: event.min_price,
            max_price: event.max_price,
            currency: event.currency,
            category: event.category,
            description: event.description,
            url: event.url,
            image_url: event.image_url,
            performers: event.performers,
            venue: event.venue,
            organizer: event.organizer,
            provider: event.provider,
            sell_from: event.sell_from,
            sell_to: event.sell_to,
            first_seen: event.first_seen_at.clone(),
            first_seen_at: event.first_seen_at,
            updated_at: Nullable(Some("2021-01-10T10:00:00Z".into())),
            left_at: Nullable(None),
            previous_start_at: event.previous_start_at,
            sold_out,
            sell_mode,
            organizer_company_id,
            zones: vec![zone],
            last_seen: Nullable(None),
            left: Nullable(None),
            came_back: Nullable(None),
        };
        Self { data, meta, error: AlwaysNull }
    }
}

//! `event`: one dated showing of a base event.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::{EventStatus, UtcInstant, event_performer, listing, parse_day, zone};

/// One event. Prices are minor units of its currency.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// The public id: UUIDv5 of (provider slug, base event id, event id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The base event.
    pub base_event_id: Uuid,
    /// The provider's id of it, unique only within its base event.
    pub source_id: String,
    /// Start on the clock of its place: `2021-06-30T21:00:00`, with a fraction if the feed has one, or only the date.
    pub local_start: String,
    /// End in the same form, if the feed has one.
    pub local_end: Option<String>,
    /// `local_start` as an instant.
    pub starts_at: UtcInstant,
    /// `local_end` as an instant. An event without an end ends when it starts.
    pub ends_at: UtcInstant,
    /// Start of the sale on the clock of its place.
    pub sell_from: Option<String>,
    /// End of the sale on the clock of its place.
    pub sell_to: Option<String>,
    /// `sell_from` as an instant; `None` also for an event that an earlier release wrote.
    pub sale_starts_at: Option<UtcInstant>,
    /// `sell_to` as an instant; `None` also for an event that an earlier release wrote.
    pub sale_ends_at: Option<UtcInstant>,
    /// The next of the start and end of the sale and the end of the event; `None` if all are in the past.
    pub next_boundary_at: Option<UtcInstant>,
    /// Whether the provider reports it as sold out.
    pub sold_out: bool,
    /// The lowest price of its zones.
    pub min_price: Option<i64>,
    /// The highest price of its zones.
    pub max_price: Option<i64>,
    /// The venue.
    pub venue_id: Option<Uuid>,
    /// Whether its base event was ever online, repeated so that the search index contains only shown events.
    pub shown: bool,
    /// Hash of its content in the newest feed, including zones, performers and venue.
    pub content_hash: i64,
    /// Start of the first run with a feed that contained it.
    pub first_seen_at: UtcInstant,
    /// Start of the last run with a feed that contained it; `None` while it is in the feed.
    pub last_seen_at: Option<UtcInstant>,
    /// Start of the run that removed it from the feed; `None` while it is in the feed.
    pub left_at: Option<UtcInstant>,
    /// Start of the run in which it last returned to the feed.
    pub came_back_at: Option<UtcInstant>,
    /// Whether it takes place as announced.
    pub status: EventStatus,
    /// ISO 4217 code of its prices, if it is not the provider's.
    pub currency: Option<String>,
    /// Decimal digits of the minor unit of `currency`.
    pub currency_digits: Option<i16>,
    /// The slug of its category; `None` if it has the category of its base event, as for the other details.
    pub category: Option<String>,
    /// IANA name of the time zone of its place; `None` if it is the provider's.
    pub time_zone: Option<String>,
    /// Its own name, if it differs from the title of its base event.
    pub name: Option<String>,
    /// The name of the organizer.
    pub organizer_name: Option<String>,
    /// Where to buy.
    pub url: Option<String>,
    /// A picture.
    pub image_url: Option<String>,
    /// Plain text of several lines.
    pub description: Option<String>,
    /// When it started before it was last rescheduled.
    pub previous_start_at: Option<UtcInstant>,
    /// The [`GeoCell`](crate::GeoCell) of its venue.
    pub cell: Option<i64>,
    /// The base event.
    #[sea_orm(belongs_to, from = "base_event_id", to = "id")]
    pub base_event: BelongsTo<super::base_event::Entity>,
    /// The venue.
    #[sea_orm(belongs_to, from = "venue_id", to = "id")]
    pub venue: BelongsTo<Option<super::venue::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Whether an event can be bought, according to its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Its sale has begun, and it is not sold out.
    OnSale,
    /// The provider reports it as sold out.
    SoldOut,
    /// Its sale has not begun.
    NotYet,
    /// Its sale or the event itself has ended.
    Ended,
    /// The provider states no sale period.
    Unknown,
}

impl Availability {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OnSale, Self::SoldOut, Self::NotYet, Self::Ended, Self::Unknown];

    /// Whether an event with this end and this sale period can be bought at an instant.
    #[must_use]
    pub fn at(now: UtcInstant, ends_at: UtcInstant, sale: (Option<UtcInstant>, Option<UtcInstant>), sold_out: bool) -> Self {
        match sale {
            _ if ends_at <= now => Self::Ended,
            _ if sold_out => Self::SoldOut,
            (Some(starts_at), _) if now < starts_at => Self::NotYet,
            (_, Some(ends_at)) if ends_at <= now => Self::Ended,
            (None, None) => Self::Unknown,
            _ => Self::OnSale,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OnSale => "on_sale",
            Self::SoldOut => "sold_out",
            Self::NotYet => "not_yet",
            Self::Ended => "ended",
            Self::Unknown => "unknown",
        }
    }
}

impl Model {
    /// The day on which it starts, on the clock of its place.
    #[must_use]
    pub fn local_day(&self) -> Option<NaiveDate> {
        parse_day(self.local_start.get(..10)?).ok()
    }

    /// The first instant after `now` at which time changes the event: its sale begins or ends, or it ends.
    #[must_use]
    pub fn find_next_boundary(&self, now: UtcInstant) -> Option<UtcInstant> {
        let boundaries = [self.sale_starts_at, self.sale_ends_at, Some(self.ends_at)];
        boundaries.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// The next boundary of a row that replaces `previous`: the first one since the boundary of `previous` that has passed but was not
    /// handled yet, else the first one after `now`.
    #[must_use]
    pub fn continue_boundaries(&self, previous: Option<&Self>, now: UtcInstant) -> Option<UtcInstant> {
        let unhandled = previous.and_then(|previous| previous.next_boundary_at).filter(|at| *at <= now);
        self.find_next_boundary(unhandled.map_or(now, |at| UtcInstant(at.0.saturating_sub(1))))
    }

    /// Whether it can be bought at an instant. It changes only at boundaries. What is sold out remains so until the event
    /// ends, whatever its sale period is.
    #[must_use]
    pub fn availability(&self, now: UtcInstant) -> Availability {
        Availability::at(now, self.ends_at, (self.sale_starts_at, self.sale_ends_at), self.sold_out)
    }
}

/// Deletes the zones and performers of events.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_parts(transaction: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<(), DbErr> {
    zone::Entity::delete_many().filter(zone::COLUMN.event_id.is_in(ids.clone())).exec(transaction).await?;
    event_performer::Entity::delete_many().filter(event_performer::COLUMN.event_id.is_in(ids)).exec(transaction).await?;
    Ok(())
}

/// Deletes events with their zones, performers and listings.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete(transaction: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<(), DbErr> {
    delete_parts(transaction, ids.clone()).await?;
    listing::delete(transaction, ids.clone()).await?;
    Entity::delete_many().filter(COLUMN.id.is_in(ids)).exec(transaction).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event that ends at 40, with a sale period.
    fn event(sale: (Option<i64>, Option<i64>), sold_out: bool) -> Model {
        Model {
            id: Uuid::nil(),
            base_event_id: Uuid::nil(),
            source_id: String::new(),
            local_start: String::new(),
            local_end: None,
            starts_at: UtcInstant(30),
            ends_at: UtcInstant(40),
            sell_from: None,
            sell_to: None,
            sale_starts_at: sale.0.map(UtcInstant),
            sale_ends_at: sale.1.map(UtcInstant),
            next_boundary_at: None,
            sold_out,
            min_price: None,
            max_price: None,
            venue_id: None,
            shown: true,
            content_hash: 0,
            first_seen_at: UtcInstant(0),
            last_seen_at: None,
            left_at: None,
            came_back_at: None,
            status: EventStatus::Scheduled,
            currency: None,
            currency_digits: None,
            category: None,
            time_zone: None,
            name: None,
            organizer_name: None,
            url: None,
            image_url: None,
            description: None,
            previous_start_at: None,
            cell: None,
        }
    }

    /// The availability from the beginning of time, and from each boundary on.
    fn timeline(event: &Model) -> Vec<(i64, &'static str)> {
        let boundaries = std::iter::successors(Some(UtcInstant(0)), |at| event.find_next_boundary(*at));
        boundaries
            .inspect(|at| {
                let next = event.find_next_boundary(*at).map_or(at.0 + 9, |next| next.0 - 1);
                assert_eq!(event.availability(*at), event.availability(UtcInstant(next)), "it changes only at boundaries");
            })
            .map(|at| (at.0, event.availability(at).name()))
            .collect()
    }

    #[test]
    fn time_changes_the_availability_only_at_boundaries() {
        let timeline = |sale, sold_out| timeline(&event(sale, sold_out));
        let (from, to) = (Some(10), Some(20));
        assert_eq!(timeline((from, to), false), [(0, "not_yet"), (10, "on_sale"), (20, "ended"), (40, "ended")]);
        assert_eq!(timeline((from, None), false), [(0, "not_yet"), (10, "on_sale"), (40, "ended")]);
        assert_eq!(timeline((None, to), false), [(0, "on_sale"), (20, "ended"), (40, "ended")]);
        assert_eq!(timeline((None, None), false), [(0, "unknown"), (40, "ended")]);
        assert_eq!(timeline((from, to), true), [(0, "sold_out"), (10, "sold_out"), (20, "sold_out"), (40, "ended")]);
        // A sale that ends before it begins, and one that ends after the event.
        assert_eq!(timeline((to, from), false), [(0, "not_yet"), (10, "not_yet"), (20, "ended"), (40, "ended")]);
        assert_eq!(timeline((from, Some(50)), false), [(0, "not_yet"), (10, "on_sale"), (40, "ended"), (50, "ended")]);
    }
}

//! An event as people read it: dates, prices, places and marks.

use chrono::{DateTime, FixedOffset, NaiveDate};
use entity::Category;

use super::language::Language;
use crate::{
    resources::events::{Availability, Event, EventStatus},
    response::{Instant, LocalDate, LocalDateTime, LocalTime},
};

/// The tile of events without a category.
const OTHER: &str = "other";

/// The texts of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventText<'a>(pub(super) &'a Event, pub(super) Language);

impl<'a> EventText<'a> {
    /// The start on the clock at the venue, such as `Sat 28 Nov 2026, 20:00`.
    pub(super) fn start(&self) -> String {
        format_local(self.1, &self.0.start_date, self.0.start_time.0.as_ref())
    }

    /// The end on the clock at the venue. Without the date if that is the date of the start.
    pub(super) fn end(&self) -> Option<String> {
        let (date, time) = (self.0.end_date.0.as_ref()?, self.0.end_time.0.as_ref());
        match time {
            Some(time) if *date == self.0.start_date => Some(minutes_of(time).to_owned()),
            None if *date == self.0.start_date => None,
            time => Some(format_local(self.1, date, time)),
        }
    }

    /// The offset of the time zone at the start, such as `UTC+1`, if the time is known.
    pub(super) fn offset(&self) -> Option<String> {
        self.0.start_time.0.as_ref()?;
        let offset = DateTime::parse_from_rfc3339(&self.0.starts_at.0).ok()?.offset().local_minus_utc() / 60;
        let sign = if offset < 0 { '\u{2212}' } else { '+' };
        Some(match (offset.abs() / 60, offset.abs() % 60) {
            (0, 0) => "UTC".to_owned(),
            (hours, 0) => format!("UTC{sign}{hours}"),
            (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
        })
    }

    /// Whether the events of a list take place in several time zones, without which their times cannot be compared.
    pub(super) fn are_in_several_time_zones(events: &[Self]) -> bool {
        events.windows(2).any(|pair| pair[0].0.time_zone != pair[1].0.time_zone)
    }

    /// The range of prices.
    pub(super) fn price(&self) -> Option<String> {
        let (min, max) = (self.0.min_price.0?, self.0.max_price.0?);
        let currency = &self.0.currency.0;
        Some(match (min, max) {
            (_, 0.0) => self.1.text("free"),
            (min, max) if min.to_bits() == max.to_bits() => format_price(self.1, min, currency),
            (min, max) => {
                let (min, max) = (self.1.amount(min), format_price(self.1, max, currency));
                self.1.with("price-range", &[("min", &min), ("max", &max)])
            }
        })
    }

    /// The venue and its city.
    pub(super) fn place(&self) -> Option<String> {
        let venue = self.0.venue.0.as_ref()?;
        match venue.city.0.as_deref() {
            Some(city) if !venue.name.contains(city) => Some(format!("{}, {city}", venue.name)),
            _ => Some(venue.name.clone()),
        }
    }

    /// The distance from the point of the search.
    pub(super) fn distance(&self) -> Option<String> {
        self.0.distance_km.0.map(|km| self.1.with("distance", &[("km", &self.1.decimal(km, 1))]))
    }

    /// What a reader must know before buying: changes of the event, else of its sale.
    pub(super) fn marks(&self) -> Vec<String> {
        let status = match self.0.status {
            EventStatus::Scheduled => None,
            EventStatus::Cancelled => Some("status-cancelled"),
            EventStatus::Postponed => Some("status-postponed"),
            EventStatus::Rescheduled => Some("status-rescheduled"),
            EventStatus::MovedOnline => Some("status-moved-online"),
        };
        let availability = match self.0.availability {
            _ if self.0.status == EventStatus::Cancelled => None,
            Availability::SoldOut => Some("availability-sold-out"),
            Availability::NotYet => Some("availability-not-yet"),
            Availability::Ended => Some("availability-ended"),
            Availability::OnSale | Availability::Unknown => None,
        };
        let listed = (!self.0.listed).then_some("no-longer-offered");
        [status, availability, listed].into_iter().flatten().map(|key| self.1.text(key)).collect()
    }

    /// Whether it does not take place.
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.status == EventStatus::Cancelled
    }

    /// The name of its tile: its category, without a second level.
    pub(super) fn tile(&self) -> &'static str {
        let slug = self.0.category.0.as_deref().and_then(Category::find).map_or(OTHER, Category::slug);
        slug.split_once('/').map_or(slug, |(first_level, _)| first_level)
    }

    /// The host of the seller.
    pub(super) fn seller(&self) -> Option<&'a str> {
        let (_, address) = self.buy_url()?.split_once("://")?;
        let authority = address.split(['/', '?', '#', '\\']).next()?;
        Some(authority.rsplit('@').next().unwrap_or(authority))
    }

    /// Where to buy.
    pub(super) fn buy_url(&self) -> Option<&'a str> {
        self.0.url.0.as_deref().filter(|url| is_web_address(url))
    }
}

/// The name of a category from its slug, which a reader may have typed.
pub(super) fn name_of_category(language: Language, slug: &str) -> String {
    let name = language.find(&format!("category-{}", slug.replace('/', "-")));
    name.unwrap_or_else(|| capitalize(&slug.replace('/', ": ").replace('-', " ")))
}

/// A price with its currency.
pub(super) fn format_price(language: Language, price: f64, currency: &str) -> String {
    if price == 0.0 { language.text("free") } else { format!("{} {currency}", language.amount(price)) }
}

/// Whether a link of a provider may be followed: any other scheme could be a program.
pub(super) fn is_web_address(url: &str) -> bool {
    has_scheme(url, &["http", "https"])
}

/// Whether a URL can be loaded without being changed on its way.
pub(super) fn is_secure_address(url: &str) -> bool {
    has_scheme(url, &["https"])
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| schemes.contains(&scheme.as_str()))
        && !url.contains(|character: char| character.is_control() || character == ' ')
}

/// A text that begins with a capital letter.
pub(super) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A date and time on the clock at the venue, such as `Sat 28 Nov 2026, 20:00`.
pub(super) fn format_wall_clock(language: Language, text: &LocalDateTime) -> String {
    match text.0.split_once('T') {
        Some((date, time)) => format_local(language, &date.into(), Some(&time.into())),
        None => format_local(language, &text.0.as_str().into(), None),
    }
}

/// An instant on the clock that its text has, such as `Sat 28 Nov 2026, 20:00`.
pub(super) fn format_instant(language: Language, instant: &Instant) -> String {
    let format = |instant: DateTime<FixedOffset>| {
        let (date, time) = (language.day(instant.date_naive()), instant.format("%H:%M").to_string());
        language.with("date-and-time", &[("date", &date), ("time", &time)])
    };
    DateTime::parse_from_rfc3339(&instant.0).map_or_else(|_| instant.0.clone(), format)
}

/// A day such as `Sat 28 Nov 2026`.
pub(super) fn format_day(language: Language, date: &LocalDate) -> String {
    date.0.parse::<NaiveDate>().map_or_else(|_| date.0.clone(), |date| language.day(date))
}

fn format_local(language: Language, date: &LocalDate, time: Option<&LocalTime>) -> String {
    let date = format_day(language, date);
    match time {
        Some(time) => language.with("date-and-time", &[("date", &date), ("time", minutes_of(time))]),
        None => date,
    }
}

/// A time without its seconds.
fn minutes_of(time: &LocalTime) -> &str {
    time.0.get(..5).unwrap_or(&time.0)
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example;

    use super::*;
    use crate::response::Nullable;

    #[test]
    fn prices_are_ranges_with_the_currency() {
        let price = |min: f64, max: f64| {
            let event = Event { min_price: Nullable(Some(min)), max_price: Nullable(Some(max)), ..Event::example() };
            EventText(&event, Language::English).price().unwrap_or_default()
        };
        for (min, max, expected) in
            [(0.0, 0.0, "Free"), (30.0, 30.0, "30 EUR"), (27.5, 30.0, "27.50 to 30 EUR"), (0.0, 9.99, "0 to 9.99 EUR")]
        {
            assert_eq!(price(min, max), expected);
        }
        let event = Event { min_price: Nullable(None), ..Event::example() };
        assert_eq!(EventText(&event, Language::English).price(), None);
    }

    #[test]
    fn the_end_has_a_date_only_if_it_is_another_day() {
        let end = |date: &str, time: Option<&str>| {
            let (end_date, end_time) = (Nullable(Some(date.into())), Nullable(time.map(Into::into)));
            EventText(&Event { end_date, end_time, ..Event::example() }, Language::English).end()
        };
        assert_eq!(EventText(&Event::example(), Language::English).start(), "Wed 10 Feb 2021, 20:00");
        assert_eq!(end("2021-02-10", Some("21:30:00")).as_deref(), Some("21:30"));
        assert_eq!(end("2021-02-10", None), None);
        assert_eq!(end("2021-02-11", Some("01:00:00.5")).as_deref(), Some("Thu 11 Feb 2021, 01:00"));
        assert_eq!(end("2021-02-12", None).as_deref(), Some("Fri 12 Feb 2021"));
    }

    #[test]
    fn offsets_are_those_of_the_start() {
        let offset = |starts_at: &str, time: Option<&str>| {
            let (starts_at, start_time) = (Instant(starts_at.to_owned()), Nullable(time.map(Into::into)));
            EventText(&Event { starts_at, start_time, ..Event::example() }, Language::English).offset()
        };
        for (starts_at, expected) in [
            ("2026-07-01T20:00:00+02:00", "UTC+2"),
            ("2026-01-01T20:00:00+00:00", "UTC"),
            ("2026-01-01T20:00:00+05:45", "UTC+5:45"),
            ("2026-01-01T20:00:00-03:30", "UTC−3:30"),
        ] {
            assert_eq!(offset(starts_at, Some("20:00:00")).as_deref(), Some(expected));
            assert_eq!(offset(starts_at, None), None, "a day has no time");
        }
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for url in ["https://tickets.example/1", "HTTP://tickets.example"] {
            assert!(is_web_address(url), "{url}");
        }
        for url in
            ["javascript:alert(1)", "javascript://x/%0aalert(1)", "data:text/html,x", "//x", "/x", "ftp://x", "https://x\ny", ""]
        {
            assert!(!is_web_address(url), "{url}");
        }
    }
}

//! A feed with few ids, days and cities, so that random changes often concern the same.

use std::{collections::BTreeMap, fmt::Write};

use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

/// Two cities, and one where a venue moves.
const CITIES: [(f64, f64); 3] = [(48.85, 2.35), (41.38, 2.17), (35.68, 139.69)];
/// On some clocks, the day of some of them differs from the day in UTC.
const HOURS: [&str; 4] = ["00", "09", "20", "23"];
/// An event of most feeds has none of these attributes.
const ATTRIBUTES: [&str; 5] = [
    "",
    " status='cancelled'",
    " currency='USD'",
    " sell_from='2026-01-01T10:00:00' sell_to='2029-12-31' name='Last night'",
    " sell_from='2029-12-01T10:00:00' sold_out='true' url='https://tickets.example/1'",
];
/// Two categories, and one that the first includes.
const CATEGORIES: [&str; 3] = ["music", "theatre", "jazz"];

#[derive(Clone, Debug)]
pub(super) struct ShowElement {
    title: u8,
    is_online: bool,
    category: Option<usize>,
    performers: Vec<u8>,
    dates: BTreeMap<u8, DateElement>,
}

#[derive(Clone, Debug)]
pub(super) struct DateElement {
    day: u8,
    hour: usize,
    days: u8,
    attribute: usize,
    category: Option<usize>,
    venue: Option<u8>,
    price: u8,
    /// The price of a zone that is neither the lowest nor the highest.
    middle_price: u8,
    capacity: u8,
}

/// The feed of a provider. Names of performers, and the names and cities of venues, apply to the whole feed.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed {
    shows: BTreeMap<u8, ShowElement>,
    performer_names: BTreeMap<u8, u8>,
    venues: BTreeMap<u8, (u8, usize)>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Show(u8, Option<ShowElement>),
    Date(u8, u8, Option<DateElement>),
    Title(u8, u8),
    Category(u8, Option<usize>),
    Online(u8),
    Capacity(u8, u8, u8),
    MiddlePrice(u8, u8, u8),
    Performer(u8, u8),
    Venue(u8, (u8, usize)),
}

fn any_date() -> impl Strategy<Value = DateElement> {
    let when = (1_u8..7, 0..HOURS.len(), 0_u8..3);
    let what = (option::weighted(0.3, 0..CATEGORIES.len()), option::weighted(0.8, 0_u8..3), 1_u8..4, 0_u8..3, 0_u8..3);
    (when, prop_oneof![2 => Just(0), 1 => 0..ATTRIBUTES.len()], what).prop_map(|((day, hour, days), attribute, what)| {
        let (category, venue, price, middle_price, capacity) = what;
        DateElement { day, hour, days, attribute, category, venue, price, middle_price, capacity }
    })
}

fn any_show() -> impl Strategy<Value = ShowElement> {
    let dates = vec((0_u8..3, any_date()), 0..3).prop_map(BTreeMap::from_iter);
    (0_u8..3, prop::bool::weighted(0.8), option::of(0..CATEGORIES.len()), vec(1_u8..4, 0..3), dates)
        .prop_map(|(title, is_online, category, performers, dates)| ShowElement { title, is_online, category, performers, dates })
}

pub(super) fn any_change() -> impl Strategy<Value = Change> {
    let show = || 0_u8..4;
    prop_oneof![
        4 => (show(), option::weighted(0.8, any_show())).prop_map(|(id, element)| Change::Show(id, element)),
        4 => (show(), 0_u8..3, option::weighted(0.8, any_date())).prop_map(|(id, date, element)| Change::Date(id, date, element)),
        1 => (show(), 0_u8..3).prop_map(|(id, title)| Change::Title(id, title)),
        1 => (show(), option::of(0..CATEGORIES.len())).prop_map(|(id, category)| Change::Category(id, category)),
        1 => show().prop_map(Change::Online),
        1 => (show(), 0_u8..3, 0_u8..3).prop_map(|(id, date, capacity)| Change::Capacity(id, date, capacity)),
        1 => (show(), 0_u8..3, 0_u8..3).prop_map(|(id, date, price)| Change::MiddlePrice(id, date, price)),
        1 => (1_u8..4, 0_u8..2).prop_map(|(id, name)| Change::Performer(id, name)),
        1 => (0_u8..3, (0_u8..2, 0..CITIES.len())).prop_map(|(id, venue)| Change::Venue(id, venue)),
    ]
}

impl Change {
    /// The show that it changes, if it is one.
    pub(super) fn show(&self) -> Option<u8> {
        match self {
            Self::Show(id, _)
            | Self::Date(id, ..)
            | Self::Title(id, _)
            | Self::Category(id, _)
            | Self::Online(id)
            | Self::Capacity(id, ..)
            | Self::MiddlePrice(id, ..) => Some(*id),
            Self::Performer(..) | Self::Venue(..) => None,
        }
    }
}

impl Feed {
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Show(id, Some(show)) => {
                self.shows.insert(id, show);
            }
            Change::Show(id, None) => {
                self.shows.remove(&id);
            }
            Change::Performer(id, name) => {
                self.performer_names.insert(id, name);
            }
            Change::Venue(id, venue) => {
                self.venues.insert(id, venue);
            }
            Change::Date(id, ..)
            | Change::Title(id, _)
            | Change::Category(id, _)
            | Change::Online(id)
            | Change::Capacity(id, ..)
            | Change::MiddlePrice(id, ..) => {
                if let Some(show) = self.shows.get_mut(&id) {
                    show.apply(change);
                }
            }
        }
    }

    pub(super) fn document(&self) -> String {
        self.document_of(|_| true)
    }

    /// The document of some shows.
    pub(super) fn document_of(&self, is_contained: impl Fn(u8) -> bool) -> String {
        let mut text = String::from("<eventList><output>");
        for (id, show) in self.shows.iter().filter(|(id, _)| is_contained(**id)) {
            let sell_mode = if show.is_online { "online" } else { "offline" };
            let category = category_attribute(show.category);
            write!(text, "<base_event base_event_id='{id}' title='show {}' sell_mode='{sell_mode}'{category}>", show.title)
                .unwrap();
            for performer in &show.performers {
                let name = self.performer_names.get(performer).copied().unwrap_or_default();
                write!(text, "<performer performer_id='{performer}' name='The Band {performer} {name}'/>").unwrap();
            }
            for (date, DateElement { day, hour, days, attribute, category, venue, price, middle_price, capacity }) in &show.dates
            {
                let (end, category) = (day + days, category_attribute(*category));
                let (hour, attribute) = (HOURS[*hour], ATTRIBUTES[*attribute]);
                write!(
                    text,
                    "<event event_id='{date}' event_date='2030-01-0{day}T{hour}:30:00' event_end_date='2030-01-0{end}T23:45:00'\
                     {category}{attribute}>"
                )
                .unwrap();
                if let Some(venue) = venue {
                    let (name, city) = self.venues.get(venue).copied().unwrap_or((0, usize::from(*venue)));
                    let (latitude, longitude) = CITIES[city];
                    write!(
                        text,
                        "<venue venue_id='{venue}' name='Hall {venue} {name}' latitude='{latitude}' longitude='{longitude}'/>"
                    )
                    .unwrap();
                }
                write!(
                    text,
                    "<zone zone_id='1' price='{price}0' capacity='{capacity}'/><zone zone_id='2' price='4{middle_price}'/>\
                     <zone zone_id='3' price='50'/></event>"
                )
                .unwrap();
            }
            text.push_str("</base_event>");
        }
        // A comment, so that no document is recognized by its bytes.
        write!(text, "</output></eventList><!-- {} -->", Uuid::new_v4()).unwrap();
        text
    }
}

fn category_attribute(category: Option<usize>) -> String {
    category.map(|index| format!(" category='{}'", CATEGORIES[index])).unwrap_or_default()
}

impl ShowElement {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Date(_, date, Some(element)) => {
                self.dates.insert(date, element);
            }
            Change::Date(_, date, None) => {
                self.dates.remove(&date);
            }
            Change::Title(_, title) => self.title = title,
            Change::Category(_, category) => self.category = category,
            Change::Online(_) => self.is_online = !self.is_online,
            Change::Capacity(_, date, capacity) => {
                if let Some(date) = self.dates.get_mut(&date) {
                    date.capacity = capacity;
                }
            }
            Change::MiddlePrice(_, date, price) => {
                if let Some(date) = self.dates.get_mut(&date) {
                    date.middle_price = price;
                }
            }
            Change::Show(..) | Change::Performer(..) | Change::Venue(..) => {}
        }
    }
}

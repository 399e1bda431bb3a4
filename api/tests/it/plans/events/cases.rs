//! The filters of a page of events, and how much they may read.

use api::response::to_rfc3339;
use entity::UtcInstant;
use migration::testing::event_catalogue::city_point;

use self::Extra::{All, Nothing, Others};
use super::LIMIT;

const DAY: i64 = 24 * 3_600 * 1_000_000;
/// For each event of a page, and the one after it: the event, its base event, provider, venue, performer and its bill.
const PER_ROW: usize = 10;
/// The catalogue's version, the providers, and the first row of each range.
const PER_REQUEST: usize = 100;

/// A request.
pub(super) struct EventsCase {
    pub(super) query: String,
    /// The most rows that are read.
    pub(super) most: usize,
}

/// Tables that are joined with each event to filter it.
const TABLES: usize = 3;

/// What is read beside the events of the page.
enum Extra {
    /// Nothing.
    Nothing,
    /// For each event this number of others, which do not meet another filter.
    Others(usize),
    /// All events of one filter, to sort them.
    All(usize),
}

/// Parameters of the requests.
struct Parameters {
    now: UtcInstant,
    week: String,
    month: String,
    past: String,
    near: String,
    bbox: String,
    updated: String,
}

pub(super) fn cases(now: UtcInstant, ids: &[String]) -> Vec<EventsCase> {
    let parameters = Parameters::at(now);
    let mut cases = parameters.filters(ids);
    cases.extend(parameters.orders());
    cases.extend(parameters.pairs());
    let events = LIMIT + 1;
    let most = |extra| match extra {
        Extra::Nothing => 0,
        Extra::Others(count) => events * count * TABLES,
        Extra::All(count) => count * TABLES,
    };
    let case = |(query, extra): (String, Extra)| EventsCase {
        query: query.replace(' ', "%20"),
        most: events * PER_ROW + PER_REQUEST + most(extra),
    };
    cases.into_iter().map(case).collect()
}

impl Parameters {
    fn at(now: UtcInstant) -> Self {
        let (latitude, longitude) = city_point(7);
        let range = |first: i64, last: i64| format!("starts_at={}&ends_at={}", day(now, first), day(now, last));
        Self {
            now,
            week: range(30, 37),
            month: range(30, 60),
            past: format!("{}&listed=any", range(-60, -30)),
            near: format!("latitude={latitude}&longitude={longitude}&radius=20"),
            bbox: format!("bbox={},{},{},{}", longitude - 0.1, latitude - 0.1, longitude + 0.1, latitude + 0.1),
            updated: format!("updated_since={}", day(now, -1)),
        }
    }

    /// Each filter alone.
    fn filters(&self, ids: &[String]) -> Vec<(String, Extra)> {
        let Self { now, week, past, near, bbox, updated, .. } = self;
        let large = near.replace("radius=20", "radius=1500");
        vec![
            (String::new(), Nothing),
            (week.clone(), Nothing),
            (format!("starts_at={}", day(*now, -30)), Nothing),
            (past.clone(), Nothing),
            (format!("{week}&time_zone=venue"), Others(1)),
            // No index has the ends, so all events that start before the end of the range are read.
            (format!("{past}&range=overlaps"), All(18_000)),
            (format!("{week}&range=overlaps"), All(1_200)),
            ("range=all".to_owned(), Nothing),
            ("city=City 7".to_owned(), Nothing),
            ("country=ES".to_owned(), Nothing),
            // The databases read all 250 venues, because they are few.
            ("place=XX007".to_owned(), All(500)),
            ("venue=p1:57".to_owned(), Nothing),
            (near.clone(), Others(2)),
            (bbox.clone(), Others(2)),
            (large, Others(30)),
            ("category=music".to_owned(), Others(8)),
            ("category=comedy".to_owned(), Nothing),
            ("provider=p3".to_owned(), Nothing),
            ("performer=p1:57".to_owned(), All(100)),
            ("organizer=p3:Organizer 7".to_owned(), All(100)),
            ("max_price=6".to_owned(), All(2_000)),
            ("min_price=100".to_owned(), Others(15)),
            ("currency=EUR".to_owned(), Nothing),
            (updated.clone(), All(1_440)),
            ("status=scheduled".to_owned(), Nothing),
            ("status=cancelled".to_owned(), Others(100)),
            ("availability=sold_out".to_owned(), Others(20)),
            ("availability=unknown".to_owned(), Others(2)),
            // No index has the ends, so all past events are read for those that have left their feed.
            ("listed=any".to_owned(), All(18_000)),
            ("listed=false".to_owned(), All(18_000)),
            (format!("ids={}", ids.join(",")), All(20)),
        ]
    }

    /// Each order.
    fn orders(&self) -> Vec<(String, Extra)> {
        let near = &self.near;
        vec![
            ("sort=-starts_at".to_owned(), Nothing),
            ("sort=price".to_owned(), Nothing),
            ("sort=-price".to_owned(), Nothing),
            ("sort=-updated_at".to_owned(), Nothing),
            ("sort=-first_seen_at".to_owned(), Nothing),
            (format!("{near}&sort=distance"), All(2_500)),
        ]
    }

    /// Pairs and triples.
    fn pairs(&self) -> Vec<(String, Extra)> {
        let Self { now, week, month, past, near, bbox, updated } = self;
        vec![
            (format!("{week}&city=City 7"), Nothing),
            (format!("{week}&{near}"), Others(5)),
            (format!("{month}&category=music&city=City 7"), Others(3)),
            (format!("{month}&category=comedy&{near}"), Others(10)),
            (format!("performer=p1:57&starts_at={}", day(*now, 30)), All(100)),
            (format!("venue=p1:57&starts_at={}", day(*now, 30)), Nothing),
            (format!("{month}&max_price=30&city=City 7"), Others(4)),
            // The first 3,000 events by price have no page.
            (format!("{month}&max_price=30&{near}&category=music&sort=price"), All(1_400)),
            (format!("provider=p3&starts_at={}", day(*now, 30)), Nothing),
            ("city=City 7&category=comedy".to_owned(), Others(10)),
            ("city=City 7&sort=price".to_owned(), All(1_000)),
            (format!("{bbox}&max_price=10"), Others(20)),
            ("category=comedy&max_price=10".to_owned(), Others(20)),
            (format!("{week}&sort=price"), All(700)),
            (format!("{past}&sort=price"), All(3_000)),
            (format!("{past}&city=City 7&sort=-first_seen_at"), All(60)),
            ("country=ES&category=comedy".to_owned(), Others(10)),
            ("provider=p3&category=comedy".to_owned(), Others(20)),
            (format!("{updated}&city=City 7"), Others(100)),
            ("place=XX007&category=comedy".to_owned(), All(700)),
            (format!("{week}&availability=unknown&city=City 7"), Nothing),
            ("performer=p1:57&city=City 7&range=all&listed=any".to_owned(), All(100)),
            // Documents are counted up to 5,000.
            ("q=serenos 57".to_owned(), All(2_500)),
            ("q=serenos 57&sort=relevance".to_owned(), All(4_500)),
            ("q=serenos".to_owned(), All(10_000)),
            ("q=serenos&sort=relevance".to_owned(), All(15_000)),
            ("q=band 57".to_owned(), All(2_500)),
            (format!("{week}&q=serenos"), All(10_000)),
            ("city=City 7&q=serenos".to_owned(), All(10_000)),
            (format!("{week}&q=serenos hall 57"), All(2_000)),
        ]
    }
}

fn day(now: UtcInstant, days: i64) -> String {
    to_rfc3339(UtcInstant(now.0 + days * DAY))
}

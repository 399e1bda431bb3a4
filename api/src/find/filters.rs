//! The filters of events, the same for every list.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use entity::{
    UtcInstant,
    footprint::{Scope, Selection, hash_performer},
};
use sea_orm::DbErr;
use serde::Serialize;

use super::{
    availability_filter::AvailabilityFilter,
    bounding_box::BoundingBox,
    item_ref::ItemRefSet,
    listed_filter::ListedFilter,
    near::Near,
    price_filter::PriceFilter,
    sort::Sort,
    value_list::ValueList,
    when::{Clock, RangeKind, When},
    words::Words,
};
use crate::{
    error::ApiError,
    query::{Edge, Parameters, StatusFilter, TimeRange, parse_moment, serialize_instant},
    vocabulary::Vocabulary,
};

/// Which events. A filter without a value selects all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventFilters {
    /// What is selected without the next two.
    #[serde(skip)]
    defaults: FilterDefaults,
    /// When they take place.
    #[serde(flatten)]
    when: Option<When>,
    /// Words of their shows.
    #[serde(rename = "q", skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
    /// Whether they take place as announced.
    #[serde(skip_serializing_if = "StatusFilter::is_default")]
    pub status: StatusFilter,
    /// Whether they are in the feed of their provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<ListedFilter>,
    /// Whether they can be bought now.
    #[serde(skip_serializing_if = "AvailabilityFilter::is_empty")]
    pub availability: AvailabilityFilter,
    /// Who plays.
    #[serde(skip_serializing_if = "ItemRefSet::is_empty")]
    pub performer: ItemRefSet,
    /// Where, as venues.
    #[serde(skip_serializing_if = "ItemRefSet::is_empty")]
    pub venue: ItemRefSet,
    /// Who organizes.
    #[serde(skip_serializing_if = "ItemRefSet::is_empty")]
    pub organizer: ItemRefSet,
    /// Slugs of providers.
    #[serde(skip_serializing_if = "ValueList::is_empty")]
    pub provider: ValueList,
    /// Slugs of categories, each with its second level.
    #[serde(skip_serializing_if = "ValueList::is_empty")]
    pub category: ValueList,
    /// Folded names of cities.
    #[serde(skip_serializing_if = "ValueList::is_empty")]
    pub city: ValueList,
    /// ISO 3166-1 alpha-2 codes.
    #[serde(skip_serializing_if = "ValueList::is_empty")]
    pub country: ValueList,
    /// Codes of places, and slugs of regions.
    #[serde(skip_serializing_if = "ValueList::is_empty")]
    pub place: ValueList,
    /// Around a point.
    #[serde(flatten)]
    pub near: Option<Near>,
    /// Within a rectangle of degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bbox: Option<BoundingBox>,
    /// What they cost.
    #[serde(flatten)]
    pub price: PriceFilter,
    /// Those that were created, changed or left their feed since then.
    #[serde(serialize_with = "serialize_instant", skip_serializing_if = "Option::is_none")]
    pub updated_since: Option<UtcInstant>,
}

/// More than a statement takes.
const MARGIN: Duration = Duration::from_secs(60);

/// Which events are found without filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterDefaults {
    /// Those that are in their feeds and have not ended.
    Upcoming,
    /// The same, by the day on which they start at their venue.
    Days,
    /// All that were ever on sale.
    All,
    /// All, also cancelled ones, before or after a change.
    Changes,
}

impl FilterDefaults {
    fn when(self) -> When {
        match self {
            Self::Upcoming | Self::Days => When::NotEnded,
            Self::All | Self::Changes => When::Always,
        }
    }

    fn listed(self) -> ListedFilter {
        match self {
            Self::Upcoming | Self::Days => ListedFilter::Listed,
            Self::All | Self::Changes => ListedFilter::Any,
        }
    }

    fn status(self) -> StatusFilter {
        if self == Self::Changes { StatusFilter::Any } else { StatusFilter::NotCancelled }
    }

    /// The clock of dates and times without an offset.
    pub(super) fn clock(self) -> Clock {
        if self == Self::Days { Clock::OfVenue } else { Clock::In(Tz::UTC) }
    }

    /// Which events are in a range.
    pub(super) fn range(self) -> RangeKind {
        if self == Self::Days { RangeKind::Starts } else { RangeKind::Within }
    }
}

impl EventFilters {
    /// Reads the parameters.
    pub fn read(parameters: &mut Parameters<'_>, defaults: FilterDefaults) -> Self {
        let words = Words::read(parameters);
        let provider = ValueList::providers(parameters);
        let updated_since = parameters.get("updated_since", |text| parse_moment(text, Edge::Start));
        Self { words, provider, updated_since, ..Self::read_of_states(parameters, defaults) }
    }

    /// Reads the parameters, without those that a state of an event does not have.
    pub(super) fn read_of_states(parameters: &mut Parameters<'_>, defaults: FilterDefaults) -> Self {
        // What is the default has the same form as nothing.
        let when = When::read(parameters, defaults).filter(|when| *when != defaults.when());
        Self {
            defaults,
            when,
            words: None,
            status: StatusFilter::read_or(parameters, defaults.status()),
            listed: ListedFilter::read(parameters).filter(|listed| *listed != defaults.listed()),
            availability: AvailabilityFilter::read(parameters),
            performer: ItemRefSet::read(parameters, "performer"),
            venue: ItemRefSet::read(parameters, "venue"),
            organizer: ItemRefSet::read(parameters, "organizer"),
            provider: ValueList::default(),
            category: ValueList::categories(parameters),
            city: ValueList::cities(parameters),
            country: ValueList::countries(parameters),
            place: ValueList::places(parameters),
            near: Near::read(parameters),
            bbox: BoundingBox::read(parameters),
            price: PriceFilter::read(parameters),
            updated_since: None,
        }
    }

    /// [`CachedQuery::correct`](crate::cache::CachedQuery::correct) for the words.
    pub(crate) fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        self.words.as_mut()?.correct(vocabulary)
    }

    /// Whether a list reads several statements that must be of one snapshot: what the filters name, or prices are compared with, is looked up
    /// before the events. The documents of words have their version.
    pub(crate) fn need_snapshot(&self, sort: Sort) -> bool {
        self.words.as_ref().is_some_and(Words::is_corrected) || self.name_rows() || self.compare_prices(sort)
    }

    /// The same of numbers of events, with words also if these are looked up once: the numbers have no other version.
    pub(crate) fn need_snapshot_to_count(&self) -> bool {
        self.words.is_some() || self.need_snapshot(Sort::StartsAt)
    }

    /// Whether prices are compared in a currency that is not given.
    pub(crate) fn need_currency(&self) -> bool {
        self.price.compares() && self.price.currency.is_none()
    }

    /// Whether they have ids or slugs of rows.
    fn name_rows(&self) -> bool {
        let Self { performer, venue, provider, .. } = self;
        !performer.is_empty() || !venue.is_empty() || !provider.is_empty()
    }

    /// Whether prices are compared, for which they must have one currency.
    pub(super) fn compare_prices(&self, sort: Sort) -> bool {
        self.price.compares() || sort.is_by_price()
    }

    /// When they take place.
    pub(super) fn when(&self) -> When {
        self.when.unwrap_or_else(|| self.defaults.when())
    }

    /// The first and the last day of the range, where it has bounds. A bound that is an instant has the day of `zone`.
    pub(crate) fn edges(&self, zone: Tz) -> (Option<NaiveDate>, Option<NaiveDate>) {
        self.when().edges(zone)
    }

    /// Whether they are in the feed of their provider.
    pub(super) fn listed(&self) -> ListedFilter {
        self.listed.unwrap_or_else(|| self.defaults.listed())
    }

    /// The range of instants and the statuses, if all events with these are selected.
    #[must_use]
    pub fn as_time_range(&self) -> Option<(TimeRange, &StatusFilter)> {
        let is_simple = self.listed() == ListedFilter::Any && !self.has_other_filters();
        self.when().as_time_range().filter(|_| is_simple).map(|range| (range, &self.status))
    }

    /// Whether there are filters beside those of time, status and presence in the feed.
    fn has_other_filters(&self) -> bool {
        let Self {
            defaults: _,
            when: _,
            status: _,
            listed: _,
            words,
            availability,
            performer,
            venue,
            organizer,
            provider,
            category,
            city,
            country,
            place,
            near,
            bbox,
            price,
            updated_since,
        } = self;
        words.is_some()
            || !availability.is_empty()
            || [performer, venue, organizer].iter().any(|items| !items.is_empty())
            || [provider, category, city, country, place].iter().any(|values| !values.is_empty())
            || near.is_some()
            || bbox.is_some()
            || *price != PriceFilter::default()
            || updated_since.is_some()
    }

    /// Whether the filters other than the days select what [`daily_total`](entity::daily_total) counts.
    fn match_totals(&self) -> bool {
        self.listed() == ListedFilter::Listed && self.status == StatusFilter::default() && !self.has_other_filters()
    }

    /// The first day, not before `first`, from which the filters select exactly the events that [`daily_total`](entity::daily_total) counts.
    pub(super) fn first_whole_day(&self, first: NaiveDate) -> Option<NaiveDate> {
        match self.when() {
            _ if !self.match_totals() => None,
            // `first` is the current day in UTC. No clock is a day ahead, so no event of the second day after it has ended.
            When::NotEnded => Some(first + Days::new(2)),
            when => when.has_whole_days().then_some(first),
        }
    }

    /// Whether none is in the feed of its provider.
    pub(super) fn have_left(&self) -> bool {
        self.listed() == ListedFilter::Left
    }

    /// Whether they take place in a range of time.
    pub(super) fn has_dates(&self) -> bool {
        matches!(self.when(), When::Between(_))
    }

    /// Whether a list in the order of the starts consists of all events that are read for it.
    pub(super) fn are_only_dates(&self) -> bool {
        let overlaps = matches!(self.when(), When::Between(between) if between.kind == RangeKind::Overlaps);
        self.listed.is_none() && self.status == StatusFilter::default() && !overlaps && !self.has_other_filters()
    }

    /// From what a list of the events is selected.
    #[must_use]
    pub fn selection(&self, sort: Sort) -> Selection {
        let selection = self.selection_of_events();
        if sort.is_by_price() && self.price.currency.is_none() || self.need_currency() {
            // Of all events of the providers, whatever else the filters select, it depends which currency they have.
            Selection { days: None, area: None, performers: None, categories: None, ..selection }
        } else {
            selection
        }
    }

    fn selection_of_events(&self) -> Selection {
        let is_by_source_id = !self.performer.is_empty() && self.performer.ids().is_empty();
        // Words match through other events of the same show at the same venue, whatever their day, performers or category.
        let is_by_words = self.words.is_some();
        let hashes = || self.performer.of_providers().map(|(_, source_id)| hash_performer(source_id)).collect();
        Selection {
            // Lists contain the names of performers and venues, too.
            scopes: if self.place.is_empty() {
                &[Scope::Events, Scope::Concerts]
            } else {
                &[Scope::Events, Scope::Concerts, Scope::Places]
            },
            providers: (!self.provider.is_empty()).then(|| self.provider.as_slice().to_vec()),
            days: if is_by_words { None } else { self.when().days() },
            area: self.near.map(|near| near.area()),
            performers: (is_by_source_id && !is_by_words).then(hashes),
            categories: (!self.category.is_empty() && !is_by_words).then(|| self.category.with_second_levels()),
        }
    }

    /// A statement that takes too long reads too many events, unless it waited.
    pub(super) fn explain(&self, error: DbErr) -> ApiError {
        if entity::is_statement_timeout(&error) { self.too_broad() } else { error.into() }
    }

    pub(super) fn too_broad(&self) -> ApiError {
        ApiError::QueryTooBroad { filters: self.narrowing() }
    }

    /// The filters that would restrict the events, of those that are not given.
    fn narrowing(&self) -> Vec<&'static str> {
        let has_bounds = self.has_dates();
        let has_place = !self.city.is_empty() || !self.venue.is_empty() || self.near.is_some() || self.bbox.is_some();
        let filters = [
            (!has_bounds, "starts_at"),
            (!has_bounds, "ends_at"),
            (!has_place, "city"),
            (!has_place, "latitude, longitude and radius"),
            (self.category.is_empty(), "category"),
            (self.performer.is_empty(), "performer"),
        ];
        filters.into_iter().filter_map(|(is_missing, name)| is_missing.then_some(name)).collect()
    }

    /// Whether it depends on the database's clock whether all events are in their feeds and have not ended.
    pub(super) fn may_be_upcoming(&self) -> bool {
        self.listed() == ListedFilter::Listed && self.has_dates()
    }

    /// Whether all events are in their feeds and have not ended.
    pub(super) fn are_upcoming(&self, now: Option<UtcInstant>) -> bool {
        let is_after = match now {
            // A statement may run for some seconds after the clock was read.
            Some(now) => self.when().is_after(now + MARGIN),
            None => self.when() == When::NotEnded,
        };
        self.listed() == ListedFilter::Listed && is_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_select_from_all_days_performers_and_categories() {
        let select =
            |query: &str| EventFilters::read(&mut Parameters::parse(query), FilterDefaults::Upcoming).selection(Sort::StartsAt);
        let filters =
            "starts_at=2027-01-01&ends_at=2027-01-31&performer=fever:1&category=music&latitude=41.4&longitude=2.2&radius=5";
        let narrow = select(filters);
        assert!(narrow.days.is_some() && narrow.performers.is_some() && narrow.area.is_some());
        let categories = narrow.categories.as_deref().unwrap_or_default();
        assert!(categories.starts_with(&["music".to_owned(), "music/blues".to_owned()]), "{categories:?}");
        let selection = select(&format!("{filters}&q=jazz"));
        assert_eq!((selection.days, selection.performers, selection.categories), (None, None, None));
        assert_eq!(selection.area, narrow.area);
    }

    #[test]
    fn prices_without_a_currency_depend_on_all_events() {
        let select =
            |query: &str, sort| EventFilters::read(&mut Parameters::parse(query), FilterDefaults::Upcoming).selection(sort);
        let filters = "starts_at=2027-01-01&performer=fever:1&category=music&latitude=41.4&longitude=2.2&radius=5";
        let narrow = select(filters, Sort::StartsAt);
        for (query, sort) in
            [("max_price=5", Sort::StartsAt), ("listed=true", Sort::Price), ("min_price=5", Sort::PriceDescending)]
        {
            let describe = |selection: Selection| format!("{selection:?}");
            let [without, with] = ["", "&currency=EUR"].map(|currency| select(&format!("{filters}&{query}{currency}"), sort));
            assert_eq!(describe(without), describe(Selection::all_of(narrow.scopes)), "{query}");
            assert_eq!(describe(with), describe(narrow.clone()), "{query}");
        }
    }
}

//! The days of a month as a table: how many events of the search start on each day, and the lowest price, as `/events/calendar` counts them.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::{
    event_text::format_price,
    search_form::{SearchForm, SearchLink},
};
use crate::{
    cache::CacheSource,
    error::ApiError,
    query::Parameters,
    resources::events::{Calendar, CalendarDay, CalendarQuery},
    state::State,
};

/// Parameters that the grid replaces by those of its days.
const DATES: [&str; 4] = ["starts_at", "ends_at", "time_zone", "range"];
const LAST_YEAR: i32 = 9999;

/// A month.
#[derive(Debug)]
pub(super) struct MonthGrid {
    /// Its name and year.
    pub(super) title: String,
    /// The searches for the events of the months before, of this one, and of the month after.
    pub(super) previous: Option<SearchLink>,
    pub(super) whole: SearchLink,
    pub(super) next: Option<SearchLink>,
    /// Weeks from Monday to Sunday. Days of other months are absent.
    pub(super) weeks: Vec<Vec<Option<GridDay>>>,
}

/// A day.
#[derive(Debug)]
pub(super) struct GridDay {
    pub(super) date: NaiveDate,
    pub(super) count: i64,
    /// The noun after the number.
    pub(super) noun: String,
    /// The lowest price, if prices are in one currency.
    pub(super) price: Option<String>,
    /// The search for its events.
    pub(super) href: String,
    pub(super) is_today: bool,
    /// Whether the search is for its events.
    pub(super) is_selected: bool,
}

impl GridDay {
    /// Its number in the month.
    pub(super) fn number(&self) -> u32 {
        self.date.day()
    }
}

impl MonthGrid {
    /// Counts the events of the month of the search, else of a day. Without a grid if the service cannot count them now, or if the search is
    /// for known events.
    pub(super) async fn read(
        state: &State,
        form: &SearchForm,
        day: NaiveDate,
        today: NaiveDate,
    ) -> Result<Option<(Self, CacheSource)>, ApiError> {
        if form.has("ids") {
            return Ok(None);
        }
        let (first, last) = month_of(form.date("starts_at").or(form.date("ends_at")).unwrap_or(day));
        let query = form.filters(&DATES, &dates_between(first, last).each_ref().map(|(name, value)| (*name, value.as_str())));
        match state.cache.read_source(CalendarQuery::parse(Parameters::parse(&query))?).await {
            Ok((calendar, source)) => Ok(Some((Self::new(form, first, today, &calendar), source))),
            Err(error) if error.retry_after().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn new(form: &SearchForm, first: NaiveDate, today: NaiveDate, calendar: &Calendar) -> Self {
        let cell = |(date, day): (NaiveDate, &CalendarDay)| GridDay {
            date,
            count: day.count,
            noun: form.language.count("event-noun", u64::try_from(day.count).unwrap_or_default()),
            price: day
                .prices
                .first()
                .filter(|_| day.prices.len() == 1)
                .map(|price| format_price(form.language, price.min_price, &price.currency.0)),
            href: link(form, date, date),
            is_today: date == today,
            is_selected: form.includes(date),
        };
        let before = std::iter::repeat_with(|| None).take(first.weekday().num_days_from_monday() as usize);
        let days = before.chain(first.iter_days().zip(&calendar.data.days).map(|day| Some(cell(day)))).collect::<Vec<_>>();
        let mut weeks: Vec<Vec<Option<GridDay>>> = Vec::new();
        let mut days = days.into_iter().peekable();
        while days.peek().is_some() {
            let mut week: Vec<_> = days.by_ref().take(7).collect();
            week.resize_with(7, || None);
            weeks.push(week);
        }
        Self {
            title: form.language.month(first),
            previous: first.checked_sub_months(Months::new(1)).and_then(|month| link_to_month(form, month)),
            whole: SearchLink { label: form.language.text("all-days-of-month"), ..month_link(form, first) },
            next: first.checked_add_months(Months::new(1)).and_then(|month| link_to_month(form, month)),
            weeks,
        }
    }
}

/// The parameters of a search for the events that start on some days, on the clock at the venue.
fn dates_between(first: NaiveDate, last: NaiveDate) -> [(&'static str, String); 4] {
    let [starts_at, ends_at, time_zone, range] = DATES;
    [(starts_at, first.to_string()), (ends_at, last.to_string()), (time_zone, "venue".to_owned()), (range, "starts".to_owned())]
}

fn link(form: &SearchForm, first: NaiveDate, last: NaiveDate) -> String {
    form.link(&DATES, &dates_between(first, last).each_ref().map(|(name, value)| (*name, value.as_str())))
}

fn month_link(form: &SearchForm, month: NaiveDate) -> SearchLink {
    let (first, last) = month_of(month);
    SearchLink { label: form.language.month(first), href: link(form, first, last), is_current: false }
}

/// The search for the events of a month with a year that the API accepts.
fn link_to_month(form: &SearchForm, month: NaiveDate) -> Option<SearchLink> {
    (0..=LAST_YEAR).contains(&month.year()).then(|| month_link(form, month))
}

/// The first and the last day of a month.
fn month_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let first = day.with_day(1).unwrap_or(day);
    let next = first.checked_add_months(Months::new(1));
    (first, next.and_then(|next| next.checked_sub_days(Days::new(1))).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example;

    use super::*;
    use crate::resources::events::CalendarDays;

    fn grid(query: &str, month: &str) -> MonthGrid {
        let (first, last) = month_of(format!("{month}-01").parse().unwrap());
        let day = Calendar::example().data.days.remove(0);
        let days = first.iter_days().take_while(|day| *day <= last).map(|_| day.clone()).collect();
        let calendar = Calendar { data: CalendarDays { days }, ..Calendar::example() };
        MonthGrid::new(&SearchForm::of(query), first, first, &calendar)
    }

    #[test]
    fn weeks_begin_on_monday_and_have_seven_days() {
        for (month, weeks, (before, after)) in [("2027-02", 4, (0, 0)), ("2026-11", 6, (6, 6)), ("2028-02", 5, (1, 5))] {
            let grid = grid("", month);
            assert_eq!(grid.weeks.len(), weeks, "{month}");
            assert!(grid.weeks.iter().all(|week| week.len() == 7));
            let absent = |week: &[Option<GridDay>]| week.iter().filter(|day| day.is_none()).count();
            assert_eq!((absent(&grid.weeks[0]), absent(&grid.weeks[weeks - 1])), (before, after), "{month}");
        }
    }

    #[test]
    fn links_contain_the_other_filters() {
        let grid = grid("q=jazz&starts_at=2027-02-02&ends_at=2027-02-03&range=overlaps&cursor=x", "2027-02");
        let days: Vec<&GridDay> = grid.weeks.iter().flatten().flatten().collect();
        assert_eq!(days[9].href, "?q=jazz&starts_at=2027-02-10&ends_at=2027-02-10&time_zone=venue&range=starts");
        let selected: Vec<u32> = days.iter().filter(|day| day.is_selected).map(|day| day.number()).collect();
        assert_eq!(selected, [2, 3]);
        assert_eq!((days[0].count, days[0].price.as_deref()), (3, Some("12.50 EUR")));
        let next = grid.next.unwrap();
        assert_eq!((next.label.as_str(), grid.title.as_str()), ("March 2027", "February 2027"));
        assert!(next.href.contains("starts_at=2027-03-01&ends_at=2027-03-31"), "{}", next.href);
    }

    #[test]
    fn months_end_where_the_api_does() {
        assert!(grid("", "9999-12").next.is_none());
        assert!(grid("", "0000-01").previous.is_none());
    }
}

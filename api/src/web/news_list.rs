//! A list of what is new: its parameters, its entries and its links.

use std::collections::HashMap;

use entity::change_log::parse_cursor;
use sea_orm::prelude::Uuid;

use super::{
    active_filters::ActiveFilter,
    event_text::{EventText, format_instant, format_price},
    language::{self, Language, PageLanguage},
    search_form::{SearchForm, SearchLink},
};
use crate::{
    error::ApiError,
    query::Parameters,
    resources::{
        changes::{ChangeCursor, News, NewsEntry, read_news},
        events::{Event, EventPage, EventsQuery},
    },
    response::Instant,
    state::State,
};

const KIND: &str = "kind";
const BEFORE: &str = "before";
/// Parameters of a list and of a search that do not select events.
pub(super) const NOT_FILTERS: [&str; 3] = [KIND, BEFORE, "ids"];
/// Events of one page.
const MAX_SHOWN: usize = 24;

/// A request for a list.
#[derive(Debug)]
pub(super) struct NewsList {
    pub(super) news: News,
    /// The position before which the page begins.
    pub(super) before: Option<ChangeCursor>,
    pub(super) chosen: PageLanguage,
    form: SearchForm,
}

/// The entries of a page, the newest first, each with its event as it is now.
#[derive(Debug)]
pub(super) struct FoundNews {
    pub(super) entries: Vec<(NewsEntry, Event)>,
    /// The position before which older changes follow.
    pub(super) next: Option<ChangeCursor>,
}

/// An entry of the page.
#[derive(Debug)]
pub(super) struct NewsItem<'a> {
    pub(super) text: EventText<'a>,
    /// What happened.
    pub(super) note: String,
    pub(super) at: Instant,
    /// When, as text.
    pub(super) when: String,
}

impl NewsList {
    /// Reads a query string.
    pub(super) fn parse(query: &str, chosen: PageLanguage) -> Result<Self, ApiError> {
        let form = SearchForm::of(query).in_language(chosen.language);
        let own = form.pairs.iter().filter(|(name, _)| [KIND, BEFORE].contains(&name.as_str()));
        let own = form_urlencoded::Serializer::new(String::new()).extend_pairs(own).finish();
        let mut parameters = Parameters::parse(&own);
        let news = parameters.get(KIND, News::parse);
        let before = parameters.get(BEFORE, parse_cursor);
        let (news, before) = parameters.finish((news.unwrap_or_default(), before))?;
        let list = Self { news, before, chosen, form };
        // What is wrong with the filters is an error, also if nothing is new.
        EventsQuery::parse(Parameters::parse(&list.filters()))?;
        Ok(list)
    }

    /// Reads the entries of a page. An event is listed once, with its newest change.
    pub(super) async fn read(&self, state: &State) -> Result<FoundNews, ApiError> {
        let page = read_news(state, self.news, self.before.as_ref()).await?;
        if page.entries.is_empty() {
            return Ok(FoundNews { entries: Vec::new(), next: page.next });
        }
        let ids: Vec<String> = page.entries.iter().map(|entry| entry.event_id.to_string()).collect();
        let filters = self.filters();
        let separator = if filters.is_empty() { "" } else { "&" };
        let query = format!("{filters}{separator}ids={}&limit={}", ids.join(","), ids.len());
        let (found, _) = state.cache.read::<_, EventPage>(EventsQuery::parse(Parameters::parse(&query))?).await?;
        let events = found.data.events.into_iter().filter_map(|event| Some((event.id.0.parse::<Uuid>().ok()?, event)));
        let mut events: HashMap<Uuid, Event> = events.collect();
        let selected = page.entries.into_iter().filter_map(|entry| Some((events.remove(&entry.event_id)?, entry)));
        let mut entries: Vec<_> = selected.map(|(event, entry)| (entry, event)).collect();
        let mut next = page.next;
        if entries.len() > MAX_SHOWN {
            entries.truncate(MAX_SHOWN);
            next = entries.last().map(|(entry, _)| entry.cursor);
        }
        Ok(FoundNews { entries, next })
    }

    /// The filters as a query string.
    fn filters(&self) -> String {
        self.form.filters(&NOT_FILTERS, &[])
    }

    /// The address with the kind, and with more parameters, without the language.
    fn with(&self, path: &str, news: News, before: Option<&ChangeCursor>) -> String {
        let kind = (news != News::default()).then(|| format!("{KIND}={}", news.name()));
        let before = before.map(|cursor| format!("{BEFORE}={}", cursor.encode()));
        let parts = [kind, Some(self.filters()).filter(|filters| !filters.is_empty()), before];
        let query = parts.into_iter().flatten().collect::<Vec<_>>().join("&");
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// The address of the page.
    pub(super) fn address(&self) -> String {
        self.with("new", self.news, self.before.as_ref())
    }

    /// The address of the feed.
    pub(super) fn feed(&self) -> String {
        self.chosen.append_to(self.with("new.atom", self.news, None))
    }

    /// The search with the same filters.
    pub(super) fn search(&self) -> String {
        let filters = self.filters();
        self.chosen.append_to(if filters.is_empty() { "./".to_owned() } else { format!("./?{filters}") })
    }

    /// The first page of a list with the same filters.
    pub(super) fn link_to(&self, news: News) -> SearchLink {
        let href = self.chosen.append_to(self.with("new", news, None));
        SearchLink { label: title_of(self.chosen.language, news), href, is_current: news == self.news }
    }

    /// The next page.
    pub(super) fn continue_after(&self, position: &ChangeCursor) -> String {
        self.chosen.append_to(self.with("new", self.news, Some(position)))
    }

    /// What happened to the event of an entry.
    pub(super) fn describe(&self, entry: &NewsEntry, event: &Event) -> String {
        let language = self.chosen.language;
        let price = |price| format_price(language, price, &event.currency.0);
        match (entry.prices, self.news) {
            (Some((old, new)), _) => language.with("became-cheaper", &[("old", &price(old)), ("new", &price(new))]),
            (None, News::Cancelled) => language.text("became-cancelled"),
            (None, _) => language.text("became-known"),
        }
    }

    /// The filters in words, each with a link to the list without it.
    pub(super) fn active(&self, events: &[Event]) -> Vec<SearchLink> {
        let own = |name: &str| NOT_FILTERS.contains(&name) || name == language::PARAMETER;
        let filters = self.form.active(events).into_iter().filter(|filter| !filter.names.iter().any(|name| own(name)));
        let link = |ActiveFilter { names, without }: ActiveFilter<'_>| {
            let mut form = self.form.clone();
            form.pairs.retain(|(name, _)| !names.contains(&name.as_str()));
            let list = Self { form, before: None, ..*self };
            SearchLink { href: list.link_to(self.news).href, ..without }
        };
        filters.map(link).collect()
    }
}

impl<'a> NewsItem<'a> {
    pub(super) fn new(list: &NewsList, entry: &NewsEntry, event: &'a Event) -> Self {
        let (language, at) = (list.chosen.language, Instant::from(entry.at));
        Self { text: EventText(event, language), note: list.describe(entry, event), when: format_instant(language, &at), at }
    }
}

/// The title of a list.
pub(super) fn title_of(language: Language, news: News) -> String {
    language.text(match news {
        News::Created => "new-events",
        News::Cheaper => "cheaper-events",
        News::Cancelled => "cancelled-events",
    })
}

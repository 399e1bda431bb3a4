//! `GET /new` and `GET /new.atom`: new, cheaper and cancelled events, from the log of changes. The filters are those of the search, and
//! select events as they are now.

use askama::Template;
use poem::{Request, Response, http::HeaderValue};

use super::{
    Frame, Policy,
    event_text::EventText,
    language::PageLanguage,
    news_feed,
    news_list::{NOT_FILTERS, NewsItem, NewsList},
    search_form::{SearchForm, SearchLink},
};
use crate::{resources::changes::News, response::Representation, state::State};

const ATOM: HeaderValue = HeaderValue::from_static("application/atom+xml; charset=utf-8");

#[derive(Debug, Template)]
#[template(path = "new.html")]
struct NewsPage<'a> {
    frame: Frame,
    /// The list, and the others with the same filters.
    lists: Vec<SearchLink>,
    items: Vec<NewsItem<'a>>,
    has_time_zones: bool,
    /// Whether it is not the first page.
    is_continued: bool,
    first: String,
    next: Option<String>,
    /// The filters in words, each with a link to the list without it.
    active: Vec<SearchLink>,
    /// The search with the same filters, and the feed of the list.
    search: String,
    feed: String,
}

/// Responds with a page of a list.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let chosen = PageLanguage::of_request(&request)?;
    let list = NewsList::parse(request.uri().query().unwrap_or_default(), chosen)?;
    let found = list.read(&state).await?;
    let events: Vec<_> = found.entries.iter().map(|(_, event)| event.clone()).collect();
    let items: Vec<_> = found.entries.iter().map(|(entry, event)| NewsItem::new(&list, entry, event)).collect();
    let texts: Vec<_> = items.iter().map(|item| item.text).collect();
    let page = NewsPage {
        frame: Frame::of("/new", chosen).with_images(state.images).at(state.public_url_for(&request).as_ref(), &list.address()),
        lists: News::ALL.map(|news| list.link_to(news)).to_vec(),
        has_time_zones: EventText::are_in_several_time_zones(&texts),
        items,
        is_continued: list.before.is_some(),
        first: list.link_to(list.news).href,
        next: found.next.as_ref().map(|next| list.continue_after(next)),
        active: list.active(&events),
        search: list.search(),
        feed: list.feed(),
    };
    Ok(super::respond(&request, chosen, Policy { images: state.images, has_script: false }, &page).await?)
}

/// Responds with the newest entries of a list as a feed.
pub(super) async fn respond_feed(state: State, request: Request) -> poem::Result<Response> {
    let chosen = PageLanguage::of_request(&request)?;
    let list = NewsList::parse(request.uri().query().unwrap_or_default(), chosen)?;
    let found = list.read(&state).await?;
    let body = news_feed::encode(&list, &found, state.public_url_for(&request).as_ref())?;
    let representation = Representation::negotiate(request.headers(), ATOM, body).await?;
    let mut response = representation.respond(request.headers());
    super::set_language(response.headers_mut(), chosen.language);
    Ok(response)
}

/// The address of the lists with the filters of a form, relative to the root.
pub(super) fn address_of(form: &SearchForm, chosen: PageLanguage) -> String {
    let filters = form.filters(&NOT_FILTERS, &[]);
    chosen.append_to(if filters.is_empty() { "new".to_owned() } else { format!("new?{filters}") })
}

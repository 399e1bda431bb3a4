//! The web page: the events as HTML for people, from the queries of the API ([ADR 50](../../../docs/adr/0050-web-page.md)).
//!
//! It needs no script, by default loads nothing from other hosts, and has no state but the URL. It is not part of the OpenAPI document.

mod active_filters;
mod assets;
mod error_page;
mod event_page;
mod event_text;
mod follow;
mod item_page;
mod language;
mod loosen;
mod map_file;
mod map_query;
mod map_view;
mod month_grid;
mod nearby;
mod news_feed;
mod news_list;
mod news_page;
pub(crate) mod ops;
mod picture;
mod place_text;
mod policy;
mod price_plot;
mod rendered_pages;
mod search_form;
mod search_map;
mod search_page;
mod sitemap;
mod ticket_redirect;
mod travel;

use std::borrow::Cow;

use askama::Template;
use form_urlencoded::Serializer;
use poem::{
    Endpoint, Request, Response, Route,
    endpoint::make,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use serde::Deserialize;

use self::{
    assets::{Assets, PATHS},
    language::Language,
    policy::Policy,
};
pub(crate) use self::{error_page::error_response, language::PageLanguage, rendered_pages::RenderedPages};
use crate::{
    error::ApiError,
    images::Images,
    public_url::PublicUrl,
    resources::{events::Event, performers::PerformerItem, venues::VenueItem},
    response::Representation,
    state::State,
};

/// The paths of the page, for logs and metrics.
pub(crate) const ROUTES: [&str; 12] = [
    "/",
    "/new",
    "/new.atom",
    "/e/{id}",
    "/p/{id}",
    "/v/{id}",
    "/out/{id}",
    "/img/{id}",
    "/map.pmtiles",
    "/robots.txt",
    "/sitemap.xml",
    "/sitemaps/{name}",
];
/// The page of what is new.
const NEW: &str = "/new";
/// The folders of pages that show one thing.
const FOLDERS: [&str; 4] = ["/e/", "/p/", "/v/", "/out/"];
/// The path of the files that pages refer to.
pub(crate) const ASSETS: &str = "/assets/{hash}/{name}";

const VARY: HeaderValue = HeaderValue::from_static("accept-language");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const REFERRER_POLICY: HeaderValue = HeaderValue::from_static("strict-origin-when-cross-origin");

/// What surrounds the content of every page.
#[derive(Clone, Debug)]
struct Frame {
    /// The address of the service, relative to the page.
    root: &'static str,
    style: &'static str,
    tiles: &'static str,
    land: &'static str,
    language: PageLanguage,
    images: Images,
    /// The address of the content; errors have none.
    address: Option<PageAddress>,
}

/// The address by which others are to refer to a page.
#[derive(Clone, Debug)]
struct PageAddress {
    href: String,
    is_absolute: bool,
    /// The address of the page in the language that the browser prefers.
    in_any_language: String,
    languages: Vec<LanguageLink>,
}

/// The same page in a language.
#[derive(Clone, Debug)]
struct LanguageLink {
    tag: &'static str,
    name: String,
    /// Relative to the page.
    query: String,
    /// The address by which others are to refer to it.
    href: String,
    is_current: bool,
}

impl Frame {
    /// The frame of a page with this path.
    fn of(path: &str, language: PageLanguage) -> Self {
        let root = if ["/", NEW].contains(&path) { "" } else { "../" };
        Self {
            root,
            style: &PATHS.style,
            tiles: &PATHS.tiles,
            land: &PATHS.land,
            language,
            images: Images::default(),
            address: None,
        }
    }

    /// The frame of the content at this address, which is relative to the address of the service and in any language.
    fn at(self, public_url: Option<&PublicUrl>, address: &str) -> Self {
        let locate = |address: &str| match public_url {
            Some(url) => url.join(&format!("/{}", address.trim_start_matches("./"))),
            None => format!("{}{address}", self.root),
        };
        let link = |language: Language| {
            let in_language = PageLanguage { language, is_chosen: true };
            let address = in_language.append_to(address.to_owned());
            let query = address.find('?').map_or("", |start| &address[start..]);
            LanguageLink {
                tag: language.tag(),
                name: language.text("language-name"),
                query: query.to_owned(),
                href: locate(&address),
                is_current: language == self.language.language,
            }
        };
        let languages = Language::ALL.map(link).to_vec();
        let chosen = languages.iter().find(|link| link.is_current && self.language.is_chosen);
        let in_any_language = locate(address);
        let href = chosen.map_or_else(|| in_any_language.clone(), |link| link.href.clone());
        let address = PageAddress { href, is_absolute: public_url.is_some(), in_any_language, languages };
        Self { address: Some(address), ..self }
    }

    /// The same with a parameter that the other languages of the page keep, and which is not part of the address.
    fn with_parameter(mut self, name: &str, value: Option<&str>) -> Self {
        let Some(value) = value else { return self };
        for link in self.address.iter_mut().flat_map(|address| &mut address.languages) {
            link.query = Serializer::for_suffix(std::mem::take(&mut link.query), 1).append_pair(name, value).finish();
        }
        self
    }

    /// The same with the pictures of the settings.
    fn with_images(self, images: Images) -> Self {
        Self { images, ..self }
    }

    /// The address of the picture of an event, if the page shows it.
    fn picture_of<'a>(&self, event: &'a Event) -> Option<Cow<'a, str>> {
        let url = event.image_url.0.as_deref()?;
        match self.images {
            Images::Tiles => None,
            Images::Proxy => event_text::is_web_address(url).then(|| format!("{}img/{}", self.root, event.id.0).into()),
            Images::Direct => event_text::is_secure_address(url).then_some(url.into()),
        }
    }

    /// A text of the page.
    fn text(&self, key: &str) -> String {
        self.language.language.text(key)
    }

    /// A text with the two ends of a range.
    fn between(&self, key: &str, min: &str, max: &str) -> String {
        self.language.language.with(key, &[("min", min), ("max", max)])
    }

    /// A text before and after its argument.
    fn around(&self, key: &str, argument: &str) -> (String, String) {
        self.language.language.around(key, argument)
    }
}

/// A response of the API with the members of `Envelope`.
#[derive(Deserialize)]
struct Found<T> {
    data: T,
}

/// Adds the routes of the page.
pub(crate) fn add_routes(router: Route, state: &State) -> Route {
    let redirect = || endpoint(state, ticket_redirect::respond);
    router
        .at("/", poem::get(endpoint(state, search_page::respond)))
        .at("/new", poem::get(endpoint(state, news_page::respond)))
        .at("/new.atom", poem::get(endpoint(state, news_page::respond_feed)))
        .at("/e/:id", poem::get(endpoint(state, event_page::respond)))
        .at("/p/:id", poem::get(endpoint(state, item_page::respond::<PerformerItem>)))
        .at("/v/:id", poem::get(endpoint(state, item_page::respond::<VenueItem>)))
        // A HEAD would be a GET, and would be counted.
        .at("/out/:id", poem::get(redirect()).head(redirect()))
        .at("/img/:id", poem::get(endpoint(state, picture::respond)))
        .at("/map.pmtiles", poem::get(endpoint(state, map_file::respond)))
        .at("/robots.txt", poem::get(endpoint(state, sitemap::respond_robots)))
        .at("/sitemap.xml", poem::get(endpoint(state, sitemap::respond_index)))
        .at("/sitemaps/:name", poem::get(endpoint(state, sitemap::respond_page)))
}

/// Adds the route of the files that pages refer to.
pub(crate) fn add_assets(router: Route) -> Route {
    router.at("/assets/:hash/:name", poem::get(Assets::default()))
}

/// Whether a path is that of a page, so that its errors are pages, too.
pub(crate) fn is_page(path: &str) -> bool {
    ["/", NEW].contains(&path) || FOLDERS.iter().any(|folder| path.strip_prefix(folder).is_some_and(|id| !id.contains('/')))
}

/// Responds with a function of the state.
fn endpoint<R, F>(state: &State, respond: R) -> impl Endpoint<Output = Response> + use<R, F>
where
    R: Fn(State, Request) -> F + Send + Sync + 'static,
    F: Future<Output = poem::Result<Response>> + Send + 'static,
{
    let state = state.clone();
    make(move |request| respond(state.clone(), request))
}

/// The response to a request for a page.
async fn respond(request: &Request, language: PageLanguage, policy: Policy, page: &impl Template) -> Result<Response, ApiError> {
    Ok(send(request, language.language, policy, render(request, page).await?))
}

/// The response to a request for a page that is rendered.
fn send(request: &Request, language: Language, policy: Policy, page: Representation) -> Response {
    let mut response = page.respond(request.headers());
    set_headers(response.headers_mut(), policy);
    set_language(response.headers_mut(), language);
    response
}

/// The HTML of a page, in the coding that the request accepts.
async fn render(request: &Request, page: &impl Template) -> Result<Representation, ApiError> {
    let html = page.render().map_err(|_| ApiError::ResponseBody)?;
    Representation::negotiate(request.headers(), HTML, html.into()).await
}

/// The response to a request for a page without the headers of pages.
async fn represent(request: &Request, page: &impl Template) -> Result<Response, ApiError> {
    Ok(render(request, page).await?.respond(request.headers()))
}

/// Logs why a part of a page is missing, unless load or the reader is the cause.
fn log_unexpected(part: &'static str, error: &ApiError) {
    if error.should_log() {
        tracing::error!(part, error = telemetry::with_causes(error), "part of a page not read");
    }
}

/// Sets the headers of a page with texts.
fn set_language(headers: &mut HeaderMap, language: Language) {
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.append(header::VARY, VARY);
}

/// Sets the headers of every page.
fn set_headers(headers: &mut HeaderMap, policy: Policy) {
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.header());
    headers.insert(header::REFERRER_POLICY, REFERRER_POLICY);
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

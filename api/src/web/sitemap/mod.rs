//! `/robots.txt`, `/sitemap.xml` and its pages ([sitemaps.org](https://www.sitemaps.org/protocol.html)): what search engines index.
//!
//! The URLs of a sitemap are absolute, so a request without a valid `Host` finds none if `PUBLIC_URL` is unset.

mod index;
mod page;
mod part;
mod rows;

use poem::{IntoResponse, Request, Response, http::HeaderValue};

use self::{
    index::SitemapIndex,
    page::SitemapPage,
    part::{NotASitemapPart, SitemapPart},
};
use crate::{
    cache::CachedQuery,
    error::ApiError,
    public_url::PublicUrl,
    query::no_parameters,
    response::{Reply, Representation},
    state::State,
};

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Responds with the list of pages.
pub(super) async fn respond_index(state: State, request: Request) -> poem::Result<Response> {
    respond(&state, &request, |public_url| SitemapIndex { public_url }).await
}

/// Responds with a page.
pub(super) async fn respond_page(state: State, request: Request) -> poem::Result<Response> {
    let name = request.raw_path_param("name").unwrap_or_default();
    let part: SitemapPart = name.parse().map_err(|NotASitemapPart| ApiError::not_found("sitemap", name))?;
    respond(&state, &request, |public_url| SitemapPage { part, public_url }).await
}

/// Responds with what robots must not request, and where the sitemap is.
pub(super) async fn respond_robots(state: State, request: Request) -> poem::Result<Response> {
    no_parameters(&request)?;
    let public_url = state.public_url_for(&request);
    let prefix = public_url.as_ref().map_or("", PublicUrl::prefix);
    let sitemap = public_url.as_ref().map(|url| format!("\nSitemap: {}\n", url.join("/sitemap.xml"))).unwrap_or_default();
    // Of what is new, the first page without filters suffices.
    let text = format!("User-agent: *\nDisallow: {prefix}/out/\nDisallow: {prefix}/new?\n{sitemap}");
    let representation = Representation::negotiate(request.headers(), TEXT, text.into()).await?;
    Ok(representation.respond(request.headers()))
}

async fn respond<Q: CachedQuery>(state: &State, request: &Request, query: impl FnOnce(PublicUrl) -> Q) -> poem::Result<Response> {
    no_parameters(request)?;
    let public_url = state.public_url_for(request).ok_or_else(|| ApiError::not_found("sitemap", request.uri().path()))?;
    let reply: Reply<()> = state.cache.respond(request, query(public_url)).await?;
    Ok(reply.into_response())
}

//! `/robots.txt`, `/sitemap.xml` and its pages ([sitemaps.org](https://www.sitemaps.org/protocol.html)): what search engines index.
//!
//! The URLs of a sitemap are absolute. Without `PUBLIC_URL` they begin with the host of the request, and no cache stores the response,
//! because a client can send any host.

mod index;
mod page;
mod part;
mod rows;

use poem::{
    IntoResponse, Request, Response,
    http::{HeaderValue, header},
};

use self::{
    index::SitemapIndex,
    page::SitemapPage,
    part::{NotASitemapPart, SitemapPart},
};
use crate::{
    auth::effective_host,
    cache::CachedQuery,
    error::ApiError,
    public_url::PublicUrl,
    query::no_parameters,
    response::{ContentCoding, Reply, Representation, with_length},
    state::State,
};

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

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
    let url = state.public_url.clone().map_or_else(|| url_of(&request), Ok)?;
    let prefix = url.prefix();
    let text =
        format!("User-agent: *\nDisallow: {prefix}/out/\nDisallow: {prefix}/ops\n\nSitemap: {}\n", url.join("/sitemap.xml"));
    let representation = Representation::negotiate(request.headers(), TEXT, text.into()).await?;
    Ok(finish(&state, &request, representation))
}

async fn respond<Q: CachedQuery>(state: &State, request: &Request, query: impl FnOnce(PublicUrl) -> Q) -> poem::Result<Response> {
    no_parameters(request)?;
    if let Some(public_url) = state.public_url.clone() {
        let reply: Reply<()> = state.cache.respond(request, query(public_url)).await?;
        return Ok(reply.into_response());
    }
    let query = query(url_of(request)?);
    let coding = ContentCoding::negotiate(request.headers())?;
    let source = state.reader.with_version(state.version.current(), state.version.newest_takedown());
    let output = state.reader.read(source, query.read_size(), query.run(&source.connection)).await?;
    let representation = Representation::new(Q::CONTENT_TYPE, coding, coding.encode(output.body).await?);
    Ok(finish(state, request, representation))
}

/// The response to a request, which only its client may store if it contains the host of the request.
fn finish(state: &State, request: &Request, representation: Representation) -> Response {
    let length = representation.body.content_length();
    let mut response = with_length(representation.respond(request.headers()), length);
    if state.public_url.is_none() {
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    }
    response
}

/// The address of the service as the client knows it. The service itself has no TLS.
fn url_of(request: &Request) -> Result<PublicUrl, ApiError> {
    let url = effective_host(request).and_then(|host| format!("http://{host}").parse().ok());
    url.ok_or(ApiError::Malformed("`Host` must be a host name or address, and a port"))
}

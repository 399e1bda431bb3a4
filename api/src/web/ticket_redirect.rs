//! `GET /out/{id}`: leads from an event to its seller, and counts who follows.

use metrics::counter;
use poem::{
    Request, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};

use crate::{
    error::ApiError,
    resources::events::{TicketLink, read_ticket_link},
    state::State,
};

/// Search engines index the pages, and not the sellers under our address.
const ROBOTS: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Redirects to the URL that the catalogue has for the event, and to no other.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let link = read_ticket_link(&state, &request, request.raw_path_param("id").unwrap_or_default()).await?;
    let target = link.target().and_then(|target| HeaderValue::try_from(target).ok());
    let target = target.ok_or_else(|| ApiError::not_found("ticket link of event", &link.event_id))?;
    if request.method() == Method::GET {
        count(&state, &link);
    }
    let mut response = Response::from(StatusCode::FOUND);
    let headers = response.headers_mut();
    super::set_headers(headers, super::Policy::default());
    headers.insert(header::LOCATION, target);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(ROBOTS.0, ROBOTS.1);
    Ok(response)
}

/// Providers are labels, because they are few. The page of operators has the events that are followed most, and the log has each of them.
fn count(state: &State, link: &TicketLink) {
    state.followed_links.count(link.event_id);
    counter!("marquee_ticket_redirects_total", "provider" => link.provider.clone()).increment(1);
    tracing::info!(event.id = %link.event_id, provider.slug = link.provider, "ticket link followed");
}

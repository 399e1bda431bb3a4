//! `GET /img/{id}`: the picture of an event, if the service loads pictures.

use poem::{
    Request, Response,
    http::{HeaderName, HeaderValue, header},
};

use crate::{
    error::ApiError,
    query::no_parameters,
    resources::events::read_cached_event,
    response::{ContentCoding, Representation},
    state::State,
};

/// As of all that a takedown may remove: browsers and caches store it, and ask whether it is current.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, no-cache");
/// If a browser showed it as a document, nothing in it would be loaded or run.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Pages of other origins have no reason to load pictures through this service.
const RESOURCE_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));

/// Responds with the picture that the catalogue has for the event, and with no other.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let pictures = state.pictures.as_ref().ok_or(ApiError::PathNotFound)?;
    no_parameters(&request)?;
    let id = request.raw_path_param("id").unwrap_or_default();
    let event = read_cached_event(&state, id).await?;
    let picture = match &event.image_url.0 {
        Some(url) => pictures.load(url).await?,
        None => None,
    };
    let picture = picture.ok_or_else(|| ApiError::not_found("picture of event", id))?;
    let media_type = HeaderValue::from_static(picture.media_type);
    let representation = Representation::new(media_type, ContentCoding::Identity, picture.body.into());
    let mut response = representation.respond(request.headers());
    let headers = response.headers_mut();
    headers.remove(header::VARY);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(RESOURCE_POLICY.0, RESOURCE_POLICY.1);
    Ok(response)
}

//! Where the seller of an event is, with the parameters by which the seller recognizes us.

use std::collections::BTreeMap;

use poem::Request;
use sea_orm::prelude::Uuid;

use super::{EventPageContent, ID_REQUIREMENT, export::to_uri, read_event_page};
use crate::{
    error::ApiError,
    query::{no_parameters, parse_path},
    state::State,
};

/// The link of an event to its seller.
#[derive(Debug)]
pub(crate) struct TicketLink {
    pub(crate) event_id: Uuid,
    /// The slug of the provider.
    pub(crate) provider: String,
    url: Option<String>,
    affiliate: BTreeMap<String, String>,
}

impl TicketLink {
    /// Its URL in ASCII, if it is one of the web.
    pub(crate) fn target(&self) -> Option<String> {
        Some(with_parameters(&to_uri(self.url.as_deref()?)?, &self.affiliate))
    }
}

/// Reads the link of the event of a request.
pub(crate) async fn read_ticket_link(state: &State, request: &Request, id: &str) -> Result<TicketLink, ApiError> {
    no_parameters(request)?;
    let (EventPageContent { event, affiliate, .. }, _) = read_event_page(state, id, state.public_url_for(request)).await?;
    let event_id = parse_path("id", id, ID_REQUIREMENT)?;
    Ok(TicketLink { event_id, provider: event.provider.slug.0, url: event.url.0, affiliate })
}

/// A URL with these parameters instead of those with the same names.
fn with_parameters(url: &str, parameters: &BTreeMap<String, String>) -> String {
    if parameters.is_empty() {
        return url.to_owned();
    }
    let (address, fragment) = url.find('#').map_or((url, ""), |start| url.split_at(start));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_replaced = |pair: &str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name);
        name.is_none_or(|name| parameters.contains_key(&*name))
    };
    let added = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let pairs: Vec<&str> = query.split('&').filter(|pair| !is_replaced(pair)).chain([&*added]).collect();
    format!("{path}?{}{fragment}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_replace_those_of_the_feed() {
        let parameters = [("aid", "a b&c"), ("utm_source", "marquee")];
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (url, expected) in [
            ("https://a.example", "https://a.example?aid=a+b%26c&utm_source=marquee"),
            ("https://a.example/x?", "https://a.example/x?aid=a+b%26c&utm_source=marquee"),
            ("https://a.example/x?b=1&utm_source=feed&c", "https://a.example/x?b=1&c&aid=a+b%26c&utm_source=marquee"),
            ("https://a.example/?utm%5Fsource=feed#top?a=1", "https://a.example/?aid=a+b%26c&utm_source=marquee#top?a=1"),
        ] {
            assert_eq!(with_parameters(url, &parameters), expected);
            assert_eq!(with_parameters(url, &BTreeMap::new()), url);
        }
    }
}

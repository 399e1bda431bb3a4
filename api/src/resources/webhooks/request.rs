//! What a client states about an endpoint.

use entity::{
    change_log::{ChangeCursor, parse_cursor},
    webhook::WebhookSelection,
};
use outbound::EndpointSettings;
use poem::Request;
use poem_openapi::{Object, types::Example};
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    error::{ApiError, ValidationError},
    find::{needs_lookup, resolve_state_filter},
    query::{Parameters, describe_invalid},
    resources::{
        changes::read_selection,
        upload::{JsonContents, media_type, require_no_coding},
    },
};

/// The largest body: several times what its members may have.
pub(super) const MAX_BODY_BYTES: usize = 32 * 1024;
/// The longest query string of an endpoint: some hundred ids.
const MAX_QUERY_BYTES: usize = 8 * 1024;

const INVALID_BODY: ApiError =
    ApiError::InvalidBody("the body must be a JSON object with the member `url`, and optionally `query` and `after`");

/// A webhook to create.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[serde(deny_unknown_fields)]
#[oai(example, skip_serializing_if_is_none)]
pub struct WebhookInput {
    /// Where changes are sent. It must begin with `https://`, and its host must have a public address.
    #[oai(validator(min_length = 1, max_length = 2048))]
    pub url: String,
    /// Which changes: a query string of `/changes`, without `after` and `limit`, such as `city=Barcelona&kind=cancelled`. Absent for all.
    #[serde(default, deserialize_with = "read_text", skip_serializing_if = "Option::is_none")]
    #[oai(validator(max_length = 8192))]
    pub query: Option<String>,
    /// The position after which deliveries begin: a cursor of `/changes` or `/events.ndjson`. Absent for now.
    #[serde(default, deserialize_with = "read_text", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A member that may be absent, but not `null`.
fn read_text<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

impl Example for WebhookInput {
    fn example() -> Self {
        Self {
            url: "https://hooks.example/marquee".to_owned(),
            query: Some("city=Barcelona&kind=cancelled,rescheduled".to_owned()),
            after: None,
        }
    }
}

impl JsonContents for WebhookInput {}

/// A valid endpoint.
#[derive(Clone, Debug)]
pub(super) struct NewWebhook {
    pub(super) url: String,
    pub(super) query: String,
    pub(super) selection: WebhookSelection,
    pub(super) after: Option<ChangeCursor>,
}

/// Checks how a body is encoded.
pub(super) fn check_headers(request: &Request) -> Result<(), ApiError> {
    media_type::<WebhookInput>(request)?;
    require_no_coding(request)
}

/// Parses and validates a body.
pub(super) fn parse(bytes: &[u8], settings: EndpointSettings) -> Result<NewWebhook, ApiError> {
    let input: WebhookInput = serde_json::from_slice(bytes).map_err(|_| INVALID_BODY)?;
    let mut errors = Vec::new();
    let mut add = |name: &str, message: String| errors.push(ValidationError::for_parameter(name, message));
    // The URL is not repeated in the response, because it may contain a token.
    let url = settings.parse(&input.url).map_err(|error| add("url", error.to_string())).ok();
    let after = input.after.as_deref().filter(|after| !after.is_empty());
    let after = after.map(|after| parse_cursor(after).map_err(|requirement| add("after", describe_invalid(&requirement, after))));
    let query = input.query.unwrap_or_default();
    let query = query.strip_prefix('?').unwrap_or(&query);
    if query.len() > MAX_QUERY_BYTES {
        add("query", format!("must have at most {MAX_QUERY_BYTES} bytes"));
        return Err(ApiError::InvalidParameters(errors));
    }
    let mut parameters = Parameters::parse(query);
    let changes = read_selection(&mut parameters);
    match (parameters.finish(()), url, after.transpose()) {
        (Ok(()), Some(url), Ok(after)) if errors.is_empty() => {
            let states = changes.states.as_deref().cloned();
            let selection = WebhookSelection { kinds: changes.kinds, providers: changes.providers, states };
            Ok(NewWebhook { url: url.into(), query: query.to_owned(), selection, after })
        }
        (filters, ..) => {
            if let Err(ApiError::InvalidParameters(of_query)) = filters {
                errors.extend(of_query);
            }
            Err(ApiError::InvalidParameters(errors))
        }
    }
}

/// Looks up what the filters name.
pub(super) async fn resolve(selection: WebhookSelection, database: &DatabaseConnection) -> Result<WebhookSelection, ApiError> {
    match selection.states {
        Some(states) if needs_lookup(&states) => {
            let states = resolve_state_filter(states, database).await?;
            Ok(WebhookSelection { states: Some(states), ..selection })
        }
        _ => Ok(selection),
    }
}

/// Parses the position of a replay.
pub(super) fn parse_replay(mut parameters: Parameters<'_>) -> Result<ChangeCursor, ApiError> {
    let after = parameters.require("after", parse_cursor);
    let missing = || ApiError::parameter("after", "is required");
    parameters.finish(after)?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn parse_text(text: &str) -> Result<NewWebhook, Vec<String>> {
        parse(text.as_bytes(), EndpointSettings::default()).map_err(|error| match &error {
            ApiError::InvalidParameters(errors) => errors.iter().map(ToString::to_string).collect(),
            error => vec![error.to_string()],
        })
    }

    #[test]
    fn a_query_string_of_changes_is_the_selection() {
        let query = "kind=cancelled&provider=fever&city=Barcelona";
        let new = parse_text(&format!(r#"{{"url":"https://hooks.example/?token=a","query":"?{query}"}}"#)).unwrap();
        assert_eq!((new.url.as_str(), new.query.as_str()), ("https://hooks.example/?token=a", query));
        assert_eq!((new.selection.kinds.len(), new.selection.providers.len()), (1, 1));
        assert!(new.selection.states.unwrap().cities.contains("barcelona"));
        let all = parse_text(r#"{"url":"https://hooks.example/"}"#).unwrap();
        assert_eq!((all.selection, all.after), (WebhookSelection::default(), None));
    }

    #[test]
    fn every_error_names_its_member_or_filter() {
        let errors = parse_text(r#"{"url":"http://secret.example/","query":"kind=x&limit=1","after":"y"}"#).unwrap_err();
        let names: Vec<&str> = errors.iter().map(|error| error.split('`').nth(1).unwrap()).collect();
        assert_eq!(names, ["url", "after", "kind", "limit"]);
        assert!(!errors.concat().contains("secret"), "{errors:?}");
        for text in ["", "[]", "{}", r#"{"url":7}"#, r#"{"url":"https://hooks.example/","filter":"a"}"#] {
            assert_eq!(parse_text(text).unwrap_err(), ["the body cannot be decoded"], "{text}");
        }
    }
}

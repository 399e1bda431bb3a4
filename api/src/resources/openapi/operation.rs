//! What the errors and headers of an operation depend on.

use super::json::{Json, Object};
use crate::{
    auth::Scope,
    resources::upload::Contents,
    resources::{
        feeds::FeedBody, multivac::DatumForm, places::PlacesDocument, rates::batches::BatchBody, webhooks::WebhookInput,
    },
};

/// Reads of the catalogue. The ledger and the data of the probe always are those of the primary, and a stream has cursors.
const VERSIONED: [&str; 24] = [
    "search",
    "concerts",
    "performers",
    "performer",
    "venues",
    "venue",
    "places",
    "rates",
    "event_rates",
    "events",
    "event_calendar",
    "event_facets",
    "event",
    "events_ics",
    "events_atom",
    "events_geojson",
    "events_csv",
    "event_ics",
    "event_jsonld",
    "categories",
    "changes",
    "event_history",
    "events_ndjson",
    "provider",
];

/// An operation of the document.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) id: &'a str,
    pub(super) path: &'a str,
    pub(super) is_read: bool,
    pub(super) is_write: bool,
    /// Whether it may require a key.
    pub(super) is_protected: bool,
    pub(super) has_body: bool,
    parameters: &'a [Json],
}

impl<'a> Operation<'a> {
    pub(super) fn new(path: &'a str, method: &str, definition: &'a Object) -> Self {
        Self {
            id: definition.get("operationId").and_then(Json::as_str).unwrap_or_default(),
            path,
            is_read: method == "get",
            is_write: method != "get",
            is_protected: definition.get("security").is_some(),
            has_body: definition.get("requestBody").is_some(),
            parameters: definition.get("parameters").map(Json::elements).unwrap_or_default(),
        }
    }

    /// Whether it checks the process, so that it ignores parameters and has no rate limit.
    pub(super) fn is_health(&self) -> bool {
        ["livez", "readyz"].contains(&self.id)
    }

    /// Whether its response is sent while it is read, so that it has no validator.
    pub(super) fn is_streamed(&self) -> bool {
        ["events_ndjson", "changes_stream"].contains(&self.id)
    }

    /// Whether it reads the catalogue at a version, which its client may expect.
    pub(super) fn has_version(&self) -> bool {
        self.is_read && VERSIONED.contains(&self.id)
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| member(parameter, "name") == Some(name))
    }

    /// The maximum of a number; `None` if it has no such parameter.
    pub(super) fn maximum(&self, name: &str) -> Option<u64> {
        let parameter = self.parameters.iter().find(|parameter| member(parameter, "name") == Some(name))?;
        parameter.as_object()?.get("schema")?.as_object()?.get("maximum")?.as_u64()
    }

    pub(super) fn required_query_parameter(&self) -> Option<&'a str> {
        let is_required = |parameter: &&Json| {
            let required = parameter.as_object().and_then(|parameter| parameter.get("required"));
            member(parameter, "in") == Some("query") && required == Some(&true.into())
        };
        self.parameters.iter().find(is_required).and_then(|parameter| member(parameter, "name"))
    }

    pub(super) fn has_query_parameter(&self) -> bool {
        self.parameters.iter().any(|parameter| member(parameter, "in") == Some("query"))
    }

    pub(super) fn has_path_parameter(&self) -> bool {
        self.parameters.iter().any(|parameter| member(parameter, "in") == Some("path"))
    }

    /// An id or slug of its path parameter that does not exist.
    pub(super) fn sample_id(&self) -> &'static str {
        match self.path.split('/').nth(1) {
            Some("events" | "performers" | "venues" | "webhooks") => "00000000-0000-0000-0000-000000000000",
            Some("providers") => "unknown",
            _ => "999999999",
        }
    }

    /// The resource that a path parameter names.
    pub(super) fn resource(&self) -> &'static str {
        match self.path.split('/').nth(1) {
            Some("events") => "event",
            Some("performers") => "performer",
            Some("venues") => "venue",
            Some("sync-runs") => "sync run",
            Some("providers") => "provider",
            Some("webhooks") => "webhook",
            _ => "batch",
        }
    }

    /// The scope that a key needs.
    pub(super) fn scope(&self) -> String {
        let scope = match self.id {
            "put_places" => Scope::Places,
            "post_rate_batch" | "delete_rate_batch" => Scope::Rates,
            _ if self.path.starts_with("/webhooks") => Scope::Webhooks,
            _ if self.is_read => Scope::Operations,
            "push_feed" => Scope::Feed(self.sample_id().to_owned()),
            _ => Scope::Admin,
        };
        scope.to_string()
    }

    /// What a body must be.
    pub(super) fn accepted(&self) -> &'static str {
        match self.id {
            "put_places" => PlacesDocument::ACCEPTED,
            "post_rate_batch" => BatchBody::ACCEPTED,
            "multivac_data" => DatumForm::ACCEPTED,
            "create_webhook" => WebhookInput::ACCEPTED,
            _ => FeedBody::ACCEPTED,
        }
    }
}

fn member<'a>(value: &'a Json, name: &str) -> Option<&'a str> {
    value.as_object()?.get(name)?.as_str()
}

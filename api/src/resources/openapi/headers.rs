//! Response headers: their names as people write them, and those that the layers around the operations add.

use poem::http::StatusCode;

use super::{
    errors,
    json::{Json, Object},
    operation::Operation,
};
use crate::cache::{MIN_VERSION_NAME, VERSION_NAME};

/// A header that several operations have.
struct CommonHeader {
    name: &'static str,
    description: &'static str,
    /// `integer`, or `string`.
    kind: &'static str,
    is_required: bool,
}

const REQUEST_ID: CommonHeader = CommonHeader {
    name: "X-Request-Id",
    description: "The id of the request in the server's log: the client's, if it sent a valid one",
    kind: "string",
    is_required: true,
};
const ETAG: CommonHeader = CommonHeader {
    name: "ETag",
    description: "The validator of the response, for `If-None-Match`",
    kind: "string",
    is_required: true,
};
const RETRY_AFTER: CommonHeader =
    CommonHeader { name: "Retry-After", description: "Seconds after which to retry", kind: "integer", is_required: true };
const WWW_AUTHENTICATE: CommonHeader = CommonHeader {
    name: "WWW-Authenticate",
    description: "The authentication schemes of API keys",
    kind: "string",
    is_required: true,
};
const RATE_LIMIT: CommonHeader = CommonHeader {
    name: "RateLimit",
    description: "The remaining requests (`r`) and the seconds until the quota is full again (`t`). Absent if the server has no limit",
    kind: "string",
    is_required: false,
};
const RATE_LIMIT_POLICY: CommonHeader = CommonHeader {
    name: "RateLimit-Policy",
    description: "The quota (`q`) in requests and its window (`w`) in seconds. Absent if the server has no limit",
    kind: "string",
    is_required: false,
};
const VERSION: CommonHeader = CommonHeader {
    name: VERSION_NAME,
    description: "The version of the catalogue that the response has, for `Marquee-Min-Version`",
    kind: "integer",
    is_required: true,
};
const COMMON: [CommonHeader; 7] = [REQUEST_ID, ETAG, RETRY_AFTER, WWW_AUTHENTICATE, RATE_LIMIT, RATE_LIMIT_POLICY, VERSION];

/// The components to which responses refer.
pub(super) fn components() -> Object {
    let mut components = Object::default();
    for CommonHeader { name, description, kind, is_required } in COMMON {
        let mut header = Object::default().with("description", description);
        if is_required {
            header.set("required", true);
        }
        components.set(name, header.with("schema", Object::default().with("type", kind)));
    }
    components
}

/// Adds the headers of a response.
pub(super) fn add(operation: &Operation<'_>, status: &str, response: &mut Object) {
    let declared = response.remove("headers");
    let mut headers = Object::default();
    for (name, header) in declared.and_then(|declared| declared.as_object().cloned()).unwrap_or_default().0 {
        headers.set(&in_title_case(&name), header);
    }
    let mut add = |header: CommonHeader| headers.set(header.name, reference(&header));
    if operation.is_read && !operation.is_streamed() && ["200", "304"].contains(&status) {
        add(ETAG);
    }
    if operation.has_version() && ["200", "304"].contains(&status) {
        add(VERSION);
    }
    if !operation.is_health() {
        add(RATE_LIMIT);
        add(RATE_LIMIT_POLICY);
    }
    if status == StatusCode::UNAUTHORIZED.as_str() {
        add(WWW_AUTHENTICATE);
    }
    let errors = errors::samples(operation, status);
    if !errors.is_empty() && errors.iter().all(|error| error.retry_after().is_some()) {
        add(RETRY_AFTER);
    }
    add(REQUEST_ID);
    response.set("headers", headers);
}

/// The request header of an operation that reads the catalogue at a version.
pub(super) fn min_version() -> Object {
    let description = "The oldest version of the catalogue that the client accepts: the greatest `Marquee-Version` of the responses that it \
                       has received. The server waits up to 2 seconds until it has this version; then the response is 503";
    let schema = Object::default().with("type", "integer").with("format", "int64").with("minimum", 0_u64).with("example", 0_u64);
    let parameter = Object::default().with("name", MIN_VERSION_NAME).with("schema", schema).with("in", "header");
    parameter.with("description", description).with("required", false)
}

fn reference(header: &CommonHeader) -> Json {
    Object::default().with("$ref", format!("#/components/headers/{}", header.name)).into()
}

/// `RETRY-AFTER` as `Retry-After`.
fn in_title_case(name: &str) -> String {
    let words = name.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase()),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("-")
}

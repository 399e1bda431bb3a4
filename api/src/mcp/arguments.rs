//! The arguments of a tool as the path and the query string of its operation.

use form_urlencoded::Serializer;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::model::JsonObject;
use serde_json::{Number, Value};

use super::tools::{PageBounds, ToolDefinition};
use crate::{
    error::ApiError,
    query::{MAX_TARGET_BYTES, Parameters, describe_invalid, parse_integer},
};

/// Names and texts of arguments. A list has several.
type Pairs<'a> = Vec<(&'a str, String)>;

/// The path and the query string of a call. What the operation rejects is not checked here.
///
/// # Errors
///
/// When an argument has no text form, is missing in the path, or exceeds the bounds of the tool; or when all are too long.
pub(super) fn target(tool: &ToolDefinition, arguments: &JsonObject) -> Result<String, ApiError> {
    let mut errors = Parameters::parse("");
    let mut pairs = read(arguments, &mut errors);
    let path = path(tool.path, &mut pairs, &mut errors);
    if let Some(page) = &tool.page {
        bound(page, &mut pairs, &mut errors);
    }
    errors.finish(())?;
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let target = if query.is_empty() { path } else { format!("{path}?{query}") };
    if target.len() > MAX_TARGET_BYTES { Err(ApiError::UriTooLong { limit: MAX_TARGET_BYTES }) } else { Ok(target) }
}

/// The arguments that are given. Null, an empty text and an empty list are the same as nothing.
fn read<'a>(arguments: &'a JsonObject, errors: &mut Parameters<'_>) -> Pairs<'a> {
    let mut pairs = Pairs::new();
    for (name, value) in arguments {
        match texts(value) {
            Ok(texts) => pairs.extend(texts.into_iter().filter(|text| !text.is_empty()).map(|text| (name.as_str(), text))),
            Err(message) => errors.add_error(name, message),
        }
    }
    pairs
}

/// The path of an operation, with the argument that is its last segment, if it has one.
fn path(template: &str, pairs: &mut Pairs<'_>, errors: &mut Parameters<'_>) -> String {
    let Some((parent, name)) = template.strip_suffix('}').and_then(|template| template.split_once('{')) else {
        return template.to_owned();
    };
    let texts: Vec<String> = pairs.extract_if(.., |(given, _)| *given == name).map(|(_, text)| text).collect();
    if texts.is_empty() {
        errors.add_error(name, "is required");
    }
    format!("{parent}{}", utf8_percent_encode(&texts.join(","), NON_ALPHANUMERIC))
}

/// Checks the bounds of a list, and adds them to a call without them.
fn bound(page: &PageBounds, pairs: &mut Pairs<'_>, errors: &mut Parameters<'_>) {
    for (name, text) in pairs.iter().filter(|(name, _)| *name == "limit") {
        if let Err(requirement) = parse_integer(text, 1..=page.max_limit) {
            errors.add_error(name, describe_invalid(&requirement, text));
        }
    }
    for (name, default) in [("limit", page.default_limit.to_string()), ("fields", page.default_fields.join(","))] {
        if pairs.iter().all(|(given, _)| *given != name) {
            pairs.push((name, default));
        }
    }
}

/// The texts of an argument.
fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    }
}

fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(integer(number).map_or_else(|| number.to_string(), |integer| integer.to_string())),
        _ => Err("must be a text, a number, a boolean, or a list of them"),
    }
}

/// The integer of a number with a fraction of zero: `20.0` is the same number as `20`.
#[expect(clippy::cast_possible_truncation, reason = "the number is small, and has no fraction")]
fn integer(number: &Number) -> Option<i64> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15)?;
    Some(float as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target_of(path: &'static str, arguments: &Value) -> Result<String, String> {
        let page = PageBounds { default_limit: 5, max_limit: 10, default_fields: &["a", "b"] };
        let page = Some(page).filter(|_| path == "/list");
        target(&ToolDefinition { name: "tool", path, note: "", page }, arguments.as_object().unwrap())
            .map_err(|error| error.detail())
    }

    #[test]
    fn arguments_are_query_parameters() {
        for (arguments, expected) in [
            (json!({}), ""),
            (json!({ "a": "x y&z", "b": true, "c": 1.5, "d": -3 }), "?a=x+y%26z&b=true&c=1.5&d=-3"),
            (json!({ "a": ["x", "y"], "b": [1, 2.0] }), "?a=x&a=y&b=1&b=2"),
            (json!({ "a": null, "b": "", "c": [], "d": [""] }), ""),
        ] {
            assert_eq!(target_of("/things", &arguments), Ok(format!("/things{expected}")));
        }
        let message = "must be a text, a number, a boolean, or a list of them";
        for value in [json!({}), json!([[]]), json!([null])] {
            assert_eq!(target_of("/things", &json!({ "a": value })), Err(format!("`a` {message}")));
        }
    }

    #[test]
    fn the_argument_of_a_path_is_one_segment() {
        assert_eq!(target_of("/things/{id}", &json!({ "id": "a/../b?c" })), Ok("/things/a%2F%2E%2E%2Fb%3Fc".to_owned()));
        assert_eq!(target_of("/things/{id}", &json!({ "id": 7, "x": 1 })), Ok("/things/7?x=1".to_owned()));
        for arguments in [json!({}), json!({ "id": null }), json!({ "id": "" })] {
            assert_eq!(target_of("/things/{id}", &arguments), Err("`id` is required".to_owned()));
        }
    }

    #[test]
    fn a_list_is_bounded() {
        assert_eq!(target_of("/list", &json!({})), Ok("/list?limit=5&fields=a%2Cb".to_owned()));
        assert_eq!(target_of("/list", &json!({ "limit": 10.0, "fields": ["c"] })), Ok("/list?fields=c&limit=10".to_owned()));
        for limit in [json!(11), json!(0), json!("many"), json!(1.5)] {
            let text = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
            let expected = format!("`limit` must be an integer between 1 and 10, got `{text}`");
            assert_eq!(target_of("/list", &json!({ "limit": limit })), Err(expected));
        }
    }

    #[test]
    fn long_arguments_are_rejected() {
        let error = target_of("/things", &json!({ "a": "x".repeat(MAX_TARGET_BYTES) }));
        assert_eq!(error, Err("the URL must be at most 24576 bytes long".to_owned()));
    }
}

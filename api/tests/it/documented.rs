//! Checks that a response is one that the OpenAPI document states for its operation. Every response of every test is checked.

use std::sync::OnceLock;

use poem::http::{Method, StatusCode};
use serde_json::Value;

use crate::{openapi::build_document, test_app::TestResponse};

/// Checks the status, the error code, the media type and the required headers of a response.
pub(crate) fn assert_documented(method: &Method, uri: &str, response: &TestResponse) {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(build_document);
    let path = uri.split('?').next().unwrap_or_default();
    let method = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let Some(operation) = find_operation(document, path, &method) else { return };
    // Every path is redirected to its canonical form.
    if response.status == StatusCode::PERMANENT_REDIRECT
        || problem_code(response).is_some_and(|code| is_about_http(&method, &code))
    {
        return;
    }
    let status = response.status.as_u16().to_string();
    let documented = &operation["responses"][&status];
    assert!(documented.is_object(), "{method} {path}: {status} is not documented: {}", response.text());
    if let Some(code) = problem_code(response) {
        let examples = &documented["content"]["application/problem+json"]["examples"];
        assert!(examples[&code].is_object(), "{method} {path}: the error {code} is not documented");
    }
    if let Some(content) = documented["content"].as_object() {
        let media_type = response.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        assert!(content.contains_key(media_type), "{method} {path} {status}: the media type {media_type} is not documented");
    }
    for (name, header) in documented["headers"].as_object().into_iter().flatten() {
        let header = header["$ref"].as_str().map_or(header, |path| document.pointer(&path[1..]).unwrap());
        let is_present = response.header(&name.to_lowercase()).is_some();
        assert!(is_present || header["required"] != true, "{method} {path} {status}: the header {name} is missing");
    }
}

/// Errors of requests that reach no operation: malformed ones, other paths, and bodies that no operation reads.
fn is_about_http(method: &str, code: &str) -> bool {
    ["bad_request", "path_not_found"].contains(&code) || code == "body_too_large" && ["get", "delete"].contains(&method)
}

fn problem_code(response: &TestResponse) -> Option<String> {
    if response.header("content-type") != Some("application/problem+json") {
        return None;
    }
    let problem: Value = serde_json::from_slice(&response.body).ok()?;
    Some(problem["error"]["code"].as_str()?.to_owned())
}

fn find_operation<'a>(document: &'a Value, path: &str, method: &str) -> Option<&'a Value> {
    let matches = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let is_equal = |(part, given): (&&str, &str)| match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some((_, suffix)) => given.len() > suffix.len() && given.ends_with(suffix),
            None => *part == given,
        };
        template.len() == path.len() && template.iter().zip(path).all(is_equal)
    };
    let paths = document["paths"].as_object()?;
    // A literal path takes precedence over one with parameters, and a parameter with a suffix over one without.
    let exact = paths.get(path);
    let templates = paths.iter().filter(|(template, _)| matches(template));
    let template = || templates.max_by_key(|(template, _)| template.len()).map(|(_, operations)| operations);
    exact.or_else(template)?.get(method)
}

//! The OpenAPI document, and Swagger UI at `/docs`.
//!
//! poem-openapi writes the document from the types of the operations. Here it is completed with what those types cannot state: the errors
//! of each operation with examples, the headers of responses, the order of tags, and the schemas of OpenAPI 3.1.

mod errors;
mod headers;
mod json;
mod operation;
mod schemas;
mod tags;

use poem_openapi::{OpenApi, OpenApiService};

pub(crate) use self::tags::Tag;
use self::{
    json::{Json, Object},
    operation::Operation,
};

const VERSION: &str = "3.1.0";

/// The document of a service as JSON.
pub(crate) fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> String {
    complete(&service.spec())
}

/// The page of Swagger UI for a document of a service.
pub(crate) fn swagger_ui<T: OpenApi>(service: &OpenApiService<T, ()>, document: &str) -> String {
    service.swagger_ui_html().replacen(&service.spec(), document, 1)
}

fn complete(document: &str) -> String {
    // poem-openapi wrote it.
    let mut document: Json = serde_json::from_str(document).unwrap_or(Json::Object(Object::default()));
    schemas::convert(&mut document);
    if let Some(root) = document.as_object_mut() {
        root.set("openapi", VERSION);
        root.object("components").set("headers", headers::components());
        complete_operations(root.object("paths"));
        schemas::add_examples(root.object("components").object("schemas"));
        if let Some(paths) = root.get("paths").cloned() {
            schemas::close_bodies(&paths, root.object("components").object("schemas"));
        }
        sort_tags(root);
        set_default_security(root);
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn complete_operations(paths: &mut Object) {
    for (path, operations) in &mut paths.0 {
        let operations = operations.as_object_mut().into_iter().flat_map(|operations| &mut operations.0);
        for (method, definition) in operations {
            if let Some(definition) = definition.as_object_mut() {
                complete_operation(path, method, definition);
            }
        }
    }
}

fn complete_operation(path: &str, method: &str, definition: &mut Object) {
    let original = definition.clone();
    let operation = Operation::new(path, method, &original);
    if let Some(body) = definition.get_mut("requestBody").and_then(Json::as_object_mut) {
        strip_media_type_parameters(body);
    }
    if operation.is_health() {
        definition.set("security", Vec::new());
    }
    for parameter in definition.get_mut("parameters").into_iter().flat_map(Json::elements_mut) {
        complete_parameter(parameter);
    }
    if operation.has_version() {
        let mut parameters = definition.get("parameters").map(Json::elements).unwrap_or_default().to_vec();
        parameters.push(headers::min_version().into());
        definition.set("parameters", parameters);
    }
    let responses = definition.object("responses");
    errors::add_responses(&operation, responses);
    for (status, response) in &mut responses.0 {
        if let Some(response) = response.as_object_mut() {
            strip_media_type_parameters(response);
            headers::add(&operation, status, response);
        }
    }
}

/// A media type of a document has no parameters such as `charset`: clients compare it with the header without them.
fn strip_media_type_parameters(body: &mut Object) {
    let content = body.get_mut("content").and_then(Json::as_object_mut);
    for (media_type, _) in content.into_iter().flat_map(|content| &mut content.0) {
        media_type.truncate(media_type.find(';').unwrap_or(media_type.len()));
    }
}

/// poem-openapi states `explode` for every parameter. It has a meaning for lists only, which are separated by commas here.
fn complete_parameter(parameter: &mut Json) {
    let Some(parameter) = parameter.as_object_mut() else { return };
    let schema = parameter.get("schema").and_then(Json::as_object);
    let is_list = schema.and_then(|schema| schema.get("type")).and_then(Json::as_str) == Some("array");
    if is_list {
        parameter.set("explode", false);
    } else {
        parameter.remove("explode");
    }
}

/// States that each operation accepts the keys that one of them may require: they identify a reader, for a rate limit.
fn set_default_security(root: &mut Object) {
    let mut security = None;
    root.get("paths").into_iter().for_each(|paths| {
        paths.for_each_member(&mut |name, value| {
            if name == "security" && !value.elements().is_empty() {
                security.get_or_insert_with(|| value.clone());
            }
        });
    });
    root.set("security", security.unwrap_or_else(|| Vec::new().into()));
}

/// Sorts the tags as the operations, and so as Swagger UI shows them.
fn sort_tags(root: &mut Object) {
    let mut names: Vec<String> = Vec::new();
    root.get("paths").into_iter().for_each(|paths| {
        paths.for_each_member(&mut |name, value| {
            let tags = if name == "tags" { value.elements() } else { &[] };
            names.extend(tags.iter().filter_map(|tag| Some(tag.as_str()?.to_owned())));
        });
    });
    let position = |tag: &Json| {
        let name = tag.as_object().and_then(|tag| tag.get("name")).and_then(Json::as_str);
        names.iter().position(|known| Some(known.as_str()) == name)
    };
    if let Some(Json::Array(tags)) = root.get_mut("tags") {
        tags.sort_by_key(position);
    }
}

//! Schemas: from those of OpenAPI 3.0 that poem-openapi writes to those of 3.1, which are JSON Schema. In 3.0 a reference can neither be
//! null nor have a description.

use serde_json::{Number, Value};

use super::json::{Json, Object};

const JSON_BODY: &str = "application/json";
const COMPONENTS: &str = "#/components/schemas/";

/// Integers of Rust, and what states their range to clients: the formats of OpenAPI are signed.
const INTEGERS: [(&str, &str, bool); 5] = [
    ("int16", "int32", false),
    ("uint16", "int32", true),
    ("uint32", "int64", true),
    ("uint64", "int64", true),
    ("uint8", "int32", true),
];

/// Converts every schema of the document.
pub(super) fn convert(document: &mut Json) {
    document.visit_objects(&mut |object| {
        object.remove_if("deprecated", &Value::Bool(false));
        convert_integer(object);
        unwrap_all_of(object);
        convert_nullable(object);
    });
}

/// States that the objects of a JSON body have no other properties: an unknown one is an error, so that a misspelled property is not
/// ignored.
pub(super) fn close_bodies(paths: &Json, schemas: &mut Object) {
    let mut names = Vec::new();
    paths.for_each_member(&mut |name, value| {
        if name == "requestBody" {
            let content = value.as_object().and_then(|body| body.get("content")?.as_object()?.get(JSON_BODY));
            content.into_iter().for_each(|json| collect_references(json, &mut names));
        }
    });
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        if let Some(schema) = schemas.get_mut(&name) {
            collect_references(schema, &mut names);
            schema.as_object_mut().into_iter().for_each(|schema| schema.set("additionalProperties", false));
        }
    }
}

/// Gives alternatives of schemas the example of the first one.
pub(super) fn add_examples(schemas: &mut Object) {
    let first_of = |schema: &Json| {
        Some(schema.as_object()?.get("anyOf")?.elements().first()?.as_object()?.get("$ref")?.as_str()?.to_owned())
    };
    for index in 0..schemas.0.len() {
        let first = first_of(&schemas.0[index].1);
        let first = first.as_deref().and_then(|reference| schemas.get(reference.strip_prefix(COMPONENTS)?));
        let example = first.and_then(|schema| schema.as_object()?.get("example").cloned());
        if let (Some(example), Some(schema)) = (example, schemas.0[index].1.as_object_mut()) {
            schema.set("example", example);
        }
    }
}

/// Adds the names of the components to which a value refers, each once.
fn collect_references(value: &Json, names: &mut Vec<String>) {
    value.for_each_member(&mut |name, value| {
        let component = value.as_str().filter(|_| name == "$ref").and_then(|reference| reference.strip_prefix(COMPONENTS));
        if let Some(component) = component.filter(|component| !names.iter().any(|known| known == component)) {
            names.push(component.to_owned());
        }
    });
}

/// Replaces `allOf` around one reference by the reference; its description is the other part of the `allOf`, or beside it.
fn unwrap_all_of(schema: &mut Object) {
    let Some(parts) = schema.remove("allOf") else { return };
    let reference = parts.elements().iter().find_map(|part| part.as_object()?.get("$ref"));
    if let Some(reference) = reference {
        schema.0.insert(0, ("$ref".to_owned(), reference.clone()));
    }
}

/// Replaces `nullable`.
fn convert_nullable(schema: &mut Object) {
    if schema.remove("nullable").is_none() {
        return;
    }
    let null = || Json::from("null");
    if let Some(reference) = schema.remove("$ref") {
        let alternatives = vec![Object::default().with("$ref", reference).into(), Object::default().with("type", null()).into()];
        schema.set("anyOf", alternatives);
        return;
    }
    if let Some(kind) = schema.remove("type") {
        schema.0.insert(0, ("type".to_owned(), vec![kind, null()].into()));
    }
    if let Some(Json::Array(values)) = schema.get_mut("enum") {
        values.push(Json::Scalar(Value::Null));
    }
}

fn convert_integer(schema: &mut Object) {
    if schema.get("type").and_then(Json::as_str) != Some("integer") {
        return;
    }
    let format = schema.get("format").and_then(Json::as_str);
    if let Some((_, format, is_unsigned)) = INTEGERS.into_iter().find(|(rust, ..)| Some(*rust) == format) {
        schema.set("format", format);
        if is_unsigned && schema.get("minimum").is_none() {
            schema.set("minimum", 0_u64);
        }
    }
    for bound in ["minimum", "maximum"] {
        if let Some(Json::Scalar(Value::Number(number))) = schema.get_mut(bound) {
            *number = to_integer(number);
        }
    }
}

/// Removes the fraction `.0`, which poem-openapi adds to every bound.
#[expect(clippy::cast_possible_truncation, reason = "the bounds of integers are integers")]
fn to_integer(number: &Number) -> Number {
    number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.clone(), |bound| Number::from(bound as i64))
}

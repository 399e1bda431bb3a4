//! A validator of JSON against OpenAPI schemas that supports exactly the keywords that `openapi.json` uses.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};
use sea_orm::prelude::Uuid;
use serde_json::{Map, Value, json};

/// Keywords that do not constrain values.
const ANNOTATIONS: [&str; 4] = ["description", "example", "title", "default"];

/// Lists how a value violates a schema. Undeclared properties are violations.
pub(crate) fn find_violations(description: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    let checker = SchemaChecker { description };
    checker.check(schema, value, "$", &mut violations);
    violations
}

struct SchemaChecker<'a> {
    description: &'a Value,
}

impl<'a> SchemaChecker<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Map<String, Value> {
        let object = schema.as_object().unwrap();
        match object.get("$ref") {
            Some(reference) => {
                assert!(object.keys().all(|key| ["$ref", "description"].contains(&key.as_str())), "{schema}");
                let path = reference.as_str().unwrap().strip_prefix('#').unwrap();
                self.resolve(self.description.pointer(path).unwrap_or_else(|| panic!("{path} does not exist")))
            }
            None => object,
        }
    }

    fn check(&self, schema: &'a Value, value: &Value, path: &str, violations: &mut Vec<String>) {
        self.check_value(schema, value, path, violations);
        let resolved = self.resolve(schema);
        let accepts_anything = resolved.keys().all(|keyword| ANNOTATIONS.contains(&keyword.as_str()));
        if let Some(object) = value.as_object().filter(|_| !accepts_anything) {
            let declared = self.declared_properties(schema);
            let of_map = resolved.get("additionalProperties").filter(|schema| schema.is_object());
            for (name, value) in object.iter().filter(|(name, _)| !declared.contains(name.as_str())) {
                match of_map {
                    Some(schema) => self.check(schema, value, &format!("{path}.{name}"), violations),
                    None => violations.push(format!("{path}.{name} is not declared")),
                }
            }
        }
    }

    /// The names of all properties that a schema and its alternatives declare.
    fn declared_properties(&self, schema: &'a Value) -> BTreeSet<&'a str> {
        let schema = self.resolve(schema);
        let own = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str);
        let alternatives = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        own.chain(alternatives.flat_map(|alternative| self.declared_properties(alternative))).collect()
    }

    fn check_value(&self, schema: &'a Value, value: &Value, path: &str, violations: &mut Vec<String>) {
        let schema = self.resolve(schema);
        for (keyword, argument) in schema {
            match keyword.as_str() {
                "type" if !has_any_type(argument, value) => {
                    violations.push(format!("{path} is not of {keyword} {argument}: {value}"));
                }
                "format" if !value.is_null() && !has_format(argument.as_str().unwrap(), value) => {
                    violations.push(format!("{path} is not of {keyword} {argument}: {value}"));
                }
                "enum" if !argument.as_array().unwrap().contains(value) => {
                    violations.push(format!("{path} is not one of {argument}: {value}"));
                }
                "required" => {
                    let missing = argument.as_array().unwrap().iter().filter(|name| value.get(name.as_str().unwrap()).is_none());
                    violations.extend(missing.map(|name| format!("{path}.{} is missing", name.as_str().unwrap())));
                }
                "properties" => {
                    for (name, schema) in argument.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.check(schema, value, &format!("{path}.{name}"), violations);
                        }
                    }
                }
                "items" => {
                    for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(argument, value, &format!("{path}[{number}]"), violations);
                    }
                }
                "anyOf" => {
                    let is_valid = |alternative: &&Value| {
                        let mut violations = Vec::new();
                        self.check_value(alternative, value, path, &mut violations);
                        violations.is_empty()
                    };
                    match argument.as_array().unwrap().iter().find(is_valid) {
                        Some(alternative) => self.check_value(alternative, value, path, violations),
                        None => violations.push(format!("{path} is none of {argument}: {value}")),
                    }
                }
                "minimum" if value.as_f64().is_some_and(|number| number < argument.as_f64().unwrap()) => {
                    violations.push(format!("{path} is less than {argument}: {value}"));
                }
                "maximum" if value.as_f64().is_some_and(|number| number > argument.as_f64().unwrap()) => {
                    violations.push(format!("{path} is more than {argument}: {value}"));
                }
                "minItems" if value.as_array().is_some_and(|items| (items.len() as u64) < argument.as_u64().unwrap()) => {
                    violations.push(format!("{path} has less than {argument} items: {value}"));
                }
                "maxItems" if value.as_array().is_some_and(|items| items.len() as u64 > argument.as_u64().unwrap()) => {
                    violations.push(format!("{path} has more than {argument} items: {value}"));
                }
                // Schemathesis checks the patterns of responses.
                "type"
                | "format"
                | "enum"
                | "minimum"
                | "maximum"
                | "minItems"
                | "maxItems"
                | "pattern"
                | "minLength"
                | "maxLength"
                | "additionalProperties" => (),
                annotation if ANNOTATIONS.contains(&annotation) => (),
                unknown => panic!("{path}: unsupported keyword `{unknown}`"),
            }
        }
    }
}

/// Whether a value has a type, or one of several.
fn has_any_type(names: &Value, value: &Value) -> bool {
    match names {
        Value::Array(names) => names.iter().any(|name| has_type(name.as_str().unwrap(), value)),
        name => has_type(name.as_str().unwrap(), value),
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        unknown => panic!("unsupported type `{unknown}`"),
    }
}

fn has_format(name: &str, value: &Value) -> bool {
    match name {
        "int32" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "int64" => value.is_i64(),
        "double" => value.is_number(),
        "date" => value.as_str().is_some_and(|text| text.parse::<NaiveDate>().is_ok()),
        "date-time" => value.as_str().is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
        "uuid" => value.as_str().is_some_and(|text| text.parse::<Uuid>().is_ok()),
        unknown => panic!("unsupported format `{unknown}`"),
    }
}

#[test]
fn the_checker_reports_violations() {
    let description = json!({ "components": { "schemas": {
        "Name": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string", "enum": ["a", "b"] } } },
    } } });
    let name = json!({ "$ref": "#/components/schemas/Name" });
    let schema = json!({
        "type": "object",
        "required": ["name", "counts"],
        "properties": {
            "name": { "type": "string", "enum": ["a", "b"] },
            "counts": { "type": "array", "items": { "type": "integer", "format": "int32", "minimum": 0 } },
            "maybe": { "anyOf": [name, { "type": "null" }] },
            "day": { "type": ["string", "null"], "format": "date" },
        },
    });
    let violations = |value: Value| find_violations(&description, &schema, &value).join(", ");
    assert_eq!(violations(json!({ "name": "a", "counts": [1, 2], "maybe": null, "day": null })), "");
    assert_eq!(violations(json!({ "name": "a", "counts": [], "maybe": { "name": "b" } })), "");
    assert_eq!(
        violations(json!({ "name": "c", "counts": [-1] })),
        "$.counts[0] is less than 0: -1, $.name is not one of [\"a\",\"b\"]: \"c\""
    );
    assert_eq!(violations(json!({ "counts": [], "more": 1 })), "$.name is missing, $.more is not declared");
    assert_eq!(
        violations(json!({ "name": "a", "counts": [], "day": "2021-02-30" })),
        "$.day is not of format \"date\": \"2021-02-30\""
    );
    assert_eq!(violations(json!({ "name": "a", "counts": null })), "$.counts is not of type \"array\": null");
    assert_eq!(violations(json!({ "name": "a", "counts": [], "maybe": { "name": "a", "x": 1 } })), "$.maybe.x is not declared");
}

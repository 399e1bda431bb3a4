//! A validator of JSON against OpenAPI schemas that supports exactly the keywords that `openapi.json` uses.

use std::collections::BTreeSet;

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
                assert_eq!(object.len(), 1, "keywords beside `$ref` are ignored: {schema}");
                let path = reference.as_str().unwrap().strip_prefix('#').unwrap();
                self.resolve(self.description.pointer(path).unwrap_or_else(|| panic!("{path} does not exist")))
            }
            None => object,
        }
    }

    fn check(&self, schema: &'a Value, value: &Value, path: &str, violations: &mut Vec<String>) {
        self.check_value(schema, value, path, violations);
        if let Some(object) = value.as_object() {
            let declared = self.declared_properties(schema);
            for name in object.keys().filter(|name| !declared.contains(name.as_str())) {
                violations.push(format!("{path}.{name} is not declared"));
            }
        }
    }

    /// The names of all properties that a schema and its `allOf` parts declare.
    fn declared_properties(&self, schema: &'a Value) -> BTreeSet<&'a str> {
        let schema = self.resolve(schema);
        let own = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str);
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        own.chain(parts.flat_map(|part| self.declared_properties(part))).collect()
    }

    fn check_value(&self, schema: &'a Value, value: &Value, path: &str, violations: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if value.is_null() && schema.get("nullable") == Some(&json!(true)) {
            return;
        }
        for (keyword, argument) in schema {
            match keyword.as_str() {
                "type" if !has_type(argument.as_str().unwrap(), value) => {
                    violations.push(format!("{path} is not of {keyword} {argument}: {value}"));
                }
                "format" if !has_format(argument.as_str().unwrap(), value) => {
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
                "allOf" => argument.as_array().unwrap().iter().for_each(|part| self.check_value(part, value, path, violations)),
                "type" | "format" | "enum" | "nullable" => (),
                annotation if ANNOTATIONS.contains(&annotation) => (),
                unknown => panic!("{path}: unsupported keyword `{unknown}`"),
            }
        }
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
        unknown => panic!("unsupported type `{unknown}`"),
    }
}

fn has_format(name: &str, value: &Value) -> bool {
    match name {
        "int16" => value.as_i64().is_some_and(|number| i16::try_from(number).is_ok()),
        "int32" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "int64" => value.is_i64(),
        "uint16" => value.as_u64().is_some_and(|number| u16::try_from(number).is_ok()),
        "uint64" => value.is_u64(),
        "double" => value.is_number(),
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
        "allOf": [name, {
            "type": "object",
            "required": ["counts"],
            "properties": {
                "counts": { "type": "array", "items": { "type": "integer", "format": "uint64" } },
                "maybe": { "nullable": true, "allOf": [name] },
            },
        }],
    });
    let violations = |value: Value| find_violations(&description, &schema, &value).join(", ");
    assert_eq!(violations(json!({ "name": "a", "counts": [1, 2], "maybe": null })), "");
    assert_eq!(violations(json!({ "name": "a", "counts": [], "maybe": { "name": "b" } })), "");
    assert_eq!(
        violations(json!({ "name": "c", "counts": [-1] })),
        "$.name is not one of [\"a\",\"b\"]: \"c\", $.counts[0] is not of format \"uint64\": -1"
    );
    assert_eq!(violations(json!({ "counts": [], "more": 1 })), "$.name is missing, $.more is not declared");
    assert_eq!(violations(json!({ "name": "a", "counts": null })), "$.counts is not of type \"array\": null");
    assert_eq!(violations(json!({ "name": "a", "counts": [], "maybe": { "name": "a", "x": 1 } })), "$.maybe.x is not declared");
}

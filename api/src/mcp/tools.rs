//! The tools, and the schemas of their arguments, which are the parameters of their operations as OpenAPI documents them.

use rmcp::model::{JsonObject, Tool as DescribedTool, ToolAnnotations};
use serde_json::{Value, json};

/// What a tool adds to its operation.
#[derive(Debug)]
pub(super) struct ToolDefinition {
    /// The name of the tool.
    pub(super) name: &'static str,
    /// The path of its operation, which is a GET.
    pub(super) path: &'static str,
    /// What its description adds to the operation's.
    pub(super) note: &'static str,
    /// The bounds of its results, if it returns a list.
    pub(super) page: Option<PageBounds>,
}

/// What bounds a result, because a model reads all of it.
#[derive(Debug)]
pub(super) struct PageBounds {
    /// The number of items without `limit`.
    pub(super) default_limit: u64,
    /// The largest `limit`.
    pub(super) max_limit: u64,
    /// The members of an item without `fields`.
    pub(super) default_fields: &'static [&'static str],
}

/// A tool that the service offers.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) definition: &'static ToolDefinition,
    /// The tool as clients see it.
    pub(super) described: DescribedTool,
}

/// All tools.
#[derive(Debug)]
pub(super) struct Tools(Vec<Tool>);

const DEFINITIONS: [ToolDefinition; 4] = [
    ToolDefinition {
        name: "search_events",
        path: "/events",
        note: "The result has 20 events with their main members, unless `limit` and `fields` request others. For the next page, \
               repeat the call with the `cursor` that is part of `meta.next`.",
        page: Some(PageBounds {
            default_limit: 20,
            max_limit: 100,
            default_fields: &[
                "id",
                "title",
                "name",
                "status",
                "availability",
                "starts_at",
                "ends_at",
                "min_price",
                "max_price",
                "currency",
                "category",
                "performers",
                "venue",
                "distance_km",
                "url",
            ],
        }),
    },
    ToolDefinition { name: "get_event", path: "/events/{id}", note: "", page: None },
    ToolDefinition { name: "event_calendar", path: "/events/calendar", note: "", page: None },
    ToolDefinition { name: "list_categories", path: "/categories", note: "", page: None },
];

impl Tools {
    /// The tools of the operations in an OpenAPI document.
    pub(super) fn of(document: &Value) -> Self {
        let describe = |definition: &'static ToolDefinition| {
            let operation = document["paths"].get(definition.path)?.get("get")?;
            Some(Tool { definition, described: describe(definition, operation) })
        };
        Self(DEFINITIONS.iter().filter_map(describe).collect())
    }

    /// The tool with a name.
    pub(super) fn find(&self, name: &str) -> Option<&Tool> {
        self.0.iter().find(|tool| tool.definition.name == name)
    }

    /// All tools as clients see them.
    pub(super) fn described(&self) -> Vec<DescribedTool> {
        self.0.iter().map(|tool| tool.described.clone()).collect()
    }

    /// The names of all tools.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|tool| tool.definition.name).collect()
    }
}

fn describe(definition: &ToolDefinition, operation: &Value) -> DescribedTool {
    // The document wraps its lines.
    let text = |name: &str| operation[name].as_str().unwrap_or_default().replace('\n', " ");
    let description = format!("{} {}", text("description"), definition.note).trim().to_owned();
    DescribedTool::new(definition.name, description, input_schema(definition, operation))
        .with_title(text("summary"))
        .with_annotations(ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false))
}

/// The schema of the arguments of a tool.
fn input_schema(definition: &ToolDefinition, operation: &Value) -> JsonObject {
    let (mut properties, mut required) = (JsonObject::new(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        // Headers are for clients of the API.
        let Some(name) = parameter["name"].as_str().filter(|_| parameter["in"] != "header") else { continue };
        if parameter["required"] == true {
            required.push(name);
        }
        properties.insert(name.to_owned(), argument_schema(definition, parameter, name));
    }
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("required".to_owned(), required.into());
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

fn argument_schema(definition: &ToolDefinition, parameter: &Value, name: &str) -> Value {
    let mut schema = parameter["schema"].clone();
    remove_examples(&mut schema);
    schema["description"] = parameter["description"].clone();
    match (name, &definition.page) {
        ("limit", Some(page)) => {
            schema["default"] = page.default_limit.into();
            schema["maximum"] = page.max_limit.into();
        }
        ("fields", Some(page)) => schema["default"] = json!(page.default_fields),
        _ => {}
    }
    schema
}

/// Removes `example`, which JSON Schema lacks and a model could repeat.
fn remove_examples(schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("example");
        schema.values_mut().for_each(remove_examples);
    }
}

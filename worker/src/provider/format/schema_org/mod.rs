//! [schema.org events](https://schema.org/Event) in JSON-LD: `schema-org-json` is a document of it, or several in JSON Lines, and
//! `schema-org-html` a web page with scripts.
//!
//! `docs/feed-format.md` is the reference for the properties. The document is one graph: nodes may be nested, or refer to each other.

mod context;
mod details;
mod event;
mod graph;
mod id;
mod json_lines;
mod kinds;
mod mentions;
mod next_page;
mod node;
mod offers;
mod page;
mod place;
mod schedule;
mod series;
mod status;
mod times;
mod value;
mod weekday;

use serde_json::{error::Category, value::RawValue};

use self::{
    event::EventReader,
    graph::JsonLdGraph,
    json_lines::JsonDocuments,
    page::PageScripts,
    value::{JsonObject, JsonValue, MAX_VALUES, TreeBuilder},
};
pub(super) use self::{
    next_page::find_next_page,
    page::{may_have_scripts, reduce},
};
use super::{
    Conventions, FeedDocumentError,
    error::describe_title,
    html_page::find_title,
    text::{check_text, locate},
};
use crate::provider::{
    id_from::IdFrom,
    item::{FeedWarnings, ParsedFeed},
    quote::quote,
};

const NO_EVENTS: FeedDocumentError =
    FeedDocumentError::NoItems { detail: "the document has no event of schema.org; send `[]` if nothing is on sale" };

/// The property without which a node is not an event.
pub(super) const START: &str = "startDate";

/// Validates the setting `id_from`: every path may lead to a value.
#[expect(clippy::unnecessary_wraps, reason = "other formats do not accept everything")]
pub(super) fn accept_id_from(path: &IdFrom) -> Result<Option<IdFrom>, String> {
    Ok(Some(path.clone()))
}

/// Parses a document of JSON-LD, or several in JSON Lines, which are one graph.
pub(super) fn parse_json(document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
    let text = check_text(document)?;
    match text.trim_start().chars().next() {
        None => return Err(FeedDocumentError::Empty),
        Some('{' | '[') => {}
        Some(other) => {
            let expected = "an object or an array of nodes".to_owned();
            return Err(FeedDocumentError::WrongRoot { actual: quote(&other.to_string()), expected });
        }
    }
    let mut builder = TreeBuilder::new(text);
    let documents = JsonDocuments::new(text).map(|document| build_tree(text, document?, &mut builder));
    let roots = documents.collect::<Result<Vec<_>, _>>()?;
    read_events(text, &roots, FeedWarnings::default(), conventions)
}

/// Parses the JSON-LD of a web page. A script that is not valid JSON is ignored with a warning, unless all of them are invalid.
pub(super) fn parse_page(document: &[u8], conventions: &Conventions) -> Result<ParsedFeed, FeedDocumentError> {
    let page = check_text(document)?;
    if page.trim_ascii().is_empty() {
        return Err(FeedDocumentError::Empty);
    }
    let scripts = PageScripts::find(page);
    if scripts.is_truncated {
        return Err(FeedDocumentError::Truncated);
    }
    if scripts.contents.is_empty() {
        let title = describe_title(find_title(page).as_deref());
        let detail = format!("the web page{title} has no `<script type=\"application/ld+json\">`");
        return Err(FeedDocumentError::NoEvents { detail });
    }
    let mut builder = TreeBuilder::new(page);
    let (mut roots, mut warnings, mut first_error) = (Vec::new(), FeedWarnings::default(), None);
    for script in scripts.contents.into_iter().filter(|script| !script.is_empty()) {
        match parse_script(page, script, &mut builder) {
            Ok(root) => roots.push(root),
            Err(error @ FeedDocumentError::OverLimit { .. }) => return Err(error),
            Err(error) => {
                warnings.push(offset_of(page, script), format!("a script is ignored: {error}"));
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if roots.is_empty() => Err(error),
        _ => read_events(page, &roots, warnings, conventions),
    }
}

/// Parses a script of a page.
fn parse_script<'a>(page: &str, script: &'a str, builder: &mut TreeBuilder) -> Result<JsonValue<'a>, FeedDocumentError> {
    let raw = serde_json::from_str(script).map_err(|error| {
        let (line, column) = locate(page.as_bytes(), offset_of(page, script));
        convert_error(&error).offset_position(line, column)
    })?;
    build_tree(page, raw, builder)
}

/// Builds the tree of a part of the document.
fn build_tree<'a>(document: &str, raw: &'a RawValue, builder: &mut TreeBuilder) -> Result<JsonValue<'a>, FeedDocumentError> {
    builder.build(raw).map_err(|value::TooManyValues| {
        let (line, _) = locate(document.as_bytes(), offset_of(document, raw.get()));
        FeedDocumentError::OverLimit { line, limit: MAX_VALUES, what: "values" }
    })
}

fn read_events<'t>(
    document: &'t str,
    roots: &'t [JsonValue<'t>],
    warnings: FeedWarnings,
    conventions: &Conventions,
) -> Result<ParsedFeed, FeedDocumentError> {
    let graph = JsonLdGraph::new(roots, conventions.id_from.clone());
    let mut reader = EventReader::new(conventions, &graph);
    reader.feed.warnings = warnings;
    for node in &graph.unknown {
        let reason = format!("{}; the node is ignored, although it has a `startDate`", describe_type(node));
        reader.feed.warnings.push(offset_of(document, node.raw), reason);
    }
    for event in graph.events.iter().filter(|event| !graph.is_group(event.object)) {
        let start = offset_of(document, event.object.raw);
        reader.read(*event, start..start + event.object.raw.len());
        if let Some(limit) = reader.exceeded_limit() {
            let (line, _) = locate(document.as_bytes(), start);
            return Err(FeedDocumentError::OverLimit { line, limit, what: "items in a feed" });
        }
    }
    let feed = reader.feed;
    let is_empty = feed.base_events.is_empty() && feed.rejects.is_empty();
    if !is_empty || graph.has_empty_list {
        return Ok(feed);
    }
    match graph.unknown.first() {
        Some(node) => {
            let (line, _) = locate(document.as_bytes(), offset_of(document, node.raw));
            let detail = format!("the document has no event of schema.org: {} (line {line})", describe_type(node));
            Err(FeedDocumentError::NoEvents { detail })
        }
        None => Err(NO_EVENTS),
    }
}

/// Describes a node with a type that no event has.
fn describe_type(node: &JsonObject<'_>) -> String {
    let types: Vec<&str> = node.types().collect();
    format!("{} is not a type of event of schema.org", quote(&types.join(", ")))
}

/// The position of a part of the document.
fn offset_of(document: &str, part: &str) -> usize {
    part.as_ptr().addr() - document.as_ptr().addr()
}

fn convert_error(error: &serde_json::Error) -> FeedDocumentError {
    if error.classify() == Category::Eof {
        return FeedDocumentError::Truncated;
    }
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let detail = format!("not valid JSON: {}", text.strip_suffix(&position).unwrap_or(&text));
    FeedDocumentError::Malformed { line: error.line(), column: error.column(), detail }
}

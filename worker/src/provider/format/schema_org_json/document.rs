//! The nodes of a JSON-LD document, before they are parsed.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{error::Category, value::RawValue};

use crate::provider::{
    format::{
        FeedDocumentError,
        text::{check_text, locate},
    },
    quote::quote,
};

/// Nodes of one document. Their items are in memory together, at about a kilobyte each.
const MAX_NODES: usize = 1_000_000;
/// Length of one node. While it is parsed, its values take up to sixteen times its length; a kilobyte is usual.
const MAX_NODE_BYTES: usize = 4 * 1024 * 1024;

/// A document with a checked structure.
pub(super) struct JsonLdDocument<'a> {
    text: &'a str,
    nodes: Vec<&'a RawValue>,
}

impl<'a> JsonLdDocument<'a> {
    pub(super) fn parse(document: &'a [u8]) -> Result<Self, FeedDocumentError> {
        let text = check_text(document)?;
        Ok(Self { text, nodes: split_nodes(text)? })
    }

    /// The text of each node and its byte range in the document.
    pub(super) fn raw_nodes(&self) -> impl Iterator<Item = (&'a str, Range<usize>)> {
        self.nodes.iter().map(|raw| {
            let start = raw.get().as_ptr().addr() - self.text.as_ptr().addr();
            (raw.get(), start..start + raw.get().len())
        })
    }

    pub(super) fn check_node_size(&self, span: &Range<usize>) -> Result<(), FeedDocumentError> {
        if span.len() <= MAX_NODE_BYTES {
            return Ok(());
        }
        let (line, _) = locate(self.text.as_bytes(), span.start);
        Err(FeedDocumentError::OverLimit { line, limit: MAX_NODE_BYTES, what: "bytes in a node" })
    }
}

fn split_nodes(text: &str) -> Result<Vec<&RawValue>, FeedDocumentError> {
    #[derive(Deserialize)]
    struct RootObject<'a> {
        #[serde(borrow, rename = "@graph")]
        graph: Option<NodeList<'a>>,
        #[serde(rename = "@type")]
        node_type: Option<IgnoredAny>,
    }

    match text.trim_start().chars().next() {
        None => Err(FeedDocumentError::Empty),
        Some('[') => Ok(serde_json::from_str::<NodeList<'_>>(text).map_err(convert_error)?.0),
        Some('{') => match serde_json::from_str(text).map_err(convert_error)? {
            RootObject { graph: Some(NodeList(nodes)), .. } => Ok(nodes),
            RootObject { node_type: Some(_), .. } => Ok(vec![serde_json::from_str(text).map_err(convert_error)?]),
            // An error report, for example, must not be taken for an empty catalogue.
            RootObject { .. } => Err(wrong_root("an object without @graph and @type".to_owned())),
        },
        Some(other) => Err(wrong_root(quote(&other.to_string()))),
    }
}

fn wrong_root(actual: String) -> FeedDocumentError {
    let expected = "an array of nodes or an object with a @graph".to_owned();
    FeedDocumentError::WrongRoot { actual, expected }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` needs")]
fn convert_error(error: serde_json::Error) -> FeedDocumentError {
    let expected = match error.classify() {
        Category::Eof => return FeedDocumentError::Truncated,
        Category::Data => "not a list of JSON-LD nodes",
        Category::Syntax | Category::Io => "not valid JSON",
    };
    let detail = format!("{expected}: {}", describe_json_error(&error));
    FeedDocumentError::Malformed { line: error.line(), column: error.column(), detail }
}

/// The parser's text without the position that it appends.
pub(super) fn describe_json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// A list of nodes, counted while it is parsed.
struct NodeList<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for NodeList<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeListVisitor;

        impl<'de> Visitor<'de> for NodeListVisitor {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of nodes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = sequence.next_element()? {
                    if nodes.len() == MAX_NODES {
                        return Err(de::Error::custom(format!("at most {MAX_NODES} nodes are allowed")));
                    }
                    nodes.push(node);
                }
                Ok(nodes)
            }
        }

        deserializer.deserialize_seq(NodeListVisitor).map(Self)
    }
}

//! The ids of nodes, as the provider's entry defines them.

use super::{graph::JsonLdGraph, node::JsonLdNode, value::JsonValue};

impl<'t> JsonLdGraph<'t> {
    /// The id of a node: the value of the provider's property if the node has it, or else the usual one.
    pub(super) fn find_id(&self, node: JsonLdNode<'t>) -> Option<&'t str> {
        self.find_configured_id(node).or_else(|| node.id())
    }

    /// The value of the provider's property.
    pub(super) fn find_configured_id(&self, node: JsonLdNode<'t>) -> Option<&'t str> {
        let path: Vec<&str> = self.id_from.as_ref()?.names().collect();
        self.find_by_path(node, &path)
    }

    /// The first value at the end of a path.
    fn find_by_path(&self, node: JsonLdNode<'t>, path: &[&str]) -> Option<&'t str> {
        match path {
            [] => None,
            [property] => find_text(node, property),
            [property, rest @ ..] => self.nodes(node, property).into_iter().find_map(|node| self.find_by_path(node, rest)),
        }
    }
}

/// The first text of a property, or of the value that an object such as a `PropertyValue` has.
fn find_text<'t>(node: JsonLdNode<'t>, property: &str) -> Option<&'t str> {
    node.get(property).or_else(|| node.get("id").filter(|_| property == "@id")).and_then(JsonValue::id_text)
}

//! The link to the next page of a document: the view of a [Hydra](https://www.hydra-cg.com/spec/latest/core/) collection.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What every name of the link ends with. Most documents do not have it, and searching is much faster than parsing.
const NEXT: &[u8] = b"next\"";
const VIEWS: [&str; 3] = ["hydra:view", "http://www.w3.org/ns/hydra/core#view", "view"];
/// The last one means a link to the next page only in a view.
const LINKS: [&str; 3] = ["hydra:next", "http://www.w3.org/ns/hydra/core#next", "next"];

type RawObject<'a> = BTreeMap<String, &'a RawValue>;

/// Finds the URL of the next page, as it is written. The document may be invalid, or JSON Lines.
pub(in crate::provider::format) fn find_next_page(document: &[u8]) -> Option<String> {
    memchr::memmem::find(document, NEXT)?;
    let roots = serde_json::Deserializer::from_slice(document).into_iter::<&RawValue>().collect::<Result<Vec<_>, _>>().ok()?;
    let nodes = list_nodes(&roots);
    nodes.iter().find_map(|node| find_link(node, &LINKS[..2]).or_else(|| find_in_view(node, &nodes)))
}

/// The objects at the top of the document.
fn list_nodes<'a>(roots: &[&'a RawValue]) -> Vec<RawObject<'a>> {
    let mut nodes: Vec<RawObject<'_>> = roots.iter().copied().flat_map(list_parts).filter_map(parse).collect();
    let graphs: Vec<&RawValue> = nodes.iter().filter_map(|node| node.get("@graph").copied()).collect();
    nodes.extend(graphs.into_iter().flat_map(list_parts).filter_map(parse::<RawObject<'_>>));
    nodes
}

/// The link of a node's view, which may be nested or another node.
fn find_in_view(node: &RawObject<'_>, nodes: &[RawObject<'_>]) -> Option<String> {
    let value = VIEWS.iter().find_map(|name| node.get(*name))?;
    let views: Vec<RawObject<'_>> = list_parts(value).into_iter().filter_map(parse).collect();
    let id_of = |node: &RawObject<'_>| node.get("@id").and_then(|id| parse::<String>(id));
    views.iter().find_map(|view| {
        let defined = || nodes.iter().filter(|node| id_of(node).is_some() && id_of(node) == id_of(view));
        find_link(view, &LINKS).or_else(|| defined().find_map(|view| find_link(view, &LINKS)))
    })
}

fn find_link(node: &RawObject<'_>, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| node.get(*name))?;
    list_parts(value).into_iter().find_map(|part| {
        let id = || parse::<RawObject<'_>>(part)?.get("@id").and_then(|id| parse(id));
        // A blank one is missing.
        parse::<String>(part).or_else(id).filter(|link| !link.trim().is_empty())
    })
}

/// The parts of a list, or the value.
fn list_parts(value: &RawValue) -> Vec<&RawValue> {
    parse(value).unwrap_or_else(|| vec![value])
}

fn parse<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_link_of_a_view() {
        for document in [
            r#"{"hydra:member": [], "hydra:view": {"@id": "/e?page=1", "hydra:next": "/e?page=2"}}"#,
            r#"{"member": [], "view": {"@id": "/e?page=1", "next": "/e?page=2"}}"#,
            r#"{"view": [{"next": [{"@id": "/e?page=2"}]}]}"#,
            r#"{"hydra:view": {"hydra:next": {"@id": "/e?page=2"}}}"#,
            r#"{"hydra:next": "\/e?page=2"}"#,
            r#"{"http://www.w3.org/ns/hydra/core#view": [{"http://www.w3.org/ns/hydra/core#next": [{"@id": "/e?page=2"}]}]}"#,
            r#"[{"@type": "Event"}, {"hydra:view": {"hydra:next": "/e?page=2"}}]"#,
            r#"{"@graph": [{"view": {"@id": "/e?page=1"}}, {"@id": "/e?page=1", "next": "/e?page=2"}]}"#,
            "{\"@type\": \"Event\"}\n{\"hydra:view\": {\"hydra:next\": \"/e?page=2\"}}",
        ] {
            assert_eq!(find_next_page(document.as_bytes()).as_deref(), Some("/e?page=2"), "{document}");
        }
    }

    #[test]
    fn other_properties_are_not_links() {
        for document in [
            "",
            r#"{"next": "/e?page=2"}"#,
            r#"{"view": {"hydra:next": null}}"#,
            r#"{"view": {"hydra:next": " "}}"#,
            r#"{"view": {"next": {"@id": ""}}}"#,
            r#"{"view": {"@id": "/e?page=9", "hydra:last": "/e?page=9"}}"#,
            r#"{"@graph": [{"view": {}}, {"next": "/e?page=2"}]}"#,
            r#"{"member": [{"hydra:next": "/e?page=2"}]}"#,
            r#"{"hydra:next": "/e?page=2""#,
            r#"["hydra:next"]"#,
        ] {
            assert_eq!(find_next_page(document.as_bytes()), None, "{document}");
        }
    }
}

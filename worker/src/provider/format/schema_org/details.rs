//! What describes an event: category, text, links and organizer.

use reqwest::Url;

use super::{
    graph::JsonLdGraph,
    node::{JsonLdLink, JsonLdNode, is_url, parse_name},
    value::{JsonValue, strip_schema},
};
use crate::provider::{
    format::{
        Conventions,
        values::{self, ItemErrors, name_field},
    },
    item::ItemDetails,
    quote::quote,
};

/// Properties with words for the category, in order of precision.
const CATEGORY_PROPERTIES: [&str; 6] = ["category", "genre", "additionalType", "sport", "keywords", "about"];
/// Properties with the URL of a picture or a page that is a node.
const URL_PROPERTIES: [&str; 3] = ["url", "contentUrl", "@id"];

/// The details of an event or a series.
pub(super) fn read_details<'t>(
    node: JsonLdNode<'t>,
    organizers: &[JsonLdLink<'t>],
    graph: &JsonLdGraph<'t>,
    conventions: &Conventions,
    errors: &mut ItemErrors,
) -> ItemDetails {
    ItemDetails {
        category: conventions.category_map.find(&node.types(), &read_words(node, graph)),
        description: errors.tolerate(node.optional("description", values::parse_description)),
        url: read_url(node, "url", Some(&conventions.origin), errors),
        image_url: read_url(node, "image", Some(&conventions.origin), errors),
        organizer_name: organizers.iter().find_map(|organizer| errors.tolerate(read_link_name(*organizer))),
    }
}

/// The id of the organizer, which a name is not.
pub(super) fn read_organizer_id(organizers: &[JsonLdLink<'_>], errors: &mut ItemErrors) -> Option<String> {
    let id = organizers.iter().find_map(|organizer| match organizer {
        JsonLdLink::Node(node) => node.id(),
        JsonLdLink::Text(_) => None,
    })?;
    errors.tolerate(name_field("organizer", values::parse_id(id)).map(Some))
}

/// The name of a node, or the text itself.
pub(super) fn read_link_name(link: JsonLdLink<'_>) -> Result<Option<String>, String> {
    match link {
        JsonLdLink::Node(node) => node.name("name")?.map_or_else(|| read_person_name(node), |name| Ok(Some(name))),
        JsonLdLink::Text("") => Ok(None),
        JsonLdLink::Text(text) if is_url(text) => {
            Err(format!("{} is a reference to a node that is not in the document", quote(text)))
        }
        JsonLdLink::Text(text) => parse_name(text).map(Some),
    }
}

/// The name of a person that is written in parts.
fn read_person_name(node: JsonLdNode<'_>) -> Result<Option<String>, String> {
    let names = ["givenName", "familyName"].map(|property| node.name(property).transpose()).into_iter().flatten();
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    Ok((!names.is_empty()).then(|| names.join(" ")))
}

/// The first URL of a property that is absolute, or is resolved against the origin. Others are ignored, because the URL of their page is
/// not known.
pub(super) fn read_url(node: JsonLdNode<'_>, property: &str, origin: Option<&Url>, errors: &mut ItemErrors) -> Option<String> {
    node.parts(property).into_iter().filter_map(find_url).find_map(|url| {
        let has_scheme = url.split_once(':').is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let is_complete = has_scheme || (origin.is_some() && url.starts_with('/'));
        if is_complete { errors.tolerate(name_field(property, values::parse_url(url, origin)).map(Some)) } else { None }
    })
}

/// The text of a URL, or the URL of a node such as an `ImageObject`.
fn find_url<'t>(value: &'t JsonValue<'t>) -> Option<&'t str> {
    match value {
        JsonValue::Object(object) => {
            let texts = URL_PROPERTIES.into_iter().filter_map(|property| object.get(property)?.text());
            texts.chain(value.text()).next()
        }
        _ => value.text(),
    }
}

/// The words from which the category follows; a URL stands for its last segment.
fn read_words<'t>(node: JsonLdNode<'t>, graph: &JsonLdGraph<'t>) -> Vec<&'t str> {
    let links = CATEGORY_PROPERTIES.into_iter().flat_map(|property| graph.links(node, property));
    let texts = links.filter_map(|link| match link {
        JsonLdLink::Node(node) => node.text("name"),
        JsonLdLink::Text(text) => Some(text),
    });
    let last_segment = |text: &'t str| match text.split_once("://") {
        Some((_, path)) => path.trim_end_matches('/').rsplit(['/', '#']).next().unwrap_or(path),
        None => strip_schema(text),
    };
    texts.map(last_segment).collect()
}

//! Namespaces in XML 1.0: which prefixes are declared, and the constraints on their declarations.
//!
//! Formats ignore namespaces. They are checked because a parser with namespaces rejects a document that violates the rules, and
//! because such a name is more likely damaged than intended.

use super::well_formed::{IllFormed, position};
use crate::provider::quote::quote;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// The declarations that are in scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::provider::format) struct Namespaces(Vec<Declaration>);

/// A declared prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Declaration {
    depth: usize,
    prefix: String,
    name: String,
}

impl Namespaces {
    /// Removes the declarations of the elements below this depth.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.0.last().is_some_and(|declaration| declaration.depth > depth) {
            self.0.pop();
        }
    }

    /// Adds the declarations of the element at this depth, and checks its prefix and those of its attributes.
    pub(super) fn enter<'t>(
        &mut self,
        depth: usize,
        tag: &'t str,
        element: &'t str,
        attributes: impl Iterator<Item = (&'t str, &'t str)> + Clone,
    ) -> Result<(), IllFormed> {
        let position = |name| position(tag, name);
        for (name, value) in attributes.clone() {
            let error = |detail| IllFormed::new(position(name), detail);
            if name == "xmlns" {
                check_default_namespace(value).map_err(error)?;
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                check_declaration(prefix, value).map_err(error)?;
                self.0.push(Declaration { depth, prefix: prefix.to_owned(), name: value.to_owned() });
            }
        }
        let mut expanded: Vec<(&str, &str)> = Vec::new();
        for (name, _) in attributes.filter(|(name, _)| !name.starts_with("xmlns:")) {
            let Some((prefix, local)) = name.split_once(':') else { continue };
            let namespace = self.resolve(prefix, name).map_err(|detail| IllFormed::new(position(name), detail))?;
            if expanded.contains(&(namespace, local)) {
                return Err(IllFormed::new(position(name), format!("the attribute {} is repeated", quote(name))));
            }
            expanded.push((namespace, local));
        }
        if let Some((prefix, _)) = element.split_once(':') {
            self.resolve(prefix, element).map_err(|detail| IllFormed::new(position(element), detail))?;
        }
        Ok(())
    }

    fn resolve(&self, prefix: &str, name: &str) -> Result<&str, String> {
        if prefix == "xml" {
            return Ok(XML_NAMESPACE);
        }
        let declaration = self.0.iter().rev().find(|declaration| declaration.prefix == prefix);
        let namespace = declaration.map(|declaration| declaration.name.as_str());
        namespace.ok_or_else(|| format!("the prefix of {} is not declared", quote(name)))
    }
}

fn check_declaration(prefix: &str, namespace: &str) -> Result<(), String> {
    let problem = match (prefix, namespace) {
        ("xml", XML_NAMESPACE) => return Ok(()),
        ("xml" | "xmlns", _) => "the prefix is reserved",
        (_, XML_NAMESPACE | XMLNS_NAMESPACE) => "the namespace is reserved",
        (_, "") => "the namespace must not be empty",
        _ if !is_uri(namespace) => "the namespace must be a URI",
        _ => return Ok(()),
    };
    Err(format!("invalid declaration of {}: {problem}", quote(&format!("xmlns:{prefix}"))))
}

fn check_default_namespace(namespace: &str) -> Result<(), String> {
    if matches!(namespace, XML_NAMESPACE | XMLNS_NAMESPACE) || !is_uri(namespace) {
        return Err(format!("`xmlns` must be the URI of a namespace, got {}", quote(namespace)));
    }
    Ok(())
}

/// Whether a text is a URI or a relative reference (RFC 3986): its characters, escapes and scheme. Addresses in brackets are not
/// accepted.
fn is_uri(text: &str) -> bool {
    let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
    let scheme = address.split(['/', '?']).next().and_then(|start| start.split_once(':')).map(|(scheme, _)| scheme);
    let has_valid_characters =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte));
    let is_escape = |escape: &str| escape.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    has_valid_characters(address)
        && has_valid_characters(fragment)
        && text.split('%').skip(1).all(is_escape)
        && scheme.is_none_or(is_scheme)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

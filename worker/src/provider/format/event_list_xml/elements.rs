//! Finds the elements of base events without parsing them, so that bytes that were parsed before can be skipped.

use memchr::memmem::Finder;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::super::xml::Namespaces;
use crate::provider::item::HashedElement;

/// Begins every element that may be a base event, and no closing tag.
const START: &str = "<base_";
const NAMES: [&str; 2] = ["base_event", "base_plan"];

/// Finds elements between two base events of an `<output>`.
pub(super) struct ElementScanner {
    /// Of what determines the meaning of an element's bytes, apart from them.
    seed: u64,
    start: Finder<'static>,
    ends: [Finder<'static>; 2],
}

impl ElementScanner {
    /// For elements with these declared prefixes. `seed` is the one of [`ElementFilter`](super::ElementFilter).
    pub(super) fn new(seed: u64, namespaces: Option<&Namespaces>) -> Self {
        let seed = seed ^ xxh3_64(format!("{namespaces:?}").as_bytes());
        Self { seed, start: Finder::new(START), ends: ["</base_event>", "</base_plan>"].map(Finder::new) }
    }

    /// The element at the start of a text, after white space. `None` if it is not certain where it ends: its bytes up to the first closing
    /// tag would contain what looks like another one. So the time for a document is linear, whatever it contains.
    ///
    /// The bytes may still be something else, such as two elements in a comment. They are an element if they were parsed as one before.
    pub(super) fn find(&self, text: &str, position: usize) -> Option<HashedElement> {
        let element = text.trim_ascii_start();
        let start = text.len() - element.len();
        let tag = element.strip_prefix('<')?;
        let end = NAMES.iter().zip(&self.ends).find_map(|(name, end)| {
            let attributes = tag.strip_prefix(name)?;
            attributes.starts_with(|next: char| next.is_ascii_whitespace()).then_some(end)
        })?;
        let next = self.start.find(tag.as_bytes()).map_or(element.len(), |next| next + 1);
        let element = &element.as_bytes()[..next];
        let length = end.find(element)? + end.needle().len();
        let hash = xxh3_64_with_seed(&element[..length], self.seed).cast_signed();
        Some(HashedElement { hash, span: position + start..position + start + length })
    }
}

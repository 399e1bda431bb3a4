//! Unknown elements are ignored, so that a provider may extend its feed. One that resembles a known element is more likely a
//! misspelled or damaged one, and results in a warning.

use super::xml::XmlAttributes;
use crate::provider::quote::quote;

/// How many letters of a misspelled name are wrong, missing, added or swapped at most.
const MAX_DISTANCE: usize = 2;

/// An element that a format knows.
pub(super) struct KnownElement {
    pub(super) name: &'static str,
    /// Its required attributes, each with its alternative names.
    pub(super) required: &'static [&'static [&'static str]],
}

/// The warning for an unknown element that has almost the name of a known one, or all of its required attributes.
pub(super) fn describe_resemblance(name: &str, attributes: &XmlAttributes<'_>, known: &[KnownElement]) -> Option<String> {
    let resembles =
        |element: &&KnownElement| is_misspelled(name, element.name) || element.required.iter().all(|names| attributes.has(names));
    let similar = known.iter().find(resembles)?;
    Some(format!("unknown element {} is ignored; did you mean `<{}>`?", quote(&format!("<{name}>")), similar.name))
}

fn is_misspelled(name: &str, known: &str) -> bool {
    name.len().abs_diff(known.len()) <= 2 * MAX_DISTANCE && strsim::osa_distance(&name.to_lowercase(), known) <= MAX_DISTANCE
}

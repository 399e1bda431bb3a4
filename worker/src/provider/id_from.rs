//! The setting `id_from`: from which property of a feed the ids of events are read.

use std::{fmt, str::FromStr};

use super::quote::quote;

/// Long enough for a path of several properties.
const MAX_CHARACTERS: usize = 100;

/// A property such as `identifier`, or a path to one such as `offers.sku`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdFrom(String);

impl IdFrom {
    /// The whole path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of the path.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// The same name in capital letters.
    #[must_use]
    pub fn to_uppercase(&self) -> Self {
        Self(self.0.to_ascii_uppercase())
    }
}

impl fmt::Display for IdFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for IdFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_' | b'-');
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_allowed);
        if text.len() <= MAX_CHARACTERS && text.split('.').all(is_name) {
            return Ok(Self(text.to_owned()));
        }
        let text = quote(text);
        Err(format!("must be a property such as identifier, or a path such as offers.sku, got {text}"))
    }
}

/// From where ids are read, for a message.
#[must_use]
pub fn describe(id_from: Option<&str>) -> String {
    id_from.map_or_else(|| "the format's own ids".to_owned(), |id_from| format!("`{id_from}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_properties_and_paths_are_accepted() {
        for text in ["identifier", "@id", "offers.sku", "identifier.value", "X-EVENT-ID"] {
            assert_eq!(text.parse::<IdFrom>().unwrap().as_str(), text);
        }
        let long = "a".repeat(MAX_CHARACTERS + 1);
        for text in ["", ".", "offers.", "a b", "https://schema.org/url", long.as_str()] {
            assert!(text.parse::<IdFrom>().unwrap_err().starts_with("must be a property"), "{text}");
        }
    }
}

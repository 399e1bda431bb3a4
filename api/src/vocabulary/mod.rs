//! The words of the catalogue, from which mistyped words of queries are corrected ([ADR 51](../../../docs/adr/0051-typos.md)).
//!
//! [`Vocabulary`] finds the nearest word. [`VocabularyWatch`] reads the words in the background, so that no request waits for them. Which
//! events have a word is not known here: a query with corrected words is run like any other.

mod nearest;
mod watch;

pub use self::{nearest::Vocabulary, watch::VocabularyWatch};

//! Under which key an answer is kept. Keys are made here and nowhere else.

use std::fmt::Write;

use entity::UtcInstant;

use crate::response::Coding;

/// To be raised when what is kept under a key changes its form or its meaning: answers of an older program are then never found.
const SCHEMA: u32 = 1;

/// What was asked, in one form for all who ask the same, and the coding of the answer.
#[must_use]
pub(super) fn in_process(question: &str, coding: Coding) -> String {
    let mut key = String::with_capacity(question.len() + 8);
    key.push_str(question);
    key.push(' ');
    key.push_str(coding.name());
    key
}

/// The same in a cache that several processes share, perhaps of different programs and databases: it names the version, too, so that
/// an answer that comes late lands under a key that nobody reads any more.
#[must_use]
pub(super) fn shared(version: i64, raised_at: UtcInstant, in_process: &str) -> String {
    let mut key = String::with_capacity(in_process.len() + 48);
    // Writing to a string cannot fail.
    let _written = write!(key, "marquee:{SCHEMA}:{version}-{}:{in_process}", raised_at.0);
    key
}

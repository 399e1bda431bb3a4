//! What a request asks of the cache.

use super::{Question, key};
use crate::response::Coding;

/// A question and the coding in which its answer is wanted, with the key that stands for both.
#[derive(Clone, Debug)]
pub struct Asked<Q> {
    pub(super) question: Q,
    pub(super) coding: Coding,
    pub(super) key: String,
}

impl<Q: Question> Asked<Q> {
    /// This question, to be answered in this coding.
    #[must_use]
    pub fn new(question: Q, coding: Coding) -> Self {
        let key = key::in_process(&question.key(), coding);
        Self { question, coding, key }
    }

    /// The same, to be answered without a coding.
    pub(super) fn plain(&self) -> Self {
        Self::new(self.question.clone(), Coding::Identity)
    }
}

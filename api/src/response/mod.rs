//! What a response consists of: JSON bodies, problems, content codings, validators.

mod coding;
mod conditional;
mod encoded;
mod nullable;
mod problem;
mod represent;

pub(crate) use self::represent::{Asker, CACHE_CONTROL, VARY, encode};
pub use self::{
    coding::Coding,
    conditional::etag_of,
    encoded::Encoded,
    nullable::Nullable,
    problem::{ErrorSummary, PROBLEM_JSON, Problem, ValidationError},
    represent::represent,
};

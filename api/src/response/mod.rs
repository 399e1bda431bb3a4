//! Building blocks of responses: content codings, representations and validators, envelopes, problems.

mod coding;
mod document;
mod encoded;
mod envelope;
mod nullable;
mod problem;
mod reply;
mod representation;

pub use self::{
    coding::ContentCoding,
    document::StaticDocument,
    encoded::Encoded,
    envelope::Envelope,
    nullable::Nullable,
    problem::{ErrorSummary, PROBLEM_JSON, Problem, problem_response},
    reply::{PageReply, Reply, TextReply},
    representation::{JSON, Representation, etag_of},
};

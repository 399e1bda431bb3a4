//! Building blocks of responses: content codings, representations and validators, envelopes, problems.

mod coding;
mod cors;
mod document;
mod encoded;
mod envelope;
mod file;
mod json;
mod nullable;
mod precondition;
mod problem;
mod reply;
mod representation;
mod stored_body;
mod stream;
mod text;

pub use self::{
    coding::ContentCoding,
    cors::{Cors, CorsSettings},
    document::StaticDocument,
    encoded::Encoded,
    envelope::Envelope,
    file::{FileFormat, FilePage, FileReply},
    nullable::Nullable,
    precondition::Precondition,
    problem::{ErrorSummary, PROBLEM_JSON, Problem, problem_response},
    reply::{PageReply, Reply, TextReply},
    representation::{JSON, Representation, etag_of, is_modified},
    stored_body::StoredBody,
    stream::NdjsonReply,
    text::{
        AlwaysNull, CurrencyCode, EventId, Instant, LocalDate, LocalDateTime, LocalTime, PlaceCode, ProviderSlug, WebhookId,
        to_rfc3339,
    },
};
pub(crate) use self::{
    json::encode_json,
    problem::{DescribedError, set_error_headers},
    stored_body::BodyWriter,
    stream::StreamEncoder,
};

//! Batches of prices for travelling from place to place: from bytes to the database, whole or not at all, and back out of it.
//!
//! Both programs take batches in, the API from its clients and the worker from files, by the same rules. A batch is first [`read`]: every
//! item is checked and put into a nameless temporary file, the database is not touched, and one bad item refuses all. Then it is
//! [`settle`]d: one transaction writes the prices and adds them to the sums of each route and day, or finds that the same
//! [`IdempotencyKey`] brought them before.
//!
//! The crate knows nothing of HTTP, and does not answer questions about prices: that is the API's.

mod commit;
mod day;
mod delete;
mod idempotency;
mod limits;
mod place_ids;
mod price;
mod read;
mod staged;

pub use self::{
    commit::{CommitError, CommitOutcome, commit_batch},
    day::Day,
    delete::delete_batch,
    idempotency::{IdempotencyKey, IdempotencyKeys, KeyClaim},
    limits::BatchLimits,
    place_ids::PlaceIds,
    price::compute_mean,
    read::{BatchEncoding, BatchFormat, BatchReadError, ReadBatch, RowError, RowErrors, quote, read_batch},
    staged::StagedPrices,
};

//! Batches of prices for travelling between places: import from bytes to the database, and deletion. Both are atomic.
//!
//! Both programs import batches by the same rules: the API from requests, the worker from files. [`read_batch`] validates every row and
//! stages the prices in an unnamed temporary file, without access to the database; one invalid row rejects the batch. [`commit_batch`]
//! writes the prices and adds them to the sums of each route and day in one transaction, or finds that the same [`IdempotencyKey`] was
//! used before.
//!
//! This crate does not depend on HTTP and does not query prices: the API does.

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

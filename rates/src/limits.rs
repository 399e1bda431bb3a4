//! What one batch may take.

use std::time::Duration;

/// What one batch may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as they come.
    pub body_bytes: u64,
    /// Bytes without their coding.
    pub decoded_bytes: u64,
    /// Prices.
    pub items: u64,
    /// How long one of its statements may take: the one that adds all prices up waits for other batches on the same routes.
    pub statement_time: Duration,
}

impl Limits {
    /// A batch that comes in one request: two million prices, in any of the formats.
    pub const REQUEST: Self =
        Self { body_bytes: 256 << 20, decoded_bytes: 512 << 20, items: 2_000_000, statement_time: Duration::from_secs(300) };
    /// A batch in a file, which its operator vouches for: prices have their place in the batch in 32 bits.
    pub const FILE: Self =
        Self { body_bytes: u64::MAX, decoded_bytes: u64::MAX, items: 500_000_000, statement_time: Duration::from_secs(3_600) };
}

/// A line, or one item of an array: a thousand times what an item takes, so what is longer is none.
pub(crate) const MAX_ITEM_BYTES: usize = 64 * 1024;
/// Faults that are told of one batch: enough to see what is wrong with it.
pub(crate) const MAX_FAULTS: usize = 100;
/// Rows that are written with one statement: more are not written faster, and they wait in memory.
pub(crate) const ROWS_PER_WRITE: usize = 10_000;

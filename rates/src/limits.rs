//! The limits of one batch.

use std::time::Duration;

/// The limits of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes before decompression.
    pub body_bytes: u64,
    /// Bytes after decompression.
    pub decoded_bytes: u64,
    /// Prices.
    pub items: u64,
    /// The timeout of one statement: the one that adds all prices to the sums waits for other batches on the same routes.
    pub statement_time: Duration,
}

impl BatchLimits {
    /// A batch in a request: two million prices, in any of the formats.
    pub const REQUEST: Self =
        Self { body_bytes: 256 << 20, decoded_bytes: 512 << 20, items: 2_000_000, statement_time: Duration::from_secs(300) };
    /// A batch in a file, which the operator trusts: only the 32 bits of a price's position in its batch limit it.
    pub const FILE: Self =
        Self { body_bytes: u64::MAX, decoded_bytes: u64::MAX, items: 500_000_000, statement_time: Duration::from_secs(3_600) };
}

/// Bytes of a line or of one object: a thousand times the usual size, so a longer one is not a price.
pub(crate) const MAX_ROW_BYTES: usize = 64 * 1024;
/// Errors reported for one batch: enough to see what is wrong with it.
pub(crate) const MAX_REPORTED_ERRORS: usize = 100;
/// Rows written with one statement: larger statements are not faster, and their rows wait in memory.
pub(crate) const ROWS_PER_WRITE: usize = 10_000;

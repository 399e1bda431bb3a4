//! Reads a batch from bytes: valid prices are staged, invalid rows are reported with their line. Memory use does not depend on the size of
//! the batch.

mod check;
mod csv;
mod item;
mod json;
mod lines;
mod ndjson;
mod source;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, Read};

use self::{check::Checker, source::BatchSource};
pub use self::{
    check::{RowError, RowErrors, quote},
    source::BatchEncoding,
};
use crate::{BatchLimits, PlaceIds, StagedPrices, place_ids::NewestPlace};

/// The format of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFormat {
    /// A JSON array of objects.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// A header and one line per price, separated by commas ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).
    Csv,
}

/// Why a batch could not be read completely.
#[derive(Debug, thiserror::Error)]
pub enum BatchReadError {
    /// It is too large before decompression.
    #[error("the batch is larger than the limit of {limit_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// It is too large after decompression.
    #[error("the decompressed batch is larger than the limit of {limit_bytes} bytes")]
    DecodedTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// It has too many prices.
    #[error("the batch has more than the limit of {limit} prices")]
    TooManyItems {
        /// The limit.
        limit: u64,
    },
    /// It is not valid gzip, or its gzip data ends early.
    #[error("the batch is invalid or incomplete gzip data")]
    InvalidGzip(#[source] io::Error),
    /// Its source failed before the end.
    #[error("the batch is incomplete")]
    Source(#[source] io::Error),
    /// The temporary file cannot be created or written; the usual cause is a full disk.
    #[error("the batch cannot be written to a temporary file")]
    Disk(#[source] io::Error),
}

/// A batch that was read completely.
#[derive(Debug)]
pub struct ReadBatch {
    /// Hash of its bytes after decompression.
    pub body_hash: String,
    /// Its prices, or its errors.
    pub outcome: Result<StagedPrices, RowErrors>,
    /// The newest of the places with which it was read.
    pub(crate) newest_place: Option<NewestPlace>,
}

/// Reads a batch. Blocks like `source`.
///
/// # Errors
///
/// When it cannot be read completely. Invalid rows are in the outcome instead: the batch may be a retry of one that was committed.
pub fn read_batch(
    source: impl Read,
    encoding: BatchEncoding,
    format: BatchFormat,
    places: &PlaceIds,
    limits: &BatchLimits,
) -> Result<ReadBatch, BatchReadError> {
    let mut source = BatchSource::new(source, encoding, limits);
    let mut checker = Checker::new(places, limits).map_err(BatchReadError::Disk)?;
    parse(&mut source, format, &mut checker)?;
    let body_hash = source.hash_to_end()?;
    Ok(ReadBatch { body_hash, outcome: checker.finish(), newest_place: places.newest().cloned() })
}

fn parse(source: impl Read, format: BatchFormat, checker: &mut Checker<'_>) -> Result<(), BatchReadError> {
    let source = BufReader::with_capacity(64 * 1024, skip_byte_order_mark(source)?);
    match format {
        BatchFormat::Json => json::parse(source, checker),
        BatchFormat::Ndjson => ndjson::parse(source, checker),
        BatchFormat::Csv => csv::parse(source, checker),
    }
}

/// Skips a UTF-8 byte order mark, which spreadsheets write.
fn skip_byte_order_mark(mut source: impl Read) -> Result<impl Read, BatchReadError> {
    let mut head = Vec::with_capacity(3);
    source.by_ref().take(3).read_to_end(&mut head)?;
    if head == *b"\xef\xbb\xbf" {
        head.clear();
    }
    Ok(io::Cursor::new(head).chain(source))
}

/// Readers wrap our errors into an [`io::Error`]; all other errors come from the decoder.
impl From<io::Error> for BatchReadError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::InvalidGzip)
    }
}

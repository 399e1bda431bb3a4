//! Reads a batch from its bytes: what holds is put into a [`StagedPrices`], what does not is told with its line. Memory does not grow with the
//! batch.

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
use crate::{BatchLimits, PlaceIds, StagedPrices};

/// How the prices of a batch are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFormat {
    /// An array of objects.
    Json,
    /// An object on each line.
    Ndjson,
    /// A header and a line for each price, with commas ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).
    Csv,
}

/// Why a batch could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BatchReadError {
    /// It is too long as it comes.
    #[error("the batch is over the limit of {limit_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// It is too long without its coding.
    #[error("the batch is over the limit of {limit_bytes} bytes when it is decompressed")]
    DecodedTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// It holds too many prices.
    #[error("the batch is over the limit of {limit} prices")]
    TooManyItems {
        /// The limit.
        limit: u64,
    },
    /// Its coding is broken, or ends too early.
    #[error("the batch is not whole gzip")]
    Broken(#[source] io::Error),
    /// Where it comes from, it does not come to its end.
    #[error("the batch ended before it was whole")]
    Source(#[source] io::Error),
    /// The temporary file could not be made or written; the usual cause is a full disk.
    #[error("the batch could not be put into a temporary file")]
    Disk(#[source] io::Error),
}

/// A batch that was read to its end.
#[derive(Debug)]
pub struct ReadBatch {
    /// A hash of its bytes without their coding.
    pub body_hash: String,
    /// Its prices, or what is wrong with it.
    pub outcome: Result<StagedPrices, RowErrors>,
}

/// Reads a batch. It blocks, as `source` does.
///
/// # Errors
///
/// When it cannot be read to its end. RowErrors in what was read are no error: they may stand in a repetition of what was taken before.
pub fn read_batch(
    source: impl Read,
    coding: BatchEncoding,
    format: BatchFormat,
    places: &PlaceIds,
    limits: &BatchLimits,
) -> Result<ReadBatch, BatchReadError> {
    let mut source = BatchSource::new(source, coding, limits);
    let mut checker = Checker::new(places, limits).map_err(BatchReadError::Disk)?;
    parse(&mut source, format, &mut checker)?;
    let body_hash = source.hash_to_end()?;
    Ok(ReadBatch { body_hash, outcome: checker.finish() })
}

fn parse(source: impl Read, format: BatchFormat, checker: &mut Checker<'_>) -> Result<(), BatchReadError> {
    let source = BufReader::with_capacity(64 * 1024, without_byte_order_mark(source)?);
    match format {
        BatchFormat::Json => json::parse(source, checker),
        BatchFormat::Ndjson => ndjson::parse(source, checker),
        BatchFormat::Csv => csv::parse(source, checker),
    }
}

/// Spreadsheets write one, and it says nothing.
fn without_byte_order_mark(mut source: impl Read) -> Result<impl Read, BatchReadError> {
    let mut head = Vec::with_capacity(3);
    source.by_ref().take(3).read_to_end(&mut head)?;
    if head == *b"\xef\xbb\xbf" {
        head.clear();
    }
    Ok(io::Cursor::new(head).chain(source))
}

/// Errors of our own come through readers as what caused an [`io::Error`]; all others are those of a decoder.
impl From<io::Error> for BatchReadError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Broken)
    }
}

//! Copies a document into a spool as UTF-8 text: decompresses gzip that nothing declares, and converts other encodings.
//!
//! Both are detected in the first bytes, and the document is converted while it is copied, so that everything after it reads UTF-8 only.
//! Positions are those in the converted text; its lines are those of the original.

mod encoding;

use std::{
    io::{self, Cursor},
    path::Path,
};

use async_compression::tokio::bufread::GzipDecoder;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

use self::encoding::TextConverter;
use super::spool::{Spool, SpoolError, SpoolWriter};

/// The first bytes of every gzip member: two magic numbers, and the only compression method.
const GZIP: &[u8] = b"\x1F\x8B\x08";
/// The first bytes of a document, from which its encoding is detected: an XML declaration in UTF-16 has a tenth of it.
const HEAD_BYTES: usize = 1024;
/// Bytes that are read at a time.
const STEP_BYTES: usize = 64 * 1024;

/// Why a document cannot be copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// The source cannot be read, or its compressed data is invalid.
    #[error("the document cannot be read")]
    Read(#[source] io::Error),
    /// The spool does not accept it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Copies everything that a reader returns. `charset` is the encoding that the transport declares; the document itself may declare another.
pub(super) async fn copy(
    mut source: impl AsyncRead + Unpin,
    charset: Option<&str>,
    spool: &mut SpoolWriter,
) -> Result<(), CopyError> {
    let head = read_head(&mut source).await?;
    let is_gzip = head.starts_with(GZIP);
    let mut source = Cursor::new(head).chain(source);
    if !is_gzip {
        return copy_text(&mut source, charset, spool).await;
    }
    let mut decoder = GzipDecoder::new(BufReader::new(source));
    decoder.multiple_members(true);
    copy_text(&mut decoder, charset, spool).await
}

/// Copies a file, a FIFO, or, for `-`, standard input into a new spool.
///
/// # Errors
///
/// When it cannot be read or is over the limit, which an endless input always reaches.
pub async fn copy_file(path: &Path, limit_bytes: u64) -> Result<Spool, SpoolError> {
    let mut spool = SpoolWriter::new(limit_bytes);
    let copied = if path == Path::new("-") {
        copy(tokio::io::stdin(), None, &mut spool).await
    } else {
        copy(tokio::fs::File::open(path).await.map_err(SpoolError::Unreadable)?, None, &mut spool).await
    };
    copied.map_err(|error| match error {
        CopyError::Read(error) => SpoolError::Unreadable(error),
        CopyError::Spool(error) => error,
    })?;
    spool.finish().await
}

async fn copy_text(
    source: &mut (impl AsyncRead + Unpin),
    charset: Option<&str>,
    spool: &mut SpoolWriter,
) -> Result<(), CopyError> {
    let mut bytes = read_head(source).await?;
    let mut converter = TextConverter::detect(&bytes, charset);
    loop {
        let is_end = bytes.is_empty();
        spool.write(converter.convert(&bytes, is_end)).await?;
        if is_end {
            return Ok(());
        }
        // Few bytes may expand for a long time without waiting for I/O. Yielding lets the timeout fire.
        tokio::task::coop::consume_budget().await;
        bytes.clear();
        bytes.reserve(STEP_BYTES);
        source.read_buf(&mut bytes).await.map_err(CopyError::Read)?;
    }
}

async fn read_head(source: &mut (impl AsyncRead + Unpin)) -> Result<BytesMut, CopyError> {
    let mut head = BytesMut::with_capacity(HEAD_BYTES);
    while head.len() < HEAD_BYTES {
        let mut rest = (&mut *source).take((HEAD_BYTES - head.len()) as u64);
        if rest.read_buf(&mut head).await.map_err(CopyError::Read)? == 0 {
            break;
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests;

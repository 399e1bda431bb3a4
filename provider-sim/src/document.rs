//! The served document: the catalogue at a poll, or fixed bytes. Contains its encodings and the validator of its `ETag`.
//!
//! Chunks are generated on demand, so that memory does not grow with the document.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::{iter, mem};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::catalogue::SimCatalogue;
use crate::feed;
use crate::negotiation::SimEncoding;

/// The bytes of a document or body. An error ends them.
pub(crate) type Chunks = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;

#[derive(Clone, Debug)]
pub(crate) enum FeedDocument {
    Catalogue { catalogue: SimCatalogue, poll: u64 },
    Fixed(Bytes),
}

impl FeedDocument {
    pub(crate) fn chunks(&self) -> Chunks {
        match self {
            Self::Catalogue { catalogue, poll } => Box::new(feed::pieces(catalogue, *poll).map(|piece| Ok(Bytes::from(piece)))),
            Self::Fixed(bytes) => single_chunk(bytes.clone()),
        }
    }

    /// The length, if it is known without generating the document.
    pub(crate) fn known_length(&self) -> Option<u64> {
        match self {
            Self::Catalogue { .. } => None,
            Self::Fixed(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Differs if the bytes do. For a catalogue it consists of the settings, which determine the bytes; without churn the
    /// poll does not matter.
    pub(crate) fn validator(&self) -> String {
        match self {
            Self::Catalogue { catalogue: SimCatalogue { seed, events, zones, churn, anchor, details }, poll } => {
                let poll = if *churn > 0.0 { *poll } else { 0 };
                let details = if *details { "-details" } else { "" };
                format!("{anchor}-seed{seed}-events{events}-zones{zones}-churn{churn}-poll{poll}{details}")
            }
            Self::Fixed(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                format!("document-{:016x}", hasher.finish())
            }
        }
    }
}

pub(crate) fn single_chunk(bytes: impl Into<Bytes>) -> Chunks {
    Box::new(iter::once(Ok(bytes.into())))
}

/// The number of bytes, by generating all chunks.
pub(crate) fn measure_length(mut chunks: Chunks) -> io::Result<u64> {
    chunks.try_fold(0, |length, chunk| Ok(length + chunk?.len() as u64))
}

/// The first `limit` bytes of the chunks.
pub(crate) fn take_bytes(mut chunks: Chunks, limit: u64) -> Chunks {
    let mut left = limit;
    Box::new(iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let part = chunks.next()?.map(|chunk| {
            let length = left.min(chunk.len() as u64);
            left -= length;
            chunk.slice(..length as usize)
        });
        Some(part)
    }))
}

/// Encodes the chunks, gzip as one member. The output is deterministic.
pub(crate) fn encode(chunks: Chunks, encoding: SimEncoding) -> io::Result<Chunks> {
    let encoder = match encoding {
        SimEncoding::Identity => return Ok(chunks),
        SimEncoding::Gzip => StreamEncoder::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
        SimEncoding::Brotli => StreamEncoder::Brotli(Box::new(brotli::CompressorWriter::new(
            Vec::new(),
            BROTLI_BUFFER_BYTES,
            BROTLI_QUALITY,
            BROTLI_WINDOW_LOG,
        ))),
        SimEncoding::Zstd => StreamEncoder::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
    };
    Ok(Box::new(EncodedChunks { chunks, encoder: Some(encoder) }))
}

/// Encodes each chunk as a gzip member.
pub(crate) fn encode_gzip_members(mut chunks: Chunks) -> Chunks {
    Box::new(iter::from_fn(move || {
        let chunk = chunks.next()?;
        Some(chunk.and_then(|chunk| {
            let mut member = GzEncoder::new(Vec::new(), Compression::fast());
            member.write_all(&chunk)?;
            member.finish().map(Bytes::from)
        }))
    }))
}

const BROTLI_BUFFER_BYTES: usize = 64 * 1024;
/// Fast, as on servers that compress each response.
const BROTLI_QUALITY: u32 = 2;
const BROTLI_WINDOW_LOG: u32 = 20;
const ZSTD_LEVEL: i32 = 1;

enum StreamEncoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl StreamEncoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let out = match self {
            Self::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Self::Brotli(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Self::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
        };
        Ok(mem::take(out))
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

struct EncodedChunks {
    chunks: Chunks,
    /// `None` after the end of the stream.
    encoder: Option<StreamEncoder>,
}

impl EncodedChunks {
    /// The next compressed bytes, empty while the encoder buffers its input.
    fn advance(&mut self, mut encoder: StreamEncoder) -> io::Result<Vec<u8>> {
        let Some(chunk) = self.chunks.next() else {
            return encoder.finish();
        };
        let compressed = encoder.write(&chunk?)?;
        self.encoder = Some(encoder);
        Ok(compressed)
    }
}

impl Iterator for EncodedChunks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let encoder = self.encoder.take()?;
            match self.advance(encoder) {
                Ok(compressed) if compressed.is_empty() => {}
                outcome => return Some(outcome.map(Bytes::from)),
            }
        }
    }
}

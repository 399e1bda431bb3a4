//! What is served: the catalogue at a poll or a fixed document, as chunks made on demand.
//!
//! Owns the bytes of a sound document, their gzip form and the validator behind its `ETag`.
//! Deliberately lazy: a chunk exists only while it is being sent, and a document can be
//! walked twice to learn its length first.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::{iter, mem};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::catalogue::Catalogue;
use crate::feed;

/// Bytes in the order they are sent. An error ends them.
pub(crate) type Chunks = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;

#[derive(Clone, Debug)]
pub(crate) enum Document {
    Catalogue { catalogue: Catalogue, poll: u64 },
    Fixed(Bytes),
}

impl Document {
    pub(crate) fn chunks(&self) -> Chunks {
        match self {
            Self::Catalogue { catalogue, poll } => Box::new(feed::pieces(catalogue, *poll).map(|piece| Ok(Bytes::from(piece)))),
            Self::Fixed(bytes) => one(bytes.clone()),
        }
    }

    /// The length, where it is known without walking the document.
    pub(crate) fn known_length(&self) -> Option<u64> {
        match self {
            Self::Catalogue { .. } => None,
            Self::Fixed(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Differs whenever the bytes do. A catalogue is never hashed for it: its settings say
    /// as much, and without churn the poll does not matter.
    pub(crate) fn validator(&self) -> String {
        match self {
            Self::Catalogue { catalogue: Catalogue { seed, events, zones, churn, anchor }, poll } => {
                let poll = if *churn > 0.0 { *poll } else { 0 };
                format!("{anchor}-seed{seed}-events{events}-zones{zones}-churn{churn}-poll{poll}")
            }
            Self::Fixed(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                format!("document-{:016x}", hasher.finish())
            }
        }
    }
}

pub(crate) fn one(bytes: impl Into<Bytes>) -> Chunks {
    Box::new(iter::once(Ok(bytes.into())))
}

/// How many bytes the chunks hold, found by making them all.
pub(crate) fn length(mut chunks: Chunks) -> io::Result<u64> {
    chunks.try_fold(0, |length, chunk| Ok(length + chunk?.len() as u64))
}

/// The first `limit` bytes of the chunks.
pub(crate) fn first_bytes(mut chunks: Chunks, limit: u64) -> Chunks {
    let mut left = limit;
    Box::new(iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let taken = chunks.next()?.map(|chunk| {
            let length = left.min(chunk.len() as u64);
            left -= length;
            chunk.slice(..length as usize)
        });
        Some(taken)
    }))
}

/// The chunks as one gzip member. The same bytes in give the same bytes out.
pub(crate) fn gzip(chunks: Chunks) -> Chunks {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    Box::new(Gzip { chunks, encoder: Some(encoder) })
}

struct Gzip {
    chunks: Chunks,
    /// Gone when the end of the member is out.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    /// The next compressed bytes, none if the encoder keeps what it was given for later.
    fn advance(&mut self, mut encoder: GzEncoder<Vec<u8>>) -> io::Result<Vec<u8>> {
        let Some(chunk) = self.chunks.next() else {
            return encoder.finish();
        };
        encoder.write_all(&chunk?)?;
        let compressed = mem::take(encoder.get_mut());
        self.encoder = Some(encoder);
        Ok(compressed)
    }
}

impl Iterator for Gzip {
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

//! Where a document waits to be read.

use std::{io, ops::Range};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

/// A document.
#[derive(Debug)]
pub struct Spool {
    bytes: Bytes,
}

impl Spool {
    /// Of bytes in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into() }
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// xxh3 of all of it.
    pub fn hash(&self) -> i64 {
        xxh3_64(&self.bytes).cast_signed()
    }

    /// Reads a part of it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

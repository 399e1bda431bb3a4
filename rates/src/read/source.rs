//! The bytes of a batch: limited, decompressed and hashed.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use xxhash_rust::xxh3::Xxh3;

use super::BatchReadError;
use crate::BatchLimits;

/// The compression of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEncoding {
    /// None.
    Identity,
    /// gzip, with one or more members.
    Gzip,
}

/// The bytes of a batch after decompression.
pub(super) struct BatchSource<R> {
    decoded: Decoded<R>,
    hash: Box<Xxh3>,
    bytes: u64,
    limit_bytes: u64,
}

enum Decoded<R> {
    Identity(Raw<R>),
    Gzip(Box<MultiGzDecoder<Raw<R>>>),
}

/// The bytes before decompression.
struct Raw<R> {
    inner: R,
    bytes: u64,
    limit_bytes: u64,
}

impl<R: Read> BatchSource<R> {
    pub(super) fn new(source: R, encoding: BatchEncoding, limits: &BatchLimits) -> Self {
        let raw = Raw { inner: source, bytes: 0, limit_bytes: limits.body_bytes };
        let decoded = match encoding {
            BatchEncoding::Identity => Decoded::Identity(raw),
            BatchEncoding::Gzip => Decoded::Gzip(Box::new(MultiGzDecoder::new(raw))),
        };
        Self { decoded, hash: Box::new(Xxh3::new()), bytes: 0, limit_bytes: limits.decoded_bytes }
    }

    /// Reads the remaining bytes and returns the hash of all.
    pub(super) fn hash_to_end(mut self) -> Result<String, BatchReadError> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(format!("{:032x}", self.hash.digest128()))
    }
}

impl<R: Read> Read for BatchSource<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.decoded {
            Decoded::Identity(raw) => raw.read(buffer)?,
            Decoded::Gzip(decoder) => decoder.read(buffer)?,
        };
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        if self.bytes > self.limit_bytes {
            return Err(io::Error::other(BatchReadError::DecodedTooLarge { limit_bytes: self.limit_bytes }));
        }
        Ok(count)
    }
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(io::Error::other(BatchReadError::Source(error))),
        };
        self.bytes += count as u64;
        if self.bytes > self.limit_bytes {
            return Err(io::Error::other(BatchReadError::BodyTooLarge { limit_bytes: self.limit_bytes }));
        }
        Ok(count)
    }
}

//! Bodies in memory. A large one that is written part by part is packed, and unpacked while it is sent or encoded: so nothing ever holds all
//! of it, neither its writer nor the cache nor a connection.

use std::{
    future::ready,
    io::{self, Cursor, Read},
    iter, mem,
};

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use poem::Body;
use zstd::stream::read::Decoder;

use super::coding::ZSTD_LEVEL;
use crate::error::ApiError;

/// Parts that are packed: a smaller body is stored as it is. Larger parts would not become much smaller.
const PART_BYTES: usize = 256 * 1024;
/// Bytes that are unpacked before the connection has sent the previous ones.
const SENT_BYTES: u64 = 64 * 1024;

/// The bytes of a body, as they are or packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    bytes: Bytes,
    /// The length of a packed body. Then `bytes` are Zstandard frames.
    unpacked_length: Option<usize>,
}

/// A body while it is written.
#[derive(Debug, Default)]
pub(crate) struct BodyWriter {
    part: Vec<u8>,
    packed: Vec<u8>,
    /// The length of what is packed.
    length: usize,
}

impl From<Bytes> for StoredBody {
    fn from(bytes: Bytes) -> Self {
        Self::from_parts(bytes, None)
    }
}

impl From<Vec<u8>> for StoredBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for StoredBody {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl StoredBody {
    /// The bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same body with these bytes in memory, and the length of what they unpack to if they are packed.
    #[must_use]
    pub fn from_parts(bytes: Bytes, unpacked_length: Option<usize>) -> Self {
        Self { bytes, unpacked_length }
    }

    /// The length, if it is packed.
    #[must_use]
    pub fn unpacked_length(&self) -> Option<usize> {
        self.unpacked_length
    }

    /// The value of `Content-Length`.
    #[must_use]
    pub fn content_length(&self) -> usize {
        self.unpacked_length.unwrap_or(self.bytes.len())
    }

    /// Reads the body, unpacked.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub(super) fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self.unpacked_length {
            Some(_) => Box::new(Decoder::with_buffer(&*self.bytes)?),
            None => Box::new(&*self.bytes),
        })
    }

    /// The body of a response.
    #[must_use]
    pub(crate) fn into_body(self) -> Body {
        if self.unpacked_length.is_none() {
            return Body::from(self.bytes);
        }
        let decoder = Decoder::with_buffer(Cursor::new(self.bytes));
        let parts = stream::once(ready(decoder)).map_ok(|mut decoder| {
            stream::iter(iter::from_fn(move || {
                let mut part = Vec::new();
                match decoder.by_ref().take(SENT_BYTES).read_to_end(&mut part) {
                    Ok(0) => None,
                    result => Some(result.map(|_| Bytes::from(part))),
                }
            }))
        });
        Body::from_bytes_stream(parts.try_flatten())
    }
}

impl BodyWriter {
    /// Appends what `write` appends.
    ///
    /// # Errors
    ///
    /// When `write` fails.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), ApiError>) -> Result<(), ApiError> {
        write(&mut self.part)?;
        if self.part.len() >= PART_BYTES { self.pack().map_err(|_| ApiError::ResponseBody) } else { Ok(()) }
    }

    /// The body between a beginning and an end.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub(crate) fn finish(mut self, head: &[u8], tail: &[u8]) -> Result<StoredBody, ApiError> {
        self.part.extend_from_slice(tail);
        if self.packed.is_empty() {
            return Ok([head, &*self.part].concat().into());
        }
        let packed_head = self.pack().and_then(|()| zstd::bulk::compress(head, ZSTD_LEVEL));
        let bytes = [packed_head.map_err(|_| ApiError::ResponseBody)?, self.packed].concat();
        Ok(StoredBody::from_parts(bytes.into(), Some(head.len() + self.length)))
    }

    fn pack(&mut self) -> io::Result<()> {
        let part = mem::take(&mut self.part);
        self.length += part.len();
        self.packed.extend(zstd::bulk::compress(&part, ZSTD_LEVEL)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(parts: usize) -> (StoredBody, Vec<u8>) {
        let mut writer = BodyWriter::default();
        let mut expected = b"head".to_vec();
        for number in 0..parts {
            let part = format!("event {number}\n").repeat(1_000).into_bytes();
            let write = |body: &mut Vec<u8>| {
                body.extend_from_slice(&part);
                Ok(())
            };
            writer.append(write).unwrap();
            expected.extend(part);
        }
        expected.extend_from_slice(b"tail");
        (writer.finish(b"head", b"tail").unwrap(), expected)
    }

    #[tokio::test]
    async fn large_bodies_are_packed_and_sent_unpacked() {
        for (parts, is_packed) in [(0, false), (1, false), (100, true)] {
            let (stored, expected) = write(parts);
            assert_eq!((stored.unpacked_length().is_some(), stored.content_length()), (is_packed, expected.len()));
            assert!(!is_packed || stored.bytes().len() * 10 < expected.len());
            let mut read = Vec::new();
            stored.reader().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == expected && stored.into_body().into_vec().await.unwrap() == expected);
        }
    }

    #[tokio::test]
    async fn a_damaged_body_is_not_sent_as_if_it_were_complete() {
        let (stored, _) = write(100);
        let damaged = StoredBody::from_parts(stored.bytes().slice(..stored.bytes().len() - 1), stored.unpacked_length());
        assert!(damaged.into_body().into_vec().await.is_err());
    }
}

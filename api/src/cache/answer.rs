//! An encoded answer, and its form in Redis.

use bytes::{BufMut, Bytes, BytesMut};
use poem::http::HeaderValue;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::response::Coding;

/// How the bytes of an answer in Redis begin.
const MAGIC: [u8; 4] = *b"MQA1";
/// Magic, checksum of what follows, version, coding, length of the link.
const HEAD_BYTES: usize = 4 + 8 + 8 + 1 + 2;
/// What the process spends on an answer beside its body, link and key: about what `malloc` and the cache's own lists take.
const OVERHEAD_BYTES: usize = 512;

/// An allocator has sizes of its own: what it rounds up to is about an eighth more.
const ROUNDED_UP_BY: usize = 8;

/// What a question was answered with, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The version of the catalogue that it was read from.
    pub version: i64,
    /// How `body` is encoded.
    pub coding: Coding,
    /// The value of its `ETag` header: names these very bytes.
    pub etag: HeaderValue,
    /// The value of its `Link` header.
    pub link: Option<HeaderValue>,
    /// The bytes.
    pub body: Bytes,
}

impl Answer {
    /// An answer whose bytes are as they were written.
    #[must_use]
    pub fn new(version: i64, body: Bytes, link: Option<HeaderValue>) -> Self {
        Self { version, coding: Coding::Identity, etag: etag(&body), link, body }
    }

    /// The same with its bytes in another coding.
    #[must_use]
    pub fn in_coding(&self, coding: Coding, body: Bytes) -> Self {
        Self { version: self.version, coding, etag: etag(&body), link: self.link.clone(), body }
    }

    /// Bytes of memory that it takes, with a key of this length.
    #[must_use]
    pub(super) fn weight(&self, key: &str) -> u32 {
        let link = self.link.as_ref().map_or(0, HeaderValue::len);
        u32::try_from(self.body.len() + self.body.len() / ROUNDED_UP_BY + link + key.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
    }

    /// The form in Redis; there is none of a link that is longer than its length can say.
    #[must_use]
    pub(super) fn to_bytes(&self) -> Option<Bytes> {
        let link = self.link.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let link_length = u16::try_from(link.len()).ok()?;
        let mut bytes = BytesMut::with_capacity(HEAD_BYTES + link.len() + self.body.len());
        bytes.put_slice(&MAGIC);
        bytes.put_u64(0);
        bytes.put_i64(self.version);
        bytes.put_u8(self.coding as u8);
        bytes.put_u16(link_length);
        bytes.put_slice(link);
        bytes.put_slice(&self.body);
        let checksum = xxh3_64(&bytes[12..]).to_be_bytes();
        bytes[4..12].copy_from_slice(&checksum);
        Some(bytes.freeze())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; nothing if anything is wrong with it, or if it is another answer than the wanted one.
    #[must_use]
    pub(super) fn from_bytes(bytes: &Bytes, version: i64, coding: Coding) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (checksum, rest) = rest.split_first_chunk::<8>()?;
        if *magic != MAGIC || u64::from_be_bytes(*checksum) != xxh3_64(rest) {
            return None;
        }
        let (found_version, rest) = rest.split_first_chunk::<8>()?;
        let (found_coding, rest) = rest.split_first()?;
        let (link_length, rest) = rest.split_first_chunk::<2>()?;
        let (link, body) = rest.split_at_checked(usize::from(u16::from_be_bytes(*link_length)))?;
        if i64::from_be_bytes(*found_version) != version || *found_coding != coding as u8 {
            return None;
        }
        let link = if link.is_empty() { None } else { Some(HeaderValue::from_bytes(link).ok()?) };
        let body = bytes.slice_ref(body);
        Some(Self { version, coding, etag: etag(&body), link, body })
    }
}

/// A strong validator: the hash of the bytes that are sent, so that each coding has its own.
fn etag(body: &[u8]) -> HeaderValue {
    crate::response::etag_of(xxh3_128(body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer() -> Answer {
        let link = HeaderValue::from_static("</search?cursor=AQ>; rel=\"next\"");
        Answer::new(7, Bytes::from_static(b"{\"data\":{}}"), Some(link))
    }

    #[test]
    fn an_answer_survives_the_way_to_redis_and_back() {
        for answer in
            [answer(), Answer { link: None, ..answer() }, answer().in_coding(Coding::Gzip, Bytes::from_static(b"packed"))]
        {
            assert_eq!(Answer::from_bytes(&answer.to_bytes().unwrap_or_default(), 7, answer.coding), Some(answer));
        }
    }

    #[test]
    fn an_answer_with_a_link_beyond_all_measure_has_no_form_in_redis() {
        let of_length = |length: usize| HeaderValue::from_str(&"x".repeat(length)).ok();
        assert!(Answer { link: of_length(65_535), ..answer() }.to_bytes().is_some());
        assert_eq!(Answer { link: of_length(65_536), ..answer() }.to_bytes(), None);
    }

    #[test]
    fn another_answer_than_the_wanted_one_is_none() {
        let bytes = answer().to_bytes().unwrap_or_default();
        assert_eq!(Answer::from_bytes(&bytes, 8, Coding::Identity), None);
        assert_eq!(Answer::from_bytes(&bytes, 7, Coding::Brotli), None);
    }

    proptest! {
        #[test]
        fn bytes_that_were_cut_or_changed_are_no_answer(at in 0_usize..100, change in 1_u8..) {
            let bytes = answer().to_bytes().unwrap_or_default();
            let at = at % bytes.len();
            prop_assert_eq!(Answer::from_bytes(&bytes.slice(..at), 7, Coding::Identity), None);
            let mut changed = bytes.to_vec();
            changed[at] ^= change;
            prop_assert_eq!(Answer::from_bytes(&changed.into(), 7, Coding::Identity), None);
        }

        #[test]
        fn bytes_of_anybody_are_no_answer(bytes: Vec<u8>) {
            prop_assert_eq!(Answer::from_bytes(&bytes.into(), 7, Coding::Identity), None);
        }
    }
}

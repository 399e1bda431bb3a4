//! A cached body, and its format in Redis.

use bytes::{BufMut, Bytes, BytesMut};
use poem::http::HeaderValue;
use xxhash_rust::xxh3::Xxh3Default;

use crate::response::{ContentCoding, JSON, Representation};

/// The first bytes of a body in Redis.
const MAGIC: [u8; 4] = *b"MQA2";
/// Magic, checksum of the key and of what follows, version, coding, length of the link.
const HEAD_BYTES: usize = 4 + 8 + 8 + 1 + 2;
/// Memory used by an entry beside its body, link and key: about what the allocator and the cache's own lists take.
const OVERHEAD_BYTES: usize = 512;
/// Allocators round sizes up, by about one eighth.
const ROUNDED_UP_BY: usize = 8;

/// The response to a query, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedBody {
    /// The version of the catalogue from which it was read.
    pub version: i64,
    /// How often the process had seen the database restored before it read the body.
    pub restores: u64,
    /// The bytes, with their coding and validator.
    pub representation: Representation,
    /// The value of the `Link` header.
    pub link: Option<HeaderValue>,
}

impl CachedBody {
    /// A body without a coding.
    #[must_use]
    pub fn new(version: i64, restores: u64, body: Bytes, link: Option<HeaderValue>) -> Self {
        Self { version, restores, representation: Representation::new(JSON, ContentCoding::Identity, body), link }
    }

    /// The same response, with its bytes in another coding.
    #[must_use]
    pub fn with_coding(&self, coding: ContentCoding, body: Bytes) -> Self {
        let representation = Representation::new(JSON, coding, body);
        Self { version: self.version, restores: self.restores, representation, link: self.link.clone() }
    }

    /// Whether it was read from a later state of the catalogue.
    #[must_use]
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        (self.restores, self.version) > (other.restores, other.version)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.representation.body
    }

    /// The memory that it uses under a key.
    #[must_use]
    pub(super) fn weight(&self, key: &str) -> u32 {
        let body = self.bytes().len();
        let link = self.link.as_ref().map_or(0, HeaderValue::len);
        u32::try_from(body + body / ROUNDED_UP_BY + link + key.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
    }

    /// Encodes it for Redis, under this key. A link that is longer than its length field can hold has no encoding.
    #[must_use]
    pub fn to_bytes(&self, key: &str) -> Option<Bytes> {
        let link = self.link.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let link_length = u16::try_from(link.len()).ok()?;
        let mut bytes = BytesMut::with_capacity(HEAD_BYTES + link.len() + self.bytes().len());
        bytes.put_slice(&MAGIC);
        bytes.put_u64(0);
        bytes.put_i64(self.version);
        bytes.put_u8(self.representation.coding as u8);
        bytes.put_u16(link_length);
        bytes.put_slice(link);
        bytes.put_slice(self.bytes());
        let checksum = checksum(key, &bytes[12..]).to_be_bytes();
        bytes[4..12].copy_from_slice(&checksum);
        Some(bytes.freeze())
    }

    /// Decodes what [`to_bytes`](Self::to_bytes) encoded, as read after no restore. `None` if it is damaged, or of another key, version or coding.
    #[must_use]
    pub fn from_bytes(bytes: &Bytes, key: &str, version: i64, coding: ContentCoding) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (stored_checksum, rest) = rest.split_first_chunk::<8>()?;
        if *magic != MAGIC || u64::from_be_bytes(*stored_checksum) != checksum(key, rest) {
            return None;
        }
        let (stored_version, rest) = rest.split_first_chunk::<8>()?;
        let (stored_coding, rest) = rest.split_first()?;
        let (link_length, rest) = rest.split_first_chunk::<2>()?;
        let (link, body) = rest.split_at_checked(usize::from(u16::from_be_bytes(*link_length)))?;
        if i64::from_be_bytes(*stored_version) != version || *stored_coding != coding as u8 {
            return None;
        }
        let link = if link.is_empty() { None } else { Some(HeaderValue::from_bytes(link).ok()?) };
        let representation = Representation::new(JSON, coding, bytes.slice_ref(body));
        Some(Self { version, restores: 0, representation, link })
    }
}

fn checksum(key: &str, content: &[u8]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(key.as_bytes());
    hash.update(content);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "/search?limit=1 identity";

    fn body() -> CachedBody {
        let link = HeaderValue::from_static("<?cursor=AQ>; rel=\"next\"");
        CachedBody::new(7, 0, Bytes::from_static(b"{\"data\":{}}"), Some(link))
    }

    #[test]
    fn encoding_for_redis_round_trips() {
        let gzip = body().with_coding(ContentCoding::Gzip, Bytes::from_static(b"compressed"));
        for body in [body(), CachedBody { link: None, ..body() }, gzip] {
            let bytes = body.to_bytes(KEY).unwrap_or_default();
            assert_eq!(CachedBody::from_bytes(&bytes, KEY, 7, body.representation.coding), Some(body));
        }
    }

    #[test]
    fn a_link_over_64_kib_has_no_encoding() {
        let link = |length: usize| HeaderValue::from_str(&"x".repeat(length)).ok();
        assert!(CachedBody { link: link(65_535), ..body() }.to_bytes(KEY).is_some());
        assert_eq!(CachedBody { link: link(65_536), ..body() }.to_bytes(KEY), None);
    }

    #[test]
    fn rejects_another_key_version_or_coding() {
        let bytes = body().to_bytes(KEY).unwrap_or_default();
        assert_eq!(CachedBody::from_bytes(&bytes, "/search?limit=2 identity", 7, ContentCoding::Identity), None);
        assert_eq!(CachedBody::from_bytes(&bytes, KEY, 8, ContentCoding::Identity), None);
        assert_eq!(CachedBody::from_bytes(&bytes, KEY, 7, ContentCoding::Brotli), None);
    }

    proptest! {
        #[test]
        fn rejects_truncated_and_changed_bytes(at in 0_usize..100, change in 1_u8..) {
            let bytes = body().to_bytes(KEY).unwrap_or_default();
            let at = at % bytes.len();
            prop_assert_eq!(CachedBody::from_bytes(&bytes.slice(..at), KEY, 7, ContentCoding::Identity), None);
            let mut changed = bytes.to_vec();
            changed[at] ^= change;
            prop_assert_eq!(CachedBody::from_bytes(&changed.into(), KEY, 7, ContentCoding::Identity), None);
        }

        #[test]
        fn rejects_arbitrary_bytes(bytes: Vec<u8>) {
            prop_assert_eq!(CachedBody::from_bytes(&bytes.into(), KEY, 7, ContentCoding::Identity), None);
        }
    }
}

//! A cached body, and its format in Redis.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use entity::UtcInstant;
use poem::http::HeaderValue;
use xxhash_rust::xxh3::Xxh3Default;

use super::SnapshotVersion;
use crate::response::{ContentCoding, Representation, StoredBody};

/// The first bytes of a body in Redis.
const MAGIC: [u8; 4] = *b"MQA4";
/// Magic, checksum of the key and of what follows, version and when it was raised, length of a packed body, coding, length of the link.
const HEAD_BYTES: usize = 4 + 8 + 8 + 8 + 8 + 1 + 2;
/// Memory used by an entry beside its body, link and key: about what the allocator and the cache's own lists take.
const OVERHEAD_BYTES: usize = 512;
/// Allocators round sizes up, by about one eighth.
const ROUNDED_UP_BY: usize = 8;

/// The response to a query, as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedBody {
    /// The version of the catalogue from which it was read.
    pub version: i64,
    /// When that version was raised.
    pub raised_at: UtcInstant,
    /// How often the process had seen the database restored before it read the body.
    pub restores: u64,
    /// The bytes, with their coding and validator.
    pub representation: Representation,
    /// The value of the `Link` header.
    pub link: Option<HeaderValue>,
    confirmed: ConfirmedVersion,
}

/// A version at which a body was still current: no release up to it changed the body.
#[derive(Debug)]
struct ConfirmedVersion(AtomicI64);

impl Clone for ConfirmedVersion {
    fn clone(&self) -> Self {
        Self(AtomicI64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl PartialEq for ConfirmedVersion {
    fn eq(&self, other: &Self) -> bool {
        self.0.load(Ordering::Relaxed) == other.0.load(Ordering::Relaxed)
    }
}

impl CachedBody {
    /// A body without a coding.
    #[must_use]
    pub fn new(
        content_type: HeaderValue,
        (version, raised_at): SnapshotVersion,
        restores: u64,
        body: StoredBody,
        link: Option<HeaderValue>,
    ) -> Self {
        let representation = Representation::new(content_type, ContentCoding::Identity, body);
        Self { version, raised_at, restores, representation, link, confirmed: ConfirmedVersion(AtomicI64::new(version)) }
    }

    /// Whether it is known to be current at this version.
    pub(super) fn is_confirmed_at(&self, version: i64) -> bool {
        self.confirmed.0.load(Ordering::Relaxed) >= version
    }

    /// The newest version at which it is known to be current.
    pub(super) fn confirmed_version(&self) -> i64 {
        self.confirmed.0.load(Ordering::Relaxed)
    }

    /// Records that no release up to this version changed it.
    pub(super) fn confirm_at(&self, version: i64) {
        self.confirmed.0.fetch_max(version, Ordering::Relaxed);
    }

    /// The same response, with its bytes in another coding.
    #[must_use]
    pub fn with_coding(&self, coding: ContentCoding, body: StoredBody) -> Self {
        let representation = Representation::new(self.representation.content_type.clone(), coding, body);
        Self { representation, ..self.clone() }
    }

    /// Whether it was read from a later state of the catalogue.
    #[must_use]
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        (self.restores, self.version) > (other.restores, other.version)
    }

    /// The bytes in memory.
    fn bytes(&self) -> &Bytes {
        self.representation.body.bytes()
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
        bytes.put_i64(self.raised_at.0);
        // 0 if it is not packed: a packed body is not empty.
        bytes.put_u64(self.representation.body.unpacked_length().unwrap_or(0) as u64);
        bytes.put_u8(self.representation.coding as u8);
        bytes.put_u16(link_length);
        bytes.put_slice(link);
        bytes.put_slice(self.bytes());
        let checksum = checksum(key, &bytes[12..]).to_be_bytes();
        bytes[4..12].copy_from_slice(&checksum);
        Some(bytes.freeze())
    }

    /// Decodes what [`to_bytes`](Self::to_bytes) encoded, as read after no restore. `None` if it is damaged, or of another key or
    /// coding. The key determines the media type, which is not encoded.
    #[must_use]
    pub fn from_bytes(content_type: HeaderValue, bytes: &Bytes, key: &str, coding: ContentCoding) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (stored_checksum, rest) = rest.split_first_chunk::<8>()?;
        if *magic != MAGIC || u64::from_be_bytes(*stored_checksum) != checksum(key, rest) {
            return None;
        }
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (raised_at, rest) = rest.split_first_chunk::<8>()?;
        let (unpacked_length, rest) = rest.split_first_chunk::<8>()?;
        let (stored_coding, rest) = rest.split_first()?;
        let (link_length, rest) = rest.split_first_chunk::<2>()?;
        let (link, body) = rest.split_at_checked(usize::from(u16::from_be_bytes(*link_length)))?;
        if *stored_coding != coding as u8 {
            return None;
        }
        let link = if link.is_empty() { None } else { Some(HeaderValue::from_bytes(link).ok()?) };
        let snapshot = (i64::from_be_bytes(*version), UtcInstant(i64::from_be_bytes(*raised_at)));
        let unpacked_length = usize::try_from(u64::from_be_bytes(*unpacked_length)).ok()?;
        let body = StoredBody::from_parts(bytes.slice_ref(body), (unpacked_length > 0).then_some(unpacked_length));
        Some(Self::new(content_type, snapshot, 0, Bytes::new().into(), link).with_coding(coding, body))
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
    use crate::response::JSON;

    const KEY: &str = "/search?limit=1 identity";

    fn body() -> CachedBody {
        let link = HeaderValue::from_static("<?cursor=AQ>; rel=\"next\"");
        CachedBody::new(JSON, (7, UtcInstant(70)), 0, Bytes::from_static(b"{\"data\":{}}").into(), Some(link))
    }

    #[test]
    fn encoding_for_redis_round_trips() {
        let gzip = body().with_coding(ContentCoding::Gzip, Bytes::from_static(b"compressed").into());
        let packed = StoredBody::from_parts(Bytes::from_static(b"packed"), Some(1_000));
        let packed = body().with_coding(ContentCoding::Identity, packed);
        for body in [body(), CachedBody { link: None, ..body() }, gzip, packed] {
            let bytes = body.to_bytes(KEY).unwrap_or_default();
            assert_eq!(CachedBody::from_bytes(JSON, &bytes, KEY, body.representation.coding), Some(body));
        }
    }

    #[test]
    fn a_link_over_64_kib_has_no_encoding() {
        let link = |length: usize| HeaderValue::from_str(&"x".repeat(length)).ok();
        assert!(CachedBody { link: link(65_535), ..body() }.to_bytes(KEY).is_some());
        assert_eq!(CachedBody { link: link(65_536), ..body() }.to_bytes(KEY), None);
    }

    #[test]
    fn rejects_another_key_or_coding() {
        let bytes = body().to_bytes(KEY).unwrap_or_default();
        assert_eq!(CachedBody::from_bytes(JSON, &bytes, "/search?limit=2 identity", ContentCoding::Identity), None);
        assert_eq!(CachedBody::from_bytes(JSON, &bytes, KEY, ContentCoding::Brotli), None);
    }

    proptest! {
        #[test]
        fn rejects_truncated_and_changed_bytes(at in 0_usize..100, change in 1_u8..) {
            let bytes = body().to_bytes(KEY).unwrap_or_default();
            let at = at % bytes.len();
            prop_assert_eq!(CachedBody::from_bytes(JSON, &bytes.slice(..at), KEY, ContentCoding::Identity), None);
            let mut changed = bytes.to_vec();
            changed[at] ^= change;
            prop_assert_eq!(CachedBody::from_bytes(JSON, &changed.into(), KEY, ContentCoding::Identity), None);
        }

        #[test]
        fn rejects_arbitrary_bytes(bytes: Vec<u8>) {
            prop_assert_eq!(CachedBody::from_bytes(JSON, &bytes.into(), KEY, ContentCoding::Identity), None);
        }
    }
}

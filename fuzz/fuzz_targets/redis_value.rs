//! Values in Redis: foreign and damaged ones are rejected, and what is decoded encodes to the same bytes.
#![no_main]

use api::{cache::CachedBody, response::ContentCoding};
use bytes::Bytes;
use entity::UtcInstant;

const KEY: &str = "/search?limit=1";

fn check(value: &Bytes) {
    if let Some(body) = CachedBody::from_bytes(value, KEY, ContentCoding::Identity) {
        assert_eq!(body.to_bytes(KEY).as_ref(), Some(value));
    }
}

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8], u16)| {
    let (value, link, position) = input;
    check(&Bytes::copy_from_slice(value));
    let link = http::HeaderValue::from_bytes(link).ok();
    let body = CachedBody::new((7, UtcInstant(70)), 0, Bytes::copy_from_slice(value), link);
    let Some(encoded) = body.to_bytes(KEY) else { return };
    check(&encoded);
    assert_eq!(CachedBody::from_bytes(&encoded, "/search", ContentCoding::Identity), None);
    let mut damaged = encoded.to_vec();
    let position = usize::from(position) % damaged.len();
    damaged[position] ^= 1;
    assert_eq!(CachedBody::from_bytes(&damaged.into(), KEY, ContentCoding::Identity), None);
});

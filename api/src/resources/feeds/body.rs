//! The body of a pushed feed: its size and content coding are checked here, and its content is parsed by the worker.

use std::io::{self, Read};

use entity::pushed_feed::Mode;
use poem::Request;
use poem_openapi::registry::{MetaMediaType, MetaSchema, MetaSchemaRef, Registry};
use xxhash_rust::xxh3::Xxh3;

use super::request::FeedRequest;
use crate::{
    error::ApiError,
    resources::upload::{Contents, Upload, content_coding, media_type},
};

/// The largest body. Larger documents must be served by the provider and fetched by a worker.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// The largest decompressed body. An entry of `providers.toml` may allow less.
const MAX_DECODED_BYTES: u64 = 256 << 20;
/// The largest zstd window in HTTP is 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;
/// The size of the decompression buffer.
const BUFFER_BYTES: usize = 64 * 1024;

const JSON: &str = "application/json";
/// Accepted and not documented: generated clients expect one JSON type.
const JSON_LD: &str = "application/ld+json";

/// A document in the format of its provider.
#[derive(Debug)]
pub struct FeedBody;

impl Contents for FeedBody {
    const MEDIA_TYPES: &'static [&'static str] =
        &["application/xml", "text/xml", JSON, JSON_LD, "text/html", "text/calendar", "application/octet-stream"];
    const ACCEPTED: &'static str = "the `Content-Type` of its document, such as application/xml, application/json, text/html or \
                                    text/calendar, or application/octet-stream";

    fn described() -> Vec<MetaMediaType> {
        let document = |media_type: &str| {
            // Any JSON is a document; the others are not JSON.
            let form = if media_type == JSON { MetaSchema::ANY } else { MetaSchema::new_with_format("string", "binary") };
            let description = Some("A document in the provider's format (docs/feed-format.md)");
            MetaSchemaRef::Inline(Box::new(MetaSchema { description, ..form }))
        };
        let documented = Self::MEDIA_TYPES.iter().filter(|media_type| **media_type != JSON_LD);
        documented.map(|content_type| MetaMediaType { content_type, schema: document(content_type) }).collect()
    }

    fn register(_: &mut Registry) {}
}

/// A complete document with a valid content coding.
#[derive(Debug)]
pub(super) struct FeedUpload {
    pub(super) coding: &'static str,
    pub(super) body: Vec<u8>,
    /// The hash of the decompressed document and its mode.
    pub(super) hash: String,
}

/// Reads the document. Its media type is not used, because the provider's entry defines its format. It is required, because browsers
/// send forms of other origins with a few media types only, none of them a document's.
pub(super) async fn read(request: &Request, upload: Upload<FeedBody>, options: &FeedRequest) -> Result<FeedUpload, ApiError> {
    media_type::<FeedBody>(request)?;
    let coding = parse_coding(request)?;
    FeedUpload::new(coding, upload.bytes(MAX_BYTES).await?, options.mode).await
}

impl FeedUpload {
    /// Checks a document, and hashes it.
    pub(super) async fn new(coding: &'static str, body: Vec<u8>, mode: Mode) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Err(ApiError::InvalidBody("the body must be a document in the format of the provider, got an empty body"));
        }
        let hashed = tokio::task::spawn_blocking(move || hash(coding, &body, mode).map(|hash| Self { coding, body, hash }));
        hashed.await.map_err(|_| ApiError::TaskPanicked)?
    }
}

fn parse_coding(request: &Request) -> Result<&'static str, ApiError> {
    let coding = content_coding(request);
    let supported = ["", "gzip", "br", "zstd"].into_iter().find(|supported| *supported == coding);
    supported.ok_or(ApiError::UnsupportedMediaType { accepted: "no `Content-Encoding`, or gzip, br or zstd" })
}

fn hash(coding: &str, body: &[u8], mode: Mode) -> Result<String, ApiError> {
    let mut hash = Xxh3::new();
    hash.update(if mode == Mode::Delta { b"delta " } else { b"whole " });
    match coding {
        "gzip" => hash_decoded(flate2::read::MultiGzDecoder::new(body), &mut hash)?,
        "br" => hash_decoded(brotli::Decompressor::new(body, BUFFER_BYTES), &mut hash)?,
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::new(body).map_err(|_| INVALID_CODING)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| INVALID_CODING)?;
            hash_decoded(decoder, &mut hash)?;
        }
        _ => hash.update(body),
    }
    Ok(format!("{:032x}", hash.digest128()))
}

const INVALID_CODING: ApiError =
    ApiError::InvalidBody("the body cannot be decoded as its `Content-Encoding` declares, or it is truncated");

/// Decompresses a body into its hash, up to the limit.
fn hash_decoded(reader: impl Read, hash: &mut Xxh3) -> Result<(), ApiError> {
    let mut limited = reader.take(MAX_DECODED_BYTES + 1);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut length = 0;
    loop {
        match limited.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                length += count as u64;
                hash.update(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(INVALID_CODING),
        }
    }
    if length > MAX_DECODED_BYTES {
        return Err(ApiError::BodyTooLarge { what: "bytes per decompressed document", limit: MAX_DECODED_BYTES });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn encoded(coding: &str, document: &[u8]) -> Vec<u8> {
        match coding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(document).unwrap();
                encoder.finish().unwrap()
            }
            "br" => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER_BYTES, 3, 20);
                encoder.write_all(document).unwrap();
                encoder.into_inner()
            }
            "zstd" => zstd::stream::encode_all(document, 1).unwrap(),
            _ => document.to_vec(),
        }
    }

    #[test]
    fn the_hash_depends_on_the_mode_and_not_on_the_coding() {
        let document = b"<eventList/>".repeat(1_000);
        let plain = hash("", &document, Mode::Snapshot).unwrap();
        for coding in ["gzip", "br", "zstd"] {
            assert_eq!(hash(coding, &encoded(coding, &document), Mode::Snapshot).unwrap(), plain, "{coding}");
        }
        assert_ne!(hash("", &document, Mode::Delta).unwrap(), plain);
    }

    #[test]
    fn rejects_a_truncated_body_and_a_wrong_coding() {
        let document = b"<eventList/>".repeat(1_000);
        for coding in ["gzip", "br", "zstd"] {
            let complete = encoded(coding, &document);
            for invalid in [&complete[..complete.len() - 1], &document] {
                let result = hash(coding, invalid, Mode::Snapshot);
                assert!(matches!(result, Err(ApiError::InvalidBody(_))), "{coding}: {result:?}");
            }
        }
    }
}

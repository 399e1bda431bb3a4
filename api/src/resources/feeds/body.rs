//! The document as it comes: bounded, and of the coding that it says. What it holds is the worker's to read.

use std::io::{self, Read};

use entity::pushed_feed::Mode;
use poem::Request;
use poem_openapi::registry::{MetaMediaType, MetaSchema, MetaSchemaRef, Registry};
use xxhash_rust::xxh3::Xxh3;

use super::request::FeedRequest;
use crate::{
    error::ApiError,
    upload::{Contents, Upload, content_coding},
};

/// A document as it comes. What is larger is for the provider to serve, and for a worker to fetch.
const MAX_BYTES: usize = 16 << 20;
/// The same without its coding; an entry of `providers.toml` may allow less.
const MAX_DECODED_BYTES: u64 = 256 << 20;
/// A zstd window of more than 8 MiB is not for HTTP (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bytes that are decompressed at once.
const STEP_BYTES: usize = 64 * 1024;

/// A document in the format of its provider.
#[derive(Debug)]
pub struct FeedBody;

impl Contents for FeedBody {
    const MEDIA_TYPES: &'static [&'static str] = &["application/xml", "text/xml", "application/json", "application/octet-stream"];
    const ACCEPTED: &'static str = "a document of the provider's format";

    fn described() -> Vec<MetaMediaType> {
        let document = || {
            let description = Some("A document of the provider's format: docs/feed-format.md");
            MetaSchemaRef::Inline(Box::new(MetaSchema { description, ..MetaSchema::new_with_format("string", "binary") }))
        };
        Self::MEDIA_TYPES.iter().map(|content_type| MetaMediaType { content_type, schema: document() }).collect()
    }

    fn register(_: &mut Registry) {}
}

/// A document that is whole, and of the coding that it says.
#[derive(Debug)]
pub(super) struct Pushed {
    pub(super) coding: &'static str,
    pub(super) body: Vec<u8>,
    /// Of the document without its coding, and of how it is to be applied.
    pub(super) hash: String,
}

/// Reads the document. Which media type it says does not matter: the provider's entry says how it is read.
pub(super) async fn read(request: &Request, upload: Upload<FeedBody>, wanted: &FeedRequest) -> Result<Pushed, ApiError> {
    let coding = coding(request)?;
    let body = upload.bytes(MAX_BYTES).await?;
    if body.is_empty() {
        return Err(ApiError::InvalidBody("the body is empty; it must be a document in the format of the provider"));
    }
    let mode = wanted.mode;
    let hashed = tokio::task::spawn_blocking(move || hash(coding, &body, mode).map(|hash| Pushed { coding, body, hash }));
    hashed.await.map_err(|_| ApiError::TaskPanicked)?
}

fn coding(request: &Request) -> Result<&'static str, ApiError> {
    let named = content_coding(request);
    let known = ["", "gzip", "br", "zstd"].into_iter().find(|known| *known == named);
    known.ok_or(ApiError::UnsupportedMediaType { accepted: "no `Content-Encoding`, or gzip, br or zstd" })
}

fn hash(coding: &str, body: &[u8], mode: Mode) -> Result<String, ApiError> {
    let mut hash = Xxh3::new();
    hash.update(if mode == Mode::Delta { b"delta " } else { b"whole " });
    match coding {
        "gzip" => pour(flate2::read::MultiGzDecoder::new(body), &mut hash)?,
        "br" => pour(brotli::Decompressor::new(body, STEP_BYTES), &mut hash)?,
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::new(body).map_err(|_| BROKEN)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| BROKEN)?;
            pour(decoder, &mut hash)?;
        }
        _ => hash.update(body),
    }
    Ok(format!("{:032x}", hash.digest128()))
}

const BROKEN: ApiError =
    ApiError::InvalidBody("the body cannot be decoded as its `Content-Encoding` declares, or it is truncated");

/// Undoes a coding for its hash alone, to its end or to the limit.
fn pour(reader: impl Read, hash: &mut Xxh3) -> Result<(), ApiError> {
    let mut bounded = reader.take(MAX_DECODED_BYTES + 1);
    let mut buffer = vec![0; STEP_BYTES];
    let mut length = 0;
    loop {
        match bounded.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                length += count as u64;
                hash.update(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(BROKEN),
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
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), STEP_BYTES, 3, 20);
                encoder.write_all(document).unwrap();
                encoder.into_inner()
            }
            "zstd" => zstd::stream::encode_all(document, 1).unwrap(),
            _ => document.to_vec(),
        }
    }

    #[test]
    fn a_document_has_one_hash_in_every_coding_and_another_in_each_mode() {
        let document = b"<eventList/>".repeat(1_000);
        let plain = hash("", &document, Mode::Snapshot).unwrap();
        for coding in ["gzip", "br", "zstd"] {
            assert_eq!(hash(coding, &encoded(coding, &document), Mode::Snapshot).unwrap(), plain, "{coding}");
        }
        assert_ne!(hash("", &document, Mode::Delta).unwrap(), plain);
    }

    #[test]
    fn what_is_not_of_its_coding_is_refused() {
        let document = b"<eventList/>".repeat(1_000);
        for coding in ["gzip", "br", "zstd"] {
            let whole = encoded(coding, &document);
            for broken in [&whole[..whole.len() - 1], &document] {
                let refused = hash(coding, broken, Mode::Snapshot);
                assert!(matches!(refused, Err(ApiError::InvalidBody(_))), "{coding}: {refused:?}");
            }
        }
    }
}

//! Bodies that are encoded and sent part by part, while they are read from the database.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use flate2::write::GzEncoder;
use poem::{
    Body, IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::coding::{BROTLI_QUALITY, BROTLI_WINDOW_BITS, ContentCoding, GZIP_LEVEL, LARGE_ENCODERS, ZSTD_LEVEL};
use crate::{cache::set_version, error::ApiError};

/// The media type of lines of JSON.
const NDJSON: &str = "application/x-ndjson";
/// The position in the log of changes at which a body is true.
const CURSOR: &str = "x-cursor";
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;

/// The encoder of a body.
pub(crate) struct StreamEncoder {
    coding: ContentCoding,
    output: SharedBuffer,
    encoder: Box<dyn Write + Send>,
}

/// What an encoder has written.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

/// The response of an operation that returns lines of JSON: a stream of unknown length, without a validator.
#[derive(Debug)]
pub struct NdjsonReply(Response);

impl StreamEncoder {
    pub(crate) fn new(coding: ContentCoding) -> Result<Self, ApiError> {
        let output = SharedBuffer::default();
        let encoder: Box<dyn Write + Send> = match coding {
            ContentCoding::Identity => Box::new(output.clone()),
            ContentCoding::Gzip => Box::new(GzEncoder::new(output.clone(), flate2::Compression::new(GZIP_LEVEL))),
            ContentCoding::Brotli => {
                let window = BROTLI_WINDOW_BITS;
                Box::new(brotli::CompressorWriter::new(output.clone(), BROTLI_BUFFER_BYTES, BROTLI_QUALITY, window))
            }
            ContentCoding::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(output.clone(), ZSTD_LEVEL);
                Box::new(encoder.map_err(|_| ApiError::ResponseBody)?.auto_finish())
            }
        };
        Ok(Self { coding, output, encoder })
    }

    /// Encodes a part. The client can decode it before it has the next one.
    pub(crate) async fn encode(mut self, part: Vec<u8>) -> Result<(Self, Bytes), ApiError> {
        if self.coding == ContentCoding::Identity {
            return Ok((self, part.into()));
        }
        let _permit = LARGE_ENCODERS.acquire().await.map_err(|_| ApiError::ResponseBody)?;
        let encode = move || {
            self.encoder.write_all(&part)?;
            self.encoder.flush()?;
            let encoded = self.output.take();
            Ok::<_, io::Error>((self, encoded))
        };
        let encoded = tokio::task::spawn_blocking(encode).await.map_err(|_| ApiError::ResponseBody)?;
        encoded.map_err(|_| ApiError::ResponseBody)
    }

    /// The end of the body, which encoders write when they are dropped.
    pub(crate) fn finish(self) -> Bytes {
        drop(self.encoder);
        self.output.take()
    }
}

impl SharedBuffer {
    fn take(&self) -> Bytes {
        mem::take(&mut *self.lock()).into()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NdjsonReply {
    /// A response with a body in this coding that is true at a position in the log of changes, and at the version of the catalogue there.
    pub(crate) fn new(coding: ContentCoding, (cursor, version): (&str, i64), body: Body) -> Self {
        let mut response = Response::builder().content_type(NDJSON).body(body);
        let headers = response.headers_mut();
        // Caches have nothing with which to revalidate it.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(coding) = coding.header() {
            headers.insert(header::CONTENT_ENCODING, coding);
        }
        if let Ok(cursor) = cursor.try_into() {
            headers.insert(CURSOR, cursor);
        }
        set_version(headers, version);
        Self(response)
    }
}

impl IntoResponse for NdjsonReply {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for NdjsonReply {
    fn meta() -> MetaResponses {
        let cursor = MetaHeader {
            name: CURSOR.to_owned(),
            description: Some(
                "The position in the log of changes at which the copy is true, for `after` of `/changes`".to_owned(),
            ),
            required: true,
            deprecated: false,
            schema: <String as Type>::schema_ref(),
        };
        let content = MetaMediaType { content_type: NDJSON, schema: String::schema_ref() };
        let response = MetaResponse {
            description: "Success",
            status: Some(200),
            status_range: None,
            content: vec![content],
            headers: vec![cursor],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        String::register(registry);
    }
}

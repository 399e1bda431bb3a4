//! Content codings: which are accepted, and how a body is decoded into a spool.
//!
//! Every body is decoded to its end, and trailing bytes are an error. No more is decompressed than the spool accepts, so a
//! decompression bomb ends at the limit.

use std::io;

use async_compression::{
    codecs::zstd::params::DParameter,
    tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder},
};
use bytes::BytesMut;
use reqwest::header::{self, HeaderMap};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt};

use super::FetchError;
use crate::provider::spool::SpoolWriter;

/// The `Accept-Encoding` of every request.
pub(super) const ACCEPTED: &str = "gzip, br, zstd";
/// HTTP limits zstd windows to 8 MiB (RFC 9659). Without the limit, a provider could choose how much memory is used.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bytes that are decompressed at a time.
const STEP_BYTES: usize = 64 * 1024;
/// The length of an unknown coding's name in a message: enough to recognize it.
const MAX_NAME_CHARACTERS: usize = 60;

/// The content coding of a feed's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedEncoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl FeedEncoding {
    /// Reads the `Content-Encoding` of a response.
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, FetchError> {
        let values: Vec<String> = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
            .collect();
        let names = || values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let codings: Vec<&str> = names().filter(|name| !matches!(*name, "" | "identity")).collect();
        match codings.as_slice() {
            [] => Ok(Self::Identity),
            ["x-gzip"] => Ok(Self::Gzip),
            [name] => Self::from_name(name),
            stacked => Err(FetchError::UnknownEncoding { encoding: sanitize(&stacked.join(", ")) }),
        }
    }

    /// Finds a coding by its name; an empty name means no coding.
    pub(super) fn from_name(name: &str) -> Result<Self, FetchError> {
        match name {
            "" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            unknown => Err(FetchError::UnknownEncoding { encoding: sanitize(unknown) }),
        }
    }

    /// Decodes a whole body into the spool.
    pub(super) async fn decode(self, mut body: impl AsyncBufRead + Unpin, spool: &mut SpoolWriter) -> Result<(), FetchError> {
        match self {
            Self::Identity => copy(&mut body, spool).await,
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(body);
                decoder.multiple_members(true);
                copy(&mut decoder, spool).await
            }
            Self::Zstd => {
                let mut decoder = ZstdDecoder::with_params(body, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
                decoder.multiple_members(true);
                copy(&mut decoder, spool).await
            }
            Self::Brotli => {
                let start = body.fill_buf().await.map_err(FetchError::from_body)?;
                if start.first().is_some_and(|&byte| has_large_window(byte)) {
                    return Err(invalid_data("the brotli window exceeds 16 MiB"));
                }
                let mut decoder = BrotliDecoder::new(&mut body);
                copy(&mut decoder, spool).await?;
                let rest = body.fill_buf().await.map_err(FetchError::from_body)?;
                if rest.is_empty() { Ok(()) } else { Err(invalid_data("trailing bytes after the compressed body")) }
            }
        }
    }
}

async fn copy(reader: &mut (impl AsyncRead + Unpin), spool: &mut SpoolWriter) -> Result<(), FetchError> {
    let mut buffer = BytesMut::with_capacity(STEP_BYTES);
    while reader.read_buf(&mut buffer).await.map_err(FetchError::from_body)? > 0 {
        spool.write(&buffer).await?;
        buffer.clear();
        // Few bytes may expand for a long time without waiting for I/O. Yielding lets the timeout fire.
        tokio::task::coop::consume_budget().await;
    }
    Ok(())
}

/// The large-window extension of brotli, marked by the first seven bits, allows windows of 1 GiB.
fn has_large_window(first: u8) -> bool {
    first & 0x7f == 0x11
}

fn invalid_data(why: &'static str) -> FetchError {
    FetchError::BrokenBody(io::Error::new(io::ErrorKind::InvalidData, why).into())
}

fn sanitize(text: &str) -> String {
    let replace = |character: char| if character == ' ' || character.is_ascii_graphic() { character } else { '?' };
    text.chars().take(MAX_NAME_CHARACTERS).map(replace).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn parse(values: &[&[u8]]) -> Result<FeedEncoding, String> {
        let values = values.iter().map(|value| (header::CONTENT_ENCODING, HeaderValue::from_bytes(value).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        FeedEncoding::from_headers(&headers).map_err(|error| match error {
            FetchError::UnknownEncoding { encoding } => encoding,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn accepts_every_spelling_of_a_coding() {
        for (values, expected) in [
            (&[][..], FeedEncoding::Identity),
            (&[&b"identity"[..]], FeedEncoding::Identity),
            (&[b""], FeedEncoding::Identity),
            (&[b"GZip"], FeedEncoding::Gzip),
            (&[b"x-gzip"], FeedEncoding::Gzip),
            (&[b" br , identity"], FeedEncoding::Brotli),
            (&[b"identity", b"zstd"], FeedEncoding::Zstd),
        ] {
            assert_eq!(parse(values), Ok(expected), "{values:?}");
        }
    }

    #[test]
    fn names_unknown_and_stacked_codings_without_control_characters() {
        assert_eq!(parse(&[b"compress"]), Err("compress".to_owned()));
        assert_eq!(parse(&[b"gzip", b"br"]), Err("gzip, br".to_owned()));
        assert_eq!(parse(&[b"gzip, gzip"]), Err("gzip, gzip".to_owned()));
        assert_eq!(parse(&[b"a\xffb\tc\xe2\x80\xae"]), Err("a?b?c?".to_owned()));
        assert_eq!(parse(&[&[b'x'; 900]]).unwrap_err().len(), MAX_NAME_CHARACTERS);
    }
}

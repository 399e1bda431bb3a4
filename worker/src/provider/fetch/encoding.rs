//! Content codings: which are accepted, and how a body is decoded into a spool.
//!
//! Every body is decoded to its end, and trailing bytes are an error. No more is decompressed than the spool accepts, so a
//! decompression bomb ends at the limit.

use std::io;

use async_compression::{
    codecs::zstd::params::DParameter,
    tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder},
};
use encoding_rs::Encoding;
use reqwest::header::{self, HeaderMap};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::FetchError;
use crate::provider::{document, spool::SpoolWriter};

/// The `Accept-Encoding` of every request.
pub(super) const ACCEPTED: &str = "gzip, br, zstd";
/// HTTP limits zstd windows to 8 MiB (RFC 9659). Without the limit, a provider could choose how much memory is used.
const ZSTD_WINDOW_LOG: u32 = 23;
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
        // Servers also write the character encoding there, how the body was transferred, or that there is no coding.
        let is_coding = |name: &&str| {
            !matches!(*name, "" | "identity" | "none" | "null" | "7bit" | "8bit" | "binary" | "chunked" | "aws-chunked")
                && Encoding::for_label(name.as_bytes()).is_none()
        };
        let codings: Vec<&str> = names().filter(is_coding).collect();
        match codings.as_slice() {
            [] => Ok(Self::Identity),
            // Of several, only the outermost is certain: a proxy may repeat the header without compressing again. `document` detects
            // gzip within gzip.
            gzip if gzip.iter().all(|name| matches!(*name, "gzip" | "x-gzip")) => Ok(Self::Gzip),
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
    pub(super) async fn decode(
        self,
        mut body: impl AsyncBufRead + Unpin,
        charset: Option<&str>,
        spool: &mut SpoolWriter,
    ) -> Result<(), FetchError> {
        match self {
            Self::Identity => document::copy(body, charset, spool).await?,
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(body);
                decoder.multiple_members(true);
                document::copy(decoder, charset, spool).await?;
            }
            Self::Zstd => {
                let mut decoder = ZstdDecoder::with_params(body, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
                decoder.multiple_members(true);
                document::copy(decoder, charset, spool).await?;
            }
            Self::Brotli => {
                let start = body.fill_buf().await.map_err(FetchError::from_body)?;
                if start.first().is_some_and(|&byte| has_large_window(byte)) {
                    return Err(invalid_data("the brotli window exceeds 16 MiB"));
                }
                document::copy(BrotliDecoder::new(&mut body), charset, spool).await?;
                if !body.fill_buf().await.map_err(FetchError::from_body)?.is_empty() {
                    return Err(invalid_data("trailing bytes after the compressed body"));
                }
            }
        }
        Ok(())
    }
}

/// The character encoding that the `Content-Type` of a response declares.
pub(super) fn read_charset(headers: &HeaderMap) -> Option<String> {
    // There may be several, or one in which a proxy has joined them.
    let content_types = headers.get_all(header::CONTENT_TYPE).iter().filter_map(|value| value.to_str().ok());
    let mut parameters =
        content_types.flat_map(|value| value.split([';', ','])).filter_map(|parameter| parameter.split_once('='));
    let (_, charset) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(charset.trim_matches([' ', '"', '\'']).to_owned())
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
            (&[b"gzip, gzip"], FeedEncoding::Gzip),
            (&[b"UTF-8"], FeedEncoding::Identity),
            (&[b"None"], FeedEncoding::Identity),
            (&[b"ISO-8859-1"], FeedEncoding::Identity),
            (&[b"binary"], FeedEncoding::Identity),
            (&[b"aws-chunked, gzip"], FeedEncoding::Gzip),
            (&[b"utf-8, gzip"], FeedEncoding::Gzip),
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
        assert_eq!(parse(&[b"br, br"]), Err("br, br".to_owned()));
        assert_eq!(parse(&[b"a\xffb\tc\xe2\x80\xae"]), Err("a?b?c?".to_owned()));
        assert_eq!(parse(&[&[b'x'; 900]]).unwrap_err().len(), MAX_NAME_CHARACTERS);
    }
}

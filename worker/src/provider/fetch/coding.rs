//! Content codings: which are asked for, and how a body is undone into a spool.
//!
//! Every coding is read to its very end, and what stands behind the end is a fault. No more is ever decompressed than the spool
//! takes, so that a bomb ends at the limit.

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

/// What a request says that it takes.
pub(super) const ACCEPTED: &str = "gzip, br, zstd";
/// A zstd window of more than 8 MiB is not for HTTP (RFC 9659), and would let a provider choose how much memory it takes.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Bytes that are decompressed at once.
const STEP_BYTES: usize = 64 * 1024;
/// How much of an unknown coding's name is told: enough to recognise it.
const NAME_CHARACTERS: usize = 60;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// What the headers announce.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, FetchError> {
        let values: Vec<String> = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
            .collect();
        let names = || values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let codings: Vec<&str> = names().filter(|name| !matches!(*name, "" | "identity")).collect();
        match codings.as_slice() {
            [] => Ok(Self::Identity),
            ["gzip" | "x-gzip"] => Ok(Self::Gzip),
            ["br"] => Ok(Self::Brotli),
            ["zstd"] => Ok(Self::Zstd),
            unknown => Err(FetchError::UnknownEncoding { encoding: printable(&unknown.join(", ")) }),
        }
    }

    /// The one of this name, as whoever stored a body named it.
    pub(super) fn named(name: &str) -> Result<Self, FetchError> {
        match name {
            "" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            unknown => Err(FetchError::UnknownEncoding { encoding: printable(unknown) }),
        }
    }

    /// Undoes the coding of a whole body.
    pub(super) async fn undo(self, mut body: impl AsyncBufRead + Unpin, into: &mut SpoolWriter) -> Result<(), FetchError> {
        match self {
            Self::Identity => pour(&mut body, into).await,
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(body);
                decoder.multiple_members(true);
                pour(&mut decoder, into).await
            }
            Self::Zstd => {
                let mut decoder = ZstdDecoder::with_params(body, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
                decoder.multiple_members(true);
                pour(&mut decoder, into).await
            }
            Self::Brotli => {
                let start = body.fill_buf().await.map_err(FetchError::broken_off)?;
                if start.first().is_some_and(|&byte| has_large_window(byte)) {
                    return Err(broken("a brotli window of more than 16 MiB is not for HTTP"));
                }
                let mut decoder = BrotliDecoder::new(&mut body);
                pour(&mut decoder, into).await?;
                let rest = body.fill_buf().await.map_err(FetchError::broken_off)?;
                if rest.is_empty() { Ok(()) } else { Err(broken("bytes behind the end of the compressed body")) }
            }
        }
    }
}

async fn pour(reader: &mut (impl AsyncRead + Unpin), into: &mut SpoolWriter) -> Result<(), FetchError> {
    let mut buffer = BytesMut::with_capacity(STEP_BYTES);
    while reader.read_buf(&mut buffer).await.map_err(FetchError::broken_off)? > 0 {
        into.write(&buffer).await?;
        buffer.clear();
        // Much may come of few bytes, with nothing to wait for: the clock must be looked at all the same.
        tokio::task::coop::consume_budget().await;
    }
    Ok(())
}

/// An extension of brotli, told by the first seven bits, in which a stream may ask for a window of 1 GiB.
fn has_large_window(first: u8) -> bool {
    first & 0x7f == 0x11
}

fn broken(why: &'static str) -> FetchError {
    FetchError::BrokenBody(io::Error::new(io::ErrorKind::InvalidData, why).into())
}

fn printable(text: &str) -> String {
    let safe = |character: char| if character == ' ' || character.is_ascii_graphic() { character } else { '?' };
    text.chars().take(NAME_CHARACTERS).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn of(values: &[&[u8]]) -> Result<Coding, String> {
        let values = values.iter().map(|value| (header::CONTENT_ENCODING, HeaderValue::from_bytes(value).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        Coding::of(&headers).map_err(|error| match error {
            FetchError::UnknownEncoding { encoding } => encoding,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn codings_are_known_by_every_name() {
        for (values, expected) in [
            (&[][..], Coding::Identity),
            (&[&b"identity"[..]], Coding::Identity),
            (&[b""], Coding::Identity),
            (&[b"GZip"], Coding::Gzip),
            (&[b"x-gzip"], Coding::Gzip),
            (&[b" br , identity"], Coding::Brotli),
            (&[b"identity", b"zstd"], Coding::Zstd),
        ] {
            assert_eq!(of(values), Ok(expected), "{values:?}");
        }
    }

    #[test]
    fn unknown_and_stacked_codings_are_told_without_harm() {
        assert_eq!(of(&[b"compress"]), Err("compress".to_owned()));
        assert_eq!(of(&[b"gzip", b"br"]), Err("gzip, br".to_owned()));
        assert_eq!(of(&[b"gzip, gzip"]), Err("gzip, gzip".to_owned()));
        assert_eq!(of(&[b"a\xffb\tc\xe2\x80\xae"]), Err("a?b?c?".to_owned()));
        assert_eq!(of(&[&[b'x'; 900]]).unwrap_err().len(), NAME_CHARACTERS);
    }
}

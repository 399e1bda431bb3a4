//! Content codings ([RFC 9110, 8.4](https://www.rfc-editor.org/rfc/rfc9110#section-8.4)): negotiation and encoding.
//!
//! No crate that we know negotiates by weight and can refuse `identity`; `headers` has no `Accept-Encoding`.

use std::{
    io::{self, Read},
    sync::LazyLock,
};

use flate2::write::GzEncoder;
use poem::http::{HeaderMap, HeaderValue, header};
use tokio::sync::Semaphore;

use super::StoredBody;
use crate::error::ApiError;

/// Levels at which each coding compresses JSON well at tens of megabytes a second: a body is encoded once and sent many times.
pub(super) const GZIP_LEVEL: u32 = 6;
pub(super) const BROTLI_QUALITY: u32 = 5;
pub(super) const BROTLI_WINDOW_BITS: u32 = 20;
pub(super) const ZSTD_LEVEL: i32 = 3;
/// Larger bodies are encoded on a blocking thread; for smaller ones, handing the body over takes longer than encoding it.
const INLINE_BYTES: usize = 32 * 1024;

/// Bodies that are encoded on blocking threads at the same time: one for each core. More would only delay all other requests.
pub(super) static LARGE_ENCODERS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// The coding of a response body. The numbers are part of the format in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ContentCoding {
    /// No coding.
    Identity = 0,
    /// RFC 1952.
    Gzip = 1,
    /// RFC 7932.
    Brotli = 2,
    /// RFC 8878.
    Zstd = 3,
}

/// By preference among codings of equal weight: the smallest result first.
const PREFERRED: [ContentCoding; 4] = [ContentCoding::Brotli, ContentCoding::Zstd, ContentCoding::Gzip, ContentCoding::Identity];

impl ContentCoding {
    /// The number of codings.
    pub(crate) const COUNT: usize = PREFERRED.len();
    /// All codings.
    pub(crate) const ALL: [Self; Self::COUNT] = PREFERRED;

    /// The name in headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The value of `Content-Encoding`, if the body is encoded.
    #[must_use]
    pub fn header(self) -> Option<HeaderValue> {
        (self != Self::Identity).then(|| HeaderValue::from_static(self.name()))
    }

    /// The coding that `Accept-Encoding` prefers.
    ///
    /// # Errors
    ///
    /// When the request accepts no supported coding, not even `identity`.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut fields = headers.get_all(header::ACCEPT_ENCODING).iter().peekable();
        if fields.peek().is_none() {
            return Ok(Self::Identity);
        }
        let mut weights = Weights::default();
        for field in fields {
            // A value that is not text names none of our codings.
            weights.read(field.to_str().unwrap_or_default());
        }
        weights.best().ok_or(ApiError::NotAcceptable)
    }

    /// Encodes a body, on a blocking thread if it is large.
    ///
    /// # Errors
    ///
    /// When that thread panicked.
    pub async fn encode(self, body: StoredBody) -> Result<StoredBody, ApiError> {
        if self == Self::Identity || body.content_length() <= INLINE_BYTES {
            return Ok(self.encode_inline(&body));
        }
        let _permit = LARGE_ENCODERS.acquire().await.map_err(|_| ApiError::ResponseBody)?;
        tokio::task::spawn_blocking(move || self.encode_inline(&body)).await.map_err(|_| ApiError::ResponseBody)
    }

    fn encode_inline(self, body: &StoredBody) -> StoredBody {
        let encode = |encoder: fn(Box<dyn Read + '_>, usize) -> io::Result<Vec<u8>>| {
            let encoded = body.reader().and_then(|reader| encoder(reader, body.bytes().len() / 4));
            // Reading and writing memory cannot fail.
            StoredBody::from(encoded.unwrap_or_default())
        };
        match self {
            Self::Identity => body.clone(),
            Self::Gzip => encode(gzip),
            Self::Brotli => encode(brotli),
            Self::Zstd => encode(|body, _| zstd::stream::encode_all(body, ZSTD_LEVEL)),
        }
    }
}

/// The weights of an `Accept-Encoding` header, in thousandths.
#[derive(Debug, Default)]
struct Weights {
    named: [Option<u16>; 4],
    others: Option<u16>,
}

impl Weights {
    fn read(&mut self, field: &str) {
        for element in field.split(',') {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let Some(weight) = parse_weight(parameters) else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "*" => self.others = Some(weight),
                "x-gzip" => self.named[ContentCoding::Gzip as usize] = Some(weight),
                name => {
                    if let Some(coding) = PREFERRED.into_iter().find(|coding| coding.name() == name) {
                        self.named[coding as usize] = Some(weight);
                    }
                }
            }
        }
    }

    fn weight(&self, coding: ContentCoding) -> u16 {
        let unnamed = self.others.unwrap_or(match coding {
            // Acceptable unless it is refused, but with the least weight.
            ContentCoding::Identity => 1,
            _ => 0,
        });
        self.named[coding as usize].unwrap_or(unnamed)
    }

    fn best(&self) -> Option<ContentCoding> {
        // `max_by_key` returns the last of several maxima.
        PREFERRED.into_iter().rev().filter(|coding| self.weight(*coding) > 0).max_by_key(|coding| self.weight(*coding))
    }
}

/// Parses `q=0.5` as 500; 1000 if there is no weight, `None` if it is malformed.
fn parse_weight(parameters: &str) -> Option<u16> {
    let Some((_, value)) = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
    else {
        return Some(1000);
    };
    let weight: f32 = value.trim().parse().ok()?;
    // At least 1 unless it is refused.
    (0.0..=1.0).contains(&weight).then(|| if weight == 0.0 { 0 } else { ((weight * 1000.0) as u16).max(1) })
}

fn gzip(mut body: Box<dyn Read + '_>, capacity: usize) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(capacity), flate2::Compression::new(GZIP_LEVEL));
    io::copy(&mut body, &mut encoder)?;
    encoder.finish()
}

fn brotli(mut body: Box<dyn Read + '_>, capacity: usize) -> io::Result<Vec<u8>> {
    let mut encoder = brotli::CompressorWriter::new(Vec::with_capacity(capacity), 16 * 1024, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
    io::copy(&mut body, &mut encoder)?;
    Ok(encoder.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(fields: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(field));
        }
        ContentCoding::negotiate(&headers).ok().map(ContentCoding::name)
    }

    #[test]
    fn negotiates_the_coding_with_the_highest_weight() {
        for (fields, name) in [
            (&[][..], Some("identity")),
            (&[""], Some("identity")),
            (&["gzip"], Some("gzip")),
            (&["x-gzip"], Some("gzip")),
            (&["GZIP"], Some("gzip")),
            (&["gzip, deflate, br, zstd"], Some("br")),
            (&["gzip", "br"], Some("br")),
            (&["zstd, gzip"], Some("zstd")),
            (&["br;q=0.5, gzip;q=0.9"], Some("gzip")),
            (&["br;q=0, gzip;q=0.001"], Some("gzip")),
            (&["gzip ; Q=0.2 , br ; q=0.1"], Some("gzip")),
            (&["deflate"], Some("identity")),
            (&["*"], Some("br")),
            (&["br;q=0, *"], Some("zstd")),
            (&["identity, gzip;q=0.5"], Some("identity")),
            (&["identity;q=0, gzip;q=0.1"], Some("gzip")),
            (&["identity;q=0, *"], Some("br")),
            (&["identity;q=0"], None),
            (&["*;q=0"], None),
            (&["*;q=0, identity"], Some("identity")),
            (&["gzip;q=2"], Some("identity")),
            (&["gzip;q=x, br"], Some("br")),
        ] {
            assert_eq!(negotiate(fields), name, "{fields:?}");
        }
    }

    #[test]
    fn every_coding_can_be_decoded() {
        let text = "{\"title\":\"Pantomima Full\"}".repeat(100).into_bytes();
        let body = StoredBody::from(text.clone());
        let encode = |coding: ContentCoding| coding.encode_inline(&body).bytes().clone();
        let mut gzip = Vec::new();
        flate2::read::GzDecoder::new(&*encode(ContentCoding::Gzip)).read_to_end(&mut gzip).unwrap();
        let mut brotli = Vec::new();
        brotli::Decompressor::new(&*encode(ContentCoding::Brotli), 4096).read_to_end(&mut brotli).unwrap();
        let zstd = zstd::bulk::decompress(&encode(ContentCoding::Zstd), text.len()).unwrap();
        assert_eq!([gzip, brotli, zstd], [text.clone(), text.clone(), text]);
        assert_eq!(ContentCoding::Identity.encode_inline(&body), body);
    }
}

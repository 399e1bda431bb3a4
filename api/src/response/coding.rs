//! Content codings ([RFC 9110, 8.4](https://www.rfc-editor.org/rfc/rfc9110#section-8.4)): which one a client wants, and the
//! encoding itself.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use poem::http::{HeaderMap, HeaderValue, header};

/// Of each coding a level at which it packs JSON well at tens of megabytes a second: an answer is encoded once and sent many times.
const GZIP_LEVEL: u32 = 6;
const BROTLI_QUALITY: u32 = 5;
const BROTLI_WINDOW_BITS: u32 = 20;
const ZSTD_LEVEL: i32 = 3;

/// How a body is encoded. The numbers are those of answers in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Coding {
    /// Not at all.
    Identity = 0,
    /// RFC 1952.
    Gzip = 1,
    /// RFC 7932.
    Brotli = 2,
    /// RFC 8878.
    Zstd = 3,
}

/// In the order in which they are taken when a client likes them equally: the smallest result first.
const PREFERRED: [Coding; 4] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];

impl Coding {
    /// How many there are.
    pub(crate) const COUNT: usize = PREFERRED.len();

    /// Its name in headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The value of `Content-Encoding`; none for what is not encoded.
    #[must_use]
    pub fn header(self) -> Option<HeaderValue> {
        (self != Self::Identity).then(|| HeaderValue::from_static(self.name()))
    }

    /// The coding that a request's `Accept-Encoding` likes best, or none if it refuses all that there are.
    #[must_use]
    pub fn wanted(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(header::ACCEPT_ENCODING).iter().peekable();
        if fields.peek().is_none() {
            return Some(Self::Identity);
        }
        let mut wishes = Wishes::default();
        for field in fields {
            // What is no text names no coding that we have.
            wishes.read(field.to_str().unwrap_or_default());
        }
        wishes.best()
    }

    /// Encodes a body.
    #[must_use]
    pub fn encode(self, body: &Bytes) -> Bytes {
        let encoded = match self {
            Self::Identity => return body.clone(),
            Self::Gzip => gzip(body),
            Self::Brotli => brotli(body),
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL),
        };
        // Writing to memory does not fail.
        encoded.unwrap_or_default().into()
    }
}

/// The weight of each coding in thousandths, where the header names it.
#[derive(Debug, Default)]
struct Wishes {
    named: [Option<u16>; 4],
    others: Option<u16>,
}

impl Wishes {
    fn read(&mut self, field: &str) {
        for wish in field.split(',') {
            let (name, parameters) = wish.split_once(';').unwrap_or((wish, ""));
            let Some(weight) = weight(parameters) else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "*" => self.others = Some(weight),
                "x-gzip" => self.named[Coding::Gzip as usize] = Some(weight),
                name => {
                    if let Some(coding) = PREFERRED.into_iter().find(|coding| coding.name() == name) {
                        self.named[coding as usize] = Some(weight);
                    }
                }
            }
        }
    }

    fn weight(&self, coding: Coding) -> u16 {
        let unnamed = self.others.unwrap_or(match coding {
            // Acceptable unless it is refused, but liked least.
            Coding::Identity => 1,
            _ => 0,
        });
        self.named[coding as usize].unwrap_or(unnamed)
    }

    fn best(&self) -> Option<Coding> {
        // Of several that weigh the same, `max_by_key` would give the last.
        PREFERRED.into_iter().rev().filter(|coding| self.weight(*coding) > 0).max_by_key(|coding| self.weight(*coding))
    }
}

/// `q=0.5` as 500; 1000 where none is given, none where it cannot be understood.
fn weight(parameters: &str) -> Option<u16> {
    let Some((_, value)) = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
    else {
        return Some(1000);
    };
    let weight: f32 = value.trim().parse().ok()?;
    // At least 1 for what is not refused.
    (0.0..=1.0).contains(&weight).then(|| if weight == 0.0 { 0 } else { ((weight * 1000.0) as u16).max(1) })
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(body)?;
    encoder.finish()
}

fn brotli(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoded = Vec::with_capacity(body.len() / 4);
    let mut encoder = brotli::CompressorWriter::new(&mut encoded, 16 * 1024, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
    encoder.write_all(body)?;
    encoder.flush()?;
    drop(encoder);
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(fields: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(field));
        }
        Coding::wanted(&headers).map(Coding::name)
    }

    #[test]
    fn the_best_of_what_is_wanted_is_taken() {
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
            assert_eq!(wanted(fields), name, "{fields:?}");
        }
    }

    #[test]
    fn each_coding_can_be_undone() {
        use std::io::Read;

        let body = Bytes::from("{\"title\":\"Pantomima Full\"}".repeat(100));
        let mut gzip = Vec::new();
        flate2::read::GzDecoder::new(&*Coding::Gzip.encode(&body)).read_to_end(&mut gzip).unwrap();
        let mut brotli = Vec::new();
        brotli::Decompressor::new(&*Coding::Brotli.encode(&body), 4096).read_to_end(&mut brotli).unwrap();
        let zstd = zstd::bulk::decompress(&Coding::Zstd.encode(&body), body.len()).unwrap();
        assert_eq!([gzip, brotli, zstd], [body.to_vec(), body.to_vec(), body.to_vec()]);
        assert_eq!(Coding::Identity.encode(&body), body);
    }
}

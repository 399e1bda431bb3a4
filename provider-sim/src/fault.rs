//! The faults that can be injected, and their text form on the command line and in a query.
//!
//! `corrupt` and `response` apply them.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// A fault of a response. Several can be combined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// `status:CODE` or `status:CODE:SECONDS`: a response with this status and without the feed.
    Status {
        /// From 200 to 599.
        code: u16,
        /// Seconds, sent as `Retry-After`.
        retry_after: Option<u32>,
    },
    /// `latency:MILLISECONDS`: the headers are delayed.
    Latency(Duration),
    /// `slow:BYTES_PER_SECOND`: the body is sent at this rate.
    Slow(NonZeroU32),
    /// `hang`: no response is sent until the server stops.
    Hang,
    /// `reset`: the connection is reset after half of the bytes that `Content-Length` declares.
    Reset,
    /// `truncate:BYTES`: the document ends after that many bytes, in a complete HTTP message;
    /// `truncate` ends it near the middle, after a tag.
    Truncate(Option<u64>),
    /// `garbage`: random bytes instead of the document.
    Garbage,
    /// `html`: an HTML error page instead of the document, with status 200.
    Html,
    /// `encoding`: Latin-1 bytes in a document that declares UTF-8.
    Encoding,
    /// `gzip-garbage`: the body is declared as gzip, but is not.
    GzipGarbage,
    /// `bomb:MEBIBYTES`: that many mebibytes of spaces in the document, sent as gzip.
    Bomb(u32),
    /// `redirect:HOPS`: that many redirects before the feed.
    Redirect(u32),
    /// `redirect-loop`: endless redirects.
    RedirectLoop,
    /// `redirect-to:URL`: a redirect to this URL, which must not contain `&` or `,` in a query.
    RedirectTo(String),
    /// `coding:NAME`: the body is declared in this content coding, but is not encoded.
    Coding(String),
    /// `members`: the body is gzip with several members.
    Members,
}

impl InjectedFault {
    /// The text forms of all faults.
    pub const FORMS: &str = "status:CODE (200 to 599), status:CODE:RETRY_AFTER_SECONDS, latency:MILLISECONDS, \
        slow:BYTES_PER_SECOND (at least 1), hang, reset, truncate, truncate:BYTES, garbage, html, encoding, \
        gzip-garbage, bomb:MEBIBYTES, \
        redirect:HOPS, redirect-loop, redirect-to:URL, coding:NAME, members";

    /// Parses a comma-separated list of faults, which may be empty.
    ///
    /// # Errors
    ///
    /// The first item that is not a fault.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, InvalidFault> {
        list.split(',').filter(|text| !text.is_empty()).map(str::parse).collect()
    }

    /// Whether the fault only delays the response.
    pub(crate) fn only_delays(&self) -> bool {
        matches!(self, Self::Latency(_) | Self::Slow(_))
    }

    /// Whether another document is sent, to which the `ETag` does not apply.
    pub(crate) fn replaces_document(&self) -> bool {
        matches!(self, Self::Garbage | Self::Html | Self::GzipGarbage | Self::Bomb(_))
    }
}

impl FromStr for InjectedFault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let fault = match (name, value) {
            ("status", Some(value)) => parse_status(value),
            ("latency", Some(value)) => value.parse().ok().map(|count| Self::Latency(Duration::from_millis(count))),
            ("slow", Some(value)) => value.parse().ok().map(Self::Slow),
            ("hang", None) => Some(Self::Hang),
            ("reset", None) => Some(Self::Reset),
            ("truncate", None) => Some(Self::Truncate(None)),
            ("truncate", Some(value)) => value.parse().ok().map(|bytes| Self::Truncate(Some(bytes))),
            ("garbage", None) => Some(Self::Garbage),
            ("html", None) => Some(Self::Html),
            ("encoding", None) => Some(Self::Encoding),
            ("gzip-garbage", None) => Some(Self::GzipGarbage),
            ("bomb", Some(value)) => value.parse().ok().map(Self::Bomb),
            ("redirect", Some(value)) => value.parse().ok().map(Self::Redirect),
            ("redirect-loop", None) => Some(Self::RedirectLoop),
            ("redirect-to", Some(value)) => is_header_text(value).then(|| Self::RedirectTo(value.to_owned())),
            ("coding", Some(value)) => is_header_text(value).then(|| Self::Coding(value.to_owned())),
            ("members", None) => Some(Self::Members),
            _ => None,
        };
        fault.ok_or_else(|| InvalidFault(text.to_owned()))
    }
}

/// The form that [`FromStr`] parses.
impl Display for InjectedFault {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, retry_after: None } => write!(out, "status:{code}"),
            Self::Status { code, retry_after: Some(seconds) } => write!(out, "status:{code}:{seconds}"),
            Self::Latency(delay) => write!(out, "latency:{}", delay.as_millis()),
            Self::Slow(bytes_per_second) => write!(out, "slow:{bytes_per_second}"),
            Self::Hang => out.write_str("hang"),
            Self::Reset => out.write_str("reset"),
            Self::Truncate(None) => out.write_str("truncate"),
            Self::Truncate(Some(bytes)) => write!(out, "truncate:{bytes}"),
            Self::Garbage => out.write_str("garbage"),
            Self::Html => out.write_str("html"),
            Self::Encoding => out.write_str("encoding"),
            Self::GzipGarbage => out.write_str("gzip-garbage"),
            Self::Bomb(mebibytes) => write!(out, "bomb:{mebibytes}"),
            Self::Redirect(hops) => write!(out, "redirect:{hops}"),
            Self::RedirectLoop => out.write_str("redirect-loop"),
            Self::RedirectTo(url) => write!(out, "redirect-to:{url}"),
            Self::Coding(name) => write!(out, "coding:{name}"),
            Self::Members => out.write_str("members"),
        }
    }
}

/// A text that is not a fault, or has a number out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFault(String);

impl Display for InvalidFault {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is not a fault; the faults are {}", self.0, InjectedFault::FORMS)
    }
}

impl Error for InvalidFault {}

fn parse_status(value: &str) -> Option<InjectedFault> {
    let (code, retry_after) = match value.split_once(':') {
        Some((code, seconds)) => (code, Some(seconds.parse().ok()?)),
        None => (value, None),
    };
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    Some(InjectedFault::Status { code, retry_after })
}

fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

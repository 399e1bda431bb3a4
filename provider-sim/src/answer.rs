//! From one request to its answer.
//!
//! Owns routing, conditional requests, content coding and the faults of the answer itself:
//! its status, its timing, its headers and its broken end. Faults of the document are
//! `spoil`'s; which faults and which document it is, `provider` says.

use std::io;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY};
use hyper::http::response::Builder;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::body::AnswerBody;
use crate::document::{Chunks, Document, first_bytes, gzip, length};
use crate::fault::{Fault, InvalidFault};
use crate::negotiation::{accepts_gzip, knows};
use crate::provider::{Delivery, Provider};
use crate::spoil::spoiled;

/// Answers a request; an error ends its connection without an answer.
pub(crate) async fn answer(
    provider: Provider,
    request: Request<Incoming>,
    shutdown: CancellationToken,
) -> io::Result<Response<AnswerBody>> {
    if request.uri().path() != FEED_PATH {
        return text(StatusCode::NOT_FOUND, format!("There is only {FEED_PATH} here.\n"));
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let refused = Response::builder().status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, "GET, HEAD");
        return finish(refused, AnswerBody::text(""));
    }
    let asked = match asked_faults(request.uri().query().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(invalid) => return text(StatusCode::BAD_REQUEST, format!("{invalid}\n")),
    };
    let faults = provider.begin(asked);
    delay(&faults, &shutdown).await?;
    match faults.iter().find_map(failed_status) {
        Some((status, retry_after)) => without_feed(status, retry_after),
        None => feed(&provider, request.method(), request.headers(), faults).await,
    }
}

const FEED_PATH: &str = "/feed";

/// Waits as the faults say; fails if the server ends first.
async fn delay(faults: &[Fault], shutdown: &CancellationToken) -> io::Result<()> {
    for fault in faults {
        let waited = match *fault {
            Fault::Latency(delay) => shutdown.run_until_cancelled(tokio::time::sleep(delay)).await,
            Fault::Hang => shutdown.run_until_cancelled(std::future::pending()).await,
            _ => Some(()),
        };
        waited.ok_or(io::ErrorKind::ConnectionAborted)?;
    }
    Ok(())
}

fn failed_status(fault: &Fault) -> Option<(u16, Option<u32>)> {
    match *fault {
        Fault::Status { code, retry_after } => Some((code, retry_after)),
        _ => None,
    }
}

fn without_feed(status: u16, retry_after: Option<u32>) -> io::Result<Response<AnswerBody>> {
    let mut response = Response::builder().status(status).header(CONTENT_TYPE, PLAIN_TEXT);
    if let Some(seconds) = retry_after {
        response = response.header(RETRY_AFTER, seconds);
    }
    finish(response, AnswerBody::text(format!("Status {status}, as asked.\n")))
}

async fn feed(provider: &Provider, method: &Method, headers: &HeaderMap, faults: Vec<Fault>) -> io::Result<Response<AnswerBody>> {
    let compressed = accepts_gzip(headers);
    let etag = |document: &Document| match compressed {
        true => format!("\"{}-gzip\"", document.validator()),
        false => format!("\"{}\"", document.validator()),
    };
    let is_known = |document: &Document| knows(headers, &etag(document));
    // A fault is always seen, and leaves the poll to the request that comes after it.
    let delivery = if !faults.iter().all(Fault::only_delays) {
        Delivery::Full(provider.look())
    } else if method == Method::HEAD {
        provider.look_unless(is_known)
    } else {
        provider.deliver(is_known)
    };
    match delivery {
        Delivery::NotModified(document) => {
            let response = Response::builder().status(StatusCode::NOT_MODIFIED).header(ETAG, etag(&document));
            finish(response.header(VARY, VARIES_BY), AnswerBody::text(""))
        }
        Delivery::Full(document) => {
            let mut response = Response::builder().header(VARY, VARIES_BY).header(CONTENT_TYPE, content_type(&faults));
            if !faults.iter().any(Fault::replaces_document) {
                response = response.header(ETAG, etag(&document));
            }
            let coding = Coding::of(compressed, &faults);
            if coding != Coding::Identity {
                response = response.header(CONTENT_ENCODING, "gzip");
            }
            finish(response, body(document, faults, coding).await?)
        }
    }
}

const VARIES_BY: &str = "accept-encoding";

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

fn content_type(faults: &[Fault]) -> &'static str {
    if faults.contains(&Fault::Html) { "text/html; charset=utf-8" } else { "application/xml; charset=utf-8" }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    /// Announced as gzip, sent as it is.
    FalseGzip,
}

impl Coding {
    fn of(compressed: bool, faults: &[Fault]) -> Self {
        if faults.contains(&Fault::GzipGarbage) {
            Self::FalseGzip
        } else if compressed || faults.iter().any(|fault| matches!(fault, Fault::Bomb(_))) {
            Self::Gzip
        } else {
            Self::Identity
        }
    }
}

async fn body(document: Document, faults: Vec<Fault>, coding: Coding) -> io::Result<AnswerBody> {
    let pace = faults.iter().find_map(|fault| match *fault {
        Fault::Slow(bytes_per_second) => Some(bytes_per_second),
        _ => None,
    });
    // Some faults need the length of the document, for which it is made once and thrown away.
    let body = spawn_blocking(move || whole_or_broken(&document, &faults, coding)).await??;
    Ok(match pace {
        Some(bytes_per_second) => body.dripping(bytes_per_second),
        None => body,
    })
}

fn whole_or_broken(document: &Document, faults: &[Fault], coding: Coding) -> io::Result<AnswerBody> {
    let chunks = || -> io::Result<Chunks> {
        let spoiled = spoiled(document, faults)?;
        Ok(if coding == Coding::Gzip { gzip(spoiled) } else { spoiled })
    };
    if faults.contains(&Fault::Reset) {
        let promised = length(chunks()?)?;
        let reset = std::iter::once_with(|| Err(io::ErrorKind::ConnectionReset.into()));
        return Ok(AnswerBody::new(Box::new(first_bytes(chunks()?, promised / 2).chain(reset)), Some(promised)));
    }
    let is_sent_as_it_is = coding == Coding::Identity && faults.iter().all(Fault::only_delays);
    let promised = if is_sent_as_it_is { document.known_length() } else { None };
    Ok(AnswerBody::new(chunks()?, promised))
}

/// The faults that a query asks for, none if it says nothing of faults. Other parameters
/// are ignored, as a provider would.
fn asked_faults(query: &str) -> Result<Option<Vec<Fault>>, InvalidFault> {
    let mut asked = None;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name == "fault" {
            asked.get_or_insert_with(Vec::new).extend(Fault::parse_list(&with_punctuation(value))?);
        }
    }
    Ok(asked)
}

/// Clients may write `:` and `,` as such or encoded; nothing else in a fault needs encoding.
fn with_punctuation(value: &str) -> String {
    value.replace("%3A", ":").replace("%3a", ":").replace("%2C", ",").replace("%2c", ",")
}

fn text(status: StatusCode, text: String) -> io::Result<Response<AnswerBody>> {
    finish(Response::builder().status(status).header(CONTENT_TYPE, PLAIN_TEXT), AnswerBody::text(text))
}

fn finish(response: Builder, body: AnswerBody) -> io::Result<Response<AnswerBody>> {
    response.body(body).map_err(io::Error::other)
}

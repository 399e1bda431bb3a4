//! From one request to its answer.
//!
//! Owns routing, conditional requests, content coding and the faults of the answer itself:
//! its status, its timing, its headers and its broken end. Faults of the document are
//! `spoil`'s; which faults and which document it is, `provider` says.

use std::io;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, VARY};
use hyper::http::response::Builder;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::body::AnswerBody;
use crate::document::{Chunks, FeedDocument, coded, first_bytes, length, members};
use crate::fault::{InjectedFault, InvalidFault};
use crate::negotiation::{SimEncoding, coding, knows};
use crate::provider::{Delivery, SimProvider};
use crate::spoil::spoiled;

/// Answers a request; an error ends its connection without an answer.
pub(crate) async fn answer(
    provider: SimProvider,
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
    if let Some(location) = faults.iter().find_map(|fault| redirect(fault, request.uri().query().unwrap_or_default())) {
        return finish(Response::builder().status(StatusCode::FOUND).header(LOCATION, location), AnswerBody::text(""));
    }
    match faults.iter().find_map(failed_status) {
        Some((status, retry_after)) => without_feed(status, retry_after),
        None => feed(&provider, request.method(), request.headers(), faults).await,
    }
}

const FEED_PATH: &str = "/feed";

/// Waits as the faults say; fails if the server ends first.
async fn delay(faults: &[InjectedFault], shutdown: &CancellationToken) -> io::Result<()> {
    for fault in faults {
        let waited = match *fault {
            InjectedFault::Latency(delay) => shutdown.run_until_cancelled(tokio::time::sleep(delay)).await,
            InjectedFault::Hang => shutdown.run_until_cancelled(std::future::pending()).await,
            _ => Some(()),
        };
        waited.ok_or(io::ErrorKind::ConnectionAborted)?;
    }
    Ok(())
}

/// Where a fault sends the request; nowhere after its last hop.
fn redirect(fault: &InjectedFault, query: &str) -> Option<String> {
    let hop: u32 = query.split('&').find_map(|pair| pair.strip_prefix("hop=")?.parse().ok()).unwrap_or(0);
    // What the request asked for, it asks for at the next hop.
    let asked: String = query.split('&').filter(|pair| pair.starts_with("fault=")).map(|pair| format!("&{pair}")).collect();
    match fault {
        InjectedFault::Redirect(hops) if hop >= *hops => None,
        InjectedFault::Redirect(_) | InjectedFault::RedirectLoop => {
            Some(format!("{FEED_PATH}?hop={}{asked}", hop.wrapping_add(1)))
        }
        InjectedFault::RedirectTo(url) => Some(url.clone()),
        _ => None,
    }
}

fn failed_status(fault: &InjectedFault) -> Option<(u16, Option<u32>)> {
    match *fault {
        InjectedFault::Status { code, retry_after } => Some((code, retry_after)),
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

async fn feed(
    provider: &SimProvider,
    method: &Method,
    headers: &HeaderMap,
    faults: Vec<InjectedFault>,
) -> io::Result<Response<AnswerBody>> {
    let accepted = coding(headers);
    let etag = |document: &FeedDocument| match accepted.name() {
        Some(name) => format!("\"{}-{name}\"", document.validator()),
        None => format!("\"{}\"", document.validator()),
    };
    let is_known = |document: &FeedDocument| knows(headers, &etag(document));
    // A fault is always seen, and leaves the poll to the request that comes after it.
    let delivery = if !faults.iter().all(InjectedFault::only_delays) {
        Delivery::Full(provider.look())
    } else if method == Method::HEAD {
        provider.look_unless(is_known)
    } else {
        provider.deliver(is_known)
    };
    let mut response = Response::builder().header(VARY, VARIES_BY);
    if let Some(seconds) = provider.max_age() {
        response = response.header(CACHE_CONTROL, format!("max-age={seconds}"));
    }
    match delivery {
        Delivery::NotModified(document) => {
            finish(response.status(StatusCode::NOT_MODIFIED).header(ETAG, etag(&document)), AnswerBody::text(""))
        }
        Delivery::Full(document) => {
            response = response.header(CONTENT_TYPE, content_type(&faults));
            if !faults.iter().any(InjectedFault::replaces_document) {
                response = response.header(ETAG, etag(&document));
            }
            let sent = Sent::of(accepted, &faults);
            if let Some(name) = sent.announced {
                response = response.header(CONTENT_ENCODING, name);
            }
            finish(response, body(document, faults, sent.form).await?)
        }
    }
}

const VARIES_BY: &str = "accept-encoding";

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

fn content_type(faults: &[InjectedFault]) -> &'static str {
    if faults.contains(&InjectedFault::Html) { "text/html; charset=utf-8" } else { "application/xml; charset=utf-8" }
}

/// How the body is sent, and as what it is announced.
struct Sent {
    announced: Option<String>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Coded(SimEncoding),
    /// Gzip of several members.
    Members,
}

impl Sent {
    fn of(accepted: SimEncoding, faults: &[InjectedFault]) -> Self {
        let plain = Form::Coded(SimEncoding::Identity);
        for fault in faults {
            match fault {
                InjectedFault::GzipGarbage => return Self { announced: Some("gzip".to_owned()), form: plain },
                InjectedFault::Coding(name) => return Self { announced: Some(name.clone()), form: plain },
                InjectedFault::Members => return Self { announced: Some("gzip".to_owned()), form: Form::Members },
                _ => {}
            }
        }
        let is_bomb = faults.iter().any(|fault| matches!(fault, InjectedFault::Bomb(_)));
        let coding = if is_bomb && accepted == SimEncoding::Identity { SimEncoding::Gzip } else { accepted };
        Self { announced: coding.name().map(str::to_owned), form: Form::Coded(coding) }
    }
}

async fn body(document: FeedDocument, faults: Vec<InjectedFault>, form: Form) -> io::Result<AnswerBody> {
    let pace = faults.iter().find_map(|fault| match *fault {
        InjectedFault::Slow(bytes_per_second) => Some(bytes_per_second),
        _ => None,
    });
    // Some faults need the length of the document, for which it is made once and thrown away.
    let body = spawn_blocking(move || whole_or_broken(&document, &faults, form)).await??;
    Ok(match pace {
        Some(bytes_per_second) => body.dripping(bytes_per_second),
        None => body,
    })
}

fn whole_or_broken(document: &FeedDocument, faults: &[InjectedFault], form: Form) -> io::Result<AnswerBody> {
    let chunks = || -> io::Result<Chunks> {
        let spoiled = spoiled(document, faults)?;
        match form {
            Form::Coded(coding) => coded(spoiled, coding),
            Form::Members => Ok(members(spoiled)),
        }
    };
    if faults.contains(&InjectedFault::Reset) {
        let promised = length(chunks()?)?;
        let reset = std::iter::once_with(|| Err(io::ErrorKind::ConnectionReset.into()));
        return Ok(AnswerBody::new(Box::new(first_bytes(chunks()?, promised / 2).chain(reset)), Some(promised)));
    }
    let is_sent_as_it_is = form == Form::Coded(SimEncoding::Identity) && faults.iter().all(InjectedFault::only_delays);
    let promised = if is_sent_as_it_is { document.known_length() } else { None };
    Ok(AnswerBody::new(chunks()?, promised))
}

/// The faults that a query asks for, none if it says nothing of faults. Other parameters
/// are ignored, as a provider would.
fn asked_faults(query: &str) -> Result<Option<Vec<InjectedFault>>, InvalidFault> {
    let mut asked = None;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name == "fault" {
            asked.get_or_insert_with(Vec::new).extend(InjectedFault::parse_list(&with_punctuation(value))?);
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

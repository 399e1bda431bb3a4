//! Creates the response to a request: routing, conditional requests, content coding, and the faults of the response itself
//! (status, timing, headers, connection reset).
//!
//! `corrupt` applies the faults of the document. `provider` selects the faults and the document.

use std::io;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, VARY};
use hyper::http::response::Builder;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::body::ResponseBody;
use crate::corrupt::corrupt;
use crate::document::{Chunks, FeedDocument, encode, encode_gzip_members, measure_length, take_bytes};
use crate::fault::{InjectedFault, InvalidFault};
use crate::negotiation::{SimEncoding, matches_etag, negotiate_encoding};
use crate::picture;
use crate::provider::{Delivery, SimProvider};

/// Responds to a request; an error closes its connection without a response.
pub(crate) async fn respond(
    provider: SimProvider,
    request: Request<Incoming>,
    shutdown: CancellationToken,
) -> io::Result<Response<ResponseBody>> {
    let picture = picture::base_event_of(request.uri().path()).and_then(|base_event| provider.picture(base_event));
    if request.uri().path() != FEED_PATH && picture.is_none() {
        return text(StatusCode::NOT_FOUND, format!("Not found. The feed is at {FEED_PATH}.\n"));
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let response = Response::builder().status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, "GET, HEAD");
        return finish(response, ResponseBody::text(""));
    }
    if let Some(picture) = picture {
        return finish(Response::builder().header(CONTENT_TYPE, "image/svg+xml"), ResponseBody::text(picture));
    }
    let requested = match requested_faults(request.uri().query().unwrap_or_default()) {
        Ok(requested) => requested,
        Err(invalid) => return text(StatusCode::BAD_REQUEST, format!("{invalid}\n")),
    };
    let faults = provider.begin(requested);
    delay(&faults, &shutdown).await?;
    if let Some(location) = faults.iter().find_map(|fault| redirect(fault, request.uri().query().unwrap_or_default())) {
        return finish(Response::builder().status(StatusCode::FOUND).header(LOCATION, location), ResponseBody::text(""));
    }
    match faults.iter().find_map(failed_status) {
        Some((status, retry_after)) => respond_with_status(status, retry_after),
        None => serve_feed(&provider, request.method(), request.headers(), faults).await,
    }
}

const FEED_PATH: &str = "/feed";

/// Waits as long as the faults require; fails if the server stops first.
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

/// The location that a fault redirects to; `None` after its last hop.
fn redirect(fault: &InjectedFault, query: &str) -> Option<String> {
    let hop: u32 = query.split('&').find_map(|pair| pair.strip_prefix("hop=")?.parse().ok()).unwrap_or(0);
    // The next hop must have the same faults.
    let faults: String = query.split('&').filter(|pair| pair.starts_with("fault=")).map(|pair| format!("&{pair}")).collect();
    match fault {
        InjectedFault::Redirect(hops) if hop >= *hops => None,
        InjectedFault::Redirect(_) | InjectedFault::RedirectLoop => {
            Some(format!("{FEED_PATH}?hop={}{faults}", hop.wrapping_add(1)))
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

fn respond_with_status(status: u16, retry_after: Option<u32>) -> io::Result<Response<ResponseBody>> {
    let mut response = Response::builder().status(status).header(CONTENT_TYPE, PLAIN_TEXT);
    if let Some(seconds) = retry_after {
        response = response.header(RETRY_AFTER, seconds);
    }
    finish(response, ResponseBody::text(format!("Injected status {status}.\n")))
}

async fn serve_feed(
    provider: &SimProvider,
    method: &Method,
    headers: &HeaderMap,
    faults: Vec<InjectedFault>,
) -> io::Result<Response<ResponseBody>> {
    let encoding = negotiate_encoding(headers);
    let etag = |document: &FeedDocument| match encoding.name() {
        Some(name) => format!("\"{}-{name}\"", document.validator()),
        None => format!("\"{}\"", document.validator()),
    };
    let is_known = |document: &FeedDocument| matches_etag(headers, &etag(document));
    // A fault always takes effect, and does not advance the poll.
    let delivery = if !faults.iter().all(InjectedFault::only_delays) {
        Delivery::Full(provider.document())
    } else if method == Method::HEAD {
        provider.peek(is_known)
    } else {
        provider.deliver(is_known)
    };
    let mut response = Response::builder().header(VARY, VARIES_BY);
    if let Some(seconds) = provider.max_age() {
        response = response.header(CACHE_CONTROL, format!("max-age={seconds}"));
    }
    match delivery {
        Delivery::NotModified(document) => {
            finish(response.status(StatusCode::NOT_MODIFIED).header(ETAG, etag(&document)), ResponseBody::text(""))
        }
        Delivery::Full(document) => {
            response = response.header(CONTENT_TYPE, content_type(&faults));
            if !faults.iter().any(InjectedFault::replaces_document) {
                response = response.header(ETAG, etag(&document));
            }
            let sent = SentForm::new(encoding, &faults);
            if let Some(name) = sent.declared {
                response = response.header(CONTENT_ENCODING, name);
            }
            finish(response, create_body(document, faults, sent.form).await?)
        }
    }
}

const VARIES_BY: &str = "accept-encoding";

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

fn content_type(faults: &[InjectedFault]) -> &'static str {
    if faults.contains(&InjectedFault::Html) { "text/html; charset=utf-8" } else { "application/xml; charset=utf-8" }
}

/// The encoding of the body, and the one that `Content-Encoding` declares.
struct SentForm {
    declared: Option<String>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Encoded(SimEncoding),
    /// Gzip with several members.
    Members,
}

impl SentForm {
    fn new(encoding: SimEncoding, faults: &[InjectedFault]) -> Self {
        let plain = Form::Encoded(SimEncoding::Identity);
        for fault in faults {
            match fault {
                InjectedFault::GzipGarbage => return Self { declared: Some("gzip".to_owned()), form: plain },
                InjectedFault::Coding(name) => return Self { declared: Some(name.clone()), form: plain },
                InjectedFault::Members => return Self { declared: Some("gzip".to_owned()), form: Form::Members },
                _ => {}
            }
        }
        let is_bomb = faults.iter().any(|fault| matches!(fault, InjectedFault::Bomb(_)));
        let encoding = if is_bomb && encoding == SimEncoding::Identity { SimEncoding::Gzip } else { encoding };
        Self { declared: encoding.name().map(str::to_owned), form: Form::Encoded(encoding) }
    }
}

async fn create_body(document: FeedDocument, faults: Vec<InjectedFault>, form: Form) -> io::Result<ResponseBody> {
    let pace = faults.iter().find_map(|fault| match *fault {
        InjectedFault::Slow(bytes_per_second) => Some(bytes_per_second),
        _ => None,
    });
    // Some faults need the length of the document, for which it is generated twice.
    let body = spawn_blocking(move || encode_body(&document, &faults, form)).await??;
    Ok(match pace {
        Some(bytes_per_second) => body.with_rate(bytes_per_second),
        None => body,
    })
}

fn encode_body(document: &FeedDocument, faults: &[InjectedFault], form: Form) -> io::Result<ResponseBody> {
    let chunks = || -> io::Result<Chunks> {
        let corrupted = corrupt(document, faults)?;
        match form {
            Form::Encoded(encoding) => encode(corrupted, encoding),
            Form::Members => Ok(encode_gzip_members(corrupted)),
        }
    };
    if faults.contains(&InjectedFault::Reset) {
        let declared = measure_length(chunks()?)?;
        let reset = std::iter::once_with(|| Err(io::ErrorKind::ConnectionReset.into()));
        return Ok(ResponseBody::new(Box::new(take_bytes(chunks()?, declared / 2).chain(reset)), Some(declared)));
    }
    let is_unmodified = form == Form::Encoded(SimEncoding::Identity) && faults.iter().all(InjectedFault::only_delays);
    let declared = if is_unmodified { document.known_length() } else { None };
    Ok(ResponseBody::new(chunks()?, declared))
}

/// The faults in a query, `None` if it has no such parameter. Other parameters are ignored, as by most providers.
fn requested_faults(query: &str) -> Result<Option<Vec<InjectedFault>>, InvalidFault> {
    let mut requested = None;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name == "fault" {
            requested.get_or_insert_with(Vec::new).extend(InjectedFault::parse_list(&decode_punctuation(value))?);
        }
    }
    Ok(requested)
}

/// Clients may percent-encode `:` and `,`; nothing else in a fault needs it.
fn decode_punctuation(value: &str) -> String {
    value.replace("%3A", ":").replace("%3a", ":").replace("%2C", ",").replace("%2c", ",")
}

fn text(status: StatusCode, text: String) -> io::Result<Response<ResponseBody>> {
    finish(Response::builder().status(status).header(CONTENT_TYPE, PLAIN_TEXT), ResponseBody::text(text))
}

fn finish(response: Builder, body: ResponseBody) -> io::Result<Response<ResponseBody>> {
    response.body(body).map_err(io::Error::other)
}

//! Requests to URLs that others choose: the feeds of providers and the pictures in them.
//!
//! A client connects to public addresses only, unless networks are added, and follows redirects one at a time, so that each target is
//! checked. Limits of the whole response and of its size are those of the caller, which reads the body.

mod address;
mod client;
mod error;
mod redirect;

pub use reqwest::Url;

pub use self::{
    address::{AllowedAddresses, NonPublicAddress},
    client::{ClientTimeouts, MAX_REDIRECTS, OutboundClient},
    error::{BoxedCause, RequestError, is_timeout},
    redirect::resolve_target,
};

//! Requests to URLs that others choose: the feeds of providers, the pictures in them, and webhooks.
//!
//! A client connects to public addresses only, unless networks are added, and follows redirects one at a time, so that each target is
//! checked. Limits of the whole response and of its size are those of the caller, which reads the body.

mod address;
mod client;
mod endpoint;
mod error;
mod redirect;

pub use reqwest::Url;

pub use self::{
    address::{AllowedAddresses, NonPublicAddress},
    client::{ClientTimeouts, MAX_REDIRECTS, Message, OutboundClient, Receipt},
    endpoint::{EndpointSettings, EndpointUrlError, MAX_URL_BYTES},
    error::{BoxedCause, RequestError, is_timeout},
    redirect::resolve_target,
};

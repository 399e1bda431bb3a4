//! Baseline of cache hits: a poem app that serves a constant of the same length.

use std::sync::Arc;

use bytes::Bytes;
use poem::{EndpointExt, Response, Route, Server, endpoint::make_sync, listener::TcpListener};

use crate::{Failure, settings::ConstantSettings};

/// Serves until the process is killed.
pub(crate) async fn serve(settings: &ConstantSettings) -> Result<(), Failure> {
    let body = Bytes::from(vec![b'x'; settings.bytes]);
    let constant = make_sync(move |_| Response::builder().content_type("application/json; charset=utf-8").body(body.clone()));
    let constant = Arc::new(constant.boxed());
    let app = Route::new().at("/search", poem::get(constant.clone())).at("/events", poem::get(constant));
    Server::new(TcpListener::bind(settings.listen.to_string())).run(app).await?;
    Ok(())
}

//! Peer of a hit in the process: a poem app that serves as many bytes, a constant, and does nothing else.

use bytes::Bytes;
use poem::{EndpointExt, Response, Route, Server, endpoint::make_sync, listener::TcpListener};

use crate::{Failure, settings::BareSettings};

/// Serves until the process is killed.
pub(crate) async fn serve(settings: &BareSettings) -> Result<(), Failure> {
    let body = Bytes::from(vec![b'x'; settings.bytes]);
    let constant = make_sync(move |_| Response::builder().content_type("application/json; charset=utf-8").body(body.clone()));
    let app = Route::new().at("/search", poem::get(constant.boxed()));
    Server::new(TcpListener::bind(settings.listen.to_string())).run(app).await?;
    Ok(())
}

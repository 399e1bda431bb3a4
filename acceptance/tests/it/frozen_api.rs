//! An API that was frozen and continues does not present what it cached before as current.

use std::{sync::Arc, time::Duration};

use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::{
    deployment::{Deployment, SLUG, format_entry, send_signal},
    wait::eventually,
};

on_every_backend!(responses_after_a_freeze_are_current_or_marked);

/// Longer than the API waits for a poll of the version.
const FREEZE: Duration = Duration::from_secs(5);
/// So that some are responded to before the API has read the version again.
const REQUESTS: usize = 32;

async fn responses_after_a_freeze_are_current_or_marked(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue { events: 20, churn: 100.0, ..SimCatalogue::default() }).await;
    deployment.write_providers(&(format_entry(SLUG, &deployment.url, "0 0 0 1 1 *") + "max_shrink_share = 1.0\n"));
    assert!(deployment.sync());
    let api = deployment.start_api();
    let before = eventually("the response is cached", async || {
        let response = request(api.address()).await;
        response.contains("marquee-process; hit").then(|| body(&response).to_owned())
    })
    .await;

    send_signal(api.id(), "STOP");
    assert!(deployment.sync());
    sleep(FREEZE).await;
    let mut requests = Vec::new();
    for _ in 0..REQUESTS {
        requests.push(request_later(api.address()).await);
    }
    send_signal(api.id(), "CONT");
    for stream in requests {
        let response = read(stream).await;
        let is_marked = response.to_lowercase().contains("\r\nwarning:");
        assert!(body(&response) != before || is_marked, "{response}");
    }
    eventually("the API responds with the new copy", async || (body(&request(api.address()).await) != before).then_some(()))
        .await;
}

/// Sends a request, and returns the connection before the response arrives.
async fn request_later(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /search HTTP/1.0\r\n\r\n").await.unwrap();
    stream
}

async fn request(address: &str) -> String {
    read(request_later(address).await).await
}

async fn read(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.contains(" 200 "), "{response}");
    response
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

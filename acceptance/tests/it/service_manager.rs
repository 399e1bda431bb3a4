//! The messages of the programs to a service manager: readiness, progress and shutdown.

use std::{os::unix::net::UnixDatagram, sync::Arc};

use migration::testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase};
use provider_sim::SimCatalogue;
use tempfile::TempDir;

use crate::{deployment::Deployment, wait::eventually};

/// The socket of a service manager. Its watchdog expires after a second.
struct ServiceManager {
    socket: UnixDatagram,
    path: String,
    _folder: TempDir,
}

impl ServiceManager {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify").to_str().unwrap().to_owned();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path, _folder: folder }
    }

    fn settings(&self) -> [(&str, &str); 2] {
        [("NOTIFY_SOCKET", &self.path), ("WATCHDOG_USEC", "1000000")]
    }

    /// The next message, if one was received.
    fn receive(&self) -> Option<String> {
        let mut message = [0; 256];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    async fn wait_for(&self, expected: &str) {
        eventually(expected, async || self.receive().filter(|message| message.trim() == expected)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_reports_that_it_is_ready_makes_progress_and_shuts_down() {
    let database = Arc::new(TestDatabase::migrated(Backend::Sqlite).await);
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let manager = ServiceManager::new();
    let mut api = deployment.start_api_with(&manager.settings());
    eventually("the first message", async || manager.receive().map(|message| assert_eq!(message, "READY=1\n"))).await;
    assert!(api.is_listening().await);
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1").await;
    }
    api.request_shutdown();
    manager.wait_for("STOPPING=1").await;
    assert!(api.wait_for_exit().success());
}

/// A worker is ready once it has a database. A restart would not repair a database that stops responding later. Nor does the worker depend
/// on the service manager, which receives no messages here until the outage is detected.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_reports_progress_while_the_database_does_not_respond() {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let proxy = DatabaseProxy::start(&database, ProxyMode::Cut).await;
    let mut deployment = Deployment::new(database, SimCatalogue::default()).await;
    deployment.worker_database = proxy.settings();
    let manager = ServiceManager::new();
    let worker = deployment.start_worker_with("one", &manager.settings());
    eventually("it waits", async || worker.read_log().contains("the database cannot be used, retrying").then_some(())).await;
    assert_eq!(manager.receive(), None);

    proxy.set_mode(ProxyMode::Forward).await;
    eventually("the first message", async || manager.receive().map(|message| assert_eq!(message, "READY=1\n"))).await;

    proxy.set_mode(ProxyMode::HangAt("")).await;
    eventually("it is detected", async || worker.read_log().contains("jobs cannot be claimed").then_some(())).await;
    while manager.receive().is_some() {}
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1").await;
    }
    worker.send_signal("TERM");
    manager.wait_for("STOPPING=1").await;
}

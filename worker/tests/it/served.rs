//! A simulated provider on a socket.

use provider_sim::{InjectedFault, SimCatalogue, SimProvider, serve};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A provider that serves until it is dropped.
pub(crate) struct ServedProvider {
    pub(crate) provider: SimProvider,
    pub(crate) url: String,
    _ends_with_it: DropGuard,
}

impl ServedProvider {
    pub(crate) async fn new(catalogue: SimCatalogue) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/feed", listener.local_addr().unwrap());
        let provider = SimProvider::new(catalogue);
        let end = CancellationToken::new();
        tokio::spawn(serve(listener, provider.clone(), end.clone()));
        Self { provider, url, _ends_with_it: end.drop_guard() }
    }

    /// A small catalogue that never changes, with these faults.
    pub(crate) async fn with_faults(faults: &str) -> Self {
        let served = Self::new(SimCatalogue { events: 20, zones: 2, ..SimCatalogue::default() }).await;
        served.provider.set_faults(InjectedFault::parse_list(faults).unwrap());
        served
    }
}

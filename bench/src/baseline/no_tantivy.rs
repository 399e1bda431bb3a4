//! In the place of the baseline with `tantivy`, which is an optional feature because it takes long to compile.

use std::net::SocketAddr;

use crate::Failure;

/// A server that cannot be started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WordServer {}

impl WordServer {
    pub(crate) async fn start(_database_url: &str, _rows: usize) -> Result<Self, Failure> {
        Err("marquee-bench was built without the feature `tantivy`".into())
    }

    pub(crate) fn address(self) -> SocketAddr {
        match self {}
    }
}

//! A Redis server.

use std::net::SocketAddr;

use programs::{Failure, find_installed_program};

use crate::{
    process::Program,
    sandbox::{Sandbox, free_address},
};

/// A Redis server or sentinel, without persistence.
#[derive(Debug)]
pub(crate) struct RedisServer {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

impl RedisServer {
    /// With more arguments than its address and folder.
    pub(crate) fn new(sandbox: &Sandbox, name: &str, more: &[String]) -> Result<Self, Failure> {
        let address = free_address()?;
        let folder = sandbox.create_folder(name)?.display().to_string();
        let port = address.port().to_string();
        let program = sandbox
            .program(name, find_installed_program("redis-server", "redis-server")?)
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir", &folder])
            .args(more);
        Ok(Self { program, address })
    }

    pub(crate) async fn start(&mut self) -> Result<(), Failure> {
        self.program.start(self.address).await
    }
}

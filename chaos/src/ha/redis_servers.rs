//! Two replicated Redis: a master with a replica behind sentinels, and a cluster.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use programs::{Failure, find_installed_program};

use crate::{
    sandbox::{Sandbox, free_address},
    servers::RedisServer,
};

/// How long a failover may take.
const FAILOVER_WITHIN: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long a server does not respond until it counts as failed, in ms.
const FAILED_AFTER_MS: u64 = 1000;
/// The service of the sentinels.
const SERVICE: &str = "cache";

/// A master, a replica, and three sentinels.
#[derive(Debug)]
pub(super) struct Sentinels {
    pub(super) servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

/// Three masters with a replica each.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) servers: Vec<RedisServer>,
}

impl Sentinels {
    pub(super) async fn start(sandbox: &Sandbox) -> Result<Self, Failure> {
        let master = RedisServer::new(sandbox, "redis-1", &[])?;
        let of_master = ["--replicaof".to_owned(), format!("127.0.0.1 {}", master.address.port())];
        let replica = RedisServer::new(sandbox, "redis-2", &of_master)?;
        let mut sentinels = Vec::new();
        for name in ["sentinel-1", "sentinel-2", "sentinel-3"] {
            let address = free_address()?;
            let configuration = sandbox.write(
                &format!("{name}.conf"),
                &format!(
                    "bind 127.0.0.1\nport {}\nsentinel monitor {SERVICE} 127.0.0.1 {} 2\n\
                     sentinel down-after-milliseconds {SERVICE} {FAILED_AFTER_MS}\n\
                     sentinel failover-timeout {SERVICE} 5000\n",
                    address.port(),
                    master.address.port()
                ),
            )?;
            let program = sandbox.program(name, find_installed_program("redis-sentinel", "redis-sentinel")?);
            sentinels.push(RedisServer { program: program.args([configuration.display()]), address });
        }
        let mut service = Self { servers: vec![master, replica], sentinels };
        for server in service.servers.iter_mut().chain(&mut service.sentinels) {
            server.start().await?;
        }
        Ok(service)
    }

    pub(super) fn url(&self) -> String {
        let addresses: Vec<String> = self.sentinels.iter().map(|sentinel| sentinel.address.to_string()).collect();
        format!("redis+sentinel://{}/{SERVICE}", addresses.join(","))
    }

    /// The index of the master, as the first sentinel reports it.
    pub(super) async fn master(&self, sandbox: &Sandbox) -> Result<usize, Failure> {
        let reply = command(sandbox, self.sentinels[0].address, &["sentinel", "get-master-addr-by-name", SERVICE]).await?;
        let port: Option<u16> = reply.lines().nth(1).and_then(|port| port.trim().parse().ok());
        let index = self.servers.iter().position(|server| Some(server.address.port()) == port);
        index.ok_or_else(|| format!("the sentinels report no master: {reply}").into())
    }

    pub(super) async fn wait_for_failover(&self, sandbox: &Sandbox, from: usize) -> Result<(), Failure> {
        let until = Instant::now() + FAILOVER_WITHIN;
        while self.master(sandbox).await? == from {
            if Instant::now() > until {
                return Err("the sentinels selected no other master".into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

impl Cluster {
    pub(super) async fn start(sandbox: &Sandbox) -> Result<Self, Failure> {
        let mut servers = Vec::new();
        for index in 1..=6 {
            let more = [
                "--cluster-enabled".to_owned(),
                "yes".to_owned(),
                "--cluster-port".to_owned(),
                free_address()?.port().to_string(),
                "--cluster-node-timeout".to_owned(),
                FAILED_AFTER_MS.to_string(),
            ];
            let mut server = RedisServer::new(sandbox, &format!("cluster-{index}"), &more)?;
            server.start().await?;
            servers.push(server);
        }
        let addresses: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
        let create = sandbox
            .program("redis-cli", find_installed_program("redis-cli", "redis-tools")?)
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"]);
        create.run().await?;
        let cluster = Self { servers };
        cluster.wait_until_healthy(sandbox).await?;
        Ok(cluster)
    }

    pub(super) fn url(&self) -> String {
        let addresses: Vec<String> = self.servers.iter().take(3).map(|server| server.address.to_string()).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The index of a server that is a master.
    pub(super) async fn master(&self, sandbox: &Sandbox) -> Result<usize, Failure> {
        for (index, server) in self.servers.iter().enumerate() {
            if command(sandbox, server.address, &["role"]).await?.starts_with("master") {
                return Ok(index);
            }
        }
        Err("the cluster has no master".into())
    }

    /// Waits until the running servers serve all keys.
    pub(super) async fn wait_until_healthy(&self, sandbox: &Sandbox) -> Result<(), Failure> {
        let until = Instant::now() + FAILOVER_WITHIN;
        for server in &self.servers {
            while !command(sandbox, server.address, &["cluster", "info"])
                .await
                .is_ok_and(|info| info.contains("cluster_state:ok"))
            {
                if Instant::now() > until {
                    return Err(format!("the Redis cluster is not healthy: {}", server.address).into());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }
}

/// The reply to a command.
async fn command(sandbox: &Sandbox, address: SocketAddr, arguments: &[&str]) -> Result<String, Failure> {
    let program = sandbox.program("redis-cli", find_installed_program("redis-cli", "redis-tools")?);
    program.args(["-p", &address.port().to_string()]).args(arguments).run().await
}

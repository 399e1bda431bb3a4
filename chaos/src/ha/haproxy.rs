//! HAProxy: a port for the primary, one for the replicas, and one for the APIs.

use std::net::SocketAddr;

use programs::{Failure, find_installed_program};

use super::patroni::Node;
use crate::{
    deployment::Server,
    process::Program,
    sandbox::{Sandbox, free_address},
};

/// Servers behind one port are chosen by the health checks.
#[derive(Debug)]
pub(super) struct Proxy {
    _program: Program,
    pub(super) address: SocketAddr,
}

impl Proxy {
    /// Sends connections to the node that is the primary.
    pub(super) async fn to_primary(sandbox: &Sandbox, nodes: &[Node], keep_sessions: bool) -> Result<Self, Failure> {
        let on_marked_down = if keep_sessions { "" } else { " on-marked-down shutdown-sessions" };
        let body = format!(
            "  mode tcp\n  option tcplog\n  option httpchk GET /primary\n  http-check expect status 200\n  default-server {CHECKS}{on_marked_down}\n{}",
            format_nodes(nodes)
        );
        Self::start(sandbox, "haproxy-primary", &body).await
    }

    /// Spreads connections over the nodes that are replicas.
    pub(super) async fn to_replicas(sandbox: &Sandbox, nodes: &[Node]) -> Result<Self, Failure> {
        let body = format!(
            "  mode tcp\n  option tcplog\n  balance roundrobin\n  option httpchk GET /replica\n  http-check expect status 200\n  \
             default-server {CHECKS} on-marked-down shutdown-sessions\n{}",
            format_nodes(nodes)
        );
        Self::start(sandbox, "haproxy-replicas", &body).await
    }

    /// Spreads requests over the APIs that are ready.
    pub(super) async fn to_apis(sandbox: &Sandbox, apis: &[Server]) -> Result<Self, Failure> {
        let servers: Vec<String> =
            apis.iter().enumerate().map(|(index, api)| format!("  server api-{index} {} check\n", api.address)).collect();
        let body = format!(
            "  mode http\n  option httplog\n  balance roundrobin\n  option httpchk GET /readyz\n  default-server {CHECKS}\n{}",
            servers.concat()
        );
        Self::start(sandbox, "haproxy-apis", &body).await
    }

    async fn start(sandbox: &Sandbox, name: &str, body: &str) -> Result<Self, Failure> {
        let address = free_address()?;
        let configuration = sandbox.write(
            &format!("{name}.cfg"),
            &format!(
                "global\n  log stdout format raw local0\n  maxconn 2000\ndefaults\n  log global\n  timeout connect 1s\n  \
                 timeout check 1s\n  timeout client 30m\n  timeout server 30m\nlisten {name}\n  bind {address}\n{body}"
            ),
        )?;
        let program = find_installed_program("haproxy", "haproxy")?;
        let mut program = sandbox.program(name, program).args(["-db", "-f", &configuration.display().to_string()]);
        program.start(address).await?;
        Ok(Self { _program: program, address })
    }
}

/// Two failed checks within a second mark a server as down.
const CHECKS: &str = "inter 1s fastinter 500ms fall 2 rise 1";

/// The nodes, checked through the HTTP port of Patroni.
fn format_nodes(nodes: &[Node]) -> String {
    let nodes = nodes.iter().map(|node| format!("  server {} {} check port {}\n", node.name, node.database, node.rest.port()));
    nodes.collect()
}

//! A replicated PostgreSQL: one etcd, and three nodes with Patroni and PostgreSQL each.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use programs::{Failure, find_installed_program};
use serde_json::Value;

use crate::{
    client::Client,
    process::Program,
    sandbox::{Sandbox, free_address},
    servers::find_postgres,
};

const NAMES: [&str; 3] = ["one", "two", "three"];
/// How long a node may take to become healthy: after a failover it may have to copy the database.
const HEALTHY_WITHIN: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The role and database of Marquee. A log that contains the password is a failure.
pub(super) const PASSWORD: &str = "pa55word-of-marquee";

/// A node: Patroni, and the PostgreSQL server that it starts.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    /// Patroni. Its signals are also sent to PostgreSQL.
    pub(super) program: Program,
    pub(super) database: SocketAddr,
    pub(super) rest: SocketAddr,
}

/// The nodes.
#[derive(Debug)]
pub(super) struct Patroni {
    pub(super) etcd: Program,
    etcd_address: SocketAddr,
    pub(super) nodes: Vec<Node>,
    /// `patronictl`, without its command.
    control: (PathBuf, PathBuf),
}

/// A member of the cluster as Patroni reports it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) state: String,
}

impl Node {
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        self.program.start(self.rest).await
    }
}

impl Patroni {
    /// Starts all nodes, and creates the database.
    pub(super) async fn start(sandbox: &Sandbox) -> Result<Self, Failure> {
        let (etcd_address, peer) = (free_address()?, free_address()?);
        let etcd = sandbox.program("etcd", find_installed_program("etcd", "etcd-server")?).args([
            // Patroni reads version 2 of the API: version 3 has no way to detect a frozen primary without a watchdog.
            "--enable-v2".to_owned(),
            format!("--data-dir={}", sandbox.path("etcd").display()),
            format!("--listen-client-urls=http://{etcd_address}"),
            format!("--advertise-client-urls=http://{etcd_address}"),
            format!("--listen-peer-urls=http://{peer}"),
            format!("--initial-advertise-peer-urls=http://{peer}"),
            format!("--initial-cluster=default=http://{peer}"),
        ]);
        let binaries = find_postgres()?;
        let mut nodes = Vec::new();
        for name in NAMES {
            let (database, rest) = (free_address()?, free_address()?);
            let folder = sandbox.path(name);
            let configuration = sandbox.write(
                &format!("{name}.yml"),
                &include_str!("patroni.yml")
                    .replace("{name}", name)
                    .replace("{rest}", &rest.to_string())
                    .replace("{etcd}", &etcd_address.to_string())
                    .replace("{database}", &database.to_string())
                    .replace("{folder}", &folder.display().to_string())
                    .replace("{sockets}", &sandbox.path("").display().to_string())
                    .replace("{binaries}", &binaries.display().to_string()),
            )?;
            let program = sandbox
                .unprivileged_program(name, find_installed_program("patroni", "patroni")?)?
                .args([configuration.display()])
                .pid_file(folder.join("postmaster.pid"));
            nodes.push(Node { name, program, database, rest });
        }
        let control = (find_installed_program("patronictl", "patroni")?, sandbox.path("one.yml"));
        let mut patroni = Self { etcd, etcd_address, nodes, control };
        patroni.start_etcd().await?;
        for node in &mut patroni.nodes {
            node.start().await?;
        }
        patroni.wait_until_healthy().await?;
        patroni.create_database(sandbox, &binaries).await?;
        Ok(patroni)
    }

    pub(super) async fn start_etcd(&mut self) -> Result<(), Failure> {
        self.etcd.start(self.etcd_address).await
    }

    async fn create_database(&self, sandbox: &Sandbox, binaries: &std::path::Path) -> Result<(), Failure> {
        let leader = self.leader().await?;
        let role = format!("CREATE ROLE marquee LOGIN PASSWORD '{PASSWORD}'");
        for statement in [role.as_str(), "CREATE DATABASE marquee OWNER marquee"] {
            self.query(sandbox, binaries, leader, statement).await?;
        }
        Ok(())
    }

    /// Runs a statement on a node as the superuser.
    async fn query(&self, sandbox: &Sandbox, binaries: &std::path::Path, node: usize, statement: &str) -> Result<(), Failure> {
        let url = format!("postgres://postgres@{}/postgres", self.nodes[node].database);
        sandbox.program("psql", binaries.join("psql")).args([&url, "-c", statement]).run().await.map(drop)
    }

    /// Pauses or resumes the replay of the replicas.
    pub(super) async fn set_replay(&self, sandbox: &Sandbox, is_paused: bool) -> Result<(), Failure> {
        let (leader, binaries) = (self.leader().await?, find_postgres()?);
        let function = if is_paused { "pg_wal_replay_pause" } else { "pg_wal_replay_resume" };
        for replica in (0..self.nodes.len()).filter(|node| *node != leader) {
            self.query(sandbox, &binaries, replica, &format!("SELECT {function}()")).await?;
        }
        Ok(())
    }

    /// Runs `patronictl`.
    pub(super) async fn control(&self, sandbox: &Sandbox, arguments: &[&str]) -> Result<String, Failure> {
        let (path, configuration) = &self.control;
        let configuration = configuration.display().to_string();
        sandbox.program("patronictl", path.clone()).args(["-c", &configuration]).args(arguments).run().await
    }

    /// The index of the primary.
    pub(super) async fn leader(&self) -> Result<usize, Failure> {
        let members = self.members().await;
        let leader = members.iter().find(|member| member.role == "leader").ok_or("the cluster has no primary")?;
        let index = self.nodes.iter().position(|node| node.name == leader.name);
        index.ok_or_else(|| format!("{} is not a node", leader.name).into())
    }

    /// The members as the first responding node reports them.
    pub(super) async fn members(&self) -> Vec<Member> {
        for node in &self.nodes {
            let Ok(client) = Client::with_timeout(node.rest, Duration::from_secs(1)) else { continue };
            let Ok(response) = client.get("/cluster").await else { continue };
            let response = response.json();
            let members = response["members"].as_array().into_iter().flatten();
            return members.map(Member::parse).collect();
        }
        Vec::new()
    }

    /// Waits until there is one primary and all others are replicas of it.
    pub(super) async fn wait_until_healthy(&self) -> Result<(), Failure> {
        let until = Instant::now() + HEALTHY_WITHIN;
        loop {
            let members = self.members().await;
            let count = |role: &[&str]| {
                members
                    .iter()
                    .filter(|member| role.contains(&&*member.role) && ["running", "streaming"].contains(&&*member.state))
                    .count()
            };
            // The first replica is synchronous.
            if count(&["leader"]) == 1 && count(&["sync_standby"]) == 1 && count(&["replica"]) == self.nodes.len() - 2 {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("the PostgreSQL cluster is not healthy: {members:?}").into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until another node than this one is the primary.
    pub(super) async fn wait_for_failover(&self, from: usize) -> Result<(), Failure> {
        let until = Instant::now() + HEALTHY_WITHIN;
        while self.leader().await.is_ok_and(|leader| leader == from) || self.leader().await.is_err() {
            if Instant::now() > until {
                return Err("no other node became the primary".into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

impl Member {
    fn parse(member: &Value) -> Self {
        let field = |name: &str| member[name].as_str().unwrap_or_default().to_owned();
        Self { name: field("name"), role: field("role"), state: field("state") }
    }
}

//! The failures: how each is caused and repaired.

use std::time::Duration;

use clap::ValueEnum;
use programs::Failure;

use super::Stack;

/// How long a failure lasts that does not end by itself.
const HOLD: Duration = Duration::from_secs(10);
/// How long etcd is down: longer than the `ttl` of Patroni, after which a primary without failsafe mode steps down.
const HOLD_ETCD: Duration = Duration::from_secs(30);
/// How long a failed server stays down after another one has replaced it.
const AFTER_FAILOVER: Duration = Duration::from_secs(5);

/// A failure of one of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Failover {
    /// The primary is stopped in order, and a replica takes over
    Switchover,
    /// The primary and its Patroni are killed
    PrimaryKilled,
    /// The primary and its Patroni are frozen, and resumed after a replica has taken over
    PrimaryFrozen,
    /// One replica restarts
    ReplicaRestarted,
    /// The replicas do not apply changes
    ReplayPaused,
    /// etcd is killed
    EtcdDown,
    /// All replicas are killed
    ReplicasDown,
    /// The Redis master behind the sentinels is killed
    Sentinel,
    /// A master of the Redis cluster is killed
    Cluster,
}

impl Failover {
    pub(super) const ALL: [Self; 9] = [
        Self::Switchover,
        Self::PrimaryKilled,
        Self::PrimaryFrozen,
        Self::ReplicaRestarted,
        Self::ReplayPaused,
        Self::EtcdDown,
        Self::ReplicasDown,
        Self::Sentinel,
        Self::Cluster,
    ];

    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::PrimaryKilled => "primary killed (`kill -9`)",
            Self::PrimaryFrozen => "primary frozen (`SIGSTOP`)",
            Self::ReplicaRestarted => "replica restarted",
            Self::ReplayPaused => "replay paused for 10 s",
            Self::EtcdDown => "etcd down for 30 s",
            Self::ReplicasDown => "all replicas down for 10 s",
            Self::Sentinel => "Redis failover by Sentinel",
            Self::Cluster => "Redis failover in a Cluster",
        }
    }

    /// Causes the failure, waits, and repairs it.
    pub(super) async fn inject_and_repair(self, stack: &mut Stack) -> Result<(), Failure> {
        match self {
            Self::Switchover => switch_over(stack).await,
            Self::PrimaryKilled => kill_primary(stack).await,
            Self::PrimaryFrozen => freeze_primary(stack).await,
            Self::ReplicaRestarted => restart_replica(stack).await,
            Self::ReplayPaused => {
                stack.patroni.set_replay(&stack.sandbox, true).await?;
                tokio::time::sleep(HOLD).await;
                stack.patroni.set_replay(&stack.sandbox, false).await
            }
            Self::EtcdDown => {
                stack.patroni.etcd.kill().await?;
                tokio::time::sleep(HOLD_ETCD).await;
                stack.patroni.start_etcd().await
            }
            Self::ReplicasDown => kill_replicas(stack).await,
            Self::Sentinel => kill_redis_master(stack).await,
            Self::Cluster => kill_cluster_master(stack).await,
        }
    }
}

async fn switch_over(stack: &Stack) -> Result<(), Failure> {
    let leader = stack.patroni.leader().await?;
    let name = stack.patroni.nodes[leader].name;
    let members = stack.patroni.members().await;
    let candidate = members.iter().find(|member| member.role == "sync_standby").ok_or("no synchronous replica")?;
    let arguments = ["switchover", "marquee", "--master", name, "--candidate", &candidate.name, "--force"];
    stack.patroni.control(&stack.sandbox, &arguments).await.map(drop)
}

async fn kill_primary(stack: &mut Stack) -> Result<(), Failure> {
    let leader = stack.patroni.leader().await?;
    stack.patroni.nodes[leader].program.kill().await?;
    stack.patroni.wait_for_failover(leader).await?;
    tokio::time::sleep(AFTER_FAILOVER).await;
    stack.patroni.nodes[leader].start().await
}

async fn freeze_primary(stack: &mut Stack) -> Result<(), Failure> {
    let leader = stack.patroni.leader().await?;
    stack.patroni.nodes[leader].program.freeze().await?;
    stack.patroni.wait_for_failover(leader).await?;
    tokio::time::sleep(AFTER_FAILOVER).await;
    stack.patroni.nodes[leader].program.resume().await
}

async fn restart_replica(stack: &Stack) -> Result<(), Failure> {
    let leader = stack.patroni.leader().await?;
    let replica = stack.patroni.nodes.iter().enumerate().find(|(index, _)| *index != leader).ok_or("no replica")?.1;
    stack.patroni.control(&stack.sandbox, &["restart", "marquee", replica.name, "--force"]).await.map(drop)
}

async fn kill_replicas(stack: &mut Stack) -> Result<(), Failure> {
    let leader = stack.patroni.leader().await?;
    let mut replicas: Vec<_> =
        stack.patroni.nodes.iter_mut().enumerate().filter(|(index, _)| *index != leader).map(|(_, node)| node).collect();
    for replica in &mut replicas {
        replica.program.kill().await?;
    }
    tokio::time::sleep(HOLD).await;
    for replica in replicas {
        replica.start().await?;
    }
    Ok(())
}

async fn kill_redis_master(stack: &mut Stack) -> Result<(), Failure> {
    let master = stack.sentinels.master(&stack.sandbox).await?;
    stack.sentinels.servers[master].program.kill().await?;
    stack.sentinels.wait_for_failover(&stack.sandbox, master).await?;
    tokio::time::sleep(AFTER_FAILOVER).await;
    stack.sentinels.servers[master].start().await
}

async fn kill_cluster_master(stack: &mut Stack) -> Result<(), Failure> {
    let master = stack.cluster.master(&stack.sandbox).await?;
    stack.cluster.servers[master].program.kill().await?;
    tokio::time::sleep(HOLD).await;
    stack.cluster.servers[master].start().await?;
    stack.cluster.wait_until_healthy(&stack.sandbox).await
}

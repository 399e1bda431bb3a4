//! Failovers of PostgreSQL and Redis: how many seconds of failed requests each costs.

mod failover;
mod haproxy;
mod patroni;
mod redis_servers;

use std::{sync::Arc, time::Duration};

use programs::{Failure, find_installed_program};

pub(crate) use self::failover::Failover;
use self::{
    haproxy::Proxy,
    patroni::{PASSWORD, Patroni},
    redis_servers::{Cluster, Sentinels},
};
use crate::{
    client::Client,
    deployment::{Deployment, DeploymentSettings, LEASE_SECONDS},
    ledger::Ledger,
    load::{Load, LoadKind, LoadReport, prepare},
    sandbox::Sandbox,
    settings::HaSettings,
    table::{Table, report_progress},
};

/// How long the load runs before a failure.
const BEFORE: Duration = Duration::from_secs(3);
/// Requests must succeed for this long after a failure.
const QUIET: Duration = Duration::from_secs(4);
/// The latest end of an outage after the repair.
const SETTLE_WITHIN: Duration = Duration::from_secs(90);
/// Writes may fail this long at a switchover.
const SWITCHOVER_LIMIT: Duration = Duration::from_secs(3);

/// The programs that must be installed, and their Debian packages.
const PROGRAMS: [(&str, &str); 7] = [
    ("patroni", "patroni"),
    ("patronictl", "patroni"),
    ("etcd", "etcd-server"),
    ("haproxy", "haproxy"),
    ("redis-server", "redis-server"),
    ("redis-sentinel", "redis-sentinel"),
    ("redis-cli", "redis-tools"),
];

/// All servers and programs.
#[derive(Debug)]
struct Stack {
    // Dropped first, before the folder with its log.
    deployment: Deployment,
    apis: Proxy,
    _primary: Proxy,
    _replicas: Proxy,
    patroni: Patroni,
    sentinels: Sentinels,
    cluster: Cluster,
    sandbox: Sandbox,
}

/// Measures each failure.
pub(crate) async fn run(settings: &HaSettings) -> Result<Table, Failure> {
    check_installed()?;
    let mut table = Table::new(&[
        "failure",
        "writes fail",
        "slowest write",
        "cold reads fail",
        "failed hot reads",
        "lost writes",
        "status 500",
    ]);
    let mut stack = Stack::start(settings).await?;
    if settings.keep_folder {
        report_progress(format_args!("logs are in {}", stack.sandbox.keep().display()));
    }
    let ledger = Arc::new(Ledger::default());
    for failover in Failover::ALL.into_iter().filter(|failover| settings.only.is_empty() || settings.only.contains(failover)) {
        measure(&mut stack, failover, &ledger, &mut table).await?;
    }
    let exposed = stack.find_logs_with_password()?;
    table.note(format!("{} acknowledged writes were checked.", ledger.len()));
    if !exposed.is_empty() {
        return Err(format!("a password is in {}", exposed.join(", ")).into());
    }
    Ok(table)
}

async fn measure(stack: &mut Stack, failover: Failover, ledger: &Arc<Ledger>, table: &mut Table) -> Result<(), Failure> {
    report_progress(failover.describe());
    let client = Client::new(stack.apis.address)?;
    let load = Load::start(&client, ledger);
    tokio::time::sleep(BEFORE).await;
    failover.inject_and_repair(stack).await?;
    let is_settled = load.settle(QUIET, SETTLE_WITHIN).await;
    let report = load.finish().await;
    let lost = ledger.find_lost(&client, 0).await;
    if !lost.is_empty() {
        report_progress(format_args!("lost: {lost:?}"));
    }
    let missed = list_missed_limits(failover, &report, lost.len(), is_settled);
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    table.add(
        vec![
            failover.describe().to_owned(),
            seconds(report.outage(LoadKind::Write)),
            seconds(report.slowest(LoadKind::Write)),
            seconds(report.outage(LoadKind::ColdRead)),
            format!("{} of {}", report.failures(LoadKind::HotRead), report.count(LoadKind::HotRead)),
            lost.len().to_string(),
            report.with_status(500).to_string(),
        ],
        &missed,
    );
    report_progress(format_args!("{}: {}", failover.describe(), report.describe_failures()));
    stack.patroni.wait_until_healthy().await
}

fn list_missed_limits(failover: Failover, report: &LoadReport, lost: usize, is_settled: bool) -> Vec<String> {
    let is_slow = failover == Failover::Switchover && report.outage(LoadKind::Write) > SWITCHOVER_LIMIT;
    let limits = [
        (is_slow, "writes fail for at most 3 s"),
        (report.failures(LoadKind::HotRead) > 0, "hot reads never fail"),
        (lost > 0, "no acknowledged write is lost"),
        (report.with_status(500) > 0, "no status 500"),
        (!is_settled, "requests succeed again"),
    ];
    limits.iter().filter(|(is_missed, _)| *is_missed).map(|(_, limit)| (*limit).to_owned()).collect()
}

impl Stack {
    async fn start(settings: &HaSettings) -> Result<Self, Failure> {
        let sandbox = Sandbox::new()?;
        report_progress("starting etcd, Patroni and PostgreSQL");
        let patroni = Patroni::start(&sandbox).await?;
        let primary = Proxy::to_primary(&sandbox, &patroni.nodes, settings.keep_sessions).await?;
        let replicas = Proxy::to_replicas(&sandbox, &patroni.nodes).await?;
        report_progress("starting Redis");
        let (sentinels, cluster) = (Sentinels::start(&sandbox).await?, Cluster::start(&sandbox).await?);
        report_progress("starting Marquee");
        let url = |proxy: &Proxy| format!("postgres://marquee:{PASSWORD}@{}/marquee", proxy.address);
        let programs = DeploymentSettings {
            database_url: url(&primary),
            database_read_url: Some(url(&replicas)),
            redis_urls: vec![sentinels.url(), cluster.url()],
            workers: 2,
            provider_url: None,
            more_providers: String::new(),
            lease_seconds: LEASE_SECONDS,
            first_worker_variables: Vec::new(),
        };
        let deployment = Deployment::start(&sandbox, &programs).await?;
        let apis = Proxy::to_apis(&sandbox, &deployment.apis).await?;
        prepare(&Client::new(apis.address)?).await?;
        Ok(Self { deployment, apis, _primary: primary, _replicas: replicas, patroni, sentinels, cluster, sandbox })
    }

    /// The logs of Marquee that contain the password of the database.
    fn find_logs_with_password(&self) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        for server in self.deployment.apis.iter().chain(&self.deployment.workers) {
            if std::fs::read_to_string(server.program.log())?.contains(PASSWORD) {
                found.push(server.program.name.clone());
            }
        }
        Ok(found)
    }
}

fn check_installed() -> Result<(), Failure> {
    let is_missing = |(name, package): &&(&str, &str)| find_installed_program(name, package).is_err();
    let mut packages: Vec<&str> = PROGRAMS.iter().filter(is_missing).map(|(_, package)| *package).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    Err(format!("install the missing programs: apt-get install postgresql {}", packages.join(" ")).into())
}

//! Marquee on one database, with everything that can fail.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use entity::{ConnectionRole, DatabaseSettings};
use programs::{Failure, find_built_program};
use sea_orm::{ConnectionTrait, Statement};

use super::fault::{Action, Storage, Target};
use crate::{
    client::Client,
    deployment::{Deployment, DeploymentSettings, LEASE_SECONDS},
    disk::SmallDisk,
    load::prepare,
    process::Program,
    proxy::FaultProxy,
    sandbox::{Sandbox, free_address},
    servers::{PostgresServer, RedisServer},
    table::report_progress,
};

/// The file that contains the offset of a worker's clock.
const CLOCK: &str = "clock";
/// Tables that grow with every sync, push or batch.
const GROWING_TABLES: [&str; 6] = ["event", "sync_run", "job", "pushed_feed", "rate_batch", "reject"];

/// Servers, proxies and programs. Programs are dropped before the servers and the folder.
pub(crate) struct Stack {
    pub(crate) deployment: Deployment,
    provider: Program,
    provider_address: SocketAddr,
    provider_proxy: FaultProxy,
    postgres: Option<(PostgresServer, FaultProxy)>,
    redis: Option<(RedisServer, FaultProxy)>,
    /// The folder of the SQLite file.
    database_folder: PathBuf,
    disk: Option<SmallDisk>,
    has_faketime: bool,
    /// The URL without a proxy.
    pub(super) database_url: String,
    pub(crate) storage: Storage,
    pub(super) sandbox: Sandbox,
}

impl Stack {
    pub(crate) async fn start(storage: Storage) -> Result<Self, Failure> {
        let sandbox = Sandbox::new()?;
        let provider_address = free_address()?;
        let mut provider = sandbox.program("provider", find_built_program("marquee-provider")?).args([
            "--simulator-listen",
            &provider_address.to_string(),
            "--events",
            "300",
            "--churn",
            "5",
        ]);
        provider.start(provider_address).await?;
        let provider_proxy = FaultProxy::start(provider_address).await?;

        let disk = if storage == Storage::Sqlite { mount_disk(&sandbox) } else { None };
        let database_folder = sandbox.create_folder(if disk.is_some() { "disk/database" } else { "database" })?;
        let (postgres, redis) = match storage {
            Storage::Postgres => (Some(start_postgres(&sandbox).await?), Some(start_redis(&sandbox).await?)),
            Storage::Sqlite => (None, None),
        };
        let sqlite_url = format!("sqlite://{}/marquee.db?mode=rwc", database_folder.display());
        let postgres_url =
            |address: fn(&(PostgresServer, FaultProxy)) -> SocketAddr| postgres.as_ref().map(address).map(PostgresServer::url);
        let redis_url = redis.as_ref().map(|(_, proxy)| format!("redis://{}", proxy.address)).unwrap_or_default();
        let count = if storage == Storage::Postgres { 2 } else { 1 };
        let faketime = find_faketime();
        let settings = DeploymentSettings {
            database_url: postgres_url(|(_, proxy)| proxy.address).unwrap_or_else(|| sqlite_url.clone()),
            database_read_url: None,
            redis_urls: vec![redis_url; count],
            workers: count,
            provider_url: Some(format!("http://{}/feed", provider_proxy.address)),
            more_providers: String::new(),
            lease_seconds: LEASE_SECONDS,
            first_worker_variables: faketime.as_deref().map(|library| fake_clock(library, &sandbox)).unwrap_or_default(),
        };
        sandbox.write(CLOCK, "+0")?;
        let deployment = Deployment::start(&sandbox, &settings).await?;
        prepare(&Client::new(deployment.apis[0].address)?).await?;
        Ok(Self {
            deployment,
            provider,
            provider_address,
            provider_proxy,
            database_url: postgres_url(|(server, _)| server.address).unwrap_or(sqlite_url),
            postgres,
            redis,
            database_folder,
            disk,
            has_faketime: faketime.is_some(),
            storage,
            sandbox,
        })
    }

    /// What this machine lacks to cause a fault.
    pub(crate) fn find_missing(&self, action: Action) -> Option<&'static str> {
        match action {
            Action::FillDisk if self.disk.is_none() => Some("only root can mount a disk"),
            Action::StepClock(_) if !self.has_faketime => Some("`faketime` is not installed"),
            _ => None,
        }
    }

    /// The proxy in front of a server.
    pub(super) fn proxy(&self, target: Target) -> Result<&FaultProxy, Failure> {
        let proxy = match target {
            Target::Provider => Some(&self.provider_proxy),
            Target::Redis => self.redis.as_ref().map(|(_, proxy)| proxy),
            Target::Database => self.postgres.as_ref().map(|(_, proxy)| proxy),
            Target::Worker | Target::Api | Target::Everything => None,
        };
        proxy.ok_or_else(|| format!("{target:?} has no proxy").into())
    }

    /// The programs of a target: of several workers or APIs, the first.
    pub(super) fn programs(&mut self, target: Target) -> Result<Vec<&mut Program>, Failure> {
        let Deployment { apis, workers, .. } = &mut self.deployment;
        let programs: Vec<&mut Program> = match target {
            Target::Provider => vec![&mut self.provider],
            Target::Redis => self.redis.iter_mut().map(|(server, _)| &mut server.program).collect(),
            Target::Database => self.postgres.iter_mut().map(|(server, _)| &mut server.program).collect(),
            Target::Worker => workers.iter_mut().take(1).map(|server| &mut server.program).collect(),
            Target::Api => apis.iter_mut().take(1).map(|server| &mut server.program).collect(),
            Target::Everything => apis.iter_mut().chain(workers).map(|server| &mut server.program).collect(),
        };
        if programs.is_empty() { Err(format!("{target:?} does not run").into()) } else { Ok(programs) }
    }

    /// Starts the programs of a target again.
    pub(super) async fn restart(&mut self, target: Target) -> Result<(), Failure> {
        let Deployment { apis, workers, .. } = &mut self.deployment;
        match target {
            Target::Provider => self.provider.start(self.provider_address).await?,
            Target::Redis => {
                if let Some((server, _)) = &mut self.redis {
                    server.start().await?;
                }
            }
            Target::Database => {
                if let Some((server, _)) = &mut self.postgres {
                    server.program.start(server.address).await?;
                }
            }
            Target::Worker => workers[0].start().await?,
            Target::Api => apis[0].start().await?,
            Target::Everything => {
                for server in apis.iter_mut().chain(workers) {
                    server.start().await?;
                }
            }
        }
        Ok(())
    }

    /// Runs statements on PostgreSQL, as one of its administrators would.
    pub(super) async fn execute(&self, statements: &[&str]) -> Result<(), Failure> {
        let (server, _) = self.postgres.as_ref().ok_or("PostgreSQL does not run")?;
        server.execute(&self.sandbox, statements).await
    }

    /// The rows of the tables that grow, each with the table's name.
    pub(crate) async fn count_rows(&self) -> Result<Vec<(&'static str, i64)>, Failure> {
        let settings = DatabaseSettings { url: self.database_url.parse()? };
        let database = entity::connect(&settings, ConnectionRole::Worker).await?;
        let mut counts = Vec::new();
        for table in GROWING_TABLES {
            let row = database.query_one_raw(Statement::from_string(
                database.get_database_backend(),
                format!("SELECT COUNT(*) AS rows FROM {table}"),
            ));
            let row = row.await?.ok_or("a count has no row")?;
            counts.push((table, row.try_get("", "rows")?));
        }
        Ok(counts)
    }

    /// Moves the SQLite database elsewhere, with its write-ahead log, and returns the new path of its folder.
    pub(super) fn move_database(&self) -> Result<PathBuf, Failure> {
        let moved = self.database_folder.with_added_extension("moved");
        fs::rename(&self.database_folder, &moved)?;
        fs::create_dir(&self.database_folder)?;
        Ok(moved)
    }

    /// Puts it back, in place of what was created since. A program that opens the database finds all of its files or none.
    pub(super) fn restore_database(&self, moved: &Path) -> Result<(), Failure> {
        let replaced = self.database_folder.with_added_extension("replaced");
        fs::rename(&self.database_folder, &replaced)?;
        fs::rename(moved, &self.database_folder)?;
        Ok(fs::remove_dir_all(replaced)?)
    }

    pub(super) fn disk(&self) -> Result<&SmallDisk, Failure> {
        self.disk.as_ref().ok_or_else(|| "no disk is mounted".into())
    }

    /// Sets the clock of the first worker to this many seconds ahead.
    pub(super) fn set_clock(&self, seconds: i32) -> Result<(), Failure> {
        self.sandbox.write(CLOCK, &format!("{seconds:+}")).map(drop)
    }
}

/// A small disk, if it can be mounted: that needs privileges, which containers lack.
fn mount_disk(sandbox: &Sandbox) -> Option<SmallDisk> {
    SmallDisk::mount(sandbox, "disk").inspect_err(|error| report_progress(error)).ok()
}

async fn start_postgres(sandbox: &Sandbox) -> Result<(PostgresServer, FaultProxy), Failure> {
    let server = PostgresServer::start(sandbox).await?;
    let proxy = FaultProxy::start(server.address).await?;
    Ok((server, proxy))
}

async fn start_redis(sandbox: &Sandbox) -> Result<(RedisServer, FaultProxy), Failure> {
    let mut server = RedisServer::new(sandbox, "redis", &[])?;
    server.start().await?;
    let proxy = FaultProxy::start(server.address).await?;
    Ok((server, proxy))
}

/// The library that changes the clock of a program, as Debian installs it.
fn find_faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
}

/// Variables of a program with a clock that can be changed while it runs.
fn fake_clock(library: &Path, sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", sandbox.path(CLOCK).display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

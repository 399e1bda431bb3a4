//! The faults: how each is caused and repaired.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use entity::{ConnectionRole, DatabaseSettings};
use programs::Failure;
use sea_orm::DatabaseTransaction;

use super::stack::Stack;
use crate::proxy::ProxyMode;

/// The database of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Storage {
    /// PostgreSQL, with Redis and two APIs
    Postgres,
    /// SQLite on a small disk, with one API
    Sqlite,
}

/// Programs and servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Provider,
    Redis,
    Database,
    Worker,
    Api,
    /// Both kinds of Marquee's programs, as in a power failure.
    Everything,
}

/// How a fault is caused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// The proxy in front of a server.
    Proxy(Target, ProxyMode),
    /// SIGSTOP, then SIGCONT.
    Freeze(Target),
    /// SIGKILL, then a start.
    Kill(Target),
    /// Connections of PostgreSQL are closed every 300 ms.
    Terminate,
    /// PostgreSQL accepts no writes, as after a demotion.
    ReadOnly,
    /// Another process holds the lock for writes.
    Lock,
    /// The SQLite file is moved elsewhere, then back.
    RemoveFile,
    /// The SQLite file is replaced by another database, then put back.
    ReplaceFile,
    /// A file uses all space of the disk.
    FillDisk,
    /// The clock of one worker steps by this many seconds, then back.
    StepClock(i32),
}

/// A fault of a component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) component: &'static str,
    pub(crate) kind: &'static str,
    /// `None` for both.
    pub(crate) storage: Option<Storage>,
    pub(crate) action: Action,
    /// Whether it is part of the short run.
    pub(super) is_in_short_run: bool,
}

/// How often all tables are locked again after a deadlock with a writer.
const MAX_LOCK_ATTEMPTS: u32 = 20;
const SLOW: ProxyMode = ProxyMode::Delay(Duration::from_millis(150));
const POSTGRES: Option<Storage> = Some(Storage::Postgres);
const SQLITE: Option<Storage> = Some(Storage::Sqlite);

const fn fault(component: &'static str, kind: &'static str, storage: Option<Storage>, action: Action) -> Fault {
    Fault { component, kind, storage, action, is_in_short_run: false }
}

const fn short(fault: Fault) -> Fault {
    Fault { is_in_short_run: true, ..fault }
}

/// All faults, in the order of the table. A power failure is last.
pub(crate) const FAULTS: &[Fault] = &[
    fault("provider", "down", POSTGRES, Action::Proxy(Target::Provider, ProxyMode::Refuse)),
    fault("provider", "slow", POSTGRES, Action::Proxy(Target::Provider, SLOW)),
    fault("provider", "frozen", POSTGRES, Action::Freeze(Target::Provider)),
    short(fault("provider", "lying (flipped bits)", None, Action::Proxy(Target::Provider, ProxyMode::Corrupt))),
    fault("provider", "killed", POSTGRES, Action::Kill(Target::Provider)),
    fault("Redis", "down", POSTGRES, Action::Proxy(Target::Redis, ProxyMode::Refuse)),
    fault("Redis", "slow", POSTGRES, Action::Proxy(Target::Redis, SLOW)),
    short(fault("Redis", "frozen", POSTGRES, Action::Freeze(Target::Redis))),
    short(fault("Redis", "lying (flipped bits)", POSTGRES, Action::Proxy(Target::Redis, ProxyMode::Corrupt))),
    short(fault("Redis", "killed", POSTGRES, Action::Kill(Target::Redis))),
    fault("PostgreSQL", "down", POSTGRES, Action::Proxy(Target::Database, ProxyMode::Refuse)),
    fault("PostgreSQL", "slow", POSTGRES, Action::Proxy(Target::Database, SLOW)),
    short(fault("PostgreSQL", "frozen", POSTGRES, Action::Freeze(Target::Database))),
    short(fault("PostgreSQL", "killed", POSTGRES, Action::Kill(Target::Database))),
    short(fault("PostgreSQL", "lying (read-only)", POSTGRES, Action::ReadOnly)),
    fault("PostgreSQL", "tables locked", POSTGRES, Action::Lock),
    short(fault("SQLite file", "down (removed)", SQLITE, Action::RemoveFile)),
    short(fault("SQLite file", "slow (locked)", SQLITE, Action::Lock)),
    short(fault("SQLite file", "lying (replaced)", SQLITE, Action::ReplaceFile)),
    short(fault("worker", "frozen", None, Action::Freeze(Target::Worker))),
    short(fault("worker", "killed", None, Action::Kill(Target::Worker))),
    fault("API", "frozen", None, Action::Freeze(Target::Api)),
    short(fault("API", "killed", None, Action::Kill(Target::Api))),
    short(fault("network", "frozen (black hole)", POSTGRES, Action::Proxy(Target::Database, ProxyMode::Hang))),
    fault("network", "down (connections cut)", POSTGRES, Action::Terminate),
    short(fault("disk", "full", SQLITE, Action::FillDisk)),
    short(fault("clock", "one hour ahead", None, Action::StepClock(3_600))),
    short(fault("clock", "one hour behind", None, Action::StepClock(-3_600))),
    short(fault("all programs", "killed", None, Action::Kill(Target::Everything))),
];

/// What must be undone.
pub(crate) enum Injected {
    Nothing,
    Lock(DatabaseTransaction),
    Moved(PathBuf),
}

impl Action {
    /// Whether clients of the API cannot be served during the fault.
    pub(super) fn stops_api(self) -> bool {
        matches!(self, Self::Freeze(Target::Api) | Self::Kill(Target::Api | Target::Everything))
    }

    pub(crate) async fn inject(self, stack: &mut Stack) -> Result<Injected, Failure> {
        match self {
            Self::Proxy(target, mode) => stack.proxy(target)?.set(mode),
            Self::Freeze(target) => {
                for program in stack.programs(target)? {
                    program.freeze().await?;
                }
            }
            Self::Kill(target) => {
                for program in stack.programs(target)? {
                    program.kill().await?;
                }
            }
            Self::Terminate => {
                let others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user";
                let statement = format!("SELECT pg_terminate_backend(pid) {others}");
                for _ in 0..10 {
                    stack.execute(&[&statement]).await?;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
            Self::ReadOnly => set_read_only(stack, "on").await?,
            Self::Lock => return lock(stack).await,
            Self::RemoveFile => return stack.move_database().map(Injected::Moved),
            Self::ReplaceFile => {
                let moved = stack.move_database()?;
                stack.deployment.migrate().await?;
                forbid_providers(stack).await?;
                return Ok(Injected::Moved(moved));
            }
            Self::FillDisk => stack.disk()?.fill()?,
            Self::StepClock(seconds) => stack.set_clock(seconds)?,
        }
        Ok(Injected::Nothing)
    }

    pub(crate) async fn repair(self, stack: &mut Stack, injected: Injected) -> Result<(), Failure> {
        match injected {
            Injected::Nothing => (),
            Injected::Lock(transaction) => transaction.rollback().await?,
            Injected::Moved(moved) => stack.restore_database(&moved)?,
        }
        match self {
            Self::Proxy(target, _) => stack.proxy(target)?.set(ProxyMode::Forward),
            Self::Freeze(target) => {
                for program in stack.programs(target)? {
                    program.resume().await?;
                }
            }
            Self::Kill(target) => stack.restart(target).await?,
            Self::ReadOnly => set_read_only(stack, "off").await?,
            Self::FillDisk => stack.disk()?.empty()?,
            Self::StepClock(_) => stack.set_clock(0)?,
            Self::Terminate | Self::Lock | Self::RemoveFile | Self::ReplaceFile => (),
        }
        Ok(())
    }
}

async fn set_read_only(stack: &Stack, value: &str) -> Result<(), Failure> {
    let statements = [
        "SET default_transaction_read_only = off".to_owned(),
        format!("ALTER SYSTEM SET default_transaction_read_only = {value}"),
        "SELECT pg_reload_conf()".to_owned(),
    ];
    stack.execute(&statements.each_ref().map(String::as_str)).await
}

/// Prevents the workers from adding their providers to another database: it would then acknowledge pushes, which are lost when the first one
/// is put back.
async fn forbid_providers(stack: &Stack) -> Result<(), Failure> {
    let settings = DatabaseSettings { url: stack.database_url.parse()? };
    let database = entity::connect(&settings, ConnectionRole::Worker).await?;
    let trigger = "CREATE TRIGGER forbid_providers BEFORE INSERT ON provider
        BEGIN SELECT RAISE(ABORT, 'this database accepts no provider'); END";
    sea_orm::ConnectionTrait::execute_unprepared(&database, trigger).await?;
    database.close().await?;
    Ok(())
}

/// Holds what every write needs, as another program would.
async fn lock(stack: &Stack) -> Result<Injected, Failure> {
    let settings = DatabaseSettings { url: stack.database_url.parse()? };
    let database = entity::connect(&settings, ConnectionRole::Worker).await?;
    if stack.storage == Storage::Sqlite {
        return Ok(Injected::Lock(entity::begin_write(&database).await?));
    }
    let tables = "LOCK TABLE job, pushed_feed, event, rate_day, catalogue_version IN ACCESS EXCLUSIVE MODE";
    let mut attempts = 0;
    loop {
        let transaction = entity::begin_write(&database).await?;
        match sea_orm::ConnectionTrait::execute_unprepared(&transaction, tables).await {
            Ok(_) => return Ok(Injected::Lock(transaction)),
            // A writer holds one of the tables, and waits for another one.
            Err(_) if attempts < MAX_LOCK_ATTEMPTS => transaction.rollback().await?,
            Err(error) => return Err(error.into()),
        }
        attempts += 1;
    }
}

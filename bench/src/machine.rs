//! What else must be known to read the figures: the machine, the databases and what runs beside.

use std::fs;

use entity::Role;
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, Statement};

use crate::settings::SyncSettings;

/// One line each.
pub(crate) async fn facts(settings: &SyncSettings) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let postgres = [asked(Backend::Postgres, "SHOW server_version").await, asked(Backend::Postgres, "SHOW fsync").await];
    let sqlite = asked(Backend::Sqlite, "SELECT sqlite_version()").await;
    vec![
        format!(
            "{cores} cores of {}, load average at the start: {}",
            processor.trim_start_matches(['\t', ' ', ':']),
            load_average()
        ),
        format!(
            "PostgreSQL {} with fsync {} (a throwaway server, for both sides of each ratio alike), SQLite {sqlite} with WAL and NORMAL",
            postgres[0], postgres[1]
        ),
        format!(
            "marquee {}, built by the profile `measure` (no LTO); feed of {} MiB, {} rounds, medians",
            env!("CARGO_PKG_VERSION"),
            settings.feed_mib,
            settings.rounds
        ),
    ]
}

/// Processes that ran or wanted to, over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

async fn asked(backend: Backend, question: &str) -> String {
    let database = TestDatabase::empty(backend).await;
    let connection = database.connect(Role::Worker).await;
    let statement = Statement::from_string(connection.get_database_backend(), question);
    let answer = connection.query_one_raw(statement).await.ok().flatten();
    let text = answer.and_then(|row| row.try_get_by_index::<String>(0).ok());
    drop(connection);
    database.remove().await;
    text.unwrap_or_else(|| "unknown".to_owned())
}

//! The environment of the results: the machine, the databases and other processes.

use std::{collections::HashMap, fs, time::Duration};

use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, Statement};

/// How long other processes are observed.
const WATCHED: Duration = Duration::from_secs(1);
/// Processes that use less of a core are not reported.
const SPOKEN_OF: f64 = 0.05;

/// One line per fact, the last one with the description of the benchmark.
pub(crate) async fn facts(description: &str) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let version = query_text(Backend::Postgres, "SHOW server_version").await;
    let fsync = query_text(Backend::Postgres, "SHOW fsync").await;
    let buffers = query_text(Backend::Postgres, "SHOW shared_buffers").await;
    let sqlite = query_text(Backend::Sqlite, "SELECT sqlite_version()").await;
    vec![
        format!(
            "{cores} cores of {}, load average at the start: {}",
            processor.trim_start_matches(['\t', ' ', ':']),
            load_average()
        ),
        format!("other processes at the start: {}", other_processes().await),
        format!(
            "PostgreSQL {version} with fsync {fsync} and shared_buffers {buffers} (a throwaway server, for both sides of each ratio alike), \
             SQLite {sqlite} with WAL and NORMAL"
        ),
        format!("marquee {}, built with the profile `measure` (no LTO); {description}", env!("CARGO_PKG_VERSION")),
    ]
}

/// The processes with the highest CPU usage.
async fn other_processes() -> String {
    let before = processor_times();
    tokio::time::sleep(WATCHED).await;
    let mut taken: Vec<(f64, String)> = processor_times()
        .into_iter()
        .filter_map(|(id, (name, time))| {
            let earlier = before.get(&id).map_or(Duration::ZERO, |(_, earlier)| *earlier);
            let share = time.saturating_sub(earlier).as_secs_f64() / WATCHED.as_secs_f64();
            (share >= SPOKEN_OF).then_some((share, name))
        })
        .collect();
    taken.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let texts: Vec<String> =
        taken.iter().take(5).map(|(share, name)| format!("{name} ({:.0} % of a core)", share * 100.0)).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn processor_times() -> HashMap<u32, (String, Duration)> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Some((id, programs::cpu_time(id)?))).collect()
}

/// The load average over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

async fn query_text(backend: Backend, query: &str) -> String {
    let database = TestDatabase::empty(backend).await;
    let connection = database.connect(ConnectionRole::Worker).await;
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let answer = connection.query_one_raw(statement).await.ok().flatten();
    let text = answer.and_then(|row| row.try_get_by_index::<String>(0).ok());
    drop(connection);
    database.remove().await;
    text.unwrap_or_else(|| "unknown".to_owned())
}

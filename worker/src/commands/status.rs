//! `marquee-worker status`: the state of every provider, from the database alone.

use std::{error::Error, process::ExitCode};

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use command_line::{
    Alignment::{Left, Right},
    Table,
};
use entity::{
    DatabaseSettings, Schedule, UtcInstant, database_now, deadline,
    provider::{self, ProviderState, ProviderSummary},
    sync_run,
};
use sea_orm::DbErr;
use serde_json::{Value, json};

use super::{
    connect,
    output::{count, describe_warnings, format_seconds, print_json, print_table},
};

#[derive(Args, Debug)]
pub(super) struct StatusCommand {
    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,
}

/// One line of the table.
struct ProviderStatus {
    provider: provider::Model,
    newest_run: Option<sync_run::Model>,
    state: ProviderState,
    age_seconds: Option<u64>,
    next_poll_at: Option<UtcInstant>,
    paused_until: Option<UtcInstant>,
}

impl StatusCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let database = connect(database).await?;
        let loading = async { Ok::<_, DbErr>((database_now(&database).await?, provider::load_summaries(&database).await?)) };
        let (now, summaries) = deadline::within(deadline::SHORT, &database, loading).await?;
        database.close().await?;
        let statuses = summaries.into_iter().map(|summary| ProviderStatus::new(summary, now)).collect();
        if self.json {
            print_json(&to_json(statuses));
        } else {
            print_table(&format_table(statuses, now));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ProviderStatus {
    fn new(ProviderSummary { provider, state, newest_run }: ProviderSummary, now: UtcInstant) -> Self {
        let paused_until = provider.paused_until(now);
        let next_poll_at = match provider.schedule.parse::<Schedule>() {
            Ok(schedule) if provider.retired_at.is_none() => schedule.next_after(paused_until.unwrap_or(now)),
            _ => None,
        };
        let age_seconds = provider.last_success_at.and_then(|at| at.age_at(now)).map(|age| age.as_secs());
        Self { provider, newest_run, state, age_seconds, next_poll_at, paused_until }
    }
}

fn format_table(statuses: Vec<ProviderStatus>, now: UtcInstant) -> Table<5> {
    let mut table =
        Table::with_header([("PROVIDER", Left), ("STATE", Left), ("AGE", Right), ("NEXT POLL", Right), ("LAST RUN", Left)]);
    for ProviderStatus { provider, newest_run, state, age_seconds, next_poll_at, paused_until: _ } in statuses {
        let age = age_seconds.map_or_else(|| "-".to_owned(), format_seconds);
        let next = next_poll_at.map_or_else(|| "-".to_owned(), |at| format!("in {}", format_seconds(now.seconds_until(at))));
        let run = newest_run.map_or_else(|| "-".to_owned(), describe_run);
        table.add([provider.slug, state.name().to_owned(), age, next, run]);
    }
    table
}

fn describe_run(run: sync_run::Model) -> String {
    let state = run.state.name();
    match run.reason {
        Some(reason) => format!("#{} {state}: {reason}", run.id),
        None if run.ended_at.is_none() => format!("#{} {state}", run.id),
        None => format!(
            "#{} {state}: {} fetched, {} inserted, {} updated, {} unchanged, {} left, {} rejected{}",
            run.id,
            count(run.fetched, "event"),
            run.inserted,
            run.updated,
            run.unchanged,
            run.left,
            run.rejected,
            describe_warnings(usize::try_from(run.warned).unwrap_or_default())
        ),
    }
}

fn to_json(statuses: Vec<ProviderStatus>) -> Value {
    statuses
        .into_iter()
        .map(|ProviderStatus { provider, newest_run, state, age_seconds, next_poll_at, paused_until }| {
            json!({
                "slug": provider.slug,
                "state": state.name(),
                "age_seconds": age_seconds,
                "last_success_at": provider.last_success_at.map(format_rfc_3339),
                "next_tick_at": next_poll_at.map(format_rfc_3339),
                "last_run": newest_run.as_ref().map(run_to_json),
                "paused_until": paused_until.map(format_rfc_3339),
                "pause_reason": paused_until.and(provider.pause_reason),
            })
        })
        .collect()
}

fn run_to_json(run: &sync_run::Model) -> Value {
    json!({
        "id": run.id,
        "state": run.state.name(),
        "started_at": format_rfc_3339(run.started_at),
        "ended_at": run.ended_at.map(format_rfc_3339),
        "tick": run.tick_at.map(format_rfc_3339),
        "parse_ms": run.parse_ms,
        "diff_ms": run.diff_ms,
        "write_ms": run.write_ms,
        "http_status": run.http_status,
        "bytes": run.bytes,
        "fetched": run.fetched,
        "inserted": run.inserted,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "left": run.left,
        "rejected": run.rejected,
        "warned": run.warned,
        "reason_code": run.reason_code,
        "reason": run.reason,
    })
}

/// In UTC; `None` outside the calendar.
fn format_rfc_3339(instant: UtcInstant) -> Option<String> {
    DateTime::from_timestamp_micros(instant.0).map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

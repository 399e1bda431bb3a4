//! `marquee-worker status`: a table for the operator, from the database alone.

use std::{error::Error, fmt::Write, process::ExitCode};

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use entity::{DatabaseSettings, Schedule, UtcInstant, provider, sync_run};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use super::connect;

#[derive(Args, Debug)]
pub(super) struct Status {
    /// As a JSON array instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseSettings,
}

/// All that is told of a provider.
struct Standing {
    provider: provider::Model,
    run: Option<sync_run::Model>,
    state: &'static str,
    age_seconds: Option<u64>,
    next_tick_at: Option<UtcInstant>,
    /// Until when the provider is left alone.
    paused_until: Option<UtcInstant>,
}

impl Status {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let database = connect(&self.database).await?;
        let now = UtcInstant::now();
        let standings = standings(&database, now).await?;
        print(&if self.json { json(standings)? } else { table(standings, now)? });
        database.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn standings(database: &DatabaseConnection, now: UtcInstant) -> Result<Vec<Standing>, DbErr> {
    let mut providers = provider::Entity::find().all(database).await?;
    // Here and not in the query: a database sorts by the rules of its own language.
    providers.sort_by(|left, right| left.slug.cmp(&right.slug));
    let mut standings = Vec::with_capacity(providers.len());
    for provider in providers {
        let run = last_run(database, provider.id).await?;
        let state = match (&run, provider.retired_at) {
            (_, Some(_)) => "retired",
            (Some(run), None) => run.state.name(),
            (None, None) => "new",
        };
        let age_seconds = provider.last_success_at.map(|at| at.seconds_until(now));
        let paused_until = provider.pause_until.filter(|&until| now < until);
        let next_tick_at = match provider.schedule.parse::<Schedule>() {
            Ok(schedule) if provider.retired_at.is_none() => schedule.next_after(paused_until.unwrap_or(now)),
            _ => None,
        };
        standings.push(Standing { provider, run, state, age_seconds, next_tick_at, paused_until });
    }
    Ok(standings)
}

fn table(standings: Vec<Standing>, now: UtcInstant) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{:<24} {:<10} {:>12} {:>12}  LAST RUN", "PROVIDER", "STATE", "COPY IS OLD", "NEXT TICK")?;
    for Standing { provider, run, state, age_seconds, next_tick_at, paused_until: _ } in standings {
        let age = age_seconds.map_or_else(|| "never taken".to_owned(), seconds);
        let next = next_tick_at.map_or_else(|| "none".to_owned(), |at| format!("in {}", seconds(now.seconds_until(at))));
        writeln!(text, "{:<24} {state:<10} {age:>12} {next:>12}  {}", provider.slug, run.map(describe).unwrap_or_default())?;
    }
    Ok(text)
}

fn json(standings: Vec<Standing>) -> Result<String, serde_json::Error> {
    let providers: Vec<Value> = standings
        .into_iter()
        .map(|Standing { provider, run, state, age_seconds, next_tick_at, paused_until }| {
            json!({
                "slug": provider.slug,
                "state": state,
                "age_seconds": age_seconds,
                "last_success_at": provider.last_success_at.map(rfc_3339),
                "next_tick_at": next_tick_at.map(rfc_3339),
                "last_run": run.as_ref().map(run_as_json),
                "paused_until": paused_until.map(rfc_3339),
                "pause_reason": paused_until.and(provider.pause_reason),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&providers)? + "\n")
}

fn run_as_json(run: &sync_run::Model) -> Value {
    json!({
        "id": run.id,
        "state": run.state.name(),
        "started_at": rfc_3339(run.started_at),
        "ended_at": run.ended_at.map(rfc_3339),
        "tick": run.tick_at.map(rfc_3339),
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
        "reason_code": run.reason_code,
        "reason": run.reason,
    })
}

/// In UTC; an instant that no calendar holds has no text.
fn rfc_3339(instant: UtcInstant) -> Option<String> {
    DateTime::from_timestamp_micros(instant.0).map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

async fn last_run(database: &DatabaseConnection, provider_id: i32) -> Result<Option<sync_run::Model>, DbErr> {
    sync_run::Entity::find()
        .filter(sync_run::COLUMN.provider_id.eq(provider_id))
        .order_by_desc(sync_run::Column::Id)
        .one(database)
        .await
}

fn describe(run: sync_run::Model) -> String {
    match run.reason {
        Some(reason) => format!("#{} {reason}", run.id),
        None => format!(
            "#{} {} fetched, {} inserted, {} updated, {} unchanged, {} left, {} rejected",
            run.id, run.fetched, run.inserted, run.updated, run.unchanged, run.left, run.rejected
        ),
    }
}

fn seconds(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(text: &str) {
    print!("{text}");
}

//! `marquee-worker status`: a table for the operator, from the database alone.

use std::{error::Error, fmt::Write, process::ExitCode};

use clap::Args;
use entity::{DatabaseSettings, Schedule, UtcInstant, provider, sync_run};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::connect;

#[derive(Args, Debug)]
pub(super) struct Status {
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Status {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let database = connect(&self.database).await?;
        print(&table(&database, UtcInstant::now()).await?);
        database.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn table(database: &DatabaseConnection, now: UtcInstant) -> Result<String, Box<dyn Error>> {
    let mut providers = provider::Entity::find().all(database).await?;
    // Here and not in the query: a database sorts by the rules of its own language.
    providers.sort_by(|left, right| left.slug.cmp(&right.slug));
    let mut text = String::new();
    writeln!(text, "{:<24} {:<10} {:>12} {:>12}  LAST RUN", "PROVIDER", "STATE", "COPY IS OLD", "NEXT TICK")?;
    for provider in providers {
        let run = last_run(database, provider.id).await?;
        let state = match (&run, provider.retired_at) {
            (_, Some(_)) => "retired",
            (Some(run), None) => run.state.name(),
            (None, None) => "new",
        };
        let age = provider.last_success_at.map_or_else(|| "never taken".to_owned(), |at| seconds(at.seconds_until(now)));
        let next = match provider.schedule.parse::<Schedule>() {
            Ok(schedule) if provider.retired_at.is_none() => schedule.next_after(now),
            _ => None,
        };
        let next = next.map_or_else(|| "none".to_owned(), |at| format!("in {}", seconds(now.seconds_until(at))));
        writeln!(text, "{:<24} {state:<10} {age:>12} {next:>12}  {}", provider.slug, run.map(describe).unwrap_or_default())?;
    }
    Ok(text)
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

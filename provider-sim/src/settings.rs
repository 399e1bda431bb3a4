//! The command line of `marquee-provider`.

use chrono::{Datelike, NaiveDate, Utc};
use clap::Parser;
use command_line::ListenAddress;
use provider_sim::{InjectedFault, SimCatalogue};

/// Simulates an event provider: serves a generated catalogue as an XML feed at /feed, and its pictures
///
/// The same options produce the same bytes. A request can inject its own faults, for example
/// /feed?fault=status:503
#[derive(Debug, Parser)]
#[command(name = "marquee-provider", version)]
pub(crate) struct SimSettings {
    /// Number of events in the feed
    #[arg(long, default_value_t = 500, value_name = "N")]
    events: u64,
    /// Number of zones per event
    #[arg(long, default_value_t = 4, value_name = "N")]
    zones: u32,
    /// Seed of the generated catalogue
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Percentage of base events that change between two responses, 0 to 100
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = parse_percent)]
    churn: f64,
    /// Generate no details such as statuses, categories, descriptions, pictures and addresses
    #[arg(long)]
    plain: bool,
    /// Center of the event dates, for example 2026-03-01 [default: today in UTC]
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    now: Option<NaiveDate>,
    /// Value of `Cache-Control: max-age` [default: no header]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_age: Option<u32>,
    /// Address to listen on; port 0 selects a free port
    #[arg(
        long = "simulator-listen",
        alias = "listen",
        env = "SIMULATOR_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: ListenAddress,
    #[arg(long = "fault", value_name = "FAULT", value_delimiter = ',', help = fault_help())]
    pub(crate) faults: Vec<InjectedFault>,
    /// Print the feed instead of serving it
    #[arg(long)]
    pub(crate) print: bool,
}

impl SimSettings {
    pub(crate) fn catalogue(&self) -> SimCatalogue {
        SimCatalogue {
            seed: self.seed,
            events: self.events,
            zones: self.zones,
            churn: self.churn,
            details: !self.plain,
            anchor: self.now.unwrap_or_else(|| Utc::now().date_naive()),
        }
    }
}

fn fault_help() -> String {
    format!("Faults of every response, comma-separated: {}", InjectedFault::FORMS)
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "must be a number from 0 to 100".to_owned())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("must be from 0 to 100".to_owned()) }
}

/// All dates of the feed must have a year with four digits.
fn parse_day(text: &str) -> Result<NaiveDate, String> {
    let day: NaiveDate = text.parse().map_err(|_| "must be a date such as 2026-03-01".to_owned())?;
    if (1..=9998).contains(&day.year()) { Ok(day) } else { Err("must be in the years 1 to 9998".to_owned()) }
}

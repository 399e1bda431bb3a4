//! The command line of `marquee-provider`.
//!
//! Owns its flags and their defaults; what they mean is the library's.

use std::net::SocketAddr;

use chrono::{Datelike, NaiveDate, Utc};
use clap::Parser;
use provider_sim::{InjectedFault, SimCatalogue};

/// A stand-in for an event provider: serves an invented catalogue as an XML feed at /feed.
///
/// The same settings give the same bytes. A request can ask for a fault of its own:
/// /feed?fault=status:503
#[derive(Debug, Parser)]
#[command(name = "marquee-provider", version)]
pub(crate) struct SimSettings {
    /// Events of the whole feed.
    #[arg(long, default_value_t = 500, value_name = "N")]
    events: u64,
    /// Zones of every event.
    #[arg(long, default_value_t = 4, value_name = "N")]
    zones: u32,
    /// What the catalogue is invented from.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Base events that change from one full answer to the next, 0 to 100.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = percent)]
    churn: f64,
    /// The day around which the events lie, such as 2026-03-01 [default: today in UTC].
    #[arg(long, value_name = "DATE", value_parser = day)]
    now: Option<NaiveDate>,
    /// Seconds for which the feed says that it stays as it is (`Cache-Control: max-age`).
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_age: Option<u32>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    #[arg(long = "fault", value_name = "FAULT", value_delimiter = ',', help = fault_help())]
    pub(crate) faults: Vec<InjectedFault>,
    /// Write the feed to standard output instead of serving it.
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
            anchor: self.now.unwrap_or_else(|| Utc::now().date_naive()),
        }
    }
}

fn fault_help() -> String {
    format!("A fault of every answer, several divided by commas: {}", InjectedFault::FORMS)
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("not between 0 and 100".to_owned()) }
}

/// Every date of the feed is to have a year of four digits.
fn day(text: &str) -> Result<NaiveDate, String> {
    let day: NaiveDate = text.parse().map_err(|_| "not a date such as 2026-03-01".to_owned())?;
    if (1..=9998).contains(&day.year()) { Ok(day) } else { Err("not between the years 1 and 9998".to_owned()) }
}

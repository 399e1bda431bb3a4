//! `marquee-worker check`: validates settings and files.

use std::{error::Error, process::ExitCode};

use clap::Args;
use command_line::CheckReport;
use entity::DatabaseSettings;

use super::{
    RunSettings,
    output::{count, print_table},
};
use crate::provider::entry::{ProviderEntry, read_providers};

#[derive(Args, Debug)]
pub(super) struct CheckCommand {
    #[command(flatten)]
    settings: RunSettings,
}

impl CheckCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let RunSettings { providers, lease, metrics, endpoints } = self.settings;
        let mut report = CheckReport::default();
        report.add("DATABASE_URL", database.describe().map_err(|error| telemetry::with_causes(&error)));
        let file = &providers.providers_file;
        let entries = read_providers(file).map_err(|error| telemetry::with_causes(&error));
        report.add("PROVIDERS_FILE", entries.map(|entries| format!("{}: {}", file.display(), describe(&entries))));
        report.add_address("METRICS_LISTEN", &metrics.metrics_listen).await;
        report.add("JOB_LEASE_SECONDS", Ok(lease.lease.as_secs().to_string()));
        report.add("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", Ok(endpoints.webhook_allow_private_addresses.to_string()));
        print_table(&report);
        Ok(report.exit_code())
    }
}

fn describe(entries: &[ProviderEntry]) -> String {
    let slugs: Vec<&str> = entries.iter().map(|entry| entry.slug.as_str()).collect();
    format!("{} ({})", count(entries.len(), "provider"), slugs.join(", "))
}

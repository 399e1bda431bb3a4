//! `marquee-api check`: validates settings and files.

use command_line::CheckReport;
use entity::DatabaseSettings;

use super::Settings;
use crate::{auth::Keys, cache::Redis};

/// Checks every setting that the parser of the command line cannot check.
pub(super) async fn check(settings: &Settings) -> CheckReport {
    let mut report = CheckReport::default();
    report.add("DATABASE_URL", describe(&settings.database));
    report.add(
        "DATABASE_READ_URL",
        match &settings.database_read_url {
            Some(url) => describe(&DatabaseSettings { url: url.clone() }),
            None => Ok("unset: same as DATABASE_URL".to_owned()),
        },
    );
    let redis = &settings.cache.redis;
    report.add(
        "REDIS_URL",
        match (&redis.redis_url, Redis::validate(redis)) {
            (_, Err(error)) => Err(telemetry::with_causes(&error)),
            (Some(url), Ok(())) => Ok(url.to_string()),
            (None, Ok(())) => Ok("unset: responses are cached in the process only".to_owned()),
        },
    );
    report.add_address("API_LISTEN", &settings.listen).await;
    match &settings.ops_listen {
        Some(address) => report.add_address("OPS_LISTEN", address).await,
        None => report.add("OPS_LISTEN", Ok("unset: same as API_LISTEN".to_owned())),
    }
    match Keys::load(&settings.keys, settings.access) {
        Err(error) => report.add("API_KEYS_FILE", Err(telemetry::with_causes(&error))),
        Ok(keys) => match keys.warning() {
            Some(warning) => report.add_warning("API_KEYS_FILE", &format!("{}; {warning}", describe_keys(settings, &keys))),
            None => report.add("API_KEYS_FILE", Ok(describe_keys(settings, &keys))),
        },
    }
    report.add("MAP_PMTILES", describe_map(settings));
    let allows_private = settings.endpoints.webhook_allow_private_addresses;
    report.add("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", Ok(allows_private.to_string()));
    report.add("RESTRICT_OPERATIONS", Ok(settings.access.restrict_operations.to_string()));
    report.add(
        "RATE_LIMIT_PER_SECOND",
        Ok(settings.rate.rate_limit_per_second.map_or_else(|| "unset: no limit".to_owned(), |limit| limit.to_string())),
    );
    report
}

fn describe(database: &DatabaseSettings) -> Result<String, String> {
    database.describe().map_err(|error| telemetry::with_causes(&error))
}

fn describe_map(settings: &Settings) -> Result<String, String> {
    let Some(file) = &settings.map.map_pmtiles else { return Ok("unset: the built-in map".to_owned()) };
    settings.map.open().map(|_| file.display().to_string()).map_err(|error| telemetry::with_causes(&error))
}

fn describe_keys(settings: &Settings, keys: &Keys) -> String {
    let Some(file) = &settings.keys.keys_file else {
        return "unset: writes are accepted from the local machine only".to_owned();
    };
    let names = keys.list_names().join(", ");
    format!("{}: {}", file.display(), if names.is_empty() { "no keys, so no writes are accepted" } else { &names })
}

//! Entries of `providers.toml`, parsed as the programs parse them.

use tempfile::TempDir;
use tokio::sync::watch;
use worker::{
    provider::entry::{ProviderEntry, read_providers},
    reload::Providers,
};

/// An entry with its feed at `url` and additional lines.
pub(crate) fn entry(slug: &str, url: &str, more: &str) -> ProviderEntry {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("providers.toml");
    std::fs::write(&file, entry_text(slug, url, more)).unwrap();
    read_providers(&file).unwrap().remove(0)
}

/// Entries that are never reloaded.
pub(crate) fn unchanging(providers: Vec<ProviderEntry>) -> watch::Receiver<Providers> {
    watch::channel(providers.into()).1
}

/// The text of the entry. It is polled once a year, unless `more` has another schedule.
pub(crate) fn entry_text(slug: &str, url: &str, more: &str) -> String {
    let schedule = if more.contains("schedule") { "" } else { "schedule = \"0 0 0 1 1 *\"\n" };
    // The simulator is on this machine.
    let private = if more.contains("allow_private_addresses") { "" } else { "allow_private_addresses = true\n" };
    format!(
        "[[provider]]\nslug = \"{slug}\"\nurl = \"{url}\"\nformat = \"event-list-xml\"\ncurrency = \"EUR\"\n{private}{schedule}{more}\n"
    )
}

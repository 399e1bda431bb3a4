//! Identifies the document of the copy, so that an unchanged one is not read again.

use entity::provider;
use xxhash_rust::xxh3::Xxh3Default;

use super::fingerprint;
use crate::provider::{entry::ProviderEntry, fetch::Validators, format::ReadMonth};

/// Identifies the document of the copy.
#[derive(Debug, Default)]
pub(super) struct LastDocument {
    pub(super) validators: Validators,
    pub(super) body_hash: Option<i64>,
}

/// The document of the copy; empty if it would be read differently now, or if the first load is incomplete.
pub(super) fn find(entry: &ProviderEntry, provider: &provider::Model, month: ReadMonth) -> LastDocument {
    if provider.loading_since.is_some() || provider.reading_hash != Some(reading_hash(entry, month)) {
        return LastDocument::default();
    }
    let validators = Validators { etag: provider.etag.clone(), last_modified: provider.last_modified.clone() };
    LastDocument { validators, body_hash: provider.body_hash }
}

/// A hash of everything except the document that determines the copy.
pub(super) fn reading_hash(entry: &ProviderEntry, month: ReadMonth) -> i64 {
    let mut hash = Xxh3Default::new();
    let (headers, origin) = (entry.headers.templates(), entry.url.origin());
    let settings = [entry.format.name, entry.time_zone.name(), entry.currency.code(), &headers, origin.as_str()];
    for part in settings.into_iter().chain([env!("CARGO_PKG_VERSION")]) {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    for (word, category) in entry.category_map.iter() {
        hash.update(word.as_bytes());
        hash.update(&[0]);
        hash.update(category.slug().as_bytes());
        hash.update(&[0]);
    }
    if let Some(id_from) = &entry.id_from {
        hash.update(id_from.as_str().as_bytes());
        hash.update(&[0]);
    }
    if entry.format.depends_on_month() {
        hash.update(month.first_day().to_string().as_bytes());
        hash.update(&[0]);
    }
    hash.update(&fingerprint::ENCODING.to_le_bytes());
    hash.digest().cast_signed()
}

#[cfg(test)]
mod tests {
    use entity::UtcInstant;

    use super::*;

    #[test]
    fn formats_with_recurrences_are_read_again_each_month() {
        const DAY: i64 = 24 * 3_600 * 1_000_000;
        for (format, is_read_again) in
            [("event-list-xml", false), ("icalendar", true), ("schema-org-json", true), ("schema-org-html", true)]
        {
            let entry = format!(
                "slug = \"a\"\nurl = \"https://a.example/\"\nformat = \"{format}\"\ncurrency = \"EUR\"\nschedule = \"0 0 0 1 1 *\""
            );
            let entry: ProviderEntry = toml::from_str(&entry).unwrap_or_else(|error| panic!("{format}: {error}"));
            let [january, later, february] = [0, 30, 31].map(|days| reading_hash(&entry, ReadMonth::of(UtcInstant(days * DAY))));
            assert_eq!((january == later, january != february), (true, is_read_again), "{format}");
        }
    }
}

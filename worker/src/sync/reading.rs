//! Which document the copy was taken from and how it was read, so that the same one need not be read again.

use entity::provider;
use xxhash_rust::xxh3::Xxh3Default;

use super::fingerprint;
use crate::provider::{entry::ProviderEntry, fetch::Validators};

/// What is known of the document of the last copy.
#[derive(Debug, Default)]
pub(super) struct LastDocument {
    pub(super) validators: Validators,
    pub(super) body_hash: Option<i64>,
}

/// The document of the last copy; nothing is known of it if it would be read in another way now.
pub(super) fn last_document(entry: &ProviderEntry, provider: &provider::Model) -> LastDocument {
    if provider.reading_hash != Some(reading_hash(entry)) {
        return LastDocument::default();
    }
    let validators = Validators { etag: provider.etag.clone(), last_modified: provider.last_modified.clone() };
    LastDocument { validators, body_hash: provider.body_hash }
}

/// A hash of everything but the document that decides what is kept of it.
pub(super) fn reading_hash(entry: &ProviderEntry) -> i64 {
    let mut hash = Xxh3Default::new();
    for part in [entry.format.name, entry.time_zone.name(), entry.currency.code(), env!("CARGO_PKG_VERSION")] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    hash.update(&fingerprint::ENCODING.to_le_bytes());
    hash.digest().cast_signed()
}

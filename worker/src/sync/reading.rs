//! Which document the copy was taken from, so that the same one need not be read again.

use entity::provider;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3Default;

use super::fingerprint;
use crate::provider::{entry::ProviderEntry, fetch::Validators};

/// What is known of the document of the last copy.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) validators: Validators,
    pub(super) body_hash: Option<Uuid>,
}

/// The document of the last copy; nothing is known of it if it would be read in another way now.
pub(super) fn known(entry: &ProviderEntry, provider: &provider::Model) -> Known {
    let read_alike = provider.body_hash.is_some_and(|hash| way_of(hash) == way(entry));
    if !read_alike {
        return Known::default();
    }
    let validators = Validators { etag: provider.etag.clone(), last_modified: provider.last_modified.clone() };
    Known { validators, body_hash: provider.body_hash }
}

/// A hash of the document's bytes, and beside it one of the way in which they are read.
pub(super) fn hash(entry: &ProviderEntry, body: &[u8]) -> Uuid {
    Uuid::from_u64_pair(xxhash_rust::xxh3::xxh3_64(body), way(entry))
}

fn way_of(hash: Uuid) -> u64 {
    hash.as_u64_pair().1
}

/// Everything but the document that decides what is kept of it.
fn way(entry: &ProviderEntry) -> u64 {
    let mut way = Xxh3Default::new();
    for part in [entry.format.name, entry.time_zone.name(), entry.currency.code(), env!("CARGO_PKG_VERSION")] {
        way.update(part.as_bytes());
        way.update(&[0]);
    }
    way.update(&fingerprint::ENCODING.to_le_bytes());
    way.digest()
}

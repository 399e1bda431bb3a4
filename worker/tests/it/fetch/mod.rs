//! FetchTest from a provider on a socket, healthy and failing.

mod addresses;
mod codings;
mod conditional;
mod faults;
mod limits;
mod raw;
mod redirects;
mod times;

use entity::{ConnectionRole, sync_run};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::DatabaseConnection;
use worker::{
    progress::ProgressCounter,
    provider::{
        entry::ProviderEntry,
        fetch::{self, FeedClient, FetchError, FetchOutcome, FetchRequest, FetchedDocument, Validators},
    },
    sync::{FeedSource, SyncError, SyncReport},
};

use crate::{
    copy::{Tables, runs_of, sync_now},
    entries,
};

const SLUG: &str = "northstage";
/// Changes a lot between polls, so that an unexpected write is visible.
const CATALOGUE: SimCatalogue = SimCatalogue {
    seed: 3,
    events: 60,
    zones: 2,
    churn: 50.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};

/// A copy that is synced over HTTP.
struct FetchTest {
    entry: ProviderEntry,
    client: FeedClient,
    connection: DatabaseConnection,
    _database: TestDatabase,
}

/// The client that the programs use. They install a TLS provider at startup; here the first test does.
pub(crate) fn client() -> FeedClient {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    worker::provider::fetch::build_client().unwrap()
}

/// Fetches the feed of an entry, without a copy.
async fn fetch_entry(
    entry: &ProviderEntry,
    validators: &Validators,
    progress: &ProgressCounter,
) -> Result<FetchOutcome, FetchError> {
    let request = FetchRequest {
        url: entry.url.expose(),
        headers: &entry.headers,
        validators,
        response_timeout: entry.response_timeout,
        limit_bytes: entry.max_body_bytes,
        allow_private_addresses: entry.allow_private_addresses,
    };
    fetch::fetch(&client(), &request, progress).await
}

/// Fetches the document at a URL.
async fn fetch_document(url: &str, more: &str) -> Result<FetchedDocument, FetchError> {
    match fetch_entry(&entries::entry(SLUG, url, more), &Validators::default(), &ProgressCounter::none()).await? {
        FetchOutcome::Modified(document) => Ok(document),
        FetchOutcome::NotModified { .. } => panic!("there were no validators"),
    }
}

impl FetchTest {
    async fn from(url: &str, more: &str) -> Self {
        let database = TestDatabase::migrated(Backend::Sqlite).await;
        let connection = database.connect(ConnectionRole::Worker).await;
        Self { entry: entries::entry(SLUG, url, more), client: client(), connection, _database: database }
    }

    async fn sync(&self) -> Result<SyncReport, SyncError> {
        sync_now(&self.connection, &self.entry, &FeedSource::Provider(self.client.clone())).await
    }

    async fn tables(&self) -> Tables {
        Tables::of(&self.connection).await
    }

    async fn last_run(&self) -> sync_run::Model {
        runs_of(&self.connection, SLUG).await.pop().unwrap()
    }
}

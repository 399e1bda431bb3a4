//! How a sync meets a provider on a socket, sound or ill.

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
    progress::Progress,
    provider::{
        entry::ProviderEntry,
        fetch::{self, FeedClient, FetchError, FetchOutcome, FetchRequest, FetchedDocument, Validators},
    },
    sync::{Report, Source, SyncError},
};

use crate::{
    copy::{Tables, runs_of, sync_now},
    entries,
};

const SLUG: &str = "northstage";
/// Changes much from poll to poll, so that a copy that was touched shows.
const CATALOGUE: SimCatalogue =
    SimCatalogue { seed: 3, events: 60, zones: 2, churn: 50.0, anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap() };

/// A copy that is filled over HTTP.
struct Fetching {
    entry: ProviderEntry,
    client: FeedClient,
    connection: DatabaseConnection,
    _database: TestDatabase,
}

/// The client of the programs. They choose a TLS library when they start; here the first test does.
pub(crate) fn client() -> FeedClient {
    let _chosen_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    worker::provider::fetch::build_client().unwrap()
}

/// The answer to an entry, without a copy.
async fn fetched(entry: &ProviderEntry, known: &Validators, progress: &Progress) -> Result<FetchOutcome, FetchError> {
    let request = FetchRequest {
        url: &entry.url,
        known,
        response_timeout: entry.response_timeout,
        limit_bytes: entry.max_body_bytes,
        allow_private_addresses: entry.allow_private_addresses,
    };
    fetch::fetch(&client(), &request, progress).await
}

/// What a provider at this URL sends.
async fn document(url: &str, more: &str) -> Result<FetchedDocument, FetchError> {
    match fetched(&entries::entry(SLUG, url, more), &Validators::default(), &Progress::none()).await? {
        FetchOutcome::Modified(document) => Ok(document),
        FetchOutcome::NotModified { .. } => panic!("nothing was known"),
    }
}

impl Fetching {
    async fn from(url: &str, more: &str) -> Self {
        let database = TestDatabase::migrated(Backend::Sqlite).await;
        let connection = database.connect(ConnectionRole::Worker).await;
        Self { entry: entries::entry(SLUG, url, more), client: client(), connection, _database: database }
    }

    async fn sync(&self) -> Result<Report, SyncError> {
        sync_now(&self.connection, &self.entry, &Source::Provider(self.client.clone())).await
    }

    async fn tables(&self) -> Tables {
        Tables::of(&self.connection).await
    }

    async fn last_run(&self) -> sync_run::Model {
        runs_of(&self.connection, SLUG).await.pop().unwrap()
    }
}

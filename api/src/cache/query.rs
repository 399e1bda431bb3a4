//! Queries that the cache can answer, and the version of what they read.

use entity::{UtcInstant, catalogue_version, footprint::Selection};
use poem::http::HeaderValue;
use sea_orm::DatabaseConnection;

use crate::{
    database::{
        reader::ReadSize,
        sql::{ReadConnection, begin_snapshot},
    },
    error::ApiError,
    public_url::PublicUrl,
    query::Canonical,
    response::{JSON, StoredBody},
    vocabulary::Vocabulary,
};

/// The version of a snapshot, and when it was raised.
pub type SnapshotVersion = (i64, UtcInstant);

/// A query with an output that changes only with the releases of the catalogue. Its canonical form is its cache key.
pub trait CachedQuery: Canonical + Clone + Send + Sync + 'static {
    /// The resource in metrics.
    const RESOURCE: CachedResource;

    /// Whether the previous body may be served for `REVALIDATE_WITHIN`. False where clients write what they read, because they expect
    /// to read their writes.
    const MAY_BE_STALE: bool = true;

    /// The media type of the body.
    const CONTENT_TYPE: HeaderValue = JSON;

    /// The address of the service, if the output contains it.
    fn public_url(&self) -> Option<&PublicUrl> {
        None
    }

    /// From what its output is selected: it changes only with a release that intersects this.
    fn selection(&self) -> Selection;

    /// Whether its statements must read one snapshot.
    fn needs_snapshot(&self) -> bool {
        false
    }

    /// Corrects words that the vocabulary lacks, for the case that nothing has the words of the request. Returns the corrected ones: the
    /// output depends on them, too.
    fn correct(&mut self, _: &Vocabulary) -> Option<String> {
        None
    }

    /// How large its read may be.
    fn read_size(&self) -> ReadSize;

    /// Reads the database.
    fn run(&self, database: &impl ReadConnection) -> impl Future<Output = Result<QueryOutput, ApiError>> + Send;
}

/// A resource in metrics.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names of paths")]
pub enum CachedResource {
    Events,
    EventPages,
    Exports,
    Calendar,
    Facets,
    Map,
    Search,
    Concerts,
    Performers,
    Venues,
    Providers,
    Categories,
    Places,
    Rates,
    Sitemaps,
}

impl CachedResource {
    pub(super) const NAMES: [&str; 15] = [
        "events",
        "event_pages",
        "exports",
        "calendar",
        "facets",
        "map",
        "search",
        "concerts",
        "performers",
        "venues",
        "providers",
        "categories",
        "places",
        "rates",
        "sitemaps",
    ];
}

const _: () = assert!(CachedResource::Sitemaps as usize + 1 == CachedResource::NAMES.len(), "each resource has a name");

/// The output of a query.
#[derive(Debug)]
pub struct QueryOutput {
    /// The version of the snapshot that was read; `None` if there are no rows that contain it.
    pub snapshot: Option<SnapshotVersion>,
    /// The body.
    pub body: StoredBody,
    /// The value of the `Link` header.
    pub link: Option<HeaderValue>,
}

/// Runs a query, and returns the version of the snapshot that it read. Without rows, that needs a transaction: a statement before or after
/// the query may be answered by another replica, or after a sync.
pub(super) async fn run_versioned(
    query: &impl CachedQuery,
    database: &DatabaseConnection,
) -> Result<(QueryOutput, SnapshotVersion), ApiError> {
    if !query.needs_snapshot() {
        let output = query.run(database).await?;
        if let Some(version) = output.snapshot {
            return Ok((output, version));
        }
    }
    let snapshot = begin_snapshot(database).await?;
    let catalogue = catalogue_version::fetch(&snapshot).await?;
    let output = query.run(&snapshot).await;
    // A rollback would close the connection, which has not failed if something does not exist.
    if output.as_ref().err().is_none_or(|error| !error.status().is_server_error()) {
        snapshot.commit().await?;
    }
    Ok((output?, (catalogue.version, catalogue.raised_at)))
}

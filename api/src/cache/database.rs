//! The last tier: the replica, as far as it keeps up with the primary, and the primary.

use std::time::Duration;

use super::{Cache, CachedQuery, MinVersion, QueryOutput, SnapshotVersion, query::run_versioned};
use crate::{
    database::{ReadSource, Replica},
    error::ApiError,
};

impl Cache {
    /// Runs a query on the replica if its version is recent enough, or else on the primary. While the primary is unavailable, any version
    /// is recent enough, except one that lacks a takedown: the headers of the response show its age.
    pub(super) async fn query_database<Q: CachedQuery>(
        &self,
        query: &Q,
        minimum: MinVersion,
    ) -> Result<(QueryOutput, SnapshotVersion), ApiError> {
        if let Some(replica) = self.reader.replica().filter(|replica| self.may_read::<Q>(replica, minimum)) {
            match self.query_source(&replica.source, query).await {
                Ok((output, snapshot)) => {
                    replica.record_version(snapshot.0);
                    // Only the primary decides which version is current.
                    self.version.follow(snapshot.0).await;
                    if self.is_recent::<Q>(snapshot.0, replica) && minimum.accepts(snapshot.0) {
                        return Ok((output, snapshot));
                    }
                }
                Err(error) if error.is_database_unavailable() && self.availability.is_available() => (),
                Err(error) => return Err(error),
            }
        }
        let source = self.reader.primary();
        if !self.reader.has_version(source, minimum.version()) {
            return Err(minimum.unavailable());
        }
        let (output, snapshot) = self.query_source(source, query).await?;
        self.version.follow(snapshot.0).await;
        Ok((output, snapshot))
    }

    async fn query_source(
        &self,
        source: &ReadSource,
        query: &impl CachedQuery,
    ) -> Result<(QueryOutput, SnapshotVersion), ApiError> {
        self.reader.read(source, query.read_size(), run_versioned(query, &source.connection)).await
    }

    /// Whether the replica responds and had a recent version when it was last read.
    fn may_read<Q: CachedQuery>(&self, replica: &Replica, minimum: MinVersion) -> bool {
        let is_recent = |version| self.is_recent::<Q>(version, replica) && minimum.accepts(version);
        let is_recent = replica.version().map_or(minimum.is_any(), is_recent);
        replica.source.availability.is_available() && is_recent
    }

    fn is_recent<Q: CachedQuery>(&self, version: i64, replica: &Replica) -> bool {
        let max_lag = if Q::MAY_BE_STALE { replica.max_lag } else { Duration::ZERO };
        let is_current = self.version.current().is_none_or(|current| version >= current);
        match self.version.superseded(version, None) {
            Some(superseded) if superseded.is_removed => false,
            Some(superseded) => is_current || !self.availability.is_available() || superseded.age < max_lag,
            None => true,
        }
    }
}

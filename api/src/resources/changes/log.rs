//! Reads pages of the log from a database that has the position after which they begin.

use std::sync::Arc;

use entity::{
    catalogue_version,
    change_log::{ChangeCursor, ChangesQuery, cursor_after_release, cursor_after_version},
};
use tokio::sync::watch;

use super::{
    response::ChangePage,
    rows::{self, LogPage},
};
use crate::{
    cache::{
        MinVersion,
        version::{KnownVersion, VersionWatch},
    },
    database::{
        ReadSource,
        reader::{ReadSize, Reader},
    },
    error::ApiError,
    find::{needs_lookup, resolve_state_filter},
};

/// The log of changes.
#[derive(Clone, Debug)]
pub struct ChangeLog {
    reader: Arc<Reader>,
    version: Arc<VersionWatch>,
}

impl ChangeLog {
    /// The log in the databases of a reader.
    #[must_use]
    pub fn new(reader: Arc<Reader>, version: Arc<VersionWatch>) -> Self {
        Self { reader, version }
    }

    /// The page of a request, and the version of the catalogue from which it was read.
    ///
    /// # Errors
    ///
    /// When the position has expired, the event is missing, or the database or the version is unavailable.
    pub async fn read(&self, query: ChangesQuery, minimum: MinVersion) -> Result<(ChangePage, i64), ApiError> {
        self.version.wait_for(minimum).await?;
        let page = self.read_page(&self.resolve(query).await?, minimum).await?;
        minimum.check(page.version)?;
        let version = page.version;
        Ok((page.into(), version))
    }

    /// Looks up what the filters of a query name.
    pub(crate) async fn resolve(&self, query: ChangesQuery) -> Result<ChangesQuery, ApiError> {
        let Some(states) = query.states.as_deref().filter(|states| needs_lookup(states)).cloned() else { return Ok(query) };
        let source = self.reader.with_version(self.version.current(), self.version.newest_takedown());
        let states = self.reader.read(source, ReadSize::Small, resolve_state_filter(states, &source.connection)).await?;
        Ok(ChangesQuery { states: Some(Arc::new(states)), ..query })
    }

    /// Reads a page of a query that was resolved.
    pub(super) async fn read_page(&self, query: &ChangesQuery, minimum: MinVersion) -> Result<LogPage, ApiError> {
        let version = self.version.current().max(query.after.as_ref().map(|cursor| cursor.sort_key.version));
        let takedown = self.version.newest_takedown();
        let source = self.reader.with_version(version, takedown);
        if !minimum.is_any() && !self.reader.has_version(source, minimum.version()) {
            return Err(minimum.unavailable());
        }
        let page = self.read_page_from(source, query, takedown).await;
        // A replica may lag behind the cursor. Only the primary can tell that it has expired.
        if matches!(page, Err(ApiError::CursorExpired)) && !self.reader.is_primary(source) {
            return self.read_page_from(self.reader.only_primary(), query, takedown).await;
        }
        page
    }

    async fn read_page_from(
        &self,
        source: &ReadSource,
        query: &ChangesQuery,
        takedown: Option<i64>,
    ) -> Result<LogPage, ApiError> {
        self.reader.read(source, ReadSize::of_rows(query.examined()), rows::find(&source.connection, query, takedown)).await
    }

    /// Whether content may have been removed for legal reasons since something was read.
    pub(super) fn has_takedown_after(&self, known: Option<i64>) -> bool {
        self.version.newest_takedown() > known
    }

    /// Whether this process knows a later version.
    pub(super) fn continues_after(&self, position: ChangeCursor) -> bool {
        self.version.current().is_some_and(|version| version > position.sort_key.version)
    }

    /// The end of the log as this process knows it.
    pub(crate) async fn end(&self) -> Result<ChangeCursor, ApiError> {
        if let Some(known) = self.version.known() {
            return Ok(cursor_after_known(known));
        }
        let source = self.reader.primary();
        let catalogue = self.reader.read(source, ReadSize::Small, catalogue_version::fetch(&source.connection)).await?;
        Ok(cursor_after_release(&catalogue))
    }

    /// The versions that this process knows, each as soon as it knows it.
    pub(super) fn watch_version(&self) -> watch::Receiver<Option<KnownVersion>> {
        self.version.subscribe()
    }
}

/// The end of the log at a version.
pub(super) fn cursor_after_known(known: KnownVersion) -> ChangeCursor {
    cursor_after_version(known.version, known.raised_at)
}

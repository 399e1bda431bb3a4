//! Snapshots: consistent reads of much of the database, with many statements, while a client receives what was read.

use std::sync::Arc;

use entity::catalogue_version;
use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::OwnedSemaphorePermit;

use super::{ReadSource, reader::Reader, sql::begin_snapshot};
use crate::error::ApiError;

/// A transaction that reads one state of the database.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The version of the catalogue in it.
    pub(crate) catalogue: catalogue_version::Model,
    pub(crate) transaction: DatabaseTransaction,
    source: ReadSource,
    reader: Arc<Reader>,
    _permit: OwnedSemaphorePermit,
}

impl Snapshot {
    /// Begins a snapshot of the primary: a replica ends transactions that delay its replay.
    ///
    /// # Errors
    ///
    /// When there are too many, or the database is unavailable.
    pub(crate) async fn begin(reader: &Arc<Reader>) -> Result<Self, ApiError> {
        let permit = reader.reserve_snapshot()?;
        let source = reader.primary().clone();
        let begin = async {
            let transaction = begin_snapshot(&source.connection).await?;
            let catalogue = catalogue_version::fetch(&transaction).await?;
            Ok::<_, DbErr>((transaction, catalogue))
        };
        let (transaction, catalogue) = reader.run(&source, begin).await?;
        Ok(Self { catalogue, transaction, source, reader: reader.clone(), _permit: permit })
    }

    /// Runs one of its queries, which must use its transaction.
    ///
    /// # Errors
    ///
    /// As [`Reader::read`].
    pub(crate) async fn read<T, E: Into<ApiError>>(&self, query: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
        self.reader.run(&self.source, query).await
    }

    /// Ends it. If it is dropped instead, its connection is closed.
    pub(crate) async fn end(self) -> Result<(), ApiError> {
        Ok(self.transaction.commit().await?)
    }
}

//! The stored pages of the copied document: read by a run if the provider confirms them, and replaced when a run is committed.

use std::{collections::HashMap, io, sync::Arc};

use bytes::Bytes;
use entity::{deadline, feed_page, key_chunks, tombstone};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use super::SyncError;
use crate::provider::{
    fetch::Validators,
    pages::{FetchedPage, FetchedPages, PageContent, PageStore, StoredPage},
    spool::Spool,
};

/// The pages are small and most of them text: more takes much longer for little.
const COMPRESSION_LEVEL: i32 = 3;

/// The pages of the copied document.
#[derive(Debug)]
pub(super) struct StoredPages<'a> {
    database: &'a DatabaseConnection,
    provider_id: i32,
    /// All of them, by URL.
    stored: HashMap<String, StoredPage>,
    /// Those that a run may use.
    usable: HashMap<String, StoredPage>,
}

impl<'a> StoredPages<'a> {
    /// Finds the pages of a provider. They are used only if they are those of a document that would be read the same way now.
    pub(super) async fn find(database: &'a DatabaseConnection, provider_id: i32, are_usable: bool) -> Result<Self, DbErr> {
        let rows = feed_page::Entity::find()
            .select_only()
            .columns([
                feed_page::Column::Url,
                feed_page::Column::Kind,
                feed_page::Column::Etag,
                feed_page::Column::LastModified,
                feed_page::Column::Next,
            ])
            .filter(feed_page::COLUMN.provider_id.eq(provider_id))
            .into_tuple::<(String, feed_page::PageKind, Option<String>, Option<String>, Option<String>)>()
            .all(database)
            .await?;
        let stored: HashMap<String, StoredPage> = rows
            .into_iter()
            .map(|(url, kind, etag, last_modified, next)| {
                (url, StoredPage { kind, validators: Validators { etag, last_modified }, next })
            })
            .collect();
        let usable = if are_usable { stored.clone() } else { HashMap::new() };
        Ok(Self { database, provider_id, stored, usable })
    }
}

impl PageStore for StoredPages<'_> {
    fn pages(&self) -> &HashMap<String, StoredPage> {
        &self.usable
    }

    async fn load(&self, url: &str) -> Result<Bytes, DbErr> {
        let finding = feed_page::Entity::find_by_id((self.provider_id, url.to_owned())).one(self.database);
        let row = deadline::within(deadline::SHORT, self.database, finding).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound(format!("a page of provider {}", self.provider_id)))?;
        let content = zstd::decode_all(row.content.as_slice()).map_err(|error| DbErr::Custom(error.to_string()))?;
        Ok(content.into())
    }
}

/// What a run changes of the stored pages.
#[derive(Debug)]
pub(super) struct PageChanges {
    provider_id: i32,
    stored: HashMap<String, StoredPage>,
    pages: Option<Arc<FetchedPages>>,
    document: Option<Arc<Spool>>,
}

impl PageChanges {
    /// The pages of a run, with its document if there is a new one. Without pages, all stored ones are removed.
    pub(super) fn new(stored: StoredPages<'_>, pages: Option<Arc<FetchedPages>>, document: Option<Arc<Spool>>) -> Self {
        Self { provider_id: stored.provider_id, stored: stored.stored, pages, document }
    }

    /// Writes them in the transaction that commits the run.
    pub(super) async fn write(&self, transaction: &impl ConnectionTrait) -> Result<(), SyncError> {
        let pages = self.pages.as_ref().map_or(&[][..], |pages| &pages.pages);
        if pages.is_empty() && self.stored.is_empty() {
            return Ok(());
        }
        // A page contains all its events, also those that were removed for legal reasons.
        let of_provider = tombstone::Entity::find().filter(tombstone::COLUMN.provider_id.eq(self.provider_id));
        let pages = if of_provider.one(transaction).await?.is_some() { &[] } else { pages };
        let replaced = |url: &&String| !pages.iter().any(|page| page.url == **url && matches!(page.content, PageContent::Stored));
        self.delete(transaction, self.stored.keys().filter(replaced).cloned().collect()).await?;
        for page in pages {
            match &page.content {
                PageContent::Stored => self.update_validators(transaction, page).await?,
                PageContent::Urls(urls) => self.insert(transaction, page, urls.as_bytes().to_vec().into()).await?,
                PageContent::InDocument(range) => {
                    let document = self.document.as_ref().ok_or_else(|| SyncError::Spool(io::ErrorKind::NotFound.into()))?;
                    let content = document.read(range.clone()).map_err(SyncError::Spool)?;
                    self.insert(transaction, page, content).await?;
                }
            }
        }
        Ok(())
    }

    async fn delete(&self, transaction: &impl ConnectionTrait, urls: Vec<String>) -> Result<(), DbErr> {
        for urls in key_chunks(urls) {
            feed_page::Entity::delete_many()
                .filter(feed_page::COLUMN.provider_id.eq(self.provider_id))
                .filter(feed_page::Column::Url.is_in(urls))
                .exec(transaction)
                .await?;
        }
        Ok(())
    }

    /// Updates a page that the provider has confirmed.
    async fn update_validators(&self, transaction: &impl ConnectionTrait, page: &FetchedPage) -> Result<(), DbErr> {
        let stored = self.stored.get(&page.url);
        if stored.is_some_and(|stored| stored.validators == page.validators && stored.next == page.next) {
            return Ok(());
        }
        let row = feed_page::ActiveModel {
            provider_id: Unchanged(self.provider_id),
            url: Unchanged(page.url.clone()),
            etag: Set(page.validators.etag.clone()),
            last_modified: Set(page.validators.last_modified.clone()),
            next: Set(page.next.clone()),
            ..Default::default()
        };
        row.update(transaction).await.map(drop)
    }

    async fn insert(&self, transaction: &impl ConnectionTrait, page: &FetchedPage, content: Bytes) -> Result<(), SyncError> {
        let compressing = tokio::task::spawn_blocking(move || zstd::encode_all(content.as_ref(), COMPRESSION_LEVEL));
        let row = feed_page::Model {
            provider_id: self.provider_id,
            url: page.url.clone(),
            kind: page.kind,
            etag: page.validators.etag.clone(),
            last_modified: page.validators.last_modified.clone(),
            next: page.next.clone(),
            content: compressing.await.map_err(SyncError::Panic)?.map_err(SyncError::Spool)?,
        };
        feed_page::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
        Ok(())
    }
}

//! The base events of a provider's copy: their content hashes, and the elements from which they were read.
//!
//! If a feed has the bytes of an element again, and the settings are the same, the row has its content hash, and nothing is parsed.
//! Elements with rejects or warnings are parsed each time, because these are reported for each sync.

use entity::base_event;
use futures_util::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Alias, Expr, ExprTrait, Query, TableRef, ValueTuple},
};
use uuid::Uuid;

use crate::provider::format::ElementFilter;

/// The copied base events of a provider.
#[derive(Debug, Default)]
pub(super) struct CopiedRows {
    /// Ordered by id.
    pub(super) rows: Vec<CopiedRow>,
    /// The indexes of the rows with elements, ordered by the hash of their bytes: there may be millions, and they take less memory than a map.
    by_bytes: Vec<u32>,
    /// The seed of these hashes.
    seed: u64,
}

/// A copied base event.
#[derive(Clone, Copy, Debug)]
pub(super) struct CopiedRow {
    pub(super) id: Uuid,
    content_hash: i64,
    /// As in [`StoredElement`].
    element_hash: i64,
    element_events: i32,
    /// Whether it is in the feed of the copy.
    is_listed: bool,
    /// Whether the bytes of its element are known, and would now be read in the same way.
    has_element: bool,
}

/// An element as it is stored with its base event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredElement {
    /// `element_hash` of [`base_event::Model`].
    pub(super) hash: i64,
    pub(super) events: i32,
}

/// An element that is not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownElement {
    pub(super) id: Uuid,
    pub(super) content_hash: i64,
    pub(super) events: u32,
}

impl StoredElement {
    pub(super) fn new(hash: i64, content_hash: i64, events: u32) -> Self {
        Self { hash: hash ^ content_hash, events: events.try_into().unwrap_or(i32::MAX) }
    }
}

impl CopiedRows {
    /// Reads the rows of a provider. `reading_hash` is that of everything except the document that determines its content. Elements are
    /// only used if `are_comparable`: the copy was read with the same hash.
    pub(super) async fn fetch(
        database: &DatabaseConnection,
        provider_id: i32,
        (reading_hash, are_comparable): (i64, bool),
    ) -> Result<Self, DbErr> {
        use base_event::Column::{ContentHash, ElementEvents, ElementHash, Id};
        let rows = base_event::Entity::find()
            .select_only()
            .columns([Id, ContentHash, ElementHash, ElementEvents])
            .filter(base_event::COLUMN.provider_id.eq(provider_id))
            .into_tuple::<(Uuid, Option<i64>, Option<i64>, Option<i32>)>();
        // As a stream: the driver's rows are ten times as large.
        let rows = rows.stream(database).await?.map_ok(|(id, content_hash, hash, events)| CopiedRow {
            id,
            content_hash: content_hash.unwrap_or_default(),
            element_hash: hash.unwrap_or_default(),
            element_events: events.unwrap_or_default(),
            is_listed: content_hash.is_some(),
            has_element: are_comparable && content_hash.and(hash).and(events).is_some(),
        });
        let mut rows: Vec<CopiedRow> = rows.try_collect().await?;
        rows.sort_unstable_by_key(|row| row.id);
        let mut by_bytes: Vec<u32> = (0..).zip(&rows).filter(|(_, row)| row.has_element).map(|(index, _)| index).collect();
        by_bytes.sort_unstable_by_key(|index| rows[*index as usize].bytes_hash());
        Ok(Self { rows, by_bytes, seed: reading_hash.cast_unsigned() })
    }

    /// The element with bytes of this hash.
    pub(super) fn find(&self, hash: i64) -> Option<KnownElement> {
        let at = self.by_bytes.binary_search_by_key(&hash, |index| self.rows[*index as usize].bytes_hash()).ok()?;
        let CopiedRow { id, content_hash, element_events, .. } = self.rows[self.by_bytes[at] as usize];
        Some(KnownElement { id, content_hash, events: element_events.try_into().ok()? })
    }

    /// Whether a base event is in the copy.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.rows.binary_search_by_key(&id, |row| row.id).is_ok()
    }

    /// Reads a document without parsing the elements that are known.
    pub(super) fn with_filter<T>(&self, read: impl FnOnce(ElementFilter<'_>) -> T) -> T {
        read(ElementFilter { seed: self.seed, is_known: &|hash| self.find(hash).is_some() })
    }
}

impl CopiedRow {
    /// `None` if it was removed from the feed.
    pub(super) fn content_hash(&self) -> Option<i64> {
        self.is_listed.then_some(self.content_hash)
    }

    /// Its element as it is stored, whether or not that can be used.
    pub(super) fn element(&self) -> StoredElement {
        StoredElement { hash: self.element_hash, events: self.element_events }
    }

    fn bytes_hash(&self) -> i64 {
        self.element_hash ^ self.content_hash
    }
}

/// Stores the elements of base events that are otherwise unchanged: a chunk of them.
pub(super) async fn store_elements(transaction: &DatabaseTransaction, chunk: Vec<(Uuid, StoredElement)>) -> Result<(), DbErr> {
    let element = Alias::new("element");
    // Both databases name the columns of a list of values so.
    let column = |name: &'static str| Expr::col((element.clone(), Alias::new(name)));
    let rows: Vec<ValueTuple> = chunk.into_iter().map(|(id, StoredElement { hash, events })| (id, hash, events).into()).collect();
    let update = Query::update()
        .table(base_event::Entity)
        .value(base_event::Column::ElementHash, column("column2"))
        .value(base_event::Column::ElementEvents, column("column3"))
        .from(TableRef::ValuesList(rows, element.clone().into()))
        .and_where(Expr::col((base_event::Entity, base_event::Column::Id)).eq(column("column1")))
        .to_owned();
    transaction.execute(&update).await?;
    Ok(())
}

//! Reads an event and the changes since an instant, from one snapshot.

use entity::{
    UtcInstant,
    change::{self, ChangeKind},
    change_retention, performer, release, venue,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement, prelude::Uuid,
};

use super::{
    fields::{PastFields, UnknownBefore},
    response::{PastContext, PastEventReply},
};
use crate::{
    database::sql::{END_OF_LOG, ReadConnection, Sql, begin_snapshot, newest_before, read_rows},
    error::ApiError,
    resources::events::rows::{EventRows, ReadEvent, explain_missing, fetch},
};

/// Changes in one statement: more than most events have.
pub(in crate::resources::events) const CHANGES_PER_PAGE: usize = 100;
/// Pages of one request: half a year of a price that changes each hour.
const MAX_PAGES: usize = 50;
/// The columns of a change.
const COLUMNS: &str = "version, ordinal, at, kind, provider_id, event_id, changed, states";

/// How far back the log goes for an event.
enum Undone {
    /// To the instant. The newest change before it, if there is one.
    All(Option<change::Model>),
    /// Readers have seen it since this instant only.
    Created(UtcInstant),
    /// The log does not have what it was before this instant.
    UnknownBefore(UtcInstant),
}

/// Reads an event that readers can see, as it was at an instant, and the version of the catalogue.
pub(in crate::resources::events) async fn find(
    database: &DatabaseConnection,
    id: Uuid,
    as_of: UtcInstant,
) -> Result<(PastEventReply, i64), ApiError> {
    let snapshot = begin_snapshot(database).await?;
    let found = read(&snapshot, id, as_of).await;
    // Not a rollback, which would close the connection.
    snapshot.commit().await?;
    found
}

async fn read(snapshot: &DatabaseTransaction, id: Uuid, as_of: UtcInstant) -> Result<(PastEventReply, i64), ApiError> {
    let Some(ReadEvent { rows, now, version }) = fetch(snapshot, id).await? else {
        return Err(explain_missing(snapshot, id, |target| target.to_string()).await?);
    };
    if as_of > now {
        return Err(ApiError::parameter("as_of", "must not be in the future"));
    }
    if as_of < rows.event.first_seen_at {
        return Err(ApiError::NotYetSeen { id, first_seen_at: rows.event.first_seen_at });
    }
    let (retained_since, removed_through) = find_retention(snapshot, now).await?;
    if let Some(earliest) = retained_since.filter(|earliest| as_of < *earliest) {
        return Err(ApiError::HistoryExpired { id, earliest });
    }
    let mut fields = PastFields::new(&rows).map_err(ApiError::Encoding)?;
    let before = match undo_changes(snapshot, (id, as_of), &mut fields).await? {
        Undone::All(before) => before,
        Undone::Created(first_seen_at) => return Err(ApiError::NotYetSeen { id, first_seen_at }),
        Undone::UnknownBefore(earliest) => return Err(ApiError::HistoryExpired { id, earliest }),
    };
    let updated_at = match before {
        // A later one may have been removed.
        Some(change) => (removed_through < Some(change.version)).then_some(change.at),
        None => removed_through.is_none().then_some(rows.event.first_seen_at),
    };
    // A change that an earlier release logged may have no row any more.
    let updated_at = updated_at.or(rows.updated_at.filter(|updated_at| *updated_at <= as_of));
    let (fields, logged, availability) = fields.finish(as_of).map_err(ApiError::Encoding)?;
    let parts = find_parts(snapshot, &rows, &fields).await?;
    let context = PastContext { as_of, availability, updated_at, parts };
    Ok((PastEventReply::new(rows, &fields, logged, context), version))
}

/// Since when no change has been removed from the log, and the newest version of which one was.
async fn find_retention(snapshot: &DatabaseTransaction, now: UtcInstant) -> Result<(Option<UtcInstant>, Option<i64>), DbErr> {
    let (mut since, mut removed_through) = (None, None);
    for removed in change_retention::Entity::find().all(snapshot).await? {
        // Whatever was removed is older than its retention, and older than the versions after it.
        let mut of_kind = now - removed.kind.retention();
        for next in next_instants(snapshot, removed.removed_through).await?.into_iter().flatten() {
            of_kind = of_kind.min(next);
        }
        since = since.max(Some(of_kind));
        removed_through = removed_through.max(Some(removed.removed_through));
    }
    Ok((since, removed_through))
}

/// When the first versions after one were made of which the log, and the ledger, have a row.
async fn next_instants(snapshot: &DatabaseTransaction, version: i64) -> Result<[Option<UtcInstant>; 2], DbErr> {
    let change = change::Entity::find().filter(change::COLUMN.version.gt(version)).order_by_asc(change::Column::Version);
    let change = change.select_only().column(change::Column::At).into_tuple().one(snapshot).await?;
    let release = release::Entity::find().filter(release::COLUMN.version.gt(version)).order_by_asc(release::Column::Version);
    let release = release.select_only().column(release::Column::RaisedAt).into_tuple().one(snapshot).await?;
    Ok([change, release])
}

/// Undoes the changes of an event after an instant, the newest first.
async fn undo_changes(
    snapshot: &DatabaseTransaction,
    (id, as_of): (Uuid, UtcInstant),
    fields: &mut PastFields,
) -> Result<Undone, DbErr> {
    let (mut position, mut created, mut oldest) = (END_OF_LOG, None, UtcInstant(i64::MAX));
    for _ in 0..MAX_PAGES {
        let page = read_newest(snapshot, id, position).await?;
        let is_last = page.len() < CHANGES_PER_PAGE;
        for change in page {
            if change.at <= as_of {
                return Ok(created.map_or(Undone::All(Some(change)), Undone::Created));
            }
            // It was seen before it was created again, and nothing is known about that.
            if let Some(created) = created {
                return Ok(Undone::UnknownBefore(created));
            }
            if change.kind == ChangeKind::Created {
                created = Some(change.at);
            } else if fields.undo(&change) == Err(UnknownBefore) {
                return Ok(Undone::UnknownBefore(change.at));
            }
            (position, oldest) = ((change.version, change.ordinal), change.at);
        }
        if is_last {
            return Ok(created.map_or(Undone::All(None), Undone::Created));
        }
    }
    Ok(Undone::UnknownBefore(oldest))
}

/// Reads a page of changes of an event before a position, the newest first.
pub(in crate::resources::events) async fn read_newest(
    snapshot: &impl ReadConnection,
    event_id: Uuid,
    position: (i64, i32),
) -> Result<Vec<change::Model>, DbErr> {
    let backend = ConnectionTrait::get_database_backend(snapshot);
    read_rows(snapshot, newest_changes_statement(backend, event_id, position)).await
}

/// The statement for the newest changes of an event before a position: a range of one index, backwards.
#[must_use]
pub fn newest_changes_statement(backend: DbBackend, event_id: Uuid, (version, ordinal): (i64, i32)) -> Statement {
    let mut sql = Sql::default();
    let (event, version, ordinal) = (sql.bind(event_id), sql.bind(version), sql.bind(ordinal));
    let limit = sql.bind(CHANGES_PER_PAGE as u64);
    let newest = newest_before(backend, ("event_id", &event), (&version, &ordinal));
    let text = format!("SELECT {COLUMNS} FROM change WHERE {newest} LIMIT {limit}");
    sql.statement(backend, text)
}

/// The rows of its venue and of its performers, as far as they are known and still there.
pub(super) struct PastParts {
    /// `None` if it is unknown.
    pub(super) venue: Option<Option<venue::Model>>,
    /// `None` if they are unknown.
    pub(super) performers: Option<Vec<performer::Model>>,
}

async fn find_parts(snapshot: &DatabaseTransaction, rows: &EventRows, fields: &PastFields) -> Result<PastParts, DbErr> {
    let venue = match fields.venue {
        None => None,
        Some(id) if id == rows.event.venue_id => Some(rows.venue.clone()),
        Some(None) => Some(None),
        Some(Some(id)) => venue::Entity::find_by_id(id).one(snapshot).await?.map(Some),
    };
    let current: Vec<Uuid> = rows.performers.iter().map(|performer| performer.id).collect();
    let performers = match &fields.performers {
        None => None,
        Some(ids) if *ids == current => Some(rows.performers.clone()),
        Some(ids) => {
            let found = performer::Entity::find().filter(performer::COLUMN.id.is_in(ids.clone())).all(snapshot).await?;
            ids.iter().map(|id| found.iter().find(|row| row.id == *id).cloned()).collect()
        }
    };
    Ok(PastParts { venue, performers })
}

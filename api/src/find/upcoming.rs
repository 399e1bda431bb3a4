//! The number of upcoming events of a performer, a venue, a provider or a category.

use entity::EventStatus;
use sea_orm::DbBackend;

use super::availability_filter::now_of_backend;
use crate::database::sql::is_loaded;

/// Events are counted up to this number, as by `total` of `/events`.
pub(crate) const MAX_UPCOMING: i64 = 10_000;

/// The number of events in SQL that `/events` lists without filters of time, status and presence in the feed. `tables` contain `listing`.
pub(crate) fn count_upcoming(backend: DbBackend, tables: &str, condition: &str) -> String {
    let (now, cancelled, is_loaded) = (now_of_backend(backend), EventStatus::Cancelled.name(), is_loaded("listing"));
    format!(
        "(SELECT COUNT(*) FROM (SELECT 1 AS one FROM {tables} WHERE {condition} AND listing.upcoming = TRUE \
         AND listing.ends_at > {now} AND listing.status <> '{cancelled}' AND {is_loaded} LIMIT {MAX_UPCOMING}) AS upcoming)"
    )
}

//! Statements that the query builder cannot express, which the worker reads, too.

pub(crate) use entity::sql::{ReadConnection, Sql, VERSION_COLUMNS, begin_snapshot, is_loaded, pad, read_rows};
use sea_orm::DbBackend;

/// The version and the ordinal after all changes.
pub(crate) const END_OF_LOG: (i64, i32) = (i64::MAX, 0);

/// The condition and the order of the newest changes with a value in a column, before a version and an ordinal: a range of one index,
/// backwards. PostgreSQL may prefer the whole log if the order does not begin with the column.
pub(crate) fn newest_before(backend: DbBackend, (column, value): (&str, &str), (version, ordinal): (&str, &str)) -> String {
    match backend {
        DbBackend::Sqlite => {
            format!("{column} = {value} AND (version, ordinal) < ({version}, {ordinal}) ORDER BY version DESC, ordinal DESC")
        }
        _ => format!(
            "({column}, version, ordinal) < ({value}, {version}, {ordinal}) AND {column} >= {value} \
             ORDER BY {column} DESC, version DESC, ordinal DESC"
        ),
    }
}

//! Statements that the query builder cannot express, which the worker reads, too.

pub(crate) use entity::sql::{ReadConnection, Sql, VERSION_COLUMNS, begin_snapshot, is_loaded, pad, read_rows};

//! Statements that read all events of the filters, to count them by what they have.

use entity::UtcInstant;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};

use super::{
    filters::EventFilters,
    plan::{Plan, plan},
    resolve::Resolved,
    rows::are_upcoming,
    sort::Sort,
    statement::{Columns, Found, ranges},
};
use crate::{
    database::sql::{ReadConnection, Sql, read_rows},
    error::ApiError,
};

/// Reads the rows of a statement, which is written around a `SELECT` of `columns` of the events, and returns the corrected words of the
/// filters, if events were found by these. There are no rows if no event can have what the filters name.
pub(super) async fn read_summary<Row: FromQueryResult + Send + Unpin>(
    database: &impl ReadConnection,
    filters: &EventFilters,
    (columns, starts): (Columns<'_>, Option<(UtcInstant, UtcInstant)>),
    write: impl FnOnce(DbBackend, &str, &mut Sql) -> String + Send,
) -> Result<(Vec<Row>, Option<String>), ApiError> {
    let sort = Sort::StartsAt;
    let resolved = Resolved::fetch(database, filters, sort).await?;
    if resolved.is_empty() {
        return Ok((Vec::new(), None));
    }
    let are_upcoming = are_upcoming(database, filters).await?;
    let plans = plan(filters, sort, false, &resolved, are_upcoming);
    let (Plan::InOrder(source) | Plan::Sorted(source)) = &plans[0];
    let found = Found { filters, resolved: &resolved, ids: &[], sort, has_price: None, are_upcoming, starts, columns };
    let backend = ConnectionTrait::get_database_backend(database);
    let mut sql = Sql::default();
    let events = ranges(backend, &found, source, None, &mut sql);
    let text = write(backend, &events, &mut sql);
    let rows = read_rows(database, sql.statement(backend, text)).await.map_err(|error| filters.explain(error))?;
    Ok((rows, resolved.corrected()))
}

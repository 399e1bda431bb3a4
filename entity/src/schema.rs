//! Whether the schema of a database is current: whether the newest migration that the programs need was applied.

use sea_orm::{ConnectionTrait, DbErr, RuntimeErr, Statement, sqlx};

use crate::Failure;

/// The newest migration that the programs need. Migrations of newer releases may be applied, too: a release only adds to the schema of the
/// one before. A test of `migration` compares this with its list.
pub const NEWEST_MIGRATION: &str = "m20261126_000010_loading";

/// PostgreSQL's code for a table that the role may not read.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Checks whether [`NEWEST_MIGRATION`] was applied. In a database without tables it was not. For a role that may not read the list of
/// migrations, the schema counts as current.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn is_schema_current(database: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM seaql_migrations WHERE version = $1";
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, [NEWEST_MIGRATION.into()]);
    match database.query_one_raw(statement).await {
        Ok(row) => Ok(row.is_some()),
        Err(error) if Failure::of(&error) == Failure::UndefinedName => Ok(false),
        Err(error) if is_privilege_missing(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_privilege_missing(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(cause)) = error else { return false };
    let sqlx::Error::Database(error) = &**cause else { return false };
    error.code().is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}

//! Whether the schema of a database fits a program: it has the migrations that the program needs, and none that excludes the program.

use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, RuntimeErr,
    sea_query::{Expr, ExprTrait, Query},
    sqlx,
};

use crate::{
    ConnectionRole, Failure,
    schema_compatibility::{Column, Entity, ONLY_ROW},
};

/// The newest migration that the programs need, and that they know. Those of newer releases may be applied, too, unless they exclude this
/// one in `schema_compatibility`. A test of `migration` compares this with its list.
pub const NEWEST_MIGRATION: &str = "m20261128_000031_compression";

/// PostgreSQL's code for a table that the role may not read.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// How the schema of a database fits a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaFit {
    /// The program can use it.
    Fits,
    /// It lacks a migration that the program needs.
    Outdated,
    /// It has a migration that excludes the program.
    TooNew {
        /// The oldest migration that the program must know.
        required: String,
    },
}

#[derive(FromQueryResult)]
struct SchemaRow {
    is_current: bool,
    required_of_programs: Option<String>,
    required_of_workers: Option<String>,
}

/// Checks how the schema fits a program with connections of this role, with one statement. A database without tables is outdated. For a
/// role that may not read the list of migrations, every schema fits.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn check_schema(database: &impl ConnectionTrait, role: ConnectionRole) -> Result<SchemaFit, DbErr> {
    let applied = Query::select()
        .expr(Expr::val(1))
        .from("seaql_migrations")
        .and_where(Expr::col("version").eq(NEWEST_MIGRATION))
        .to_owned();
    let statement = Query::select()
        .columns([Column::RequiredOfPrograms, Column::RequiredOfWorkers])
        .expr_as(Expr::exists(applied), "is_current")
        .from(Entity)
        .and_where(Expr::col(Column::Id).eq(ONLY_ROW))
        .to_owned();
    match database.query_one(&statement).await {
        Ok(Some(row)) => SchemaRow::from_query_result(&row, "").map(|row| row.fit(role)),
        Ok(None) => Err(DbErr::RecordNotFound("schema_compatibility has no row".to_owned())),
        Err(error) if Failure::of(&error) == Failure::UndefinedName => Ok(SchemaFit::Outdated),
        Err(error) if is_privilege_missing(&error) => Ok(SchemaFit::Fits),
        Err(error) => Err(error),
    }
}

impl SchemaRow {
    fn fit(self, role: ConnectionRole) -> SchemaFit {
        let of_worker = self.required_of_workers.filter(|_| role.is_of_worker());
        // Names begin with a date and a number. They are compared here because collations of databases differ.
        let required = [self.required_of_programs, of_worker].into_iter().flatten().max();
        match required.filter(|required| required.as_str() > NEWEST_MIGRATION) {
            Some(required) => SchemaFit::TooNew { required },
            None if self.is_current => SchemaFit::Fits,
            None => SchemaFit::Outdated,
        }
    }
}

fn is_privilege_missing(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(cause)) = error else { return false };
    let sqlx::Error::Database(error) = &**cause else { return false };
    error.code().is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}

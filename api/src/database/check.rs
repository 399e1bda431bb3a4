//! Why a periodic check of a database fails.

use entity::{ConnectionRole, SchemaFit, check_schema};
use sea_orm::{DatabaseConnection, DbErr};

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It does not respond.
    #[error(transparent)]
    Unresponsive(#[from] DbErr),
    /// Its schema excludes this program, which could misread it.
    #[error("the schema requires programs that know the migration {required}")]
    SchemaTooNew {
        /// The oldest migration that a program must know.
        required: String,
    },
}

impl CheckError {
    pub(crate) fn timed_out() -> Self {
        Self::Unresponsive(DbErr::Custom("reading the catalogue version timed out".to_owned()))
    }
}

/// Whether the schema has all migrations that this program needs.
///
/// # Errors
///
/// When the schema excludes this program, or the database does not respond.
pub async fn is_schema_current(database: &DatabaseConnection) -> Result<bool, CheckError> {
    match check_schema(database, ConnectionRole::Api).await? {
        SchemaFit::Fits => Ok(true),
        SchemaFit::Outdated => Ok(false),
        SchemaFit::TooNew { required } => Err(CheckError::SchemaTooNew { required }),
    }
}

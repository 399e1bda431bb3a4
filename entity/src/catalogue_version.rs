//! `catalogue_version`: one row with a number that goes up in the same transaction as any change a search could see.

use std::sync::Arc;

use sea_orm::{
    DbBackend, ExprTrait, RuntimeErr,
    entity::prelude::*,
    sqlx::{self, postgres::PgListener},
};

use crate::{DatabaseSettings, UtcInstant};

/// The key of the only row.
pub const ONLY_ROW: i32 = 1;
/// Where PostgreSQL tells of each raise, as soon as it is committed.
const CHANNEL: &str = "marquee_catalogue";

/// The version.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_version")]
pub struct Model {
    /// Always [`ONLY_ROW`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Starts at 0, never goes down.
    pub version: i64,
    /// When it was raised to that, by the clock of the worker. A database that was restored from a backup may count to the same number
    /// again, but not at the same instant.
    pub raised_at: UtcInstant,
}

impl ActiveModelBehavior for ActiveModel {}

/// The row as the reader's snapshot holds it.
///
/// # Errors
///
/// When the database is away, or its schema was never made.
pub async fn fetch(database: &impl ConnectionTrait) -> Result<Model, DbErr> {
    let row = Entity::find_by_id(ONLY_ROW).one(database).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("catalogue_version has no row".to_owned()))
}

/// The version that the reader's snapshot holds.
///
/// # Errors
///
/// When the database is away, or its schema was never made.
pub async fn fetch_version(database: &impl ConnectionTrait) -> Result<i64, DbErr> {
    fetch(database).await.map(|row| row.version)
}

/// Raises the version; to be called in the transaction that changes what a search could see.
///
/// # Errors
///
/// When the database is away, or its schema was never made.
pub async fn increment(transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::RaisedAt, UtcInstant::now().into())
        .filter(COLUMN.id.eq(ONLY_ROW))
        .exec(transaction)
        .await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("NOTIFY {CHANNEL}")).await?;
    }
    Ok(())
}

/// News of raises, from a connection of its own. Only PostgreSQL tells; whoever follows a version must ask for it now and then all the
/// same, because news can be lost.
#[derive(Debug)]
pub struct VersionListener(PgListener);

impl VersionListener {
    /// Begins to listen; `None` where the database does not tell.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or does not let us listen (a replica, a pooler of transactions).
    pub async fn listen(settings: &DatabaseSettings) -> Result<Option<Self>, DbErr> {
        if !settings.is_postgres() {
            return Ok(None);
        }
        let listen = async {
            let mut listener = PgListener::connect(settings.url.expose()).await?;
            // A lost connection is news by itself, to be told before a new one is made.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        listen.await.map(|listener| Some(Self(listener))).map_err(lost)
    }

    /// Waits for the next raise. An error means that the connection was lost and news with it.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<(), DbErr> {
        match self.0.try_recv().await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(DbErr::Custom("the connection that listens was lost".to_owned())),
            Err(error) => Err(lost(error)),
        }
    }
}

fn lost(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

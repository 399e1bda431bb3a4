//! `catalogue_version`: one row with a number that is incremented in the transaction of any change that a search could see.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    DbBackend, ExprTrait, FromQueryResult, Iterable, RuntimeErr,
    entity::prelude::*,
    sea_query::{Query, SimpleExpr},
    sqlx::{self, postgres::PgListener},
};
use tokio::time::timeout;

use crate::{
    DatabaseSettings, UtcInstant, clock,
    connect::{DatabaseUrl, connect_listener},
};

/// The key of the only row.
pub const ONLY_ROW: i32 = 1;
/// The channel on which PostgreSQL notifies listeners when an increment is committed.
const CHANNEL: &str = "marquee_catalogue";
/// How long a listener waits before it sends a statement: less than the idle time after which common proxies close a connection (30 s or
/// more), and short enough to detect a server that does not respond.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long the server may take to respond to it.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// The catalogue version.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_version")]
pub struct Model {
    /// Always [`ONLY_ROW`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Starts at 0 and never decreases.
    pub version: i64,
    /// When it was last incremented, by the database's clock. A database that was restored from a backup may reach the same number
    /// again, but not at the same instant.
    pub raised_at: UtcInstant,
}

impl ActiveModelBehavior for ActiveModel {}

/// Fetches the row.
///
/// # Errors
///
/// When the database is unavailable or has no schema.
pub async fn fetch(database: &impl ConnectionTrait) -> Result<Model, DbErr> {
    Entity::find_by_id(ONLY_ROW).one(database).await?.ok_or_else(no_row)
}

/// Fetches the version.
///
/// # Errors
///
/// When the database is unavailable or has no schema.
pub async fn fetch_version(database: &impl ConnectionTrait) -> Result<i64, DbErr> {
    fetch(database).await.map(|row| row.version)
}

/// Increments the version, and returns the row. Must be called in the transaction that changes what a search could see.
///
/// # Errors
///
/// When the database is unavailable or has no schema.
pub async fn increment(transaction: &impl ConnectionTrait) -> Result<Model, DbErr> {
    let mut returned: Vec<SimpleExpr> = Column::iter().map(Expr::col).collect();
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Listeners are notified when the transaction is committed.
        returned.push(Expr::cust(format!("pg_notify('{CHANNEL}', '')")));
    }
    let increment = Query::update()
        .table(Entity)
        .value(Column::Version, Expr::col(Column::Version).add(1))
        .value(Column::RaisedAt, clock::now(transaction))
        .and_where(COLUMN.id.eq(ONLY_ROW))
        .returning(Query::returning().exprs(returned))
        .to_owned();
    let row = transaction.query_one(&increment).await?;
    Model::from_query_result(&row.ok_or_else(no_row)?, "")
}

fn no_row() -> DbErr {
    DbErr::RecordNotFound("catalogue_version has no row".to_owned())
}

/// Receives a notification for each increment, on a separate connection. Only PostgreSQL sends them. Notifications can be lost, so the
/// version must be polled, too.
#[derive(Debug)]
pub struct VersionListener(PgListener);

impl VersionListener {
    /// Starts to listen; `None` if the database does not send notifications.
    ///
    /// # Errors
    ///
    /// When the server is unreachable or does not support `LISTEN` (a replica, a transaction pooler).
    pub async fn listen(settings: &DatabaseSettings) -> Result<Option<Self>, DbErr> {
        let Ok(DatabaseUrl::Postgres(options)) = DatabaseUrl::parse(&settings.url) else { return Ok(None) };
        let listen = async {
            let mut listener = connect_listener(options).await?;
            // A lost connection is reported to the caller before a new one is made.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        listen.await.map(|listener| Some(Self(listener))).map_err(connection_error)
    }

    /// Waits for the next increment. While there is none, a statement from time to time keeps the connection open.
    ///
    /// # Errors
    ///
    /// When the connection is lost, and notifications with it.
    pub async fn next(&mut self) -> Result<(), DbErr> {
        let lost = || DbErr::Custom("the connection that listens for notifications was lost".to_owned());
        loop {
            match timeout(KEEP_ALIVE_INTERVAL, self.0.try_recv()).await {
                Ok(Ok(Some(_))) => return Ok(()),
                Ok(Ok(None)) => return Err(lost()),
                Ok(Err(error)) => return Err(connection_error(error)),
                Err(_elapsed) => {
                    let statement = sqlx::raw_sql("SELECT 1").execute(&mut self.0);
                    timeout(KEEP_ALIVE_TIMEOUT, statement).await.map_err(|_elapsed| lost())?.map_err(connection_error)?;
                }
            }
        }
    }
}

fn connection_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

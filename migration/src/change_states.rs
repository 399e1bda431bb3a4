//! What filters select of an event before and after each change.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

const COLUMN: &str = "states";

/// Programs of an earlier release remove the content of an event from `changed` only, and nothing else changes this column.
const FORGET_ON_POSTGRES: &str = "\
    CREATE FUNCTION forget_change_states() RETURNS trigger LANGUAGE plpgsql \
    AS 'BEGIN NEW.states := NULL; RETURN NEW; END'; \
    CREATE TRIGGER forget_change_states BEFORE UPDATE OF changed ON change \
    FOR EACH ROW EXECUTE FUNCTION forget_change_states()";
const FORGET_ON_SQLITE: &str = "\
    CREATE TRIGGER forget_change_states AFTER UPDATE OF changed ON change WHEN NEW.states IS NOT NULL \
    BEGIN UPDATE change SET states = NULL WHERE version = NEW.version AND ordinal = NEW.ordinal; END";

/// Adds the column, and the trigger that empties it. Changes of an earlier release have no states.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000024_change_states"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("change").add_column(text_null(COLUMN)).to_owned()).await?;
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        let forget = if is_postgres { FORGET_ON_POSTGRES } else { FORGET_ON_SQLITE };
        manager.get_connection().execute_unprepared(forget).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if manager.get_database_backend() == DbBackend::Postgres {
            connection.execute_unprepared("DROP TRIGGER forget_change_states ON change").await?;
            connection.execute_unprepared("DROP FUNCTION forget_change_states()").await?;
        } else {
            connection.execute_unprepared("DROP TRIGGER forget_change_states").await?;
        }
        manager.alter_table(Table::alter().table("change").drop_column(COLUMN).to_owned()).await
    }
}

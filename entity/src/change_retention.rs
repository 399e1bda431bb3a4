//! `change_retention`: which changes were removed from the log, so that a reader with an older cursor knows that it has missed some.

use sea_orm::entity::prelude::*;

use crate::change::ChangeKind;

/// A kind of which changes were removed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change_retention")]
pub struct Model {
    /// The kind.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: ChangeKind,
    /// The version of the newest one that was removed.
    pub removed_through: i64,
}

impl ActiveModelBehavior for ActiveModel {}

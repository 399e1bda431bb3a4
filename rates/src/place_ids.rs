//! The places that prices can refer to.

use std::collections::HashMap;

use entity::place;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

/// The ids of places by code.
#[derive(Clone, Debug, Default)]
pub struct PlaceIds(HashMap<Box<[u8]>, i32>);

impl PlaceIds {
    /// Loads all listed places. A place that is removed from the list later keeps its id, so prices that were checked remain valid.
    ///
    /// # Errors
    ///
    /// When the database is unavailable.
    pub async fn load(database: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let rows = place::Entity::find()
            .select_only()
            .columns([place::Column::Code, place::Column::Id])
            .filter(place::Column::Listed.eq(true))
            .into_tuple::<(String, i32)>()
            .all(database)
            .await?;
        Ok(rows.into_iter().collect())
    }

    pub(crate) fn id(&self, code: &[u8]) -> Option<i32> {
        self.0.get(code).copied()
    }
}

impl FromIterator<(String, i32)> for PlaceIds {
    fn from_iter<I: IntoIterator<Item = (String, i32)>>(places: I) -> Self {
        Self(places.into_iter().map(|(code, id)| (code.into_bytes().into(), id)).collect())
    }
}

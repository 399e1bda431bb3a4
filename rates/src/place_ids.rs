//! The places that prices can refer to.

use std::collections::HashMap;

use entity::place;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

/// The ids of places by code.
#[derive(Clone, Debug, Default)]
pub struct PlaceIds {
    by_code: HashMap<Box<[u8]>, i32>,
    newest: Option<NewestPlace>,
}

/// The place that was added last. Places are never deleted, so a database with this place has all earlier ones, under the same ids. A
/// database that replaced the one of the ids, such as an older backup, has not.
#[derive(Clone, Debug)]
pub(crate) struct NewestPlace {
    id: i32,
    code: String,
}

impl NewestPlace {
    /// Whether a database has this place.
    pub(crate) async fn is_in(&self, database: &impl ConnectionTrait) -> Result<bool, DbErr> {
        let place = place::Entity::find_by_id(self.id).one(database).await?;
        Ok(place.is_some_and(|place| place.code == self.code))
    }
}

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
        self.by_code.get(code).copied()
    }

    pub(crate) fn newest(&self) -> Option<&NewestPlace> {
        self.newest.as_ref()
    }
}

impl FromIterator<(String, i32)> for PlaceIds {
    fn from_iter<I: IntoIterator<Item = (String, i32)>>(places: I) -> Self {
        let places: Vec<_> = places.into_iter().collect();
        let newest = places.iter().max_by_key(|(_, id)| id).map(|(code, id)| NewestPlace { id: *id, code: code.clone() });
        Self { by_code: places.into_iter().map(|(code, id)| (code.into_bytes().into(), id)).collect(), newest }
    }
}

//! `name_word`: the parts of the names of performers and venues that begin with a later word, so that a name is found by the beginning of
//! any of its words with a range of an index: `Die Toten Hosen` by `toten hosen` and `hosen`.

use std::collections::BTreeSet;

use sea_orm::{IntoActiveModel, entity::prelude::*};

use crate::chunks;

/// Words of a name by which it is found: longer names are sentences.
const MAX_WORDS: usize = 16;
/// Characters of a text, and of what is searched.
pub const MAX_CHARACTERS: usize = 200;

/// The kind of item that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum NameKind {
    /// A performer.
    #[sea_orm(string_value = "performer")]
    Performer,
    /// A venue.
    #[sea_orm(string_value = "venue")]
    Venue,
}

/// A part of a name.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "name_word")]
pub struct Model {
    /// The performer or venue.
    #[sea_orm(primary_key, auto_increment = false)]
    pub item_id: Uuid,
    /// The rest of its folded name from a later word on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub text: String,
    /// What it is.
    pub kind: NameKind,
}

impl ActiveModelBehavior for ActiveModel {}

/// Replaces the parts of names, which are [folded](crate::fold_name()).
///
/// # Errors
///
/// When the database is unavailable.
pub async fn replace(transaction: &impl ConnectionTrait, kind: NameKind, names: Vec<(Uuid, String)>) -> Result<(), DbErr> {
    let mut rows = Vec::new();
    for names in chunks(names) {
        delete(transaction, names.iter().map(|(id, _)| *id).collect()).await?;
        for (item_id, name) in names {
            rows.extend(split(&name).into_iter().map(|text| Model { item_id, text, kind }));
        }
    }
    for rows in chunks(rows) {
        Entity::insert_many(rows.into_iter().map(Model::into_active_model)).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Deletes the parts of the names of these performers and venues.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete(transaction: &impl ConnectionTrait, items: Vec<Uuid>) -> Result<(), DbErr> {
    Entity::delete_many().filter(COLUMN.item_id.is_in(items)).exec(transaction).await?;
    Ok(())
}

/// The parts of a folded name that begin with a word after the first one.
fn split(folded_name: &str) -> BTreeSet<String> {
    let begins = folded_name.match_indices(' ').map(|(space, _)| &folded_name[space + 1..]);
    begins.filter(|text| !text.is_empty()).take(MAX_WORDS - 1).map(|text| text.chars().take(MAX_CHARACTERS).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_before_each_later_word() {
        let split = |name: &str| Vec::from_iter(split(name));
        assert_eq!(split("die toten hosen"), ["hosen", "toten hosen"]);
        assert_eq!(split("la la la"), ["la", "la la"]);
        assert_eq!(split("kino"), [""; 0]);
        assert_eq!(split("!!! !"), ["!"]);
        assert_eq!(split(&"la ".repeat(1_000)).len(), 1, "equal parts are stored once");
        let long = split(&(0..1_000).map(|word| format!("{word} ")).collect::<String>());
        assert_eq!(long.len(), MAX_WORDS - 1);
        assert!(long.iter().all(|text| text.len() == MAX_CHARACTERS));
    }
}

//! Brings the tables to what a list says, in one transaction; what did not change is not written.

use std::collections::{HashMap, HashSet};

use entity::{begin_write, catalogue_version, fold_name, place, region};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::OnConflict,
};

use super::{
    answer::PlacesCounts,
    document::{Place, PlacesDocument, Region},
};
use crate::{database::writer::Writer, error::ApiError};

/// Rows of one statement: within the 32,766 values of SQLite.
const ROWS_PER_STATEMENT: usize = 5_000;

/// Puts a list that was checked.
pub(super) async fn put(writer: &Writer, list: PlacesDocument) -> Result<PlacesCounts, ApiError> {
    let (regions, places) = (list.regions.len() as u64, list.places.len() as u64);
    let transaction = begin_write(&writer.database).await?;
    // All who raise the version share its row: of two lists, one waits for the other.
    catalogue_version::Entity::find().lock_exclusive().one(&transaction).await?;
    let known = region::Entity::find().all(&transaction).await?;
    let slugs: HashSet<String> = list.regions.iter().map(|region| region.slug.clone()).collect();
    let (ids, regions_changed) = put_regions(&transaction, list.regions, &known).await?;
    let places_changed = put_places(&transaction, list.places, &ids).await?;
    let gone = known.into_iter().filter(|region| !slugs.contains(&region.slug)).map(|region| region.id).collect();
    let gone = remove_regions(&transaction, gone).await?;
    let changed = regions_changed || places_changed || gone;
    if changed {
        catalogue_version::increment(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(PlacesCounts { regions, places, changed })
}

/// Writes the regions of the list, and says by which ids they are known now and whether anything was new.
async fn put_regions(
    transaction: &DatabaseTransaction,
    regions: Vec<Region>,
    known: &[region::Model],
) -> Result<(HashMap<String, i32>, bool), DbErr> {
    let mut ids: HashMap<String, i32> = known.iter().map(|region| (region.slug.clone(), region.id)).collect();
    let new: Vec<region::ActiveModel> = regions
        .iter()
        .filter(|region| !ids.contains_key(&region.slug))
        .map(|Region { slug, name, .. }| region::ActiveModel {
            id: NotSet,
            slug: Set(slug.clone()),
            name: Set(name.clone()),
            folded_name: Set(fold_name(name)),
            // It may be new itself, and has no id yet.
            parent_id: Set(None),
        })
        .collect();
    if !new.is_empty() {
        for chunk in new.chunks(ROWS_PER_STATEMENT) {
            region::Entity::insert_many(chunk.to_vec()).exec_without_returning(transaction).await?;
        }
        let all = region::Entity::find().select_only().columns([region::Column::Slug, region::Column::Id]);
        ids = all.into_tuple::<(String, i32)>().all(transaction).await?.into_iter().collect();
    }
    let known: HashMap<i32, &region::Model> = known.iter().map(|region| (region.id, region)).collect();
    let changed: Vec<region::ActiveModel> = regions
        .into_iter()
        .filter_map(|Region { slug, name, parent_slug }| {
            let parent_id = parent_slug.0.and_then(|slug| ids.get(&slug).copied());
            let wanted = region::Model { id: *ids.get(&slug)?, slug, folded_name: fold_name(&name), name, parent_id };
            let is_known = known.get(&wanted.id).is_some_and(|known| **known == wanted);
            let is_whole = is_known || wanted.parent_id.is_none() && !known.contains_key(&wanted.id);
            (!is_whole).then(|| wanted.into())
        })
        .collect();
    let on_conflict = OnConflict::column(region::Column::Id)
        .update_columns([region::Column::Name, region::Column::FoldedName, region::Column::ParentId])
        .to_owned();
    for chunk in changed.chunks(ROWS_PER_STATEMENT) {
        // An active model of a whole row counts as unchanged, and would not be written.
        let rows = chunk.iter().cloned().map(sea_orm::ActiveModelTrait::reset_all);
        region::Entity::insert_many(rows).on_conflict(on_conflict.clone()).exec_without_returning(transaction).await?;
    }
    Ok((ids, !new.is_empty() || !changed.is_empty()))
}

/// Writes the places of the list, takes all others from it, and says whether anything was new.
async fn put_places(
    transaction: &DatabaseTransaction,
    places: Vec<Place>,
    regions: &HashMap<String, i32>,
) -> Result<bool, DbErr> {
    let known = place::Entity::find().all(transaction).await?;
    let mut known: HashMap<String, place::Model> = known.into_iter().map(|place| (place.code.clone(), place)).collect();
    let mut changed = Vec::new();
    for Place { code, name, region_slug } in places {
        let region_id = region_slug.0.and_then(|slug| regions.get(&slug).copied());
        let folded_name = fold_name(&name);
        let is_known =
            known.remove(&code).is_some_and(|place::Model { name: known_name, region_id: known_region, listed, .. }| {
                (known_name, known_region, listed) == (name.clone(), region_id, true)
            });
        if !is_known {
            changed.push(place::ActiveModel {
                id: NotSet,
                code: Set(code),
                name: Set(name),
                folded_name: Set(folded_name),
                region_id: Set(region_id),
                listed: Set(true),
            });
        }
    }
    let on_conflict = OnConflict::column(place::Column::Code)
        .update_columns([place::Column::Name, place::Column::FoldedName, place::Column::RegionId, place::Column::Listed])
        .to_owned();
    for chunk in changed.chunks(ROWS_PER_STATEMENT) {
        place::Entity::insert_many(chunk.to_vec()).on_conflict(on_conflict.clone()).exec_without_returning(transaction).await?;
    }
    let gone: Vec<i32> = known.into_values().filter(|place| place.listed).map(|place| place.id).collect();
    for ids in gone.chunks(ROWS_PER_STATEMENT) {
        place::Entity::update_many()
            .col_expr(place::Column::Listed, false.into())
            // The region may go, too.
            .col_expr(place::Column::RegionId, None::<i32>.into())
            .filter(place::COLUMN.id.is_in(ids.to_vec()))
            .exec(transaction)
            .await?;
    }
    Ok(!changed.is_empty() || !gone.is_empty())
}

/// Removes regions that the list does not hold, and says whether there were any. No place lies in them any more.
async fn remove_regions(transaction: &DatabaseTransaction, gone: Vec<i32>) -> Result<bool, DbErr> {
    for ids in gone.chunks(ROWS_PER_STATEMENT) {
        region::Entity::update_many()
            .col_expr(region::Column::ParentId, None::<i32>.into())
            .filter(region::COLUMN.id.is_in(ids.to_vec()))
            .exec(transaction)
            .await?;
    }
    for ids in gone.chunks(ROWS_PER_STATEMENT) {
        region::Entity::delete_many().filter(region::COLUMN.id.is_in(ids.to_vec())).exec(transaction).await?;
    }
    Ok(!gone.is_empty())
}

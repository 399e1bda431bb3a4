//! Replaces the tables of places and regions in one transaction. Only changed rows are written.

use std::collections::{HashMap, HashSet};

use entity::{
    begin_write, catalogue_version, fold_name,
    footprint::{Footprint, Scope},
    place, region,
    release::{self, Cause},
};
use futures_util::TryStreamExt;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    sea_query::OnConflict,
};

use super::{
    PlacesQuery,
    document::{PlaceInput, PlacesDocument, RegionInput},
    response::PlacesCounts,
};
use crate::{
    database::writer::Writer,
    error::ApiError,
    response::{PlaceCode, Precondition},
};

/// Rows per statement: within the 32,766 bound values of SQLite.
const ROWS_PER_STATEMENT: usize = 5_000;

/// What is compared with a new list.
#[derive(Debug, FromQueryResult)]
struct ExistingPlace {
    id: i32,
    code: String,
    name: String,
    region_id: Option<i32>,
    listed: bool,
}

/// Replaces all places and regions by those of a valid list, if the list that they form now meets the condition of the client.
pub(super) async fn replace(
    writer: &Writer,
    document: PlacesDocument,
    precondition: Option<Precondition>,
) -> Result<PlacesCounts, ApiError> {
    let (regions, places) = (document.regions.len() as u64, document.places.len() as u64);
    let changed = writer.write(regions + places, replace_changed(&writer.database, document, precondition)).await?;
    Ok(PlacesCounts { regions, places, changed })
}

/// Returns whether anything changed.
async fn replace_changed(
    database: &DatabaseConnection,
    document: PlacesDocument,
    precondition: Option<Precondition>,
) -> Result<bool, ApiError> {
    let transaction = begin_write(database).await?;
    // The row of the version serializes concurrent lists.
    catalogue_version::Entity::find().lock_exclusive().one(&transaction).await?;
    if let Some(precondition) = precondition {
        let current = PlacesQuery::all().find(&transaction).await?;
        precondition.check(current.body).await?;
    }
    let existing = region::Entity::find().all(&transaction).await?;
    let slugs: HashSet<String> = document.regions.iter().map(|region| region.slug.clone()).collect();
    let (ids, regions_changed) = upsert_regions(&transaction, document.regions, &existing).await?;
    let places_changed = replace_places(&transaction, document.places, &ids).await?;
    let removed = existing.into_iter().filter(|region| !slugs.contains(&region.slug)).map(|region| region.id).collect();
    let has_removed = delete_regions(&transaction, removed).await?;
    let changed = regions_changed || places_changed || has_removed;
    if changed {
        release::publish(&transaction, (Cause::Places, None), &Footprint::all_of(&[Scope::Places])).await?;
    }
    transaction.commit().await?;
    Ok(changed)
}

/// Inserts and updates the regions of the list. Returns the ids of all regions, and whether anything changed.
async fn upsert_regions(
    transaction: &DatabaseTransaction,
    regions: Vec<RegionInput>,
    existing: &[region::Model],
) -> Result<(HashMap<String, i32>, bool), DbErr> {
    let mut ids: HashMap<String, i32> = existing.iter().map(|region| (region.slug.clone(), region.id)).collect();
    let new: Vec<region::ActiveModel> = regions
        .iter()
        .filter(|region| !ids.contains_key(&region.slug))
        .map(|RegionInput { slug, name, .. }| region::ActiveModel {
            id: NotSet,
            slug: Set(slug.clone()),
            name: Set(name.clone()),
            folded_name: Set(fold_name(name)),
            // The parent may be new, too, and have no id yet.
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
    let existing: HashMap<i32, &region::Model> = existing.iter().map(|region| (region.id, region)).collect();
    let changed: Vec<region::ActiveModel> = regions
        .into_iter()
        .filter_map(|RegionInput { slug, name, parent_slug }| {
            let parent_id = parent_slug.0.and_then(|slug| ids.get(&slug).copied());
            let row = region::Model { id: *ids.get(&slug)?, slug, folded_name: fold_name(&name), name, parent_id };
            let is_unchanged = match existing.get(&row.id) {
                Some(existing) => **existing == row,
                // It was inserted above, without its parent.
                None => row.parent_id.is_none(),
            };
            (!is_unchanged).then(|| row.into())
        })
        .collect();
    let on_conflict = OnConflict::column(region::Column::Id)
        .update_columns([region::Column::Name, region::Column::FoldedName, region::Column::ParentId])
        .to_owned();
    for chunk in changed.chunks(ROWS_PER_STATEMENT) {
        // An active model that was converted from a row counts as unchanged, and would not be written.
        let rows = chunk.iter().cloned().map(sea_orm::ActiveModelTrait::reset_all);
        region::Entity::insert_many(rows).on_conflict(on_conflict.clone()).exec_without_returning(transaction).await?;
    }
    Ok((ids, !new.is_empty() || !changed.is_empty()))
}

/// Inserts and updates the places of the list, and unlists all others. Returns whether anything changed.
async fn replace_places(
    transaction: &DatabaseTransaction,
    places: Vec<PlaceInput>,
    regions: &HashMap<String, i32>,
) -> Result<bool, DbErr> {
    let mut existing = find_places(transaction).await?;
    let (mut changed, mut has_changed) = (Vec::new(), false);
    for PlaceInput { code: PlaceCode(code), name, region_slug } in places {
        let region_id = region_slug.0.and_then(|slug| regions.get(&slug).copied());
        let folded_name = fold_name(&name);
        let is_unchanged =
            existing.remove(&code).is_some_and(|place| place.name == name && place.region_id == region_id && place.listed);
        if !is_unchanged {
            has_changed = true;
            changed.push(place::ActiveModel {
                id: NotSet,
                code: Set(code),
                name: Set(name),
                folded_name: Set(folded_name),
                region_id: Set(region_id),
                listed: Set(true),
            });
        }
        // Chunk by chunk, so that the rows of a new list are not all in memory.
        if changed.len() == ROWS_PER_STATEMENT {
            upsert_places(transaction, std::mem::take(&mut changed)).await?;
        }
    }
    upsert_places(transaction, changed).await?;
    let removed: Vec<i32> = existing.into_values().filter(|place| place.listed).map(|place| place.id).collect();
    for ids in removed.chunks(ROWS_PER_STATEMENT) {
        place::Entity::update_many()
            .col_expr(place::Column::Listed, false.into())
            // The region may be removed, too.
            .col_expr(place::Column::RegionId, None::<i32>.into())
            .filter(place::COLUMN.id.is_in(ids.to_vec()))
            .exec(transaction)
            .await?;
    }
    Ok(has_changed || !removed.is_empty())
}

/// All places by code, read one by one.
async fn find_places(transaction: &DatabaseTransaction) -> Result<HashMap<String, ExistingPlace>, DbErr> {
    let mut rows = place::Entity::find().into_model::<ExistingPlace>().stream(transaction).await?;
    let mut places = HashMap::new();
    while let Some(place) = rows.try_next().await? {
        places.insert(place.code.clone(), place);
    }
    Ok(places)
}

async fn upsert_places(transaction: &DatabaseTransaction, places: Vec<place::ActiveModel>) -> Result<(), DbErr> {
    if places.is_empty() {
        return Ok(());
    }
    let on_conflict = OnConflict::column(place::Column::Code)
        .update_columns([place::Column::Name, place::Column::FoldedName, place::Column::RegionId, place::Column::Listed])
        .to_owned();
    place::Entity::insert_many(places).on_conflict(on_conflict).exec_without_returning(transaction).await.map(drop)
}

/// Deletes regions that are not in the list, and that contain no places any more. Returns whether there were any.
async fn delete_regions(transaction: &DatabaseTransaction, removed: Vec<i32>) -> Result<bool, DbErr> {
    for ids in removed.chunks(ROWS_PER_STATEMENT) {
        region::Entity::update_many()
            .col_expr(region::Column::ParentId, None::<i32>.into())
            .filter(region::COLUMN.id.is_in(ids.to_vec()))
            .exec(transaction)
            .await?;
    }
    for ids in removed.chunks(ROWS_PER_STATEMENT) {
        region::Entity::delete_many().filter(region::COLUMN.id.is_in(ids.to_vec())).exec(transaction).await?;
    }
    Ok(!removed.is_empty())
}

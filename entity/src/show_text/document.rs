//! Collects the words of shows at venues.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

use sea_orm::{
    JoinType, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait},
};
use xxhash_rust::xxh3::xxh3_64;

use super::NO_VENUE;
use crate::{base_event, chunks::has_any, event, event_performer, key_chunks, performer, venue, words::split_words};

/// Words of a document. A festival with more performers is found by the first ones.
const MAX_WORDS: usize = 2_000;

/// A base event and a venue, or [`NO_VENUE`].
pub(super) type Pair = (Uuid, Uuid);

/// The words of a show at a venue.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) provider_id: i32,
    pub(super) words: BTreeSet<String>,
}

impl Document {
    fn add(&mut self, text: &str) {
        for word in split_words(text) {
            if self.words.len() < MAX_WORDS {
                self.words.insert(word);
            }
        }
    }

    /// The words, separated by spaces.
    pub(super) fn text(&self) -> String {
        self.words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn content_hash(&self) -> i64 {
        xxh3_64(self.text().as_bytes()).cast_signed()
    }
}

/// The documents of the shown events of some base events.
pub(super) async fn fetch(transaction: &impl ConnectionTrait, base_events: &[Uuid]) -> Result<BTreeMap<Pair, Document>, DbErr> {
    let backend = transaction.get_database_backend();
    let is_shown = || {
        let of_base_events = has_any(backend, event::Column::BaseEventId, base_events);
        of_base_events.and(Expr::col((event::Entity, event::Column::Shown)))
    };
    let shows = base_event::Entity::find()
        .select_only()
        .columns([
            base_event::Column::Id,
            base_event::Column::ProviderId,
            base_event::Column::Title,
            base_event::Column::Category,
        ])
        .filter(has_any(backend, base_event::Column::Id, base_events))
        .into_tuple::<(Uuid, i32, String, Option<String>)>();
    let shows: HashMap<Uuid, (i32, String, Option<String>)> = shows
        .all(transaction)
        .await?
        .into_iter()
        .map(|(id, provider_id, title, category)| (id, (provider_id, title, category)))
        .collect();
    let events = event::Entity::find()
        .select_only()
        .distinct()
        .columns([event::Column::BaseEventId, event::Column::VenueId, event::Column::Category, event::Column::Name])
        .filter(is_shown())
        .into_tuple::<(Uuid, Option<Uuid>, Option<String>, Option<String>)>();
    let mut events = events.all(transaction).await?;
    events.sort_unstable();
    let performers = event_performer::Entity::find()
        .inner_join(performer::Entity)
        .join(JoinType::InnerJoin, event_performer::of_event())
        .select_only()
        .distinct()
        .columns([event::Column::BaseEventId, event::Column::VenueId])
        .column(performer::Column::Name)
        .filter(is_shown())
        .into_tuple::<(Uuid, Option<Uuid>, String)>();
    let mut performers = performers.all(transaction).await?;
    performers.sort_unstable();
    let venues = fetch_venues(transaction, events.iter().filter_map(|(_, venue, ..)| *venue).collect()).await?;

    let mut documents: BTreeMap<Pair, Document> = BTreeMap::new();
    for (base_event, venue, ..) in &events {
        let pair = (*base_event, venue.unwrap_or(NO_VENUE));
        let Some((provider_id, title, _)) = shows.get(base_event) else { continue };
        if let Entry::Vacant(entry) = documents.entry(pair) {
            let document = entry.insert(Document { provider_id: *provider_id, ..Document::default() });
            document.add(title);
            for text in venues.get(&pair.1).into_iter().flatten() {
                document.add(text);
            }
        }
    }
    for (base_event, venue, name) in &performers {
        if let Some(document) = documents.get_mut(&(*base_event, venue.unwrap_or(NO_VENUE))) {
            document.add(name);
        }
    }
    for (base_event, venue, category, name) in &events {
        let Some(document) = documents.get_mut(&(*base_event, venue.unwrap_or(NO_VENUE))) else { continue };
        let of_show = shows.get(base_event).and_then(|(.., category)| category.as_ref());
        category.as_ref().or(of_show).into_iter().chain(name).for_each(|text| document.add(text));
    }
    Ok(documents)
}

/// The names and cities of venues.
async fn fetch_venues(transaction: &impl ConnectionTrait, ids: BTreeSet<Uuid>) -> Result<HashMap<Uuid, Vec<String>>, DbErr> {
    let mut texts = HashMap::new();
    for ids in key_chunks(ids.into_iter().collect()) {
        let venues = venue::Entity::find()
            .select_only()
            .columns([venue::Column::Id, venue::Column::Name, venue::Column::City])
            .filter(venue::COLUMN.id.is_in(ids))
            .into_tuple::<(Uuid, String, Option<String>)>();
        let rows = venues.all(transaction).await?;
        texts.extend(rows.into_iter().map(|(id, name, city)| (id, [Some(name), city].into_iter().flatten().collect())));
    }
    Ok(texts)
}

//! The words by which events are found are those of the copy, whatever has written it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    performer,
    show_text::{self, NO_VENUE},
    word,
    words::{Term, split_words},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Statement};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::Tables;

/// Documents that are searched for: one statement each.
const MATCHED: usize = 20;

/// The words of shows at venues, and the ids of their rows.
pub(super) struct ShowTexts {
    rows: Vec<show_text::Model>,
    ids: HashMap<(Uuid, Uuid), i64>,
    words: BTreeSet<(i32, String)>,
    /// Those that are found by all their words.
    found: BTreeSet<i64>,
    /// Documents of the full-text table, if the database has one.
    documents: Option<i64>,
}

impl ShowTexts {
    pub(super) async fn of(database: &DatabaseConnection, tables: &Tables) -> Self {
        let rows = show_text::Entity::find().all(database).await.unwrap();
        let words = word::Entity::find().all(database).await.unwrap();
        let expected = expect(tables);
        let mut found = BTreeSet::new();
        for row in rows.iter().take(MATCHED) {
            let Some((_, words)) = expected.get(&(row.base_event_id, row.venue_id)) else { continue };
            if is_found(database, row.id, words).await {
                found.insert(row.id);
            }
        }
        let words = words.into_iter().map(|row| (row.provider_id, row.word)).collect();
        let ids = rows.iter().map(|row| ((row.base_event_id, row.venue_id), row.id)).collect();
        Self { rows, ids, words, found, documents: count_documents(database).await }
    }

    pub(super) fn assert_derived_from(&self, tables: &Tables) {
        let expected = expect(tables);
        let pairs: BTreeSet<_> = self.rows.iter().map(|row| (row.base_event_id, row.venue_id)).collect();
        assert_eq!(pairs, expected.keys().copied().collect(), "one row for each show at a venue");
        assert_eq!(self.rows.len(), expected.len());
        assert_eq!(self.documents.unwrap_or(expected.len() as i64), expected.len() as i64);
        for row in self.rows.iter().take(MATCHED) {
            let (_, words) = &expected[&(row.base_event_id, row.venue_id)];
            assert!(self.found.contains(&row.id), "{words:?}");
        }
        for row in &self.rows {
            let (provider_id, words) = &expected[&(row.base_event_id, row.venue_id)];
            let text = words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            assert_eq!(row.content_hash, xxh3_64(text.as_bytes()).cast_signed(), "{text}");
            for word in words.iter().filter(|word| word.chars().count() >= 3) {
                assert!(self.words.contains(&(*provider_id, word.clone())), "{word}");
            }
        }
    }

    /// The row of a show at a venue.
    pub(super) fn id_of(&self, base_event: Uuid, venue: Option<Uuid>) -> Option<i64> {
        self.ids.get(&(base_event, venue.unwrap_or(NO_VENUE))).copied()
    }
}

/// The provider and the words of each show at a venue.
fn expect(tables: &Tables) -> BTreeMap<(Uuid, Uuid), (i32, BTreeSet<String>)> {
    let base_events: HashMap<_, _> = tables.base_events.iter().map(|row| (row.id, row)).collect();
    let venues: HashMap<_, _> = tables.venues.iter().map(|row| (row.id, row)).collect();
    let performers: HashMap<_, _> = tables.performers.iter().map(|row| (row.id, row)).collect();
    let mut performers_of: HashMap<Uuid, Vec<&performer::Model>> = HashMap::new();
    for row in &tables.event_performers {
        performers_of.entry(row.event_id).or_default().push(performers[&row.performer_id]);
    }
    let mut expected = BTreeMap::new();
    for event in tables.events.iter().filter(|event| event.shown) {
        let base_event = base_events[&event.base_event_id];
        let venue = event.venue_id.map(|id| venues[&id]);
        let (_, words): &mut (i32, BTreeSet<String>) = expected
            .entry((base_event.id, event.venue_id.unwrap_or(NO_VENUE)))
            .or_insert_with(|| (base_event.provider_id, BTreeSet::new()));
        let names = performers_of.get(&event.id).into_iter().flatten();
        let texts = [Some(base_event.title.as_str()), event.name.as_deref()]
            .into_iter()
            .chain([venue.map(|venue| venue.name.as_str()), venue.and_then(|venue| venue.city.as_deref())])
            .chain([event.category.as_deref().or(base_event.category.as_deref())])
            .flatten()
            .chain(names.map(|performer| performer.name.as_str()));
        words.extend(texts.flat_map(split_words));
    }
    expected
}

async fn is_found(database: &DatabaseConnection, id: i64, words: &BTreeSet<String>) -> bool {
    let backend = database.get_database_backend();
    let terms: Vec<Term> = words.iter().map(|word| Term { word: word.clone(), is_prefix: false }).collect();
    let text = format!("SELECT id FROM ({}) AS found WHERE id = $2", show_text::select_matches(backend, "$1"));
    let values = [show_text::match_text(backend, &terms).into(), id.into()];
    database.query_one_raw(Statement::from_sql_and_values(backend, text, values)).await.unwrap().is_some()
}

async fn count_documents(database: &DatabaseConnection) -> Option<i64> {
    let backend = database.get_database_backend();
    if backend == DbBackend::Postgres {
        return None;
    }
    let count = Statement::from_string(backend, "SELECT COUNT(*) AS count FROM show_word");
    database.query_one_raw(count).await.unwrap().unwrap().try_get("", "count").ok()
}

//! The filter `q`: words that the show of an event has at its venue.

use entity::{
    UtcInstant, show_text,
    words::{Term, split_query},
};
use poem_openapi::registry::MetaSchema;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use serde::{Serialize, Serializer};

use super::plan::MAX_RANGES;
use crate::{
    cache::SnapshotVersion,
    database::sql::{ReadConnection, Sql, VERSION_COLUMNS},
    query::{ParameterKind, Parameters, WITHOUT_NUL},
    vocabulary::Vocabulary,
};

/// Characters of the text: more than people type.
const MAX_CHARACTERS: usize = 200;
/// Words that a statement compares. Each pair of characters is one in scripts without spaces.
const MAX_WORDS: usize = 32;
/// Documents with events that are sorted. If there are more, a page in the order of the list is found soon.
const MAX_SORTED_DOCUMENTS: usize = 5_000;

/// All of them must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    terms: Vec<Term>,
    /// What is searched if nothing matches, if any of them is unknown. It follows from the vocabulary.
    corrected: Option<Vec<Term>>,
}

/// The text of `q`.
#[derive(Debug)]
pub(crate) struct WordsText;

/// The documents that match, from one snapshot.
#[derive(Debug)]
pub(super) struct Documents {
    /// The words that they have.
    pub(super) terms: Vec<Term>,
    is_corrected: bool,
    /// The ids, at most one more than [`MAX_SORTED_DOCUMENTS`].
    pub(super) ids: Vec<i64>,
    pub(super) snapshot: SnapshotVersion,
}

#[derive(FromQueryResult)]
struct DocumentsRow {
    /// Separated by commas, because many rows take longer than the search; `None` if there are none.
    ids: Option<String>,
    version: i64,
    raised_at: UtcInstant,
}

impl Words {
    /// Reads `q`. A text without words selects all events.
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Option<Self> {
        let parse = |text: &str| {
            let words = Self { terms: split_query(text), corrected: None };
            // A link to the next page has the words in Latin letters, which may be more than those of the text.
            if [text, to_text(&words.terms).as_str()].iter().any(|text| text.chars().count() > MAX_CHARACTERS) {
                return Err(format!("must have at most {MAX_CHARACTERS} characters"));
            }
            if words.terms.len() > MAX_WORDS {
                return Err(format!("must have at most {MAX_WORDS} words"));
            }
            Ok((!words.terms.is_empty()).then_some(words))
        };
        parameters.get("q", parse).flatten()
    }

    /// Corrects the words that are unknown, and returns the text with them.
    pub(crate) fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        let correct = |term: &Term| match vocabulary.correct(&term.word, term.is_prefix) {
            Some(word) => Term { word, ..*term },
            None => term.clone(),
        };
        let corrected: Vec<Term> = self.terms.iter().map(correct).collect();
        self.corrected = (corrected != self.terms).then_some(corrected);
        self.corrected.as_deref().map(to_text)
    }

    /// Whether documents may be found by one of two statements.
    pub(crate) fn is_corrected(&self) -> bool {
        self.corrected.is_some()
    }

    /// Finds the documents that match, or else those that match the corrected words.
    pub(super) async fn find_documents(&self, database: &impl ReadConnection) -> Result<Documents, DbErr> {
        let found = Documents::find(database, &self.terms).await?;
        match &self.corrected {
            Some(corrected) if found.ids.is_empty() => {
                let of_corrected = Documents::find(database, corrected).await?;
                let snapshot = found.snapshot.min(of_corrected.snapshot);
                Ok(Documents { is_corrected: !of_corrected.ids.is_empty(), snapshot, ..of_corrected })
            }
            _ => Ok(found),
        }
    }
}

impl Documents {
    async fn find(database: &impl ReadConnection, terms: &[Term]) -> Result<Self, DbErr> {
        let backend = ConnectionTrait::get_database_backend(database);
        let mut sql = Sql::default();
        let matches = show_text::select_first_matches(backend, &bind(backend, terms, &mut sql), MAX_SORTED_DOCUMENTS + 1);
        let ids = match backend {
            DbBackend::Postgres => "string_agg(CAST(id AS text), ',')",
            _ => "group_concat(id)",
        };
        let text = format!("SELECT (SELECT {ids} FROM ({matches}) AS document) AS ids, {VERSION_COLUMNS}");
        let row = DocumentsRow::find_by_statement(sql.statement(backend, text)).one(database).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("documents with words".to_owned()))?;
        let parse = |id: &str| id.parse().map_err(|_| DbErr::Type(format!("the id `{id}` of a document is not a number")));
        let ids = row.ids.iter().flat_map(|ids| ids.split(',')).map(parse).collect::<Result<_, _>>()?;
        Ok(Self { terms: terms.to_vec(), is_corrected: false, ids, snapshot: (row.version, row.raised_at) })
    }

    /// The text with the words that they have, if these are not those of the request.
    pub(super) fn corrected(&self) -> Option<String> {
        self.is_corrected.then(|| to_text(&self.terms))
    }

    /// The condition on a row of `listing` with which all that match are read, if they are [some](Self::are_some).
    pub(super) fn select(&self, backend: DbBackend, sql: &mut Sql) -> String {
        let ids = self.ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match backend {
            DbBackend::Postgres => format!("listing.show_text_id = ANY (CAST({} AS bigint[]))", sql.bind(format!("{{{ids}}}"))),
            _ => format!("listing.show_text_id IN (SELECT value FROM json_each({}))", sql.bind(format!("[{ids}]"))),
        }
    }

    /// The condition on a row of `listing` that was found by another filter, or in the order of the list.
    pub(super) fn condition(&self, backend: DbBackend, sql: &mut Sql) -> String {
        show_text::is_match(backend, "listing.show_text_id", &bind(backend, &self.terms, sql))
    }

    /// Whether each can be a range of a statement.
    pub(super) fn are_few(&self) -> bool {
        self.ids.len() <= MAX_RANGES
    }

    /// Whether they are more, but their events can be sorted.
    pub(super) fn are_some(&self) -> bool {
        !self.are_few() && self.ids.len() <= MAX_SORTED_DOCUMENTS
    }
}

/// The text of a query of the same words.
fn to_text(terms: &[Term]) -> String {
    terms.iter().map(|term| term.word.as_str()).collect::<Vec<_>>().join(" ")
}

fn bind(backend: DbBackend, terms: &[Term], sql: &mut Sql) -> String {
    sql.bind(show_text::match_text(backend, terms))
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_text(&self.terms))
    }
}

impl ParameterKind for WordsText {
    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(MAX_CHARACTERS), pattern: Some(WITHOUT_NUL.to_owned()), ..MetaSchema::new("string") }
    }
}

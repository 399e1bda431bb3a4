//! The order `relevance`, which is computed here: the databases rank differently.

use std::cmp::Ordering;

use entity::words::{Term, split_words};

use super::{
    event_view::EventView,
    rows::FoundEvent,
    sort::{Sort, SortKey, SortValue},
};

/// Events that are ranked: they are read with all their details. The list ends with them.
pub(super) const MAX_RANKED: u64 = 1_000;
/// More than the sum of the fields of all words: a word that is only the beginning of one counts more than where it is.
const OF_PREFIX: i64 = 1_000;

/// The page after a position, of events that are all there are.
pub(super) fn page(terms: &[Term], candidates: Vec<FoundEvent>, after: Option<SortKey>, limit: u64) -> Vec<FoundEvent> {
    let mut rows: Vec<FoundEvent> = candidates.into_iter().take(usize::try_from(MAX_RANKED).unwrap_or(usize::MAX)).collect();
    for row in &mut rows {
        row.rank = rank(terms, &row.view);
    }
    rows.sort_by(|left, right| compare(left.sort_key(Sort::Relevance), right.sort_key(Sort::Relevance)));
    let is_after =
        |row: &FoundEvent| after.is_none_or(|after| compare(row.sort_key(Sort::Relevance), after) == Ordering::Greater);
    rows.retain(is_after);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    rows
}

fn compare((left_value, left_start, left_id): SortKey, (right_value, right_start, right_id): SortKey) -> Ordering {
    let rank = |value| if let SortValue::Integer(rank) = value { rank } else { i64::MAX };
    (rank(left_value), left_start, left_id).cmp(&(rank(right_value), right_start, right_id))
}

/// How important the words are in an event: the lower, the more.
fn rank(terms: &[Term], view: &EventView) -> i64 {
    let split = |texts: &mut dyn Iterator<Item = &str>| texts.flat_map(split_words).collect::<Vec<String>>();
    let performers = view.performers();
    let fields = [
        split(&mut [view.title.as_str()].into_iter().chain(view.name.as_deref())),
        split(&mut performers.iter().map(|performer| performer.name.as_str())),
        split(&mut view.venue_name.as_deref().into_iter()),
        split(&mut view.city.as_deref().into_iter().chain(view.category.as_deref())),
    ];
    terms.iter().map(|term| rank_term(term, &fields)).sum()
}

/// The first field with the word, or else with its prefix. The last field stands for other events of the show.
fn rank_term(Term { word, is_prefix }: &Term, fields: &[Vec<String>]) -> i64 {
    let position = |is_match: &dyn Fn(&String) -> bool| fields.iter().position(|words| words.iter().any(is_match));
    let (position, penalty) = match position(&|other| other == word) {
        Some(position) => (position, 0),
        None if *is_prefix => (position(&|other| other.starts_with(word)).unwrap_or(fields.len()), OF_PREFIX),
        None => (fields.len(), 0),
    };
    penalty + i64::try_from(position).unwrap_or(0)
}

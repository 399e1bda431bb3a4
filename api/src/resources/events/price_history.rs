//! The lowest prices that an event had, from the rows of `/events/{id}/history`.

use entity::{
    UtcInstant,
    change::{self, ChangeKind},
    database_now, event,
};
use sea_orm::{DbErr, prelude::Uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::past;
use crate::database::sql::{END_OF_LOG, ReadConnection};

/// Pages of the newest changes that are read: more steps than a drawing can show.
const MAX_PAGES: usize = 5;

/// The lowest prices of an event, from the first one that the log has.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct PriceHistory {
    /// Since when each price was the lowest one, the earliest first; `None` while there were no prices.
    pub(crate) steps: Vec<(UtcInstant, Option<f64>)>,
    /// The database's clock.
    pub(crate) now: UtcInstant,
}

/// Reads the lowest prices of an event in its currency; `None` if they have not changed. `current` is the lowest one now.
pub(super) async fn find_price_history(
    snapshot: &impl ReadConnection,
    event: &event::Model,
    current: Option<f64>,
) -> Result<Option<PriceHistory>, DbErr> {
    let (changes, is_complete) = find(snapshot, event.id).await?;
    let now = database_now(snapshot).await?;
    // Changes of prices are retained as long as all kinds but one.
    let earliest = event.first_seen_at.max(now - ChangeKind::PriceChanged.retention());
    let steps = list_steps(current, &changes, is_complete.then_some(earliest));
    Ok((steps.len() > 1).then_some(PriceHistory { steps, now }))
}

/// The newest changes, and whether they are all that the log has.
async fn find(snapshot: &impl ReadConnection, id: Uuid) -> Result<(Vec<change::Model>, bool), DbErr> {
    let (mut changes, mut is_complete, mut position) = (Vec::new(), false, END_OF_LOG);
    for _ in 0..MAX_PAGES {
        let page = past::read_newest(snapshot, id, position).await?;
        is_complete = page.len() < past::CHANGES_PER_PAGE;
        changes.extend(page);
        if is_complete {
            break;
        }
        position = changes.last().map_or(END_OF_LOG, |change| (change.version, change.ordinal));
    }
    Ok((changes, is_complete))
}

/// Undoes the changes of the lowest price, the newest first. Prices in another currency cannot be compared, and end it. `earliest` is when
/// the oldest price was the lowest one, if that is known.
fn list_steps(
    current: Option<f64>,
    newest_first: &[change::Model],
    mut earliest: Option<UtcInstant>,
) -> Vec<(UtcInstant, Option<f64>)> {
    let (mut steps, mut price) = (Vec::new(), current);
    for change in newest_first {
        if change.kind == ChangeKind::Created {
            earliest = Some(change.at);
            break;
        }
        let changed: Map<String, Value> = serde_json::from_str(&change.changed).unwrap_or_default();
        if changed.is_empty() || changed.contains_key("currency") {
            steps.push((change.at, price));
            earliest = None;
            break;
        }
        if let Some(values) = changed.get("min_price") {
            steps.push((change.at, price));
            price = values.get("old").and_then(Value::as_f64);
        }
    }
    // If clocks were set back, an instant may be earlier than that of an older change.
    let earliest = earliest.map(|earliest| steps.last().map_or(earliest, |(at, _)| earliest.min(*at)));
    steps.extend(earliest.map(|earliest| (earliest, price)));
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(at: i64, kind: ChangeKind, changed: &Value) -> change::Model {
        let (event_id, changed) = (Uuid::nil(), changed.to_string());
        change::Model { version: at, ordinal: 0, at: UtcInstant(at), kind, provider_id: 1, event_id, changed, states: None }
    }

    fn price(at: i64, old: Option<f64>, new: Option<f64>) -> change::Model {
        change(at, ChangeKind::PriceChanged, &json!({ "min_price": { "old": old, "new": new } }))
    }

    fn steps(current: Option<f64>, changes: &[change::Model], earliest: Option<i64>) -> Vec<(i64, Option<f64>)> {
        let steps = list_steps(current, changes, earliest.map(UtcInstant));
        steps.into_iter().map(|(at, price)| (at.0, price)).collect()
    }

    #[test]
    fn changes_of_the_lowest_price_are_steps() {
        let title = change(8, ChangeKind::Updated, &json!({ "title": { "old": "a", "new": "b" } }));
        let changes = [price(9, None, Some(30.0)), title, price(5, Some(20.0), None)];
        assert_eq!(steps(Some(30.0), &changes, Some(1)), [(1, Some(20.0)), (5, None), (9, Some(30.0))]);
        assert_eq!(steps(Some(30.0), &changes, None), [(5, None), (9, Some(30.0))]);
        assert_eq!(steps(Some(30.0), &[], Some(1)), [(1, Some(30.0))]);
    }

    #[test]
    fn they_begin_where_earlier_ones_cannot_be_compared() {
        let created = change(7, ChangeKind::Created, &json!({}));
        let other = change(
            7,
            ChangeKind::PriceChanged,
            &json!({ "currency": { "old": "USD", "new": null }, "min_price": { "old": 1, "new": 20.0 } }),
        );
        let removed = change(7, ChangeKind::Updated, &json!({}));
        for earlier in [created, other, removed] {
            let changes = [price(9, Some(20.0), Some(30.0)), earlier, price(5, Some(10.0), Some(20.0))];
            assert_eq!(steps(Some(30.0), &changes, Some(1)), [(7, Some(20.0)), (9, Some(30.0))]);
        }
    }
}

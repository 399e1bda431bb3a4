//! The copy that a consumer has after it has applied the changes of the log, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use entity::change_log::{ChangePosition, parse_cursor};
use programs::Failure;
use serde_json::{Map, Value, json};

/// Fields of an event that have the same name and value in the log.
const FIELDS: [&str; 17] = [
    "title",
    "sell_mode",
    "organizer_company_id",
    "name",
    "status",
    "time_zone",
    "category",
    "description",
    "url",
    "start_date",
    "start_time",
    "end_date",
    "end_time",
    "sold_out",
    "min_price",
    "max_price",
    "currency",
];

/// The events of a copy, and its position in the log.
#[derive(Clone, Debug)]
pub(super) struct CatalogueCopy {
    pub(super) position: ChangePosition,
    /// The known fields of each event by its id. Those of an event that was created later are known after they have changed.
    events: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Differences between the log, a replay and copies.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Changes that are in the log more than once.
    pub(super) twice: BTreeSet<String>,
    /// Changes and events that are missing.
    pub(super) missing: BTreeSet<String>,
    /// Values that contradict those before them.
    pub(super) contradictions: BTreeSet<String>,
}

/// The position of a cursor.
pub(super) fn position_of(cursor: &str) -> Result<ChangePosition, Failure> {
    Ok(parse_cursor(cursor).map_err(|error| format!("{cursor:?}: {error}"))?.sort_key)
}

impl CatalogueCopy {
    /// Parses `/events.ndjson`; `None` if the response is incomplete.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Failure> {
        let mut lines = text.lines().map(serde_json::from_str::<Value>);
        let (Some(Ok(first)), Some(Ok(last))) = (lines.next(), lines.next_back()) else { return Ok(None) };
        let events: Vec<Value> = lines.collect::<Result<_, _>>()?;
        if last["events"].as_u64() != Some(events.len() as u64) {
            return Ok(None);
        }
        let position = position_of(first["cursor"].as_str().ok_or("a copy has no cursor")?)?;
        let entry = |event: &Value| Some((event["id"].as_str()?.to_owned(), fields_of(event)));
        let events = events.iter().map(|event| entry(event).ok_or("an event has no id")).collect::<Result<_, _>>()?;
        Ok(Some(Self { position, events }))
    }

    /// The id of the event with a title.
    pub(super) fn find(&self, title: &str) -> Option<&str> {
        self.events.iter().find(|(_, fields)| fields.get("title").is_some_and(|value| value == title)).map(|(id, _)| id.as_str())
    }

    /// Applies a change.
    pub(super) fn apply(&mut self, change: &Value, differences: &mut Differences) {
        let id = change["event_id"].as_str().unwrap_or_default();
        let describe = |what: &str| format!("{what}: {change}");
        if change["kind"] == "created" {
            if self.events.insert(id.to_owned(), BTreeMap::new()).is_some() {
                differences.twice.insert(describe("created twice"));
            }
            return;
        }
        let Some(fields) = self.events.get_mut(id) else {
            differences.missing.insert(describe("not created"));
            return;
        };
        for (name, value) in change["changed"].as_object().into_iter().flatten() {
            let [old, new] = ["old", "new"].map(|which| normalize(name, &value[which]));
            if fields.insert(name.clone(), new).is_some_and(|known| known != old) {
                differences.contradictions.insert(describe("another old value"));
            }
        }
    }

    /// Compares a replay with the copy of the same position.
    pub(super) fn compare(&self, copy: &Self, differences: &mut Differences) {
        for (id, fields) in &copy.events {
            let Some(replayed) = self.events.get(id) else {
                differences.missing.insert(format!("event {id} was not created"));
                continue;
            };
            for (name, value) in fields {
                if let Some(known) = replayed.get(name).filter(|known| *known != value) {
                    let at = copy.position.order();
                    differences.contradictions.insert(format!("{name} of {id} is {value} at {at:?}, and {known} in the replay"));
                }
            }
        }
        let extra = self.events.keys().filter(|id| !copy.events.contains_key(*id));
        differences.contradictions.extend(extra.map(|id| format!("event {id} is not in the copy")));
    }
}

impl Differences {
    /// What is wrong, for a person.
    pub(super) fn describe(&self) -> Vec<String> {
        let list = |what: &str, found: &BTreeSet<String>| {
            let first = found.first()?.chars().take(300).collect::<String>();
            Some(format!("{} {what}, such as {first}", found.len()))
        };
        let all = [("twice", &self.twice), ("missing", &self.missing), ("contradictions", &self.contradictions)];
        all.into_iter().filter_map(|(what, found)| list(what, found)).collect()
    }
}

/// The fields of an event under their names in the log.
fn fields_of(event: &Value) -> BTreeMap<String, Value> {
    let same = FIELDS.into_iter().filter_map(|name| Some((name.to_owned(), event.get(name)?.clone())));
    let others = [("listed", json!(event["left"].is_null())), ("zones", normalize("zones", &event["zones"]))];
    same.chain(others.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// Zones with names and prices only, in one order; other values as they are.
fn normalize(name: &str, value: &Value) -> Value {
    let Some(zones) = value.as_array().filter(|_| name == "zones") else { return value.clone() };
    let reduce = |zone: &Value| -> Value {
        ["name", "price"].map(|name| (name.to_owned(), zone[name].clone())).into_iter().collect::<Map<_, _>>().into()
    };
    let mut zones: Vec<Value> = zones.iter().map(reduce).collect();
    zones.sort_by_key(Value::to_string);
    zones.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(version: i64, price: f64) -> CatalogueCopy {
        let cursor = entity::change_log::cursor_after(version, i32::MAX, entity::UtcInstant(7)).encode();
        let event = json!({ "id": "a", "title": "A", "left": null, "min_price": price, "zones": [{ "id": "1", "name": "Z", "price": 5.0 }] });
        let text = format!("{}\n{event}\n{}\n", json!({ "cursor": cursor }), json!({ "events": 1 }));
        CatalogueCopy::parse(&text).expect("lines").expect("a complete copy")
    }

    fn price(event: &str, old: f64, new: f64) -> Value {
        json!({ "event_id": event, "kind": "price_changed", "changed": { "min_price": { "old": old, "new": new } } })
    }

    fn replay(changes: &[Value]) -> Differences {
        let (mut differences, mut replayed) = (Differences::default(), copy(1, 5.0));
        changes.iter().for_each(|change| replayed.apply(change, &mut differences));
        replayed.compare(&copy(2, 7.0), &mut differences);
        differences
    }

    #[test]
    fn a_correct_log_has_no_differences() {
        assert_eq!(replay(&[price("a", 5.0, 6.0), price("a", 6.0, 7.0)]).describe(), Vec::<String>::new());
    }

    #[test]
    fn missing_and_repeated_changes_are_found() {
        assert_eq!(replay(&[price("a", 5.0, 6.0)]).contradictions.len(), 1, "the last one is missing");
        assert_eq!(replay(&[price("a", 6.0, 7.0)]).contradictions.len(), 1, "the first one is missing");
        assert_eq!(replay(&[price("a", 5.0, 7.0), price("a", 5.0, 7.0)]).contradictions.len(), 1, "repeated");
        let created = json!({ "event_id": "a", "kind": "created", "changed": {} });
        assert_eq!(replay(&[created, price("a", 5.0, 7.0)]).twice.len(), 1);
        assert_eq!(replay(&[price("b", 5.0, 7.0), price("a", 5.0, 7.0)]).missing.len(), 1);
    }

    #[test]
    fn an_incomplete_copy_is_none() {
        assert!(CatalogueCopy::parse("{\"cursor\":\"x\"}\n{\"id\":\"a\"}\n").expect("lines").is_none());
    }
}

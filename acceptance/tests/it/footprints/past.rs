//! An event as of an instant is what a reader received at that instant, except for what the response declares as unknown.

use api::{cache::MinVersion, error::ApiError, query::Parameters, resources::events::read_event_at};
use entity::{database_now, event};
use serde_json::Value;

use super::*;

on_every_backend!(an_event_in_the_past_is_what_readers_received);

/// Members with values of today.
const OF_TODAY: [&str; 1] = ["provider"];

/// What readers received at an instant, by event.
type Received = BTreeMap<Uuid, Value>;

/// What providers and operators do between two instants.
fn any_release() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..PROVIDERS, vec(any_change(), 1..4)).prop_map(|(provider, changes)| Step::Sync(provider, changes)),
        2 => (0..PROVIDERS, vec(any_change(), 1..4)).prop_map(|(provider, changes)| Step::Push(provider, changes)),
        1 => (0..PROVIDERS).prop_map(Step::Revert),
        1 => (0..PROVIDERS, 0_u8..4, 0_u8..3).prop_map(|(provider, show, date)| Step::Takedown { provider, show, date }),
    ]
}

async fn read(state: &State, id: Uuid, query: &str) -> Result<Value, ApiError> {
    let (reply, _) = read_event_at(state, &id.to_string(), Parameters::parse(query), MinVersion::default()).await?;
    Ok(serde_json::to_value(reply).unwrap())
}

async fn receive_all(trial: &Trial) -> (UtcInstant, Received) {
    let mut received = Received::new();
    for event in event::Entity::find().all(&trial.connection).await.unwrap() {
        if let Ok(reply) = read(&trial.oracle, event.id, "").await {
            received.insert(event.id, reply["data"].clone());
        }
    }
    (database_now(&trial.connection).await.unwrap(), received)
}

/// The zones by what the log has of them.
fn list_zones(event: &Value) -> Vec<(String, String)> {
    let zones = event["zones"].as_array().unwrap();
    let mut zones: Vec<_> = zones.iter().map(|zone| (zone["name"].to_string(), zone["price"].to_string())).collect();
    zones.sort();
    zones
}

/// The ids of the performers or of the venue.
fn list_ids(parts: &Value) -> Vec<&Value> {
    parts.as_array().map_or_else(|| vec![&parts["uuid"]], |parts| parts.iter().map(|part| &part["uuid"]).collect())
}

fn compare(past: &Value, received: &Value) -> Result<usize, TestCaseError> {
    let unknown = past["meta"]["unknown"].as_array().unwrap();
    let mut known = 0;
    for (member, value) in past["data"].as_object().unwrap() {
        if unknown.iter().any(|unknown| unknown == member) {
            prop_assert!(value.is_null() || *value == serde_json::json!([]), "{} is unknown: {}", member, value);
            continue;
        }
        known += 1;
        match member.as_str() {
            member if OF_TODAY.contains(&member) => {}
            "performers" | "venue" => prop_assert_eq!(list_ids(value), list_ids(&received[member]), "{}", member),
            "zones" => prop_assert_eq!(list_zones(&past["data"]), list_zones(received)),
            _ => prop_assert_eq!(value, &received[member], "{}", member),
        }
    }
    Ok(known)
}

async fn an_event_in_the_past_is_what_readers_received(database: Arc<TestDatabase>) {
    run_trials(&database, &vec(any_release(), 4..16), &async |trial: &mut Trial, steps: Vec<Step>| {
        let mut history = vec![receive_all(trial).await];
        for step in steps {
            trial.apply(step).await;
            history.push(receive_all(trial).await);
        }
        let ids: std::collections::BTreeSet<Uuid> = history.iter().flat_map(|(_, received)| received.keys().copied()).collect();
        let (_, newest) = history.last().unwrap();
        for (step, (instant, received)) in history.iter().enumerate() {
            let as_of = instant.to_utc().unwrap().to_rfc3339().replace("+00:00", "Z");
            for &id in ids.iter().filter(|id| newest.contains_key(*id)) {
                let was_always_seen = history[step..].iter().all(|(_, received)| received.contains_key(&id));
                match (read(&trial.oracle, id, &format!("as_of={as_of}")).await, received.get(&id)) {
                    (Ok(past), Some(received)) => {
                        compare(&past, received)?;
                    }
                    (Err(ApiError::NotYetSeen { .. } | ApiError::HistoryExpired { .. }), _) if !was_always_seen => {}
                    (past, received) => prop_assert!(false, "{id} as of {as_of} is {past:?} instead of {received:?}"),
                }
            }
        }
        Ok(())
    });
}

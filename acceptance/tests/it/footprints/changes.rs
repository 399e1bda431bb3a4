//! The log with filters has the changes of the events that were selected before or after them, as the filters of `/events` select them.

use std::collections::BTreeSet;

use api::{
    cache::MinVersion,
    query::Parameters,
    resources::changes::{ChangeLog, parse_changes},
};

use super::*;

on_every_backend!(filters_select_changes_of_events_that_matched_before_or_after);

/// In and around the cities, days, prices, performers and categories of the feeds.
const FILTERS: [&str; 20] = [
    "category=music",
    "category=music/jazz,theatre",
    "latitude=48.85&longitude=2.35&radius=5",
    "latitude=41.38&longitude=2.17&radius=1000",
    "bbox=2,41,3,42",
    "bbox=139,30,3,50",
    "starts_at=2030-01-02&ends_at=2030-01-04",
    "starts_at=2030-01-03T20:30&ends_at=2030-01-03T21:00&range=overlaps",
    "starts_at=2030-01-03&range=starts&time_zone=Asia/Tokyo",
    "starts_at=2030-01-02&ends_at=2030-01-03&time_zone=venue",
    "ends_at=2030-01-03T20:00&range=overlaps&time_zone=venue",
    "performer=provider0:1,provider1:2",
    "venue=provider0:1",
    "min_price=10&currency=EUR",
    "max_price=10.5&currency=EUR",
    "currency=USD",
    "listed=true",
    "listed=false&category=music",
    "status=cancelled",
    "performer=provider0:2&starts_at=2030-01-02",
];

/// What providers and operators do between two reads of the log.
fn any_release() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..PROVIDERS, vec(any_change(), 1..4)).prop_map(|(provider, changes)| Step::Sync(provider, changes)),
        2 => (0..PROVIDERS, vec(any_change(), 1..4)).prop_map(|(provider, changes)| Step::Push(provider, changes)),
        1 => (0..PROVIDERS).prop_map(Step::Revert),
    ]
}

/// The events that each filter selects now.
async fn select_events(state: &State) -> Vec<BTreeSet<String>> {
    let mut selected = Vec::new();
    for filter in FILTERS {
        let defaults = [("status=", "status=any"), ("listed=", "listed=any"), ("s_at=", "range=all")];
        let defaults = defaults.map(|(name, default)| if filter.contains(name) { "" } else { default });
        let query = format!("/events?limit=1000&{filter}&{}", defaults.join("&"));
        let response = respond(state, &query, ContentCoding::Identity).await.unwrap();
        let page: serde_json::Value = serde_json::from_slice(response.body.representation.body.bytes()).unwrap();
        let ids = page["data"]["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned());
        selected.push(ids.collect());
    }
    selected
}

/// The events of the changes after a position, page by page, and the end of the log.
async fn read_log(state: &State, filter: &str, position: &str) -> (Vec<String>, String) {
    let log = ChangeLog::new(state.reader.clone(), state.version.clone());
    let (mut events, mut after) = (Vec::new(), position.to_owned());
    loop {
        let query = format!("limit=3&after={after}&{filter}");
        let query = parse_changes(Parameters::parse(&query)).unwrap();
        let (page, _) = log.read(query, MinVersion::default()).await.unwrap();
        let page = serde_json::to_value(&page).unwrap();
        let changes = page["data"]["changes"].as_array().unwrap();
        events.extend(changes.iter().map(|change| change["event_id"].as_str().unwrap().to_owned()));
        page["meta"]["next"].as_str().unwrap().clone_into(&mut after);
        if page["meta"]["has_more"] == false {
            return (events, after);
        }
    }
}

async fn filters_select_changes_of_events_that_matched_before_or_after(database: Arc<TestDatabase>) {
    run_trials(&database, &vec(any_release(), 5..15), &async |trial: &mut Trial, steps: Vec<Step>| {
        let (_, mut position) = read_log(&trial.oracle, "", "").await;
        let mut before = select_events(&trial.oracle).await;
        for step in steps {
            let description = format!("{step:?}");
            trial.apply(step).await;
            let after = select_events(&trial.oracle).await;
            let (changed, end) = read_log(&trial.oracle, "", &position).await;
            for (number, filter) in FILTERS.into_iter().enumerate() {
                let is_selected = |event: &&String| before[number].contains(*event) || after[number].contains(*event);
                let expected: Vec<String> = changed.iter().filter(is_selected).cloned().collect();
                let (found, _) = read_log(&trial.oracle, filter, &position).await;
                prop_assert_eq!(found, expected, "{} after {}", filter, description);
            }
            (before, position) = (after, end);
        }
        Ok(())
    });
}

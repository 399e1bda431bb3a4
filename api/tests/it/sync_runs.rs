//! The ledger: every attempt to copy a catalogue, and what it could not take.

use std::sync::Arc;

use entity::sync_run::RunState;
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use crate::{
    catalogue::Catalogue,
    service::{Answer, Service},
};

on_every_backend!(
    a_run_tells_all_that_is_known_of_it,
    runs_stand_newest_first,
    runs_are_found_by_provider_and_state,
    a_provider_that_there_is_not_has_no_runs,
    pages_give_the_whole_list,
    a_run_that_is_not_there_is_404,
    rejects_stand_in_the_order_of_the_document,
    pages_of_rejects_give_the_whole_list,
    a_run_that_took_everything_has_no_rejects,
    a_cursor_belongs_to_its_list,
    what_cannot_be_understood_is_named,
);

fn ids(answer: &Answer) -> Vec<i64> {
    let answer = answer.json();
    answer["data"]["sync_runs"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
}

fn lines(answer: &Answer) -> Vec<i64> {
    let answer = answer.json();
    answer["data"]["rejects"].as_array().unwrap().iter().map(|reject| reject["line"].as_i64().unwrap()).collect()
}

/// Follows the links from here to the end of a list.
async fn follow(service: &Service, uri: &str, read: impl Fn(&Answer) -> Vec<i64>) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut next = Some(uri.to_owned());
    while let Some(uri) = next {
        let page = service.get(&uri).await;
        next = page.next();
        pages.push(read(&page));
    }
    pages
}

async fn a_run_tells_all_that_is_known_of_it(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let fever = catalogue.provider("fever", "EUR", 2).await;
    let failed = catalogue.run(&fever, RunState::Failed).await;
    let running = catalogue.run(&fever, RunState::Running).await;
    let service = Service::on(&database).await;

    let expected = json!({
        "id": failed.id,
        "provider": "fever",
        "state": "failed",
        "tick": "1969-12-31T23:59:59.750Z",
        "started_at": "1970-01-01T00:00:00Z",
        "ended_at": "1970-01-01T00:00:01.250Z",
        "parse_ms": 7,
        "diff_ms": 8,
        "write_ms": 9,
        "http_status": 503,
        "bytes": 5_000_000_000_i64,
        "fetched": 6,
        "inserted": 1,
        "updated": 2,
        "unchanged": 3,
        "left": 4,
        "rejected": 5,
        "reason_code": "http_status",
        "reason": "the provider answered with status 503",
    });
    let one = service.get(&format!("/sync-runs/{}", failed.id)).await.json();
    assert_eq!(one, json!({ "data": expected, "error": null }));
    let list = service.get("/sync-runs?state=failed").await.json();
    assert_eq!(list, json!({ "data": { "sync_runs": [expected] }, "error": null }));
    let unknown = service.get(&format!("/sync-runs/{}", running.id)).await.json()["data"].clone();
    for key in ["tick", "ended_at", "parse_ms", "diff_ms", "write_ms", "http_status", "bytes", "reason_code", "reason"] {
        assert_eq!(unknown.get(key), Some(&Value::Null), "{key}");
    }
}

async fn runs_stand_newest_first(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let service = Service::on(&database).await;
    assert_eq!(service.get("/sync-runs").await.json(), json!({ "data": { "sync_runs": [] }, "error": null }));

    let fever = catalogue.provider("fever", "EUR", 2).await;
    let mut made = Vec::new();
    for state in [RunState::Succeeded, RunState::Failed, RunState::Queued] {
        made.insert(0, catalogue.run(&fever, state).await.id);
    }
    let answer = service.get("/sync-runs").await;
    assert_eq!((ids(&answer), answer.next()), (made, None));
}

async fn runs_are_found_by_provider_and_state(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let mut made = Vec::new();
    for slug in ["fever", "apollo"] {
        let provider = catalogue.provider(slug, "EUR", 2).await;
        for state in [RunState::Queued, RunState::Running, RunState::Succeeded, RunState::Unchanged, RunState::Failed] {
            made.insert(0, (slug, state.name(), catalogue.run(&provider, state).await.id));
        }
    }
    let service = Service::on(&database).await;
    for provider in ["fever", "apollo"] {
        let of_provider: Vec<i64> = made.iter().filter(|run| run.0 == provider).map(|run| run.2).collect();
        assert_eq!(ids(&service.get(&format!("/sync-runs?provider={provider}")).await), of_provider);
        for state in ["queued", "running", "succeeded", "unchanged", "failed"] {
            let both: Vec<i64> = made.iter().filter(|run| run.0 == provider && run.1 == state).map(|run| run.2).collect();
            assert_eq!(ids(&service.get(&format!("/sync-runs?state={state}&provider={provider}")).await), both);
        }
    }
}

async fn a_provider_that_there_is_not_has_no_runs(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let fever = catalogue.provider("fever", "EUR", 2).await;
    catalogue.run(&fever, RunState::Failed).await;
    let service = Service::on(&database).await;
    for slug in ["apollo", "", "FEVER", "fever%20", "%25", "%F0%9F%8E%AD", "%FF", "' OR 1=1 --"] {
        let answer = service.get(&format!("/sync-runs?provider={}", slug.replace(' ', "+"))).await;
        assert_eq!(ids(&answer), [0; 0], "{slug}");
    }
}

async fn pages_give_the_whole_list(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let (fever, apollo) = (catalogue.provider("fever", "EUR", 2).await, catalogue.provider("apollo", "EUR", 2).await);
    for _ in 0..4 {
        catalogue.run(&fever, RunState::Failed).await;
        catalogue.run(&apollo, RunState::Failed).await;
        catalogue.run(&fever, RunState::Succeeded).await;
    }
    let service = Service::on(&database).await;
    for query in ["", "provider=fever", "state=failed", "provider=fever&state=failed"] {
        let whole = ids(&service.get(&format!("/sync-runs?{query}")).await);
        for size in 1..=whole.len() + 1 {
            let pages = follow(&service, &format!("/sync-runs?{query}&limit={size}"), ids).await;
            assert_eq!(pages.concat(), whole, "{query}, pages of {size}");
            assert_eq!(pages.len(), whole.len().div_ceil(size), "{query}, pages of {size}");
        }
    }
}

async fn a_run_that_is_not_there_is_404(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for path in ["/sync-runs/1", "/sync-runs/9223372036854775807", "/sync-runs/-1", "/sync-runs/1/rejects"] {
        assert_eq!(service.get(path).await.problem(404, "not_found")["detail"], "the sync run does not exist", "{path}");
    }
}

async fn rejects_stand_in_the_order_of_the_document(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let fever = catalogue.provider("fever", "EUR", 2).await;
    let run = catalogue.run(&fever, RunState::Failed).await;
    let another = catalogue.run(&fever, RunState::Failed).await;
    catalogue.rejects(&run, 3).await;
    catalogue.rejects(&another, 5).await;

    let answer = Service::on(&database).await.get(&format!("/sync-runs/{}/rejects", run.id)).await;

    let reject = |line: i64, base_event: Option<&str>, event: Option<&str>| {
        json!({
            "line": line,
            "column": 7,
            "base_event_id": base_event,
            "event_id": event,
            "reason": "there is no such day as 2021-09-31",
            "raw": "<event event_date=\"2021-09-31\"/>",
        })
    };
    let rejects = [reject(1, None, None), reject(2, Some("291"), None), reject(3, Some("291"), Some("1642"))];
    assert_eq!(answer.json(), json!({ "data": { "rejects": rejects }, "error": null }));
    assert_eq!(answer.next(), None);
}

async fn pages_of_rejects_give_the_whole_list(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let fever = catalogue.provider("fever", "EUR", 2).await;
    let run = catalogue.run(&fever, RunState::Failed).await;
    catalogue.rejects(&run, 12).await;
    let service = Service::on(&database).await;

    for (size, count) in [(1, 12), (5, 3), (6, 2), (11, 2), (12, 1), (13, 1)] {
        let pages = follow(&service, &format!("/sync-runs/{}/rejects?limit={size}", run.id), lines).await;
        assert_eq!((pages.len(), pages.concat()), (count, (1..=12).collect()), "pages of {size}");
    }
}

async fn a_run_that_took_everything_has_no_rejects(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let fever = catalogue.provider("fever", "EUR", 2).await;
    let run = catalogue.run(&fever, RunState::Succeeded).await;
    let answer = Service::on(&database).await.get(&format!("/sync-runs/{}/rejects", run.id)).await;
    assert_eq!(answer.json(), json!({ "data": { "rejects": [] }, "error": null }));
}

async fn a_cursor_belongs_to_its_list(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let fever = catalogue.provider("fever", "EUR", 2).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let run = catalogue.run(&fever, RunState::Failed).await;
        catalogue.rejects(&run, 2).await;
        runs.push(run.id);
    }
    let service = Service::on(&database).await;
    let paths = [
        "/sync-runs?".to_owned(),
        "/sync-runs?provider=fever&".to_owned(),
        "/sync-runs?state=failed&".to_owned(),
        format!("/sync-runs/{}/rejects?", runs[0]),
        format!("/sync-runs/{}/rejects?", runs[1]),
    ];
    for from in &paths {
        let next = service.get(&format!("{from}limit=1")).await.next().unwrap();
        let cursor = next.split_once("cursor=").unwrap().1;
        for to in paths.iter().filter(|to| *to != from) {
            let mistakes = service.get(&format!("{to}cursor={cursor}")).await.mistakes();
            assert_eq!(mistakes, [("cursor".to_owned(), "belongs to a list with other filters".to_owned())], "{from} {to}");
        }
    }
}

async fn what_cannot_be_understood_is_named(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for (uri, expected) in [
        ("/sync-runs?state=done", [("state", "want one of queued, running, succeeded, unchanged, failed")]),
        ("/sync-runs?states=failed", [("states", "is not known; did you mean `state`?")]),
        ("/sync-runs?limit=0", [("limit", "want a whole number from 1 to 50000")]),
        ("/sync-runs/newest", [("id", "want the number of a sync run")]),
        ("/sync-runs/9223372036854775808", [("id", "want the number of a sync run")]),
        ("/sync-runs/newest/rejects", [("id", "want the number of a sync run")]),
        ("/sync-runs/1?limit=1", [("limit", "is not known; this call takes no parameters")]),
        ("/sync-runs/1/rejects?state=failed", [("state", "is not known; known are: limit, cursor")]),
    ] {
        let mistakes = service.get(uri).await.mistakes();
        let mistakes: Vec<(&str, &str)> = mistakes.iter().map(|(name, message)| (name.as_str(), message.as_str())).collect();
        assert_eq!(mistakes, expected, "{uri}");
    }
}

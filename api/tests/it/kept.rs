//! Answers that are kept: by whom, in which form, how long, and what the headers say of it.

use std::{sync::Arc, time::Duration};

use api::State;
use entity::{ConnectionRole, catalogue_version};
use futures_util::future::join_all;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use poem::http::Method;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    catalogue::{Catalogue, NewEvent},
    service::{Answer, Service},
    switch::{Line, Switch},
};

on_every_backend!(
    the_second_to_ask_hears_the_same_from_the_process,
    concerts_and_names_are_kept_like_searches,
    who_asks_the_same_in_other_words_is_answered_by_the_process,
    many_who_ask_at_once_cost_one_query,
    each_coding_is_kept_and_says_the_same,
    who_has_it_already_is_told_so,
    head_tells_of_the_answer_without_giving_it,
    an_old_answer_is_marked_while_the_new_one_is_fetched,
    a_new_version_is_learned_of,
    nothing_is_kept_of_what_was_refused,
    other_answers_are_sent_in_the_same_ways,
);

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an API process has, without what runs beside its requests.
pub(crate) async fn state_on(database: &TestDatabase) -> State {
    State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, CACHE_BYTES, None)
}

fn tier(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap()
}

async fn the_second_to_ask_hears_the_same_from_the_process(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert((0..3).map(|number| NewEvent::titled(&format!("show {number}")))).await;
    let service = Service::of(&state_on(&database).await);

    let first = service.get("/search?limit=2").await;
    let second = service.get("/search?limit=2").await;

    assert_eq!(tier(&first), "marquee-process; fwd=miss; stored");
    assert_eq!(tier(&second), "marquee-process; hit");
    assert_eq!(first.titles().len(), 2);
    assert_eq!(first.body, second.body);
    for name in ["etag", "link", "cache-control", "vary", "age", "content-type"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    assert_eq!(first.header("cache-control"), Some("public, no-cache"));
    assert_eq!(first.header("age"), Some("0"));
    assert_eq!(first.header("warning"), None);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

async fn concerts_and_names_are_kept_like_searches(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let show = |number: u8| NewEvent::titled(&format!("show {number}")).performers(&["1"]).venue("hall", (1.0, 2.0), None);
    catalogue.insert((0..3).map(show)).await;
    let state = state_on(&database).await;
    let service = Service::of(&state);
    let lists =
        ["/concerts?bandIds=1&limit=2", "/concerts?latitude=1&longitude=2&radius=3", "/performers?q=perf", "/venues?q=hall"];
    for list in lists {
        let (first, second) = (service.get(list).await, service.get(list).await);
        assert_eq!((tier(&first), tier(&second)), ("marquee-process; fwd=miss; stored", "marquee-process; hit"), "{list}");
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("link"), second.header("link"));
        let etag = second.header("etag").unwrap();
        let known = service.send(Method::GET, list, &[("if-none-match", etag)]).await;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0), "{list}");
        let head = service.send(Method::HEAD, list, &[]).await;
        assert_eq!(head.header("content-length"), Some(second.body.len().to_string().as_str()), "{list}");
    }
    assert_eq!(service.get(lists[1]).await.json().as_array().map(Vec::len), Some(3));
    catalogue.insert_and_raise(show(3)).await;
    state.catalogue.ask().await.unwrap();
    assert!(tier(&service.get(lists[1]).await).starts_with("marquee-process; hit; detail=REVALIDATING"));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while service.get(lists[1]).await.json().as_array().map(Vec::len) != Some(4) {
        assert!(tokio::time::Instant::now() < deadline, "the new concert is never seen");
    }
}

async fn who_asks_the_same_in_other_words_is_answered_by_the_process(database: Arc<TestDatabase>) {
    let service = Service::of(&state_on(&database).await);
    service.get("/search?starts_at=2021-02-01&ends_at=2021-02-28&limit=5").await;
    for same in [
        "/search?limit=5&ends_at=2021-02-28&starts_at=2021-02-01",
        "/search?starts_at=2021-02-01T00:00:00Z&ends_at=2021-02-28&limit=5",
        "/search?starts_at=2021-02-01T01:00:00%2B01:00&ends_at=2021-02-28T23:59:59.999999Z&limit=5",
    ] {
        assert_eq!(tier(&service.get(same).await), "marquee-process; hit", "{same}");
    }
    for other in [
        "/search?starts_at=2021-02-01&ends_at=2021-02-28",
        "/search?starts_at=2021-02-01&ends_at=2021-02-28&limit=6",
        "/search?starts_at=2021-02-01&limit=5",
        "/search?ends_at=2021-02-28&limit=5",
    ] {
        assert_eq!(tier(&service.get(other).await), "marquee-process; fwd=miss; stored", "{other}");
    }
}

async fn many_who_ask_at_once_cost_one_query(database: Arc<TestDatabase>) {
    let service = Service::of(&state_on(&database).await);
    let answers = join_all((0..50).map(|_| service.get("/search"))).await;

    let stored = answers.iter().filter(|answer| tier(answer) == "marquee-process; fwd=miss; stored").count();
    assert_eq!(stored, 1, "the others wait for it, or come when it is there");
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
}

async fn each_coding_is_kept_and_says_the_same(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert((0..300).map(|number| NewEvent::titled(&format!("show {number}")).prices(&[number]))).await;
    let service = Service::of(&state_on(&database).await);
    let plain = service.get("/search").await;
    assert!(plain.body.len() > 40_000, "some are encoded on another thread");
    let mut validators = vec![plain.header("etag").unwrap().to_owned()];

    for (wanted, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br;q=0.9", "gzip")] {
        let first = service.send(Method::GET, "/search", &[("accept-encoding", wanted)]).await;
        let second = service.send(Method::GET, "/search", &[("accept-encoding", wanted)]).await;

        assert_eq!(tier(&second), "marquee-process; hit");
        assert_eq!(first.body, second.body);
        for answer in [&first, &second] {
            assert_eq!(answer.header("content-encoding"), Some(coding));
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            assert_eq!(answer.decoded(), plain.body);
            assert!(answer.body.len() * 4 < plain.body.len());
        }
        validators.push(first.header("etag").unwrap().to_owned());
    }
    assert_eq!(validators.pop(), Some(validators[1].clone()), "gzip is gzip");
    validators.sort();
    validators.dedup();
    assert_eq!(validators.len(), 4, "each coding has a validator of its own");

    let refused = service.send(Method::GET, "/search", &[("accept-encoding", "identity;q=0")]).await;
    refused.problem(406, "not_acceptable");
}

async fn who_has_it_already_is_told_so(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let state = state_on(&database).await;
    let service = Service::of(&state);
    let ask = async |validators: &str, coding: &str| {
        service.send(Method::GET, "/search", &[("if-none-match", validators), ("accept-encoding", coding)]).await
    };
    let first = service.get("/search").await;
    let etag = first.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "it is strong: {etag}");
    let zipped = service.send(Method::GET, "/search", &[("accept-encoding", "gzip")]).await;

    for validators in [etag, &format!("W/{etag}"), "*", &format!("\"other\", {etag}")] {
        let known = ask(validators, "identity").await;
        assert_eq!(known.status, 304, "{validators}");
        assert!(known.body.is_empty());
        assert_eq!(known.header("etag"), Some(etag));
        assert_eq!(known.header("cache-control"), Some("public, no-cache"));
        assert_eq!(known.header("vary"), Some("accept-encoding"));
        assert_eq!(known.header("content-type"), None);
    }
    assert_eq!(ask("\"other\"", "identity").await.status, 200);
    assert_eq!(ask(etag, "gzip").await.status, 200, "the bytes that would be sent are others");
    assert_eq!(ask(zipped.header("etag").unwrap(), "gzip").await.status, 304);

    // Another version with the same answer is the same bytes.
    catalogue_version::increment(&catalogue.database).await.unwrap();
    state.catalogue.ask().await.unwrap();
    assert_eq!(ask(etag, "identity").await.status, 304);
}

async fn head_tells_of_the_answer_without_giving_it(database: Arc<TestDatabase>) {
    let service = Service::of(&state_on(&database).await);
    for path in ["/search", "/providers", "/livez", "/openapi.json"] {
        let whole = service.get(path).await;
        let head = service.send(Method::HEAD, path, &[]).await;
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));
        assert_eq!(head.header("etag"), whole.header("etag"), "{path}");
    }
}

async fn an_old_answer_is_marked_while_the_new_one_is_fetched(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert_and_raise(NewEvent::titled("first")).await;
    let state = state_on(&database).await;
    let service = Service::of(&state);
    assert_eq!(service.get("/search").await.titles(), ["first"]);
    catalogue.insert_and_raise(NewEvent::titled("second")).await;
    assert_eq!(service.get("/search").await.titles(), ["first"], "nobody has told the process");
    state.catalogue.ask().await.unwrap();

    let old = service.get("/search").await;

    assert_eq!(old.titles(), ["first"]);
    assert_eq!(tier(&old), "marquee-process; hit; detail=REVALIDATING");
    assert_eq!(old.header("warning"), Some("110 - \"Response is Stale\""));
    let newer = async {
        loop {
            let answer = service.get("/search").await;
            if answer.header("warning").is_none() {
                return answer;
            }
        }
    };
    let newer = timeout(PATIENCE, newer).await.unwrap();
    assert_eq!(newer.titles().len(), 2);
    assert_eq!(tier(&newer), "marquee-process; hit");
}

async fn a_new_version_is_learned_of(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let state = state_on(&database).await;
    let shutdown = CancellationToken::new();
    state.follow(database.settings.clone(), shutdown.clone());
    for version in 1..=3 {
        catalogue_version::increment(&catalogue.database).await.unwrap();
        let learned = async {
            while state.catalogue.version() != Some(version) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, learned).await.unwrap();
    }
    shutdown.cancel();
}

async fn nothing_is_kept_of_what_was_refused(database: Arc<TestDatabase>) {
    let service = Service::of(&state_on(&database).await);
    for _ in 0..2 {
        let refused = service.get("/search?starts_at=soon").await;
        refused.mistakes();
        assert_eq!(refused.header("cache-status"), None);
        assert_eq!(refused.header("etag"), None);
    }
}

async fn other_answers_are_sent_in_the_same_ways(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    let service = Service::of(&state_on(&database).await);
    let event = format!("/events/{}", NewEvent::titled("show").row.id);
    for path in [event.as_str(), "/sync-runs", "/openapi.json", "/docs"] {
        let plain = service.get(path).await;
        let etag = plain.header("etag").unwrap();
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{path}");
        let known = service.send(Method::GET, path, &[("if-none-match", etag)]).await;
        assert_eq!(known.status, 304, "{path}");
        let packed = service.send(Method::GET, path, &[("accept-encoding", "zstd")]).await;
        assert_eq!(packed.header("content-encoding"), Some("zstd"), "{path}");
        assert_eq!(packed.decoded(), plain.body, "{path}");
        assert_ne!(packed.header("etag"), Some(etag), "{path}");
    }
}

/// On one database: what is tested is that the process notices, which takes ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_restored_from_a_backup_is_taken_as_it_is() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let catalogue = Catalogue::of(&database).await;
    for title in ["first", "second", "third"] {
        catalogue.insert_and_raise(NewEvent::titled(title)).await;
    }
    let state = state_on(&database).await;
    let service = Service::of(&state);
    let shutdown = CancellationToken::new();
    state.follow(database.settings.clone(), shutdown.clone());
    assert_eq!(service.get("/search").await.titles().len(), 3);

    catalogue.clear().await;
    catalogue.insert([NewEvent::titled("first")]).await;
    let restored = "UPDATE catalogue_version SET version = 1, raised_at = raised_at - 1000";
    sea_orm::ConnectionTrait::execute_unprepared(&catalogue.database, restored).await.unwrap();

    let noticed = async { while service.get("/search").await.titles() != ["first"] {} };
    timeout(PATIENCE, noticed).await.unwrap();
    assert_eq!(service.get("/search").await.header("warning"), None);
    assert_eq!(tier(&service.get("/search").await), "marquee-process; hit");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_given_while_the_database_is_away() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert_and_raise(NewEvent::titled("show")).await;
    let switch = Switch::before(&database, Line::On).await;
    let state = State::new(switch.connect().await, switch.watch().await, CACHE_BYTES, None);
    let shutdown = CancellationToken::new();
    state.follow(switch.settings(), shutdown.clone());
    let service = Service::of(&state);
    assert_eq!(service.get("/search").await.titles(), ["show"]);

    for never_asked in ["/search?limit=7", "/search?limit=8"] {
        switch.turn(Line::Off).await;
        timeout(PATIENCE, state.catalogue.went_away()).await.unwrap();
        let kept = service.get("/search").await;
        assert_eq!(kept.titles(), ["show"]);
        assert_eq!(kept.header("warning"), Some("111 - \"Revalidation Failed\""));
        assert_eq!(tier(&kept), "marquee-process; hit; detail=DATABASE_AWAY");
        assert!(kept.header("age").unwrap().parse::<u64>().is_ok());
        service.get(never_asked).await.problem(503, "database_unavailable");

        switch.turn(Line::On).await;
        let back = async { while service.get(never_asked).await.status != 200 {} };
        timeout(PATIENCE, back).await.expect("it comes back by itself");
        assert_eq!(service.get("/search").await.header("warning"), None);
    }
    shutdown.cancel();
    switch.turn(Line::Off).await;
    database.remove().await;
}

/// The queries of those who wait outnumber what may wait: the rest hears so at once, and what is kept is given all the same.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_wait_are_refused_and_what_is_kept_is_given() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let service = Service::of(&state_on(&database).await);
    assert_eq!(service.get("/search").await.status, 200);
    let locker = database.connect(ConnectionRole::Worker).await;
    sea_orm::ConnectionTrait::execute_unprepared(&locker, "BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let asked = join_all((1..=600).map(|limit| {
        let service = &service;
        async move { service.get(&format!("/search?limit={limit}")).await }
    }));
    let kept = async {
        let kept = service.get("/search").await;
        assert_eq!(tier(&kept), "marquee-process; hit");
    };
    let (answers, ()) = tokio::join!(asked, kept);

    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.header("retry-after") == Some("1")).collect();
    assert!(refused.len() >= 300, "{} of 600 were refused", refused.len());
    for answer in &refused {
        answer.problem(503, "overloaded");
    }
    sea_orm::ConnectionTrait::execute_unprepared(&locker, "ROLLBACK").await.unwrap();
    assert_eq!(service.get("/search?limit=599").await.status, 200);
    database.remove().await;
}

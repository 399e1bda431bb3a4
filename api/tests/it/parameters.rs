//! Parameters that are not what they should be: each is named, with what would be right, and all of them at once.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};

use crate::service::Service;

on_every_backend!(
    what_is_no_moment_is_named,
    a_day_that_does_not_exist_is_named,
    a_range_that_ends_before_it_starts_is_refused,
    a_limit_is_a_number_from_1_to_50_000,
    an_unknown_parameter_names_the_nearest_known,
    a_repeated_parameter_is_refused,
    all_mistakes_are_told_at_once,
    names_are_taken_to_the_letter,
    a_nul_is_refused_wherever_it_stands,
    a_flood_of_mistakes_is_answered_in_short,
);

/// The mistakes of a search, each as `parameter: message`.
async fn mistakes(service: &Service, query: &str) -> Vec<String> {
    let answer = service.get(&format!("/search?{query}")).await;
    let mistakes: Vec<String> =
        answer.mistakes().into_iter().map(|(parameter, message)| format!("{parameter}: {message}")).collect();
    let detail = answer.problem(400, "invalid_parameter")["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, mistakes.join("; "));
    mistakes
}

async fn what_is_no_moment_is_named(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let right = "want RFC 3339 such as 2021-02-01T00:00:00Z or 2021-02-01T00:00:00+01:00, or a date such as 2021-02-01";
    for garbage in ["", "soon", "2021", "1612137600", "2021-02-01T", "2021-02-01T25:00:00Z", "2021-02-01T00:00Z", "%01", "%F0%9F"]
    {
        for parameter in ["starts_at", "ends_at"] {
            assert_eq!(mistakes(&service, &format!("{parameter}={garbage}")).await, [format!("{parameter}: {right}")]);
        }
    }
    assert_eq!(mistakes(&service, "starts_at").await, [format!("starts_at: {right}")]);
}

async fn a_day_that_does_not_exist_is_named(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for (text, day) in [
        ("2021-09-31", "2021-09-31"),
        ("2021-09-31T00:00:00Z", "2021-09-31"),
        ("2021-02-29T20:00:00", "2021-02-29"),
        ("2021-13-01", "2021-13-01"),
        ("2021-00-00", "2021-00-00"),
    ] {
        assert_eq!(mistakes(&service, &format!("starts_at={text}")).await, [format!("starts_at: there is no such day as {day}")]);
    }
}

async fn a_range_that_ends_before_it_starts_is_refused(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for (query, start) in [
        ("starts_at=2021-02-02&ends_at=2021-02-01", "2021-02-02T00:00:00Z"),
        ("ends_at=2021-02-01&starts_at=2021-02-02", "2021-02-02T00:00:00Z"),
        ("starts_at=2021-02-01T00:00:00.000001Z&ends_at=2021-02-01T00:00:00Z", "2021-02-01T00:00:00.000001Z"),
        ("starts_at=2021-02-01T00:00:00-01:00&ends_at=2021-02-01T00:00:00Z", "2021-02-01T01:00:00Z"),
    ] {
        let expected = format!("ends_at: must not be before starts_at, which is {start}");
        assert_eq!(mistakes(&service, query).await, [expected], "{query}");
    }
}

async fn a_limit_is_a_number_from_1_to_50_000(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for limit in ["0", "-1", "x", "50001", "", "1.5", "1e3", "0x10", "99999999999999999999", "%31%30%20"] {
        let expected = "limit: want a whole number from 1 to 50000";
        assert_eq!(mistakes(&service, &format!("limit={limit}")).await, [expected], "{limit}");
    }
    for limit in ["1", "50000"] {
        assert_eq!(service.get(&format!("/search?limit={limit}")).await.status, 200);
    }
}

async fn an_unknown_parameter_names_the_nearest_known(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for (given, meant) in [
        ("start_at", "starts_at"),
        ("startsAt", "starts_at"),
        ("STARTS_AT", "starts_at"),
        ("end_at", "ends_at"),
        ("ends", "ends_at"),
        ("limits", "limit"),
        ("Cursor", "cursor"),
    ] {
        let found = mistakes(&service, &format!("{given}=2021-02-01")).await;
        if given == "STARTS_AT" {
            // Nothing of it is alike to the letter, so all are named.
            assert_eq!(found, ["STARTS_AT: is not known; known are: starts_at, ends_at, limit, cursor"]);
        } else {
            assert_eq!(found, [format!("{given}: is not known; did you mean `{meant}`?")]);
        }
    }
    let far = mistakes(&service, "city=Barcelona").await;
    assert_eq!(far, ["city: is not known; known are: starts_at, ends_at, limit, cursor"]);
}

async fn a_repeated_parameter_is_refused(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for name in ["starts_at", "ends_at"] {
        let query = format!("{name}=2021-02-01&{name}=2021-02-01");
        assert_eq!(mistakes(&service, &query).await, [format!("{name}: is given more than once")]);
    }
    assert_eq!(mistakes(&service, "limit=1&limit=2").await, ["limit: is given more than once"]);
}

async fn all_mistakes_are_told_at_once(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let mut found =
        mistakes(&service, "start_at=2021-01-01&starts_at=2021-09-31&ends_at=soon&limit=0&limit=1&cursor=x&colour=red").await;
    let mut named: Vec<String> = found.drain(..).map(|mistake| mistake.split(':').next().unwrap().to_owned()).collect();
    named.sort();
    assert_eq!(named, ["colour", "cursor", "ends_at", "limit", "limit", "start_at", "starts_at"]);
}

async fn names_are_taken_to_the_letter(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    assert_eq!(service.get("/search?%73tarts_at=2021-02-01&&").await.status, 200, "an escaped letter is that letter");
    for name in ["%20starts_at", "starts_at%00", "starts_at%5B%5D", "ſtarts_at"] {
        let found = service.get(&format!("/search?{name}=2021-02-01")).await.mistakes();
        assert!(found[0].1.contains("did you mean `starts_at`?"), "{found:?}");
    }
}

async fn a_nul_is_refused_wherever_it_stands(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    for (path, parameter) in [
        ("/search?starts_at=%00", "starts_at"),
        ("/search?cursor=a%00b", "cursor"),
        ("/search?limit=1%00", "limit"),
        ("/sync-runs?provider=fever%00", "provider"),
        ("/sync-runs?state=%00", "state"),
    ] {
        let expected = (parameter.to_owned(), "must not hold a NUL character".to_owned());
        assert_eq!(service.get(path).await.mistakes(), [expected], "{path}");
    }
}

async fn a_flood_of_mistakes_is_answered_in_short(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let many = vec!["a"; 30_000].join("&");
    let long = "a".repeat(60_000);
    let value = format!("starts_at={long}");
    for query in [many, long, value] {
        let answer = service.get(&format!("/search?{query}")).await;
        answer.mistakes();
        // No more than a few times what was asked.
        assert!(answer.body.len() < 4 * query.len(), "{} bytes for {}", answer.body.len(), query.len());
    }
}

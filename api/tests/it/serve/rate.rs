//! The limit of requests of a client, as clients see it.

use std::num::NonZeroU32;

use api::{
    State,
    server::rate_limit::{RateLimiter, RateSettings},
};
use poem::http::Method;
use sea_orm::DatabaseConnection;

use super::{Line, recorder::Recorded};
use crate::{
    binary::{Running, sqlite},
    service::{Answer, Service},
};

/// Without a database: what is let through is told by its error.
fn limited(per_second: u32, burst: Option<u32>) -> Service {
    let settings = RateSettings {
        rate_limit_per_second: NonZeroU32::new(per_second),
        rate_limit_burst: burst.and_then(NonZeroU32::new),
        trusted_proxies: Vec::new(),
    };
    let nowhere = DatabaseConnection::default();
    Service::of(&State { rate: RateLimiter::of(&settings), ..State::new(nowhere.clone(), nowhere, 0, None) })
}

fn remaining(answer: &Answer) -> (u32, u32) {
    let fields = answer.header("ratelimit").unwrap().strip_prefix("\"default\";r=").unwrap();
    let (remaining, seconds) = fields.split_once(";t=").unwrap();
    (remaining.parse().unwrap(), seconds.parse().unwrap())
}

#[tokio::test]
async fn a_client_is_told_how_it_stands_and_refused_when_it_has_used_up_its_burst() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let service = limited(1, Some(60));
    for number in 1..=60 {
        let path = ["/openapi.json", "/nowhere", "/search?x=1"][number % 3];
        let answer = service.get(path).await;
        assert_ne!(answer.status, 429);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=60;w=60"), "{path}");
        let (remaining, seconds) = remaining(&answer);
        // A slow machine gives a token back now and then.
        assert!((60 - number..=70 - number).contains(&(remaining as usize)), "{number}: {remaining}");
        assert_eq!(seconds, 60 - remaining);
    }
    let mut answer = service.get("/openapi.json").await;
    for _ in 0..60 {
        if answer.status == 429 {
            break;
        }
        answer = service.get("/openapi.json").await;
    }
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(remaining(&answer), (0, 60));
    assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=60;w=60"));
    assert!(recorded.counter("marquee_rate_limited_total", "") > 0);
}

#[tokio::test]
async fn health_is_never_refused_and_counts_for_nothing() {
    let service = limited(1, None);
    for _ in 0..20 {
        let answer = service.get("/livez").await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (200, None));
        assert_ne!(service.get("/readyz").await.status, 429);
        assert_ne!(service.get("/metrics").await.status, 429);
    }
    assert_eq!(service.get("/openapi.json").await.status, 200);
}

#[tokio::test]
async fn without_a_setting_there_is_no_limit() {
    let service = limited(0, None);
    for _ in 0..50 {
        let answer = service.send(Method::GET, "/openapi.json", &[("x-forwarded-for", "192.0.2.1")]).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit"), answer.header("ratelimit-policy")), (200, None, None));
    }
}

/// Asks as the client that a proxy names; the status, and what is left.
async fn ask(line: &mut Line, forwarded: &str) -> (String, String) {
    line.send(&format!("GET /openapi.json HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {forwarded}\r\n\r\n")).await;
    let (head, _) = line.answer().await;
    let left = head.lines().find_map(|line| line.strip_prefix("ratelimit: ")).unwrap().to_owned();
    (head.split(' ').nth(1).unwrap().to_owned(), left)
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_told_apart() {
    let (_database, url) = sqlite().await;
    // One request in a thousand seconds would be a better limit for a test, and is none that can be set.
    let limit = ["--rate-limit-per-second", "1", "--rate-limit-burst", "1"];
    let trusting = Running::start(&url, &[&limit[..], &["--trusted-proxies", "192.0.2.0/24,127.0.0.0/8"]].concat()).await;
    let mut line = Line::to(trusting.address).await;
    for client in 0..50 {
        let (status, left) = ask(&mut line, &format!("198.51.100.{client}")).await;
        assert_eq!((status.as_str(), left.as_str()), ("200", "\"default\";r=0;t=1"));
    }
    assert_eq!(trusting.stop("-TERM").await.0, Some(0));

    let strict = Running::start(&url, &limit).await;
    let mut line = Line::to(strict.address).await;
    let mut refused = 0;
    for client in 0..50 {
        refused += usize::from(ask(&mut line, &format!("198.51.100.{client}")).await.0 == "429");
    }
    assert!(refused > 0, "what a stranger writes is not believed");
    assert_eq!(strict.stop("-TERM").await.0, Some(0));
}

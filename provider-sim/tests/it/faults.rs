//! Each fault as a client meets it.

use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use provider_sim::{InjectedFault, SimCatalogue};
use tokio::io::AsyncReadExt;

use crate::client::{End, Served};

#[test]
fn faults_are_written_as_they_are_read() {
    for text in [
        "status:503",
        "status:429:120",
        "latency:250",
        "slow:1000",
        "hang",
        "reset",
        "truncate",
        "truncate:77",
        "garbage",
        "html",
        "encoding",
        "gzip-garbage",
        "bomb:64",
        "redirect:3",
        "redirect-loop",
        "redirect-to:http://10.0.0.1/",
        "coding:rot13",
        "members",
    ] {
        assert_eq!(text.parse::<InjectedFault>().unwrap().to_string(), text);
    }
}

#[test]
fn what_is_no_fault_is_refused_with_a_list_of_those_there_are() {
    for text in ["", "stat", "status", "status:99", "status:600", "status:x", "slow:0", "hang:1", "bomb", "status:503:soon"] {
        let message = text.parse::<InjectedFault>().unwrap_err().to_string();
        assert!(message.contains("bomb:MEBIBYTES"), "{message}");
    }
}

#[tokio::test]
async fn an_unknown_fault_is_a_bad_request() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=flood", &[]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("`flood`") && answer.text().contains("gzip-garbage"));
}

#[tokio::test]
async fn status() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=status:503", &[("If-None-Match", "*")]).await;
    assert_eq!((answer.status, answer.header("retry-after"), answer.header("etag")), (503, None, None));
    let answer = served.get("/feed?fault=status%3A429%3A120", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("120")));
}

#[tokio::test]
async fn latency() {
    let served = Served::start(SimCatalogue::default()).await;
    let asked = Instant::now();
    let answer = served.get("/feed?fault=latency:60,latency:60", &[]).await;
    assert!(asked.elapsed() >= Duration::from_millis(120));
    assert!(answer.text() == SimCatalogue::default().feed(0));
}

#[tokio::test]
async fn slow() {
    let served = Served::start(SimCatalogue::default()).await;
    served.provider.serve_document(vec![b' '; 100]);
    let asked = Instant::now();
    let answer = served.get("/feed?fault=slow:500", &[]).await;
    assert!(asked.elapsed() >= Duration::from_millis(140), "{:?}", asked.elapsed());
    assert_eq!((answer.body.len(), answer.end), (100, End::Whole));
}

#[tokio::test]
async fn hang() {
    let served = Served::start(SimCatalogue::default()).await;
    let mut hanging = served.open("GET", "/feed?fault=hang", &[]).await;
    let mut latecomer = served.open("GET", "/feed?fault=latency:600000", &[]).await;
    // Another connection is answered meanwhile.
    assert_eq!(served.get("/feed", &[]).await.status, 200);
    while served.provider.statistics().requests < 3 {
        tokio::task::yield_now().await;
    }
    served.end().await.unwrap();
    for stream in [&mut hanging, &mut latecomer] {
        let mut answered = Vec::new();
        assert!(stream.read_to_end(&mut answered).await.is_err());
        assert!(answered.is_empty());
    }
}

#[tokio::test]
async fn reset() {
    let served = Served::start(SimCatalogue::default()).await;
    for (headers, whole) in [(&[][..], Some(SimCatalogue::default().feed(0).len())), (&[("Accept-Encoding", "gzip")], None)] {
        let answer = served.get("/feed?fault=reset", headers).await;
        let promised: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert!(whole.is_none_or(|whole| whole == promised));
        assert_eq!(answer.end, End::Reset);
        assert!(!answer.body.is_empty() && answer.body.len() <= promised / 2, "{} of {promised}", answer.body.len());
    }
}

#[tokio::test]
async fn truncate_after_some_bytes() {
    let served = Served::start(SimCatalogue::default()).await;
    let feed = SimCatalogue::default().feed(0);
    for bytes in [0, 1, 40_000, feed.len(), feed.len() + 1] {
        let answer = served.get(&format!("/feed?fault=truncate:{bytes}"), &[]).await;
        assert_eq!((answer.status, answer.end), (200, End::Whole));
        assert!(answer.body == feed.as_bytes()[..bytes.min(feed.len())], "{bytes}");
    }
}

#[tokio::test]
async fn truncate_between_two_tags() {
    let served = Served::start(SimCatalogue::default()).await;
    let feed = SimCatalogue::default().feed(0);
    for headers in [&[][..], &[("Accept-Encoding", "gzip")]] {
        let answer = served.get("/feed?fault=truncate", headers).await;
        assert_eq!((answer.status, &answer.end), (200, &End::Whole));
        let text = answer.text();
        assert!(feed.starts_with(&text) && text.ends_with('>'));
        assert!((feed.len() / 2..feed.len() / 2 + 1_000).contains(&text.len()));
    }
}

#[tokio::test]
async fn garbage() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=garbage", &[]).await;
    assert_eq!((answer.status, answer.end), (200, End::Whole));
    assert!(!answer.body.starts_with(b"<") && str::from_utf8(&answer.body).is_err());
}

#[tokio::test]
async fn html() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=html", &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.text().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn encoding() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=encoding", &[]).await;
    assert!(answer.body.starts_with(br#"<?xml version="1.0" encoding="UTF-8"?>"#));
    assert!(str::from_utf8(&answer.body).is_err());
    let repaired: Vec<u8> = answer.body.split(|&byte| byte == 0xE9).flatten().copied().collect();
    // No character of the feed holds that byte itself.
    assert!(repaired == SimCatalogue::default().feed(0).as_bytes());
}

#[tokio::test]
async fn gzip_garbage() {
    let served = Served::start(SimCatalogue::default()).await;
    for headers in [&[][..], &[("Accept-Encoding", "gzip")]] {
        let answer = served.get("/feed?fault=gzip-garbage", headers).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
        assert!(GzDecoder::new(answer.body.as_slice()).read_to_end(&mut Vec::new()).is_err());
    }
}

#[tokio::test]
async fn bomb() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=bomb:8", &[]).await;
    let feed = SimCatalogue::default().feed(0);
    assert!(answer.body.len() < 200_000, "{}", answer.body.len());
    let exploded = answer.text();
    assert_eq!(exploded.len(), feed.len() + 8 * 1024 * 1024);
    assert!(exploded.replace(&" ".repeat(8 * 1024 * 1024), "") == feed);
}

#[tokio::test]
async fn a_fault_hides_neither_behind_a_known_etag_nor_ends_the_poll() {
    let served = Served::start(SimCatalogue { churn: 10.0, ..SimCatalogue::default() }).await;
    for fault in ["truncate", "encoding", "reset", "garbage", "html", "gzip-garbage", "bomb:1", "status:500"] {
        let answer = served.get(&format!("/feed?fault={fault}"), &[("If-None-Match", "*")]).await;
        assert_ne!(answer.status, 304, "{fault}");
    }
    assert_eq!(served.provider.poll(), 0);
    assert_eq!(served.provider.statistics().full_responses, 0);
}

#[tokio::test]
async fn redirects_lead_on_by_one_hop_and_then_to_the_feed() {
    let served = Served::start(SimCatalogue::default()).await;
    let first = served.get("/feed?fault=redirect:2", &[]).await;
    assert_eq!((first.status, first.header("location")), (302, Some("/feed?hop=1&fault=redirect:2")));
    let second = served.get("/feed?hop=1&fault=redirect:2", &[]).await;
    assert_eq!(second.header("location"), Some("/feed?hop=2&fault=redirect:2"));
    assert_eq!(served.get("/feed?hop=2&fault=redirect:2", &[]).await.status, 200);
    assert_eq!(served.get("/feed?hop=900&fault=redirect-loop", &[]).await.status, 302);
    let elsewhere = served.get("/feed?fault=redirect-to:http://10.0.0.1/x", &[]).await;
    assert_eq!(elsewhere.header("location"), Some("http://10.0.0.1/x"));
}

#[tokio::test]
async fn an_announced_coding_and_gzip_of_several_members() {
    let served = Served::start(SimCatalogue::default()).await;
    let answer = served.get("/feed?fault=coding:rot13", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((answer.header("content-encoding"), answer.body.len()), (Some("rot13"), SimCatalogue::default().feed(0).len()));
    let members = served.get("/feed?fault=members", &[]).await;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(members.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text == SimCatalogue::default().feed(0));
    GzDecoder::new(members.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text.len() < 2 * SimCatalogue::default().feed(0).len(), "the first member is not all");
}

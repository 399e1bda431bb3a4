//! Each fault as a client receives it.

use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use provider_sim::{InjectedFault, SimCatalogue};
use tokio::io::AsyncReadExt;

use crate::client::{ResponseEnd, SimProviderServer};

#[test]
fn faults_are_formatted_as_they_are_parsed() {
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
fn an_unknown_fault_is_rejected_with_a_list_of_faults() {
    for text in ["", "stat", "status", "status:99", "status:600", "status:x", "slow:0", "hang:1", "bomb", "status:503:soon"] {
        let message = text.parse::<InjectedFault>().unwrap_err().to_string();
        assert!(message.contains("bomb:MEBIBYTES"), "{message}");
    }
}

#[tokio::test]
async fn an_unknown_fault_is_a_bad_request() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=flood", &[]).await;
    assert_eq!(response.status, 400);
    assert!(response.text().contains("`flood`") && response.text().contains("gzip-garbage"));
}

#[tokio::test]
async fn status() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=status:503", &[("If-None-Match", "*")]).await;
    assert_eq!((response.status, response.header("retry-after"), response.header("etag")), (503, None, None));
    let response = served.get("/feed?fault=status%3A429%3A120", &[]).await;
    assert_eq!((response.status, response.header("retry-after")), (429, Some("120")));
}

#[tokio::test]
async fn latency() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let started = Instant::now();
    let response = served.get("/feed?fault=latency:60,latency:60", &[]).await;
    // A lower bound, so that a busy machine cannot fail it.
    assert!(started.elapsed() >= Duration::from_millis(120));
    assert!(response.text() == SimCatalogue::default().feed(0));
}

#[tokio::test]
async fn slow() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    served.provider.serve_document(vec![b' '; 100]);
    let started = Instant::now();
    let response = served.get("/feed?fault=slow:500", &[]).await;
    // A lower bound, as above.
    assert!(started.elapsed() >= Duration::from_millis(140), "{:?}", started.elapsed());
    assert_eq!((response.body.len(), response.end), (100, ResponseEnd::Complete));
}

#[tokio::test]
async fn hang() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let mut hanging = served.open("GET", "/feed?fault=hang", &[]).await;
    let mut delayed = served.open("GET", "/feed?fault=latency:600000", &[]).await;
    // Other connections are not affected.
    assert_eq!(served.get("/feed", &[]).await.status, 200);
    while served.provider.statistics().requests < 3 {
        tokio::task::yield_now().await;
    }
    served.stop().await.unwrap();
    for stream in [&mut hanging, &mut delayed] {
        let mut received = Vec::new();
        assert!(stream.read_to_end(&mut received).await.is_err());
        assert!(received.is_empty());
    }
}

#[tokio::test]
async fn reset() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    for (headers, length) in [(&[][..], Some(SimCatalogue::default().feed(0).len())), (&[("Accept-Encoding", "gzip")], None)] {
        let response = served.get("/feed?fault=reset", headers).await;
        let declared: usize = response.header("content-length").unwrap().parse().unwrap();
        assert!(length.is_none_or(|length| length == declared));
        assert_eq!(response.end, ResponseEnd::Reset);
        assert!(!response.body.is_empty() && response.body.len() <= declared / 2, "{} of {declared}", response.body.len());
    }
}

#[tokio::test]
async fn truncate_after_bytes() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let feed = SimCatalogue::default().feed(0);
    for bytes in [0, 1, 40_000, feed.len(), feed.len() + 1] {
        let response = served.get(&format!("/feed?fault=truncate:{bytes}"), &[]).await;
        assert_eq!((response.status, response.end), (200, ResponseEnd::Complete));
        assert!(response.body == feed.as_bytes()[..bytes.min(feed.len())], "{bytes}");
    }
}

#[tokio::test]
async fn truncate_between_two_tags() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let feed = SimCatalogue::default().feed(0);
    for headers in [&[][..], &[("Accept-Encoding", "gzip")]] {
        let response = served.get("/feed?fault=truncate", headers).await;
        assert_eq!((response.status, &response.end), (200, &ResponseEnd::Complete));
        let text = response.text();
        assert!(feed.starts_with(&text) && text.ends_with('>'));
        assert!((feed.len() / 2..feed.len() / 2 + 1_000).contains(&text.len()));
    }
}

#[tokio::test]
async fn garbage() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=garbage", &[]).await;
    assert_eq!((response.status, response.end), (200, ResponseEnd::Complete));
    assert!(!response.body.starts_with(b"<") && str::from_utf8(&response.body).is_err());
}

#[tokio::test]
async fn html() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=html", &[]).await;
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(response.text().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn encoding() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=encoding", &[]).await;
    assert!(response.body.starts_with(br#"<?xml version="1.0" encoding="UTF-8"?>"#));
    assert!(str::from_utf8(&response.body).is_err());
    let repaired: Vec<u8> = response.body.split(|&byte| byte == 0xE9).flatten().copied().collect();
    // No character of the feed contains this byte.
    assert!(repaired == SimCatalogue::default().feed(0).as_bytes());
}

#[tokio::test]
async fn gzip_garbage() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    for headers in [&[][..], &[("Accept-Encoding", "gzip")]] {
        let response = served.get("/feed?fault=gzip-garbage", headers).await;
        assert_eq!((response.status, response.header("content-encoding")), (200, Some("gzip")));
        assert!(GzDecoder::new(response.body.as_slice()).read_to_end(&mut Vec::new()).is_err());
    }
}

#[tokio::test]
async fn bomb() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=bomb:8", &[]).await;
    let feed = SimCatalogue::default().feed(0);
    assert!(response.body.len() < 200_000, "{}", response.body.len());
    let decompressed = response.text();
    assert_eq!(decompressed.len(), feed.len() + 8 * 1024 * 1024);
    assert!(decompressed.replace(&" ".repeat(8 * 1024 * 1024), "") == feed);
}

#[tokio::test]
async fn a_fault_ignores_if_none_match_and_does_not_advance_the_poll() {
    let served = SimProviderServer::start(SimCatalogue { churn: 10.0, ..SimCatalogue::default() }).await;
    for fault in ["truncate", "encoding", "reset", "garbage", "html", "gzip-garbage", "bomb:1", "status:500"] {
        let response = served.get(&format!("/feed?fault={fault}"), &[("If-None-Match", "*")]).await;
        assert_ne!(response.status, 304, "{fault}");
    }
    assert_eq!(served.provider.poll(), 0);
    assert_eq!(served.provider.statistics().full_responses, 0);
}

#[tokio::test]
async fn redirects_lead_to_the_feed_after_the_last_hop() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
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
async fn a_declared_coding_and_gzip_with_several_members() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let response = served.get("/feed?fault=coding:rot13", &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(
        (response.header("content-encoding"), response.body.len()),
        (Some("rot13"), SimCatalogue::default().feed(0).len())
    );
    let members = served.get("/feed?fault=members", &[]).await;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(members.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text == SimCatalogue::default().feed(0));
    GzDecoder::new(members.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text.len() < 2 * SimCatalogue::default().feed(0).len(), "the first member is not the whole document");
}

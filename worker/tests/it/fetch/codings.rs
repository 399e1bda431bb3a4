//! Content codings: decoded to their end, within the limit before and after; unknown ones are rejected.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use worker::progress::{ProgressCounter, ProgressSnapshot, ProgressStage};

use super::{
    SLUG, fetch_document, fetch_entry,
    raw::{RawResponse, RawServer},
};
use crate::{entries, patience::in_time, served::ServedProvider};

const MEBIBYTE: usize = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 2, 20);
    encoder.write_all(bytes).unwrap();
    encoder.into_inner()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;

const CODINGS: [(&str, Encode); 4] = [("gzip", gzip), ("x-gzip", gzip), ("br", brotli), ("zstd", zstd)];

async fn serve_body(coding: &str, body: &[u8]) -> RawServer {
    RawServer::new(|_| RawResponse::new(&format!("200 OK\nContent-Encoding: {coding}"), body)).await
}

async fn fetch_error_code(coding: &str, body: &[u8], more: &str) -> &'static str {
    let server = serve_body(coding, body).await;
    in_time(coding, fetch_document(&server.url, more)).await.expect_err(coding).code()
}

/// Text that does not compress well.
fn text() -> Vec<u8> {
    (0..60_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn decodes_every_coding() {
    for (coding, encode) in CODINGS {
        for text in [text(), b"a".to_vec(), vec![]] {
            let server = serve_body(coding, &encode(&text)).await;
            let spool = fetch_document(&server.url, "").await.unwrap().spool;
            assert!(spool.read(0..spool.len()).unwrap() == text, "{coding}");
        }
    }
    for coding in ["identity", "", "Identity, identity", "none", "UTF-8"] {
        let server = serve_body(coding, &text()).await;
        let spool = fetch_document(&server.url, "").await.unwrap().spool;
        assert!(spool.read(0..spool.len()).unwrap() == text(), "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decodes_a_body_of_several_members() {
    let twice = [text(), text()].concat();
    for (coding, body) in [("gzip", [gzip(&text()), gzip(&text())].concat()), ("zstd", [zstd(&text()), zstd(&text())].concat())] {
        let server = serve_body(coding, &body).await;
        let spool = fetch_document(&server.url, "").await.unwrap().spool;
        assert!(spool.read(0..spool.len()).unwrap() == twice, "{coding}");
    }
    let served = ServedProvider::with_faults("members").await;
    let members = fetch_document(&served.url, "").await.unwrap().spool;
    served.provider.set_faults([]);
    assert_eq!(members.hash(), fetch_document(&served.url, "").await.unwrap().spool.hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn decodes_gzip_whatever_the_header_declares() {
    let (once, twice) = (gzip(&text()), gzip(&gzip(&text())));
    for (coding, body) in [("", &once), ("none", &once), ("gzip, gzip", &once), ("gzip, gzip", &twice), ("gzip", &twice)] {
        let server = serve_body(coding, body).await;
        let spool = fetch_document(&server.url, "").await.unwrap().spool;
        assert!(spool.read(0..spool.len()).unwrap() == text(), "{coding}: {} bytes", body.len());
    }
    let bomb = gzip(&vec![b' '; 64 * MEBIBYTE]);
    assert_eq!(fetch_error_code("", &bomb, &format!("max_body_bytes = {MEBIBYTE}")).await, "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn converts_the_encoding_that_the_content_type_declares() {
    for (content_type, body) in [
        ("text/xml; charset=ISO-8859-1", &b"<a>\xD1u</a>"[..]),
        ("application/json;Charset=\"windows-1252\"", b"\"\xD1u\""),
        ("text/xml; charset=utf-8", b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\xD1u"),
        ("text/xml", b"\xFF\xFE\xD1\0u\0"),
        ("application/json\nContent-Type: application/json; charset=latin1", b"\"\xD1u\""),
        ("application/json; charset=latin1, application/json; charset=latin1", b"\"\xD1u\""),
        ("application/json; charset=utf-16", "\"Ñu\"".as_bytes()),
    ] {
        let server = RawServer::new(|_| RawResponse::new(&format!("200 OK\nContent-Type: {content_type}"), body)).await;
        let spool = fetch_document(&server.url, "").await.unwrap().spool;
        let text = String::from_utf8(spool.read(0..spool.len()).unwrap().to_vec()).unwrap();
        assert!(text.contains("Ñu"), "{content_type}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_truncated_streams_and_trailing_bytes() {
    for (coding, encode) in CODINGS {
        let whole = encode(&text());
        for length in [1, 5, whole.len() / 2, whole.len() - 1] {
            assert_eq!(
                fetch_error_code(coding, &whole[..length], "").await,
                "broken_response",
                "{coding} truncated to {length} of {}",
                whole.len()
            );
        }
        assert_eq!(
            fetch_error_code(coding, &[&whole, &b"<html>"[..]].concat(), "").await,
            "broken_response",
            "{coding} with trailing bytes"
        );
        assert_eq!(
            fetch_error_code(coding, b"<html>never compressed</html>", "").await,
            "broken_response",
            "{coding} that is not compressed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_a_decompression_bomb_at_the_limit() {
    for (coding, encode) in CODINGS {
        let bomb = encode(&vec![b' '; 64 * MEBIBYTE]);
        assert!(bomb.len() < MEBIBYTE, "{coding}: {}", bomb.len());
        assert_eq!(fetch_error_code(coding, &bomb, &format!("max_body_bytes = {MEBIBYTE}")).await, "too_large", "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_the_limit_before_decompression_too() {
    // The compressed body is over the limit, although it decodes to nothing.
    let empty_members = gzip(b"").repeat(1000);
    assert_eq!(fetch_error_code("gzip", &empty_members, "max_body_bytes = 10000").await, "too_large");
    let server = serve_body("gzip", &empty_members).await;
    assert!(fetch_document(&server.url, "max_body_bytes = 30000").await.unwrap().spool.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_window_that_needs_too_much_memory() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&text()).unwrap();
    assert_eq!(fetch_error_code("zstd", &encoder.finish().unwrap(), "").await, "broken_response");
    // The first bits of the large-window extension of brotli.
    assert_eq!(fetch_error_code("br", &[0x11, 0x1e, 0x03], "").await, "broken_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_a_coding_that_was_not_accepted() {
    for coding in ["compress", "gzip, br", "deflate", "br, br"] {
        let server = serve_body(coding, b"x").await;
        let error = fetch_document(&server.url, "").await.unwrap_err();
        assert_eq!(error.code(), "unknown_encoding");
        assert!(error.to_string().contains(&format!("`{coding}`")), "{error}");
    }
    let served = ServedProvider::with_faults("coding:rot13").await;
    assert_eq!(fetch_document(&served.url, "").await.unwrap_err().code(), "unknown_encoding");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_received_bytes_as_progress() {
    let body = gzip(&text());
    let server =
        RawServer::new(|_| RawResponse::new(&format!("200 OK\nContent-Encoding: gzip\nContent-Length: {}", body.len()), &body))
            .await;
    let progress = ProgressCounter::new();
    fetch_entry(&entries::entry(SLUG, &server.url, ""), &Default::default(), &progress).await.unwrap();
    let length = body.len() as u64;
    assert_eq!(progress.snapshot(), ProgressSnapshot { stage: ProgressStage::Fetching, done: length, total: Some(length) });
}

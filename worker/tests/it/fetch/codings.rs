//! Every content coding is undone to its end, within the limit on both sides, and nothing else is taken for one.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use worker::progress::{Progress, Snapshot, Stage};

use super::{
    SLUG, document, fetched,
    raw::{Answer, RawServer},
};
use crate::{entries, patience::in_time, served::Served};

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

async fn sent(coding: &str, body: &[u8]) -> RawServer {
    RawServer::new(|_| Answer::new(&format!("200 OK\nContent-Encoding: {coding}"), body)).await
}

async fn code(coding: &str, body: &[u8], more: &str) -> &'static str {
    let server = sent(coding, body).await;
    in_time(coding, document(&server.url, more)).await.expect_err(coding).code()
}

/// Text that does not shrink to nothing.
fn text() -> Vec<u8> {
    (0..60_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_coding_is_undone() {
    for (coding, encode) in CODINGS {
        for text in [text(), b"a".to_vec(), vec![]] {
            let server = sent(coding, &encode(&text)).await;
            let spool = document(&server.url, "").await.unwrap().spool;
            assert!(spool.read(0..spool.len()).unwrap() == text, "{coding}");
        }
    }
    for coding in ["identity", "", "Identity, identity"] {
        let server = sent(coding, &text()).await;
        let spool = document(&server.url, "").await.unwrap().spool;
        assert!(spool.read(0..spool.len()).unwrap() == text(), "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_several_members_is_read_whole() {
    let twice = [text(), text()].concat();
    for (coding, body) in [("gzip", [gzip(&text()), gzip(&text())].concat()), ("zstd", [zstd(&text()), zstd(&text())].concat())] {
        let server = sent(coding, &body).await;
        let spool = document(&server.url, "").await.unwrap().spool;
        assert!(spool.read(0..spool.len()).unwrap() == twice, "{coding}");
    }
    let served = Served::with_faults("members").await;
    let members = document(&served.url, "").await.unwrap().spool;
    served.provider.set_faults([]);
    assert_eq!(members.hash(), document(&served.url, "").await.unwrap().spool.hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_off_or_goes_on_after_its_end_is_broken() {
    for (coding, encode) in CODINGS {
        let whole = encode(&text());
        for kept in [1, 5, whole.len() / 2, whole.len() - 1] {
            assert_eq!(code(coding, &whole[..kept], "").await, "broken_response", "{coding} cut to {kept} of {}", whole.len());
        }
        assert_eq!(code(coding, &[&whole, &b"<html>"[..]].concat(), "").await, "broken_response", "{coding} and more");
        assert_eq!(code(coding, b"<html>never compressed</html>", "").await, "broken_response", "{coding} that is none");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_any_coding_ends_at_the_limit() {
    for (coding, encode) in CODINGS {
        let bomb = encode(&vec![b' '; 64 * MEBIBYTE]);
        assert!(bomb.len() < MEBIBYTE, "{coding}: {}", bomb.len());
        assert_eq!(code(coding, &bomb, &format!("max_body_bytes = {MEBIBYTE}")).await, "too_large", "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_stands_before_decompression_too() {
    // As it comes it is over the limit, although it holds next to nothing.
    let empty_members = gzip(b"").repeat(1000);
    assert_eq!(code("gzip", &empty_members, "max_body_bytes = 10000").await, "too_large");
    let server = sent("gzip", &empty_members).await;
    assert!(document(&server.url, "max_body_bytes = 30000").await.unwrap().spool.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_takes_too_much_memory_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&text()).unwrap();
    assert_eq!(code("zstd", &encoder.finish().unwrap(), "").await, "broken_response");
    // The first bits of brotli's extension for large windows.
    assert_eq!(code("br", &[0x11, 0x1e, 0x03], "").await, "broken_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coding_that_was_not_asked_for_is_told() {
    for coding in ["compress", "gzip, br", "deflate", "gzip, gzip"] {
        let server = sent(coding, b"x").await;
        let error = document(&server.url, "").await.unwrap_err();
        assert_eq!(error.code(), "unknown_encoding");
        assert!(error.to_string().contains(&format!("`{coding}`")), "{error}");
    }
    let served = Served::with_faults("coding:rot13").await;
    assert_eq!(document(&served.url, "").await.unwrap_err().code(), "unknown_encoding");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_is_counted_for_whoever_waits() {
    let body = gzip(&text());
    let server =
        RawServer::new(|_| Answer::new(&format!("200 OK\nContent-Encoding: gzip\nContent-Length: {}", body.len()), &body)).await;
    let progress = Progress::new();
    fetched(&entries::entry(SLUG, &server.url, ""), &Default::default(), &progress).await.unwrap();
    let length = body.len() as u64;
    assert_eq!(progress.snapshot(), Snapshot { stage: Stage::Fetching, done: length, total: Some(length) });
}

//! Content codings.

use std::io::Read;

use provider_sim::SimCatalogue;

use crate::client::SimProviderServer;

#[tokio::test]
async fn gzip_has_the_same_document_and_another_etag() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let plain = served.get("/feed", &[]).await;
    let gzip = served.get("/feed", &[("Accept-Encoding", "deflate, gzip, br")]).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    assert!(gzip.body.len() * 4 < plain.body.len());
    assert!(gzip.text() == plain.text());
    assert_ne!(gzip.etag(), plain.etag());
    for response in [plain, gzip] {
        assert_eq!(response.header("vary"), Some("accept-encoding"));
    }
}

#[tokio::test]
async fn the_etag_of_one_coding_does_not_match_another() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let plain = served.get("/feed", &[]).await;
    let headers = [("Accept-Encoding", "gzip"), ("If-None-Match", plain.etag())];
    assert_eq!(served.get("/feed", &headers).await.status, 200);
}

#[tokio::test]
async fn a_coding_is_used_only_if_accepted() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    for (accepted, expected) in [
        ("gzip", Some("gzip")),
        ("GZIP;q=0.2", Some("gzip")),
        ("*", Some("gzip")),
        ("identity", None),
        ("br", Some("br")),
        ("zstd, gzip", Some("zstd")),
        ("gzip, br, zstd", Some("gzip")),
        ("gzip;q=0.5, br;q=0.9", Some("br")),
        ("deflate", None),
        ("gzip;q=0", None),
        ("gzip; q=0.000, *", None),
        ("", None),
    ] {
        let response = served.send("HEAD", "/feed", &[("Accept-Encoding", accepted)]).await;
        assert_eq!(response.header("content-encoding"), expected, "{accepted}");
    }
}

#[tokio::test]
async fn brotli_and_zstd_have_the_same_document() {
    let served = SimProviderServer::start(SimCatalogue::default()).await;
    let plain = served.get("/feed", &[]).await.body;
    let brotli = served.get("/feed", &[("Accept-Encoding", "br")]).await;
    let mut text = Vec::new();
    brotli::Decompressor::new(brotli.body.as_slice(), 4096).read_to_end(&mut text).unwrap();
    assert!(text == plain && brotli.body.len() * 4 < plain.len());
    let zstd = served.get("/feed", &[("Accept-Encoding", "zstd")]).await;
    assert!(zstd::decode_all(zstd.body.as_slice()).unwrap() == plain && zstd.body.len() * 4 < plain.len());
    assert_ne!(brotli.etag(), zstd.etag());
}

//! A server with a certificate of a private authority. The files in `tls/` expire in 2126.

use std::path::{Path, PathBuf};

use api::cache::redis::{Redis, RedisSettings};

use super::{assert_misses, assert_recovers, redis_process::RedisProcess};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/redis/tls").join(name)
}

fn settings(url: &str, ca_file: Option<PathBuf>) -> RedisSettings {
    RedisSettings { redis_url: Some(url.parse().unwrap()), redis_ca_file: ca_file }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_only_if_it_is_configured() {
    let port = RedisProcess::stopped(&[]).port;
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let _server = RedisProcess::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        certificate.to_str().unwrap(),
        "--tls-key-file",
        key.to_str().unwrap(),
        "--tls-ca-cert-file",
        path("authority.pem").to_str().unwrap(),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");

    let trusting = Redis::new(&settings(&url, Some(path("authority.pem"))), "").unwrap().unwrap();
    assert_recovers(&trusting, "key").await;
    let distrusting = Redis::new(&settings(&url, None), "").unwrap().unwrap();
    assert_misses(&distrusting, "key", 10).await;
    assert!(!distrusting.is_up());
}

#[test]
fn an_unusable_authority_is_rejected() {
    for (url, file, expected) in [
        ("rediss://:secret@cache", path("missing.pem"), "missing.pem cannot be read"),
        ("rediss://:secret@cache", path("server.key"), "must contain certificates in PEM format"),
        ("redis://:secret@cache", path("authority.pem"), "REDIS_CA_FILE requires a Redis URL that begins with rediss"),
    ] {
        let error = Redis::validate(&settings(url, Some(file))).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{error}");
    }
}

//! Who may write: keys of a file, their scopes, and what strangers hear.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    State,
    auth::{Keys, KeysSettings},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use tempfile::TempDir;

use crate::{
    catalogue::Catalogue,
    service::{Answer, Service},
};

on_every_backend!(
    a_key_of_the_scope_is_admitted_and_others_are_told_what_they_lack,
    the_file_is_read_again_while_the_service_runs,
    with_keys_writes_come_from_anywhere,
    a_feed_takes_the_key_of_its_provider,
);

/// Longer than the file is believed.
const PATIENCE: Duration = Duration::from_secs(30);

fn keys_new(file: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-api"));
    command.args(["keys", "new"]).args(arguments).env_remove("API_KEYS_FILE");
    if let Some(file) = file {
        command.env("API_KEYS_FILE", file);
    }
    command.output().unwrap()
}

/// A key that the command has made, and added to the file.
fn made(file: &Path, name: &str, scopes: &[&str]) -> String {
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let output = keys_new(Some(file), &[name].into_iter().chain(scopes).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.toml");
    (folder, file)
}

async fn service(database: &TestDatabase, file: &Path) -> Service {
    let connection = database.connect(ConnectionRole::Api).await;
    let keys = Keys::of(&KeysSettings { keys_file: Some(file.to_owned()) }).unwrap();
    Service::of(&State { keys, ..State::new(connection.clone(), connection, 0, None) })
}

async fn put(service: &Service, authorization: &str) -> Answer {
    let body = ("application/json", r#"{"regions":[],"places":[]}"#);
    service.upload(Method::PUT, "/places", body, &[("authorization", authorization)]).await
}

async fn a_key_of_the_scope_is_admitted_and_others_are_told_what_they_lack(database: Arc<TestDatabase>) {
    let (_folder, file) = folder();
    let places = made(&file, "places", &["places", "feed:fever"]);
    let rates = made(&file, "rates", &["rates"]);
    let admin = made(&file, "all of it", &["admin"]);
    let service = service(&database, &file).await;
    for key in [&places, &admin] {
        assert_eq!(put(&service, &format!("Bearer {key}")).await.status, 200);
        let basic = STANDARD.encode(format!("anybody:{key}"));
        assert_eq!(put(&service, &format!("Basic {basic}")).await.status, 200);
    }
    let problem = put(&service, &format!("Bearer {rates}")).await.problem(403, "missing_scope");
    assert_eq!(problem["detail"], "the API key lacks the scope `places`");

    let cut = &places[..places.len() - 1];
    for (authorization, code) in [
        (String::new(), "authentication_required"),
        (format!("Bearer {cut}"), "invalid_key"),
        (format!("Bearer {places}x"), "invalid_key"),
        ("Bearer mq_".to_owned(), "invalid_key"),
        (format!("Basic {}", STANDARD.encode("user:password")), "invalid_key"),
        (format!("Digest {places}"), "authentication_required"),
        (places.clone(), "authentication_required"),
        (format!("Bearer {}", "x".repeat(2_000)), "authentication_required"),
    ] {
        let answer = put(&service, &authorization).await;
        let problem = answer.problem(401, code);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"marquee\", Basic realm=\"marquee\""));
        assert!(!problem.to_string().contains(&places[4..20]), "{problem}");
    }
    // In the address it would stand in every log on the way.
    let body = ("application/json", r#"{"regions":[],"places":[]}"#);
    let answer = service.upload(Method::PUT, &format!("/places?key={places}"), body, &[]).await;
    assert_eq!(answer.mistakes()[0].0, "key");
    assert!(!answer.text().contains(&places), "{}", answer.text());
}

async fn the_file_is_read_again_while_the_service_runs(database: Arc<TestDatabase>) {
    let (_folder, file) = folder();
    let first = made(&file, "first", &["places"]);
    let service = service(&database, &file).await;
    let becomes = async |key: &str, status: u16| {
        let begun = Instant::now();
        while put(&service, &format!("Bearer {key}")).await.status != status {
            assert!(begun.elapsed() < PATIENCE, "never {status}");
            tokio::task::yield_now().await;
        }
    };
    becomes(&first, 200).await;
    let second = made(&file, "second", &["places"]);
    becomes(&second, 200).await;
    becomes(&first, 200).await;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[text.rfind("[[key]]").unwrap()..]).unwrap();
    becomes(&first, 401).await;
    becomes(&second, 200).await;
    // A slip of the editor locks nobody out, and lets nobody in.
    std::fs::write(&file, "[[key").unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(put(&service, &format!("Bearer {second}")).await.status, 200);
        assert_eq!(put(&service, &format!("Bearer {first}")).await.status, 401);
    }
    std::fs::write(&file, "").unwrap();
    becomes(&second, 401).await;
}

async fn with_keys_writes_come_from_anywhere(database: Arc<TestDatabase>) {
    let (_folder, file) = folder();
    let key = made(&file, "places", &["places"]);
    let service = service(&database, &file).await;
    let headers = [("authorization", format!("Bearer {key}")), ("x-forwarded-for", "192.0.2.7".to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = ("application/json", r#"{"regions":[],"places":[]}"#);
    assert_eq!(service.upload(Method::PUT, "/places", body, &headers).await.status, 200);
}

async fn a_feed_takes_the_key_of_its_provider(database: Arc<TestDatabase>) {
    Catalogue::of(&database).await.provider("fever", "EUR", 2).await;
    let (_folder, file) = folder();
    let keys =
        [made(&file, "own", &["feed:fever"]), made(&file, "other", &["feed:other", "rates"]), made(&file, "all", &["admin"])];
    let service = service(&database, &file).await;
    let post = async |path: &str, key: &str| {
        let authorization = format!("Bearer {key}");
        service.upload(Method::POST, path, ("application/xml", "<eventList/>"), &[("authorization", &authorization)]).await
    };
    let [own, other, admin] = &keys;
    for (path, key, status) in [
        ("/providers/fever/feed", own, 202),
        ("/providers/fever/feed", admin, 202),
        ("/providers/fever/feed", other, 403),
        ("/providers/fever/sync", own, 403),
        ("/providers/fever/sync", admin, 202),
        ("/providers/other/feed", other, 404),
        ("/multivac/data", own, 403),
    ] {
        let answer = post(path, key).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    let problem = post("/providers/fever/feed", other).await.problem(403, "missing_scope");
    assert_eq!(problem["detail"], "the API key lacks the scope `feed:fever`");
}

#[test]
fn a_new_key_is_printed_once_and_its_hash_kept() {
    let (_folder, file) = folder();
    let key = made(&file, "a \"quoted\" name", &["rates", "feed:fever"]);
    assert!(key.starts_with("mq_") && key.len() == 46, "{key}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&key) && text.contains(r#"scopes = ["rates", "feed:fever"]"#), "{text}");
    assert_ne!(made(&file, "another", &["rates"]), key);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let output = keys_new(Some(&file), &["another", "--scope", "rates"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is a key with the name `another` already"));
    let output = keys_new(None, &["name", "--scope", "admin"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && told.starts_with("mq_") && told.contains("[[key]]\nname = \"name\"\nscopes = [\"admin\"]\n"),
        "{told}"
    );
    for arguments in [&["name"][..], &["name", "--scope", "everything"], &["--scope", "admin"]] {
        assert_eq!(keys_new(None, arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_told_at_the_start() {
    let (_folder, file) = folder();
    let settings = KeysSettings { keys_file: Some(file.clone()) };
    let error = Keys::of(&settings).unwrap_err().to_string();
    assert!(error.contains("keys.toml cannot be read (API_KEYS_FILE names it)"), "{error}");
    std::fs::write(&file, "[[key]]\nname = \"a\"\n").unwrap();
    let error = Keys::of(&settings).unwrap_err().to_string();
    assert!(error.contains("is no list of keys") && error.contains("missing field"), "{error}");
}

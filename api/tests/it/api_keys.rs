//! API keys: the keys file, scopes, and rejected credentials.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    State,
    auth::{AccessSettings, Keys, KeysSettings},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use tempfile::TempDir;

use crate::{
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_key_needs_the_scope_of_the_operation,
    changes_to_the_keys_file_are_picked_up,
    remote_writes_are_accepted_with_a_key,
    a_feed_scope_is_limited_to_its_provider,
);

/// Longer than the interval at which the keys file is reloaded.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run_keys_new(file: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-api"));
    command.args(["keys", "new"]).args(arguments).env_remove("API_KEYS_FILE");
    if let Some(file) = file {
        command.env("API_KEYS_FILE", file);
    }
    command.output().unwrap()
}

/// Runs `marquee-api check`, and returns its report.
pub(crate) fn run_check(file: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-api"));
    let output = command.arg("check").env_clear().env("API_KEYS_FILE", file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `marquee-api keys new`, which appends to the file, and returns the key.
pub(crate) fn create_key(file: &Path, name: &str, scopes: &[&str]) -> String {
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let output = run_keys_new(Some(file), &[name].into_iter().chain(scopes).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn create_keys_file_path() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.toml");
    (folder, file)
}

pub(crate) async fn start_app(database: &TestDatabase, file: &Path) -> TestApp {
    let connection = database.connect(ConnectionRole::Api).await;
    let keys = Keys::load(&KeysSettings { keys_file: Some(file.to_owned()) }, AccessSettings::default()).unwrap();
    TestApp::with_state(&State { keys, ..State::new(connection.clone(), connection, 0, None) })
}

pub(crate) async fn put_places(app: &TestApp, authorization: &str) -> TestResponse {
    let body = ("application/json", r#"{"regions":[],"places":[]}"#);
    app.upload(Method::PUT, "/places", body, &[("authorization", authorization)]).await
}

async fn a_key_needs_the_scope_of_the_operation(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let places = create_key(&file, "places", &["places", "feed:fever"]);
    let rates = create_key(&file, "rates", &["rates"]);
    let admin = create_key(&file, "full access", &["admin"]);
    let app = start_app(&database, &file).await;
    for key in [&places, &admin] {
        assert_eq!(put_places(&app, &format!("Bearer {key}")).await.status, 200);
        let basic = STANDARD.encode(format!("user:{key}"));
        assert_eq!(put_places(&app, &format!("Basic {basic}")).await.status, 200);
    }
    let problem = put_places(&app, &format!("Bearer {rates}")).await.problem(403, "missing_scope");
    assert_eq!(problem["detail"], "the API key lacks the scope `places`");

    let truncated = &places[..places.len() - 1];
    for (authorization, code) in [
        (String::new(), "authentication_required"),
        (format!("Bearer {truncated}"), "invalid_key"),
        (format!("Bearer {places}x"), "invalid_key"),
        ("Bearer mq_".to_owned(), "invalid_key"),
        (format!("Basic {}", STANDARD.encode("user:password")), "invalid_key"),
        (format!("Digest {places}"), "authentication_required"),
        (places.clone(), "authentication_required"),
        (format!("Bearer {}", "x".repeat(2_000)), "authentication_required"),
    ] {
        let response = put_places(&app, &authorization).await;
        let problem = response.problem(401, code);
        assert_eq!(response.header("www-authenticate"), Some("Bearer realm=\"marquee\", Basic realm=\"marquee\""));
        assert!(!problem.to_string().contains(&places[4..20]), "{problem}");
    }
    // A key in the URL would be logged by every proxy.
    let body = ("application/json", r#"{"regions":[],"places":[]}"#);
    let authorization = format!("Bearer {places}");
    let headers = [("authorization", authorization.as_str())];
    let response = app.upload(Method::PUT, &format!("/places?key={places}"), body, &headers).await;
    assert_eq!(response.validation_errors()[0].0, "key");
    assert!(!response.text().contains(&places), "{}", response.text());
}

async fn changes_to_the_keys_file_are_picked_up(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let first = create_key(&file, "first", &["places"]);
    let app = start_app(&database, &file).await;
    let wait_for_status = async |key: &str, status: u16| {
        let started = Instant::now();
        while put_places(&app, &format!("Bearer {key}")).await.status != status {
            assert!(started.elapsed() < TIMEOUT, "the status never became {status}");
            tokio::task::yield_now().await;
        }
    };
    wait_for_status(&first, 200).await;
    let second = create_key(&file, "second", &["places"]);
    wait_for_status(&second, 200).await;
    wait_for_status(&first, 200).await;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[text.rfind("[[key]]").unwrap()..]).unwrap();
    wait_for_status(&first, 401).await;
    wait_for_status(&second, 200).await;
    // An unreadable file leaves the previous keys in force.
    std::fs::write(&file, "[[key").unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(put_places(&app, &format!("Bearer {second}")).await.status, 200);
        assert_eq!(put_places(&app, &format!("Bearer {first}")).await.status, 401);
    }
    std::fs::write(&file, "").unwrap();
    wait_for_status(&second, 401).await;
}

async fn remote_writes_are_accepted_with_a_key(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let key = create_key(&file, "places", &["places"]);
    let app = start_app(&database, &file).await;
    let headers = [("authorization", format!("Bearer {key}")), ("x-forwarded-for", "192.0.2.7".to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = ("application/json", r#"{"regions":[],"places":[]}"#);
    assert_eq!(app.upload(Method::PUT, "/places", body, &headers).await.status, 200);
}

async fn a_feed_scope_is_limited_to_its_provider(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert_provider("fever", "EUR", 2).await;
    let (_folder, file) = create_keys_file_path();
    let keys = [
        create_key(&file, "own", &["feed:fever"]),
        create_key(&file, "other", &["feed:other", "rates"]),
        create_key(&file, "all", &["admin"]),
    ];
    let app = start_app(&database, &file).await;
    let post = async |path: &str, key: &str| {
        let authorization = format!("Bearer {key}");
        app.upload(Method::POST, path, ("application/xml", "<eventList/>"), &[("authorization", &authorization)]).await
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
        let response = post(path, key).await;
        assert_eq!(response.status, status, "{path}: {}", response.text());
    }
    let problem = post("/providers/fever/feed", other).await.problem(403, "missing_scope");
    assert_eq!(problem["detail"], "the API key lacks the scope `feed:fever`");
}

#[test]
fn keys_new_prints_the_key_and_stores_its_hash() {
    let (_folder, file) = create_keys_file_path();
    let key = create_key(&file, "a \"quoted\" name", &["rates", "feed:fever"]);
    assert!(key.starts_with("mq_") && key.len() == 46, "{key}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&key) && text.contains(r#"scopes = ["rates", "feed:fever"]"#), "{text}");
    assert_ne!(create_key(&file, "another", &["rates"]), key);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let output = run_keys_new(Some(&file), &["another", "--scope", "rates"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("a key named `another` already exists"));
    let output = run_keys_new(None, &["name", "--scope", "admin"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success()
            && stdout.starts_with("mq_")
            && stdout.contains("[[key]]\nname = \"name\"\nscopes = [\"admin\"]\n"),
        "{stdout}"
    );
    for arguments in [&["name"][..], &["name", "--scope", "everything"], &["--scope", "admin"]] {
        assert_eq!(run_keys_new(None, arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn an_invalid_keys_file_fails_at_startup() {
    let (_folder, file) = create_keys_file_path();
    let settings = KeysSettings { keys_file: Some(file.clone()) };
    let error = Keys::load(&settings, AccessSettings::default()).unwrap_err().to_string();
    assert!(error.contains("cannot read the keys file"), "{error}");
    std::fs::write(&file, "[[key]]\nname = \"a\"\n").unwrap();
    let error = Keys::load(&settings, AccessSettings::default()).unwrap_err().to_string();
    assert!(error.contains("keys.toml is invalid: line 1 is not a valid part of a keys file: missing field"), "{error}");
}

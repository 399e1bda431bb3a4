//! Text of clients and providers in responses: it must not control a terminal, and must not show the operator's network.

use std::{os::unix::fs::PermissionsExt, sync::Arc};

use entity::{sync_run, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use crate::{
    api_keys::{create_key, create_keys_file_path, run_check, start_app},
    fixtures::CatalogueFixture,
    test_app::TestApp,
};

on_every_backend!(addresses_are_shown_only_to_operators, errors_have_no_unsafe_characters, reasons_have_no_unsafe_characters);

const ADDRESS: &str = "10.0.0.7";

/// Headers of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// A failed run with this reason.
async fn insert_failed_run(database: &TestDatabase, reason: &str) -> sync_run::Model {
    let catalogue = CatalogueFixture::new(database).await;
    let provider = catalogue.insert_provider("fever", "EUR", 2).await;
    let run = catalogue.insert_run(&provider, RunState::Failed).await.into_active_model();
    sync_run::ActiveModel { reason: Set(Some(reason.to_owned())), ..run }.update(&catalogue.database).await.unwrap()
}

async fn addresses_are_shown_only_to_operators(database: Arc<TestDatabase>) {
    let run = insert_failed_run(&database, &format!("the provider's address {ADDRESS} is not public")).await;
    let (_folder, file) = create_keys_file_path();
    let [reader, operator] = ["read", "operations"].map(|scope| format!("Bearer {}", create_key(&file, scope, &[scope])));
    let with_keys = start_app(&database, &file).await;
    let without_keys = TestApp::new(&database).await;
    let cases: [(&TestApp, Headers<'_>, bool); 5] = [
        (&without_keys, &[], true),
        (&without_keys, &[("x-forwarded-for", "192.0.2.7")], false),
        (&with_keys, &[], false),
        (&with_keys, &[("authorization", reader.as_str())], false),
        (&with_keys, &[("authorization", operator.as_str())], true),
    ];
    for uri in ["/sync-runs", &format!("/sync-runs/{}", run.id), "/providers"] {
        for (app, headers, is_shown) in cases {
            let response = app.send(Method::GET, uri, headers).await;
            let text = response.text();
            assert_eq!((text.contains(ADDRESS), text.contains("[hidden]")), (is_shown, !is_shown), "{uri} {headers:?}: {text}");
            assert!(text.contains("is not public"), "{text}");
        }
    }
}

async fn errors_have_no_unsafe_characters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let mut errors = 0;
    for character in
        ["%1B%5B2J", "%0D%0AX-Evil:%201", "%C2%9B2J", "%E2%80%AE", "%E2%81%A6", "%E2%80%8B", "%E2%80%A8", "%F3%A0%81%81"]
    {
        for uri in [
            format!("/search?limit={character}"),
            format!("/search?starts_at={character}"),
            format!("/search?{character}=1"),
            format!("/concerts?bandIds={character}"),
            format!("/sync-runs?state={character}"),
            format!("/rates?date_from=2021-01-01&date_to=2021-01-02&orig_code={character}&dest_code={character}"),
            format!("/sync-runs/{character}"),
            format!("/events/{character}"),
            format!("/{character}"),
        ] {
            let response = app.get(&uri).await;
            errors += usize::from(response.status.is_client_error());
            assert!(!response.text().contains(command_line::is_unsafe), "{uri}: {:?}", response.text());
            for (name, value) in &response.headers {
                assert!(value.to_str().is_ok(), "{uri}: {name}: {value:?}");
            }
        }
    }
    assert!(errors > 50, "only {errors} requests were rejected");
}

async fn reasons_have_no_unsafe_characters(database: Arc<TestDatabase>) {
    let reason = "got `\u{1b}[2J\u{202e}\u{9b}`";
    let run = insert_failed_run(&database, reason).await;
    let response = TestApp::new(&database).await.get(&format!("/sync-runs/{}", run.id)).await;
    assert_eq!(response.json()["data"]["reason"], reason, "the value is the same");
    assert!(!response.text().contains(command_line::is_unsafe), "{:?}", response.text());
}

#[test]
fn check_warns_about_a_keys_file_that_others_can_read() {
    let (_folder, file) = create_keys_file_path();
    create_key(&file, "prices", &["rates"]);
    for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o622, true)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let report = run_check(&file);
        let line = report.lines().find(|line| line.contains("API_KEYS_FILE")).unwrap();
        assert_eq!(line.starts_with("WARNING"), is_warned, "{mode:o}: {line}");
        assert_eq!(line.contains(&format!("(mode {mode:o}): run `chmod 600")), is_warned, "{line}");
    }
}

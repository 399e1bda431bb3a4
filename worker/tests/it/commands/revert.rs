//! `marquee-worker revert RUN`.

use provider_sim::SimCatalogue;

use super::{SLUG, Sandbox};

/// A sandbox with two syncs: the first load, and run 2.
async fn synced_twice() -> (Sandbox, String) {
    let sandbox = Sandbox::new().await;
    let catalogue = SimCatalogue { events: 40, churn: 50.0, ..SimCatalogue::default() };
    let [first, second] = [0, 1].map(|poll| sandbox.write(&format!("{poll}.xml"), catalogue.feed(poll)));
    for file in [&first, &second] {
        let output = sandbox.run(&["sync", SLUG, "--from", file.to_str().unwrap(), "--accept-shrink"]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
    }
    (sandbox, second.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_reverted_document_is_accepted_only_with_accept_reverted() {
    let (sandbox, second) = synced_twice().await;
    let planned = sandbox.run(&["revert", "2", "--dry-run"]);
    let reverted = sandbox.run(&["revert", "2"]);
    assert_eq!((planned.code, reverted.code), (Some(0), Some(0)), "{}", reverted.stderr);
    assert!(reverted.stdout.starts_with("northstage: run 2 is reverted: "), "{}", reverted.stdout);
    assert_eq!(planned.stdout.replace("would be reverted", "is reverted"), reverted.stdout);

    let sync = |more: &[&str]| sandbox.run(&[&["sync", SLUG, "--from", &second, "--accept-shrink"], more].concat());
    let refused = sync(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.error_message().contains("--accept-reverted"), "{}", refused.stderr);
    let accepted = sync(&["--accept-reverted"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert_eq!(sandbox.run(&["revert", "2"]).code, Some(1), "it is reverted already");
}

#[tokio::test]
async fn a_run_that_cannot_be_reverted_exits_with_1_and_the_reason() {
    let (sandbox, _) = synced_twice().await;
    for (run, reason) in [("9", "sync run 9 does not exist"), ("1", "was the first load of its provider")] {
        for more in [&[][..], &["--dry-run"]] {
            let output = sandbox.run(&[&["revert", run], more].concat());
            assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
            assert!(output.error_message().contains(reason), "{}", output.stderr);
        }
    }
    assert_eq!(sandbox.run(&["revert", "north"]).code, Some(2));
}

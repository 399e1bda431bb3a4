//! The dependency rules of `docs/ARCHITECTURE.md`, checked against `cargo metadata` and the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Each crate and the crates of the workspace that its programs may use.
const ALLOWED_DEPENDENCIES: [(&str, &[&str]); 13] = [
    ("marquee-acceptance", &[]),
    ("marquee-api", &["marquee-command-line", "marquee-entity", "marquee-outbound", "marquee-rates", "marquee-telemetry"]),
    ("marquee-bench", &["marquee-entity", "marquee-migration", "marquee-programs", "marquee-provider-sim"]),
    ("marquee-chaos", &["marquee-entity", "marquee-programs", "marquee-provider-sim"]),
    ("marquee-command-line", &[]),
    ("marquee-entity", &[]),
    ("marquee-migration", &["marquee-command-line", "marquee-entity"]),
    ("marquee-outbound", &[]),
    ("marquee-programs", &[]),
    ("marquee-provider-sim", &["marquee-command-line"]),
    ("marquee-rates", &["marquee-entity"]),
    ("marquee-telemetry", &["marquee-command-line"]),
    ("marquee-worker", &["marquee-command-line", "marquee-entity", "marquee-outbound", "marquee-rates", "marquee-telemetry"]),
];

/// The benchmarks use the confined libraries directly, as baselines.
const BENCHMARKS: (&str, &str) = ("marquee-bench", "bench/src");

/// Libraries that only some crates may use, by the prefix of their names.
const LIBRARY_OWNERS: [(&str, &[&str]); 8] = [
    ("poem", &["marquee-api"]),
    ("redis", &["marquee-api"]),
    ("quick-xml", &["marquee-api", "marquee-worker"]),
    ("reqwest", &["marquee-outbound", "marquee-worker", "marquee-telemetry", "marquee-chaos"]),
    ("croner", &["marquee-entity"]),
    ("opentelemetry", &["marquee-telemetry"]),
    ("sd-notify", &["marquee-telemetry"]),
    ("clap_complete", &["marquee-command-line"]),
];

/// Library paths that may only be written below some folders, and the clock of a program, which is not the database's.
const LIBRARY_FOLDERS: [(&str, &[&str]); 5] = [
    ("quick_xml::", &["api/src/resources/events/export", "worker/src/provider/format"]),
    ("reqwest::", &["outbound/src", "worker/src/provider", "telemetry/src/traces.rs", "chaos/src"]),
    ("redis::", &["api/src/cache", "chaos/src"]),
    ("poem::", &["api/src"]),
    ("UtcInstant::now(", &[]),
];

#[test]
fn crates_use_only_allowed_crates() {
    let actual: BTreeMap<String, BTreeSet<String>> = packages()
        .iter()
        .map(|package| (name(package), program_dependencies(package).filter(|name| name.starts_with("marquee-")).collect()))
        .collect();
    let allowed: BTreeMap<String, BTreeSet<String>> = ALLOWED_DEPENDENCIES
        .iter()
        .map(|(package, uses)| ((*package).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect()))
        .collect();
    assert_eq!(
        actual.keys().collect::<Vec<_>>(),
        allowed.keys().collect::<Vec<_>>(),
        "a new crate needs an ADR and an entry in ALLOWED_DEPENDENCIES"
    );
    for (package, uses) in &actual {
        assert!(uses.is_subset(&allowed[package]), "{package} uses {uses:?}, but may only use {:?}", allowed[package]);
    }
}

/// A released migration must not change when an entity does.
#[test]
fn migrations_do_not_use_entities() {
    for file in sources(&root().join("migration/src")) {
        let is_program = ["main.rs", "commands.rs", "testing/mod.rs", "testing/proxy.rs", "testing/event_catalogue.rs"]
            .iter()
            .any(|name| file.ends_with(name));
        let text = fs::read_to_string(&file).unwrap();
        assert!(is_program || !text.contains("entity::"), "{} uses entity", file.display());
    }
}

#[test]
fn api_and_worker_do_not_use_each_other_even_in_tests() {
    for package in packages() {
        let dependencies = package["dependencies"].as_array().unwrap().iter().map(name).collect::<Vec<_>>();
        let (user, programs) = (name(&package), ["marquee-api".to_owned(), "marquee-worker".to_owned()]);
        let uses_other = dependencies.iter().any(|used| programs.contains(used));
        assert!(!programs.contains(&user) || !uses_other, "{user} uses {dependencies:?}");
    }
}

#[test]
fn a_library_with_an_owner_is_used_by_no_other_crate() {
    for package in packages() {
        let user = name(&package);
        for dependency in program_dependencies(&package) {
            for (library, owners) in LIBRARY_OWNERS {
                let is_allowed = owners.contains(&user.as_str()) || user == BENCHMARKS.0;
                assert!(!dependency.starts_with(library) || is_allowed, "{user} uses {dependency}, but only {owners:?} may");
            }
        }
    }
}

#[test]
fn a_confined_library_is_used_only_in_its_folder() {
    for file in sources(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        for (library, folders) in LIBRARY_FOLDERS {
            let is_allowed = folders.iter().chain([&BENCHMARKS.1]).any(|folder| path.starts_with(folder));
            assert!(!text.contains(library) || is_allowed, "{path} uses {library}, which is only allowed below {folders:?}");
        }
    }
}

/// The root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> String {
    package["name"].as_str().unwrap().to_owned()
}

/// The dependencies of a package's programs: without dev-dependencies and optional ones, which only tests enable.
fn program_dependencies(package: &Value) -> impl Iterator<Item = String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies.filter(|dependency| dependency["kind"].is_null() && dependency["optional"] == false).map(name)
}

/// The source files of the programs, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file_name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "tests", ".git"].contains(&file_name.as_str()) {
            files.extend(sources(&path));
        } else if file_name.ends_with(".rs") {
            files.push(path);
        }
    }
    files
}

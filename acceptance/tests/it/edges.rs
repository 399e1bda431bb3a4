//! Who may use whom: the rules of `docs/ARCHITECTURE.md`, held over `cargo metadata` and the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Each room and the rooms that it may use in its programs.
const ROOMS: [(&str, &[&str]); 9] = [
    ("marquee-acceptance", &[]),
    ("marquee-api", &["marquee-entity", "marquee-rates", "marquee-telemetry"]),
    ("marquee-bench", &["marquee-entity", "marquee-migration", "marquee-provider-sim"]),
    ("marquee-entity", &[]),
    ("marquee-migration", &[]),
    ("marquee-provider-sim", &[]),
    ("marquee-rates", &["marquee-entity"]),
    ("marquee-telemetry", &[]),
    ("marquee-worker", &["marquee-entity", "marquee-rates", "marquee-telemetry"]),
];

/// The room that measures against bare uses of the libraries which the programs confine, and may name them for that.
const MEASURES: (&str, &str) = ("marquee-bench", "bench/src");

/// Crates that stay in one room, by the beginning of their names.
const KEPT: [(&str, &str); 5] = [
    ("poem", "marquee-api"),
    ("redis", "marquee-api"),
    ("quick-xml", "marquee-worker"),
    ("reqwest", "marquee-worker"),
    ("tokio-cron-scheduler", "marquee-worker"),
];

/// Names of crates that may be written only below one folder.
const CONFINED: [(&str, &str); 4] = [
    ("quick_xml::", "worker/src/provider/format"),
    ("reqwest::", "worker/src/provider"),
    ("redis::", "api/src/cache"),
    ("poem::", "api/src"),
];

#[test]
fn no_room_uses_another_that_it_may_not() {
    let found: BTreeMap<String, BTreeSet<String>> = packages()
        .iter()
        .map(|package| (name(package), program_dependencies(package).filter(|name| name.starts_with("marquee-")).collect()))
        .collect();
    let allowed: BTreeMap<String, BTreeSet<String>> =
        ROOMS.iter().map(|(room, uses)| ((*room).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect())).collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), allowed.keys().collect::<Vec<_>>(), "a new room wants an ADR and a line here");
    for (room, uses) in &found {
        assert!(uses.is_subset(&allowed[room]), "{room} uses {uses:?}, it may use {:?}", allowed[room]);
    }
}

#[test]
fn api_and_worker_never_use_each_other_not_even_in_tests() {
    for package in packages() {
        let dependencies = package["dependencies"].as_array().unwrap().iter().map(name).collect::<Vec<_>>();
        let (one, other) = (name(&package), ["marquee-api".to_owned(), "marquee-worker".to_owned()]);
        assert!(!other.contains(&one) || !dependencies.iter().any(|used| other.contains(used)), "{one} uses {dependencies:?}");
    }
}

#[test]
fn a_crate_that_belongs_to_one_room_stays_there() {
    for package in packages() {
        let room = name(&package);
        for dependency in program_dependencies(&package) {
            for (kept, home) in KEPT {
                assert!(
                    !dependency.starts_with(kept) || [home, MEASURES.0].contains(&room.as_str()),
                    "{room} uses {dependency}, which stays in {home}"
                );
            }
        }
    }
}

#[test]
fn a_library_of_one_folder_is_named_nowhere_else() {
    for file in sources(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        let place = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        for (library, folder) in CONFINED {
            let is_allowed = place.starts_with(folder) || place.starts_with(MEASURES.1);
            assert!(!text.contains(library) || is_allowed, "{place} names {library}, which stays below {folder}");
        }
    }
}

fn root() -> PathBuf {
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

/// What a package's programs are built from: neither what only its tests need nor what only other crates' tests switch on.
fn program_dependencies(package: &Value) -> impl Iterator<Item = String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies.filter(|dependency| dependency["kind"].is_null() && dependency["optional"] == false).map(name)
}

/// The sources of the programs.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file_name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "tests", ".git"].contains(&file_name.as_str()) {
            found.extend(sources(&path));
        } else if file_name.ends_with(".rs") {
            found.push(path);
        }
    }
    found
}

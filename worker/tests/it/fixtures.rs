//! The feeds of `tests/fixtures`, and those that are too large to be kept as files.

use std::path::{Path, PathBuf};

/// Where a fixture stands.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap()
}

/// A document that cannot be trusted as a whole.
pub(crate) struct Untrusted {
    /// What is wrong with it.
    pub(crate) name: String,
    /// The reason with which it must be refused.
    pub(crate) code: String,
    pub(crate) bytes: Vec<u8>,
}

/// Every document of `untrusted`, and what else is wrong by its mere size.
pub(crate) fn untrusted() -> Vec<Untrusted> {
    let mut found = Vec::new();
    for folder in files_of(&path("untrusted")) {
        for file in files_of(&folder) {
            found.push(Untrusted { name: name_of(&file), code: name_of(&folder), bytes: std::fs::read(&file).unwrap() });
        }
    }
    assert!(found.len() > 40, "the fixtures are not there: {}", found.len());

    let small = text("sound/small.xml");
    let megabyte = "x".repeat(1024 * 1024);
    let large = [
        ("1 MB in an attribute that is read", small.replace("title=\"", &format!("title=\"{megabyte}"))),
        ("1 MB in an attribute that is not read", small.replace("title=\"", &format!("more=\"{megabyte}\" title=\""))),
        ("1 MB in an attribute of an unknown element", small.replace("<output>", &format!("<hall is=\"{megabyte}\"/><output>"))),
        ("1 MB in an attribute of the root", small.replace("version=\"1.0\">", &format!("more=\"{megabyte}\">"))),
        ("1 MB of text", small.replace("<output>", &format!("<output>{megabyte}"))),
        ("100,000 elements deep", small.replace("<output>", &format!("{}<output>", "<a>".repeat(100_000)))),
    ];
    for (name, document) in large {
        found.push(Untrusted { name: name.to_owned(), code: "over_limit".to_owned(), bytes: document.into_bytes() });
    }
    found
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

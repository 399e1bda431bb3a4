//! The feeds in `tests/fixtures`, and those that are too large for files.

use std::path::{Path, PathBuf};

/// The path of a fixture.
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
    /// The error, for messages.
    pub(crate) name: String,
    /// The expected reason code.
    pub(crate) code: String,
    pub(crate) bytes: Vec<u8>,
}

/// Every document in `untrusted`, and documents that are too large.
pub(crate) fn untrusted() -> Vec<Untrusted> {
    let mut documents = Vec::new();
    for folder in list_files(&path("untrusted")) {
        for file in list_files(&folder) {
            documents.push(Untrusted { name: file_name(&file), code: file_name(&folder), bytes: std::fs::read(&file).unwrap() });
        }
    }
    assert!(documents.len() > 30, "too few fixtures: {}", documents.len());

    let small = text("sound/small.xml");
    let megabyte = "x".repeat(1024 * 1024);
    let large = [
        ("1 MB in a known attribute", small.replace("title=\"", &format!("title=\"{megabyte}"))),
        ("1 MB in an unknown attribute", small.replace("title=\"", &format!("more=\"{megabyte}\" title=\""))),
        ("1 MB in an attribute of an unknown element", small.replace("<output>", &format!("<hall is=\"{megabyte}\"/><output>"))),
        ("1 MB in an attribute of the root", small.replace("version=\"1.0\">", &format!("more=\"{megabyte}\">"))),
        ("1 MB of text", small.replace("<output>", &format!("<output>{megabyte}"))),
        ("100,000 elements deep", small.replace("<output>", &format!("{}<output>", "<a>".repeat(100_000)))),
    ];
    for (name, document) in large {
        documents.push(Untrusted { name: name.to_owned(), code: "over_limit".to_owned(), bytes: document.into_bytes() });
    }
    documents
}

fn list_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

//! `API_KEYS_FILE`: a `[[key]]` for each, in TOML.

use std::{
    collections::HashSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::Scope;

/// Bytes of a SHA-256.
pub(super) const DIGEST_BYTES: usize = 32;
/// Characters of a name, which reaches the log.
const MAX_NAME_CHARACTERS: usize = 100;

/// A key as the file knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub scopes: HashSet<Scope>,
    /// Of the key.
    pub(super) sha256: [u8; DIGEST_BYTES],
}

/// What is wrong with the file of keys. It never says what the file says.
#[derive(Debug, thiserror::Error)]
pub enum KeysFileError {
    /// It cannot be read.
    #[error("{} cannot be read (API_KEYS_FILE names it)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{} cannot be written (API_KEYS_FILE names it)", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no list of keys.
    #[error("{} is no list of keys: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the lines themselves.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    scopes: Vec<String>,
    sha256: String,
}

pub(super) fn text_of(path: &Path) -> Result<String, KeysFileError> {
    fs::read_to_string(path).map_err(|source| KeysFileError::Unreadable { path: path.to_owned(), source })
}

/// The keys that a text lists.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Entry>, KeysFileError> {
    let malformed = |why: String| KeysFileError::Malformed { path: path.to_owned(), why };
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].lines().count().max(1));
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        malformed(format!("{place}{}", error.message()))
    })?;
    let mut names = HashSet::new();
    let entries = document.key.into_iter().map(|written| {
        if !is_name(&written.name) {
            return Err(malformed(format!("a name has 1 to {MAX_NAME_CHARACTERS} printable characters")));
        }
        if !names.insert(written.name.clone()) {
            return Err(malformed(format!("there are two keys with the name `{}`", written.name)));
        }
        entry(written).map_err(malformed)
    });
    entries.collect()
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARACTERS).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

fn entry(Written { name, scopes, sha256 }: Written) -> Result<Entry, String> {
    let scopes: Result<HashSet<Scope>, String> = scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|why| format!("the key `{name}` has a scope that is none: {why}"))?;
    let digest = digest_from_hex(&sha256).ok_or_else(|| format!("the key `{name}` has no sha256 of 64 hexadecimal digits"))?;
    Ok(Entry { name, scopes, sha256: digest })
}

fn digest_from_hex(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    if text.len() != 2 * DIGEST_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; DIGEST_BYTES];
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Entry").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn parsed(text: &str) -> Result<Vec<Entry>, String> {
        parse(Path::new("keys.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_lists_keys() {
        let text = format!(
            "[[key]]\nname = \"prices\"\nscopes = [\"rates\", \"feed:fever\"]\nsha256 = \"{DIGEST}\"\n\
             [[key]]\nname = \"nothing\"\nscopes = []\nsha256 = \"{}\"\n",
            DIGEST.to_uppercase()
        );
        let entries = parsed(&text).unwrap();
        assert_eq!(entries[0].scopes, HashSet::from([Scope::Rates, Scope::Feed("fever".to_owned())]));
        assert_eq!((entries[0].sha256[0], entries[0].sha256[31]), (0x9f, 0x08));
        assert_eq!(entries[0].sha256, entries[1].sha256);
        assert_eq!(parsed("").unwrap(), []);
        assert!(!format!("{entries:?}").contains("159"), "no digest is shown");
    }

    #[test]
    fn what_is_wrong_is_told_without_a_digest() {
        let key = |name: &str, scopes: &str, sha256: &str| {
            format!("[[key]]\nname = {name}\nscopes = {scopes}\nsha256 = \"{sha256}\"\n")
        };
        for (text, part) in [
            (key("\"a\"", "[\"rate\"]", DIGEST), "the key `a` has a scope that is none"),
            (key("\"a\"", "[]", &DIGEST[1..]), "64 hexadecimal digits"),
            (key("\"a\"", "[]", &format!("{}ü", &DIGEST[2..])), "64 hexadecimal digits"),
            (key("\"\"", "[]", DIGEST), "a name has 1 to 100"),
            (key("\"a\"", "[]", DIGEST).repeat(2), "two keys with the name `a`"),
            (key("7", "[]", DIGEST), "line 2"),
            (format!("{}secret = 1\n", key("\"a\"", "[]", DIGEST)), "unknown field `secret`"),
            ("key = ".to_owned() + DIGEST, "line 1"),
        ] {
            let error = parsed(&text).unwrap_err();
            assert!(error.contains(part) && !error.contains(&DIGEST[4..30]), "{text}: {error}");
        }
    }
}

//! The keys file (`API_KEYS_FILE`): TOML with a `[[key]]` table for each key.

use std::{
    collections::HashSet,
    fmt, fs, io,
    num::NonZeroU32,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::Scope;
use crate::rate_limit::{KeyLimiter, Quota};

/// Bytes of a SHA-256 digest.
pub(super) const DIGEST_BYTES: usize = 32;
/// Longest key name. Names appear in every log line of a write.
const MAX_NAME_CHARACTERS: usize = 100;
/// Keys of one file: each has its own series in the metrics, and each is compared with every request that has a key.
const MAX_KEYS: usize = 1_000;
/// What a key name must be.
pub(super) const INVALID_NAME: &str = "a name must have 1 to 100 printable characters";

/// An API key, as the keys file lists it.
pub struct KeyRecord {
    /// The name of the key.
    pub name: String,
    /// The scopes of the key.
    pub scopes: HashSet<Scope>,
    /// The digest of the key.
    pub(super) sha256: [u8; DIGEST_BYTES],
    /// The rate limit of the key, if it has its own.
    pub(crate) limiter: Option<KeyLimiter>,
}

impl KeyRecord {
    /// Whether the key has a scope.
    pub(super) fn permits(&self, scope: &Scope) -> bool {
        self.scopes.contains(scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// Why the keys file cannot be used. No message contains a digest.
#[derive(Debug, thiserror::Error)]
pub enum KeysFileError {
    /// The file cannot be read.
    #[error("cannot read the keys file {} (API_KEYS_FILE)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the keys file {} (API_KEYS_FILE)", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A setting requires keys, and there are none.
    #[error("RESTRICT_OPERATIONS requires API_KEYS_FILE: without keys, no client could read what is restricted")]
    Required,
    /// The content of the file is invalid.
    #[error("the keys file {} is invalid: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the text of the file.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysDocument {
    #[serde(default)]
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    name: String,
    scopes: Vec<String>,
    sha256: String,
    rate_limit_per_second: Option<NonZeroU32>,
    rate_limit_burst: Option<NonZeroU32>,
}

pub(super) fn read_text(path: &Path) -> Result<String, KeysFileError> {
    fs::read_to_string(path).map_err(|source| KeysFileError::Unreadable { path: path.to_owned(), source })
}

/// A warning if users other than the owner can read or write the file.
pub(super) fn warn_about_mode(path: &Path) -> Option<String> {
    let file = fs::metadata(path).ok()?;
    let mode = file.permissions().mode() & 0o777;
    // Systems without this folder have no Kubernetes.
    let is_own = fs::metadata("/proc/self").map_or(true, |process| process.uid() == file.uid());
    let path = path.display();
    is_exposed(mode, is_own)
        .then(|| format!("other users can read or write the keys file {path} (mode {mode:o}): run `chmod 600 {path}`"))
}

/// A file that belongs to another user, as one of a Kubernetes Secret does, can only be read by its group.
fn is_exposed(mode: u32, is_own: bool) -> bool {
    let forbidden = if is_own { 0o066 } else { 0o026 };
    mode & forbidden != 0
}

/// Parses the text of a keys file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Arc<KeyRecord>>, KeysFileError> {
    let invalid = |reason: String| KeysFileError::Invalid { path: path.to_owned(), reason };
    let document: KeysDocument = toml::from_str(text).map_err(|error| invalid(describe_syntax_error(text, &error)))?;
    if document.key.len() > MAX_KEYS {
        return Err(invalid(format!("it must have at most {MAX_KEYS} keys, got {}", document.key.len())));
    }
    let mut names = HashSet::new();
    let records = document.key.into_iter().map(|entry| {
        if !is_valid_name(&entry.name) {
            return Err(invalid(format!("invalid key name: {INVALID_NAME}")));
        }
        if !names.insert(entry.name.clone()) {
            return Err(invalid(format!("two keys have the name `{}`", entry.name)));
        }
        to_record(entry).map(Arc::new).map_err(invalid)
    });
    records.collect()
}

/// The message and the line of a TOML error. Its own text would quote the line, which may hold a digest.
fn describe_syntax_error(text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            let line = text[..span.start].lines().count().max(1);
            format!("line {line} is not a valid part of a keys file: {}", error.message())
        }
        None => format!("it is not a valid keys file: {}", error.message()),
    }
}

pub(super) fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARACTERS).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

fn to_record(entry: KeyEntry) -> Result<KeyRecord, String> {
    let KeyEntry { name, scopes, sha256, rate_limit_per_second, rate_limit_burst } = entry;
    if rate_limit_burst.is_some() && rate_limit_per_second.is_none() {
        return Err(format!("`rate_limit_burst` of the key `{name}` requires `rate_limit_per_second`"));
    }
    let limiter = rate_limit_per_second.map(|per_second| KeyLimiter::new(Quota::new("key", per_second, rate_limit_burst)));
    let scopes: Result<HashSet<Scope>, String> = scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|reason| format!("a scope of the key `{name}` {reason}"))?;
    let sha256 = parse_digest(&sha256).ok_or_else(|| format!("`sha256` of the key `{name}` must be 64 hexadecimal digits"))?;
    Ok(KeyRecord { name, scopes, sha256, limiter })
}

fn parse_digest(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    if text.len() != 2 * DIGEST_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; DIGEST_BYTES];
    for (byte, start) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(start..start + 2)?, 16).ok()?;
    }
    Some(digest)
}

impl KeyRecord {
    /// Counts a request with the key. There are at most [`MAX_KEYS`] keys, and so as many series.
    pub(crate) fn count(&self, is_limited: bool) {
        let outcome = if is_limited { "rate_limited" } else { "accepted" };
        metrics::counter!("marquee_key_requests_total", "key" => self.name.clone(), "outcome" => outcome).increment(1);
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyRecord").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn parse_text(text: &str) -> Result<Vec<Arc<KeyRecord>>, String> {
        parse(Path::new("keys.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn warns_about_files_that_others_can_use() {
        for (mode, of_own_user, of_another_user) in
            [(0o600, false, false), (0o440, true, false), (0o644, true, true), (0o660, true, true), (0o602, true, true)]
        {
            assert_eq!([is_exposed(mode, true), is_exposed(mode, false)], [of_own_user, of_another_user], "{mode:o}");
        }
    }

    #[test]
    fn parses_keys_without_showing_digests() {
        let text = format!(
            "[[key]]\nname = \"prices\"\nscopes = [\"rates\", \"feed:fever\"]\nsha256 = \"{DIGEST}\"\n\
             [[key]]\nname = \"nothing\"\nscopes = []\nsha256 = \"{}\"\n",
            DIGEST.to_uppercase()
        );
        let records = parse_text(&text).unwrap();
        assert_eq!(records[0].scopes, HashSet::from([Scope::Rates, Scope::Feed("fever".to_owned())]));
        assert_eq!((records[0].sha256[0], records[0].sha256[31]), (0x9f, 0x08));
        assert_eq!(records[0].sha256, records[1].sha256);
        assert!(parse_text("").unwrap().is_empty());
        assert!(!format!("{records:?}").contains("159"), "Debug shows a digest");
    }

    #[test]
    fn errors_never_quote_a_digest() {
        let key = |name: &str, scopes: &str, sha256: &str| {
            format!("[[key]]\nname = {name}\nscopes = {scopes}\nsha256 = \"{sha256}\"\n")
        };
        for (text, part) in [
            (
                key("\"a\"", "[\"rate\"]", DIGEST),
                "a scope of the key `a` must be read, rates, places, webhooks, operations, admin or feed:SLUG, got `rate`",
            ),
            (key("\"a\"", "[]", &DIGEST[1..]), "64 hexadecimal digits"),
            (key("\"a\"", "[]", &format!("{}ü", &DIGEST[2..])), "64 hexadecimal digits"),
            (key("\"\"", "[]", DIGEST), "a name must have 1 to 100"),
            (key("\"a\"", "[]", DIGEST).repeat(2), "two keys have the name `a`"),
            (key("7", "[]", DIGEST), "line 2 is not a valid part of a keys file: invalid type"),
            (format!("{}rate_limit_burst = 9\n", key("\"a\"", "[]", DIGEST)), "requires `rate_limit_per_second`"),
            (format!("{}rate_limit_per_second = 0\n", key("\"a\"", "[]", DIGEST)), "line 5 is not a valid part"),
            (format!("{}secret = 1\n", key("\"a\"", "[]", DIGEST)), "unknown field `secret`"),
            ("key = ".to_owned() + DIGEST, "line 1 is not"),
        ] {
            let error = parse_text(&text).unwrap_err();
            assert!(error.contains(part) && !error.contains(&DIGEST[4..30]), "{text}: {error}");
        }
    }
}

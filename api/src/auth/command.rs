//! `marquee-api keys new NAME --scope SCOPE`: creates an API key and prints it once.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    num::NonZeroU32,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};

use super::{
    KeysFileError, KeysSettings, Scope,
    caller::digest,
    file::{INVALID_NAME, is_valid_name, parse, read_text},
};

/// Random bytes in a key.
const KEY_BYTES: usize = 32;
/// Lets secret scanners recognize a key in source code and logs.
const PREFIX: &str = "mq_";

/// Manages API keys.
#[derive(Args, Clone, Debug)]
pub struct KeysCommand {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Debug, Subcommand)]
enum Task {
    /// Create a key and print it once. Its hash is added to API_KEYS_FILE, or printed if that is unset
    New {
        /// Name of the key, which appears in the log
        name: String,
        /// Scope of the key: read, rates, places, webhooks, operations, admin or feed:SLUG. Repeat the flag for several scopes
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// Requests per second that clients with this key may make together; by default, RATE_LIMIT_PER_SECOND
        #[arg(long = "key-rate-limit", value_name = "NUMBER")]
        rate_limit: Option<NonZeroU32>,
        #[command(flatten)]
        settings: KeysSettings,
    },
}

/// Why no key was created.
#[derive(Debug, thiserror::Error)]
pub enum KeysCommandError {
    /// The name is invalid.
    #[error("invalid key name `{name}`: {INVALID_NAME}")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The file already has a key with this name.
    #[error("a key named `{name}` already exists: choose another name, or remove it from the file first")]
    NameExists {
        /// The name.
        name: String,
    },
    /// The system's random number generator failed.
    #[error("the system's random number generator failed: {0}")]
    Random(getrandom::Error),
    /// The keys file cannot be used.
    #[error(transparent)]
    File(#[from] KeysFileError),
}

impl KeysCommand {
    /// Runs the command, and returns what to print.
    ///
    /// # Errors
    ///
    /// When no key was created.
    pub fn execute(&self) -> Result<String, KeysCommandError> {
        let Task::New { name, scopes, rate_limit, settings } = &self.task;
        if !is_valid_name(name) {
            return Err(KeysCommandError::InvalidName { name: name.clone() });
        }
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(KeysCommandError::Random)?;
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let entry = format_entry(name, scopes, *rate_limit, &key);
        match &settings.keys_file {
            Some(path) => {
                append(path, name, &entry)?;
                Ok(format!("{key}\n"))
            }
            None => Ok(format!("{key}\n\nAPI_KEYS_FILE is not set. Add this entry to your keys file:\n\n{entry}")),
        }
    }
}

/// The entry of the key in the keys file.
fn format_entry(name: &str, scopes: &[Scope], rate_limit: Option<NonZeroU32>, key: &str) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
    let sha256: String = digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = toml::Value::String(name.to_owned());
    let rate_limit = rate_limit.map(|limit| format!("rate_limit_per_second = {limit}\n")).unwrap_or_default();
    format!("[[key]]\nname = {name}\nscopes = [{}]\nsha256 = \"{sha256}\"\n{rate_limit}", scopes.join(", "))
}

fn append(path: &Path, name: &str, entry: &str) -> Result<(), KeysCommandError> {
    let text = match read_text(path) {
        Err(KeysFileError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    if parse(path, &text)?.iter().any(|record| record.name == name) {
        return Err(KeysCommandError::NameExists { name: name.to_owned() });
    }
    let separator = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    // A single write, so that a running API never reads half of an entry.
    let result = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{separator}{entry}").as_bytes()));
    Ok(result.map_err(|source| KeysFileError::Unwritable { path: path.to_owned(), source })?)
}

//! `marquee-api keys new NAME --scope SCOPE`: makes a key, and prints it once.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};

use super::{
    KeysFileError, KeysSettings, Scope,
    caller::digest,
    file::{is_name, parse, text_of},
};

/// Bytes of chance in a key.
const KEY_BYTES: usize = 32;
/// By which scanners of source code and logs know a key of ours.
const PREFIX: &str = "mq_";

/// Work on keys.
#[derive(Args, Clone, Debug)]
pub struct KeysCommand {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Debug, Subcommand)]
enum Task {
    /// Make a key and print it: nobody can show it again. Its hash is added to API_KEYS_FILE, or printed if there is none
    New {
        /// Whose it is: a name for the log
        name: String,
        /// What it may do: rates, places, admin, feed:SLUG; more than one by repeating
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        #[command(flatten)]
        settings: KeysSettings,
    },
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum KeysCommandError {
    /// The name is no name.
    #[error("a name has 1 to 100 printable characters")]
    Name,
    /// The name is taken.
    #[error("there is a key with the name `{name}` already: take it out of the file first, or choose another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeysFileError),
}

impl KeysCommand {
    /// Does what was asked, and says what to print.
    ///
    /// # Errors
    ///
    /// When there is no new key.
    pub fn execute(&self) -> Result<String, KeysCommandError> {
        let Task::New { name, scopes, settings } = &self.task;
        if !is_name(name) {
            return Err(KeysCommandError::Name);
        }
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(KeysCommandError::Random)?;
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let entry = entry(name, scopes, &key);
        match &settings.keys_file {
            Some(path) => {
                add(path, name, &entry)?;
                Ok(format!("{key}\n"))
            }
            None => Ok(format!("{key}\n\nAdd to the file that API_KEYS_FILE names:\n\n{entry}")),
        }
    }
}

/// As the file lists it.
fn entry(name: &str, scopes: &[Scope], key: &str) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
    let sha256: String = digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = toml::Value::String(name.to_owned());
    format!("[[key]]\nname = {name}\nscopes = [{}]\nsha256 = \"{sha256}\"\n", scopes.join(", "))
}

fn add(path: &Path, name: &str, entry: &str) -> Result<(), KeysCommandError> {
    let text = match text_of(path) {
        Err(KeysFileError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    if parse(path, &text)?.iter().any(|entry| entry.name == name) {
        return Err(KeysCommandError::Taken { name: name.to_owned() });
    }
    let gap = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    // At once, so that nobody reads half of it.
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{gap}{entry}").as_bytes()));
    Ok(written.map_err(|source| KeysFileError::Unwritable { path: path.to_owned(), source })?)
}

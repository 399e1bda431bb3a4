//! Who may write: keys, their scopes, and the file that holds them.
//!
//! A key is 256 random bits that its holder alone has; the file holds its name, what it may do, and its SHA-256. That is no password
//! hash, and need not be: nobody guesses 256 bits. No key reaches a log, a metric or an error.

mod caller;
pub mod command;
mod file;
mod local;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use poem::Request;
use subtle::ConstantTimeEq;

pub use self::{
    caller::Caller,
    file::{Entry, KeysFileError},
};
use crate::error::ApiError;

/// How long what the file says is believed: whoever revokes a key waits no longer than this for it to end.
const REREAD_AFTER: Duration = Duration::from_secs(1);

/// Where the keys are.
#[derive(Args, Clone, Debug, Default)]
pub struct KeysSettings {
    /// The file of keys; without one, only this machine may write
    #[arg(long = "api-keys-file", env = "API_KEYS_FILE", value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
}

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Push the feed of one provider.
    Feed(String),
    /// Bring prices in and take them back.
    Rates,
    /// Say which places there are.
    Places,
    /// All of it, and what else there is to write.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feed(slug) => write!(formatter, "feed:{slug}"),
            Self::Rates => formatter.write_str("rates"),
            Self::Places => formatter.write_str("places"),
            Self::Admin => formatter.write_str("admin"),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_slug = |slug: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !slug.is_empty() && slug.bytes().all(is_allowed)
        };
        match (text, text.strip_prefix("feed:")) {
            ("rates", _) => Ok(Self::Rates),
            ("places", _) => Ok(Self::Places),
            ("admin", _) => Ok(Self::Admin),
            (_, Some(slug)) if is_slug(slug) => Ok(Self::Feed(slug.to_owned())),
            _ => Err("want rates, places, admin, or feed: with the slug of a provider behind it".to_owned()),
        }
    }
}

/// Who may write to this process.
#[derive(Clone, Debug, Default)]
pub struct Keys(Option<Arc<FileOfKeys>>);

#[derive(Debug)]
struct FileOfKeys {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    text: String,
    entries: Arc<[Entry]>,
    read_at: Instant,
    /// Whether the log has been told that the file cannot be used.
    is_broken: bool,
}

impl Keys {
    /// Those of a file, which is read now and looked at again while it is used; without a file, whoever is on this machine may write.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or does not say what it should.
    pub fn of(settings: &KeysSettings) -> Result<Self, KeysFileError> {
        let Some(path) = settings.keys_file.clone() else { return Ok(Self(None)) };
        let text = file::text_of(&path)?;
        let entries = file::parse(&path, &text)?.into();
        let known = Mutex::new(Known { text, entries, read_at: Instant::now(), is_broken: false });
        Ok(Self(Some(Arc::new(FileOfKeys { path, known }))))
    }

    /// Makes sure that whoever sent a request may do this.
    ///
    /// # Errors
    ///
    /// When it shows no key that is known, or one of another scope; without keys, when it does not come from this machine.
    pub fn admit(&self, request: &Request, caller: &Caller, scope: &Scope) -> Result<(), ApiError> {
        let Some(file) = &self.0 else { return local::only_local(request) };
        let Some(digest) = caller.digest() else { return Err(ApiError::AuthenticationRequired) };
        let entries = file.entries();
        // Every entry is compared, whichever fits.
        let found =
            entries.iter().fold(None, |found, entry| if bool::from(entry.sha256.ct_eq(digest)) { Some(entry) } else { found });
        let Some(entry) = found else { return Err(ApiError::InvalidKey) };
        if entry.scopes.contains(scope) || entry.scopes.contains(&Scope::Admin) {
            tracing::debug!(key = entry.name, %scope, "write admitted");
            Ok(())
        } else {
            Err(ApiError::MissingScope { scope: scope.to_string() })
        }
    }
}

impl FileOfKeys {
    /// What the file says. While it cannot be used, what it said before: an editor writes it in steps.
    fn entries(&self) -> Arc<[Entry]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.read_at.elapsed() >= REREAD_AFTER {
            known.read_at = Instant::now();
            known.take(&self.path);
        }
        known.entries.clone()
    }
}

impl Known {
    fn take(&mut self, path: &Path) {
        let read = file::text_of(path).and_then(|text| {
            let entries = if text == self.text { None } else { Some(file::parse(path, &text)?) };
            Ok((text, entries))
        });
        match read {
            Ok((text, entries)) => {
                if let Some(entries) = entries {
                    tracing::info!(keys = entries.len(), "the file of keys was read again");
                    (self.text, self.entries) = (text, entries.into());
                }
                self.is_broken = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_broken, true) {
                    let error = telemetry::with_causes(&error);
                    tracing::error!(error, "the file of keys cannot be used: those that it held before still hold");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written_alike() {
        for text in ["rates", "places", "admin", "feed:fever", "feed:north-stage-2"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "Rates", "feed", "feed:", "feed:*", "feed:Fever", "all"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}

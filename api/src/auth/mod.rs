//! Authorization: API keys, their scopes and rate limits, and the keys file.
//!
//! A key is 256 random bits. The file holds its name, its scopes and its SHA-256. A slow password hash is not needed, because 256
//! random bits cannot be guessed. No key is ever logged, counted or returned.

mod caller;
pub mod command;
mod cross_origin;
mod file;
mod form_token;
mod local;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::{ArgAction, Args, builder::BoolishValueParser};
use poem::{Request, http::HeaderMap};
use subtle::ConstantTimeEq;

pub(crate) use self::form_token::FORM_TOKEN;
pub use self::{
    caller::Caller,
    file::{KeyRecord, KeysFileError},
};
use crate::error::ApiError;

/// How often the file is read again while it is used. A revoked key is valid for at most this long.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Where the keys file is.
#[derive(Args, Clone, Debug, Default)]
pub struct KeysSettings {
    /// File of API keys; unset, writes are accepted from the local machine only
    #[arg(long = "api-keys-file", env = "API_KEYS_FILE", value_name = "FILE", global = true)]
    pub keys_file: Option<PathBuf>,
}

/// Which reads require a key.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct AccessSettings {
    /// Require a key with the scope `operations` to read /sync-runs, /rates/batches, /zzz and /metrics
    #[arg(long, env = "RESTRICT_OPERATIONS", value_name = "BOOL", default_value = "false", action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub restrict_operations: bool,
}

/// What a key permits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Pushing the feed of one provider.
    Feed(String),
    /// Importing and deleting batches of prices.
    Rates,
    /// Replacing the list of places.
    Places,
    /// Creating webhooks, and managing those that the key created.
    Webhooks,
    /// Reading what the operator may restrict: sync runs, batches, data of the probe, and metrics.
    Operations,
    /// Nothing beyond what everyone may read. The key identifies its client, for a rate limit and for metrics.
    Read,
    /// Everything.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feed(slug) => write!(formatter, "feed:{slug}"),
            Self::Rates => formatter.write_str("rates"),
            Self::Places => formatter.write_str("places"),
            Self::Webhooks => formatter.write_str("webhooks"),
            Self::Operations => formatter.write_str("operations"),
            Self::Read => formatter.write_str("read"),
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
            ("webhooks", _) => Ok(Self::Webhooks),
            ("operations", _) => Ok(Self::Operations),
            ("read", _) => Ok(Self::Read),
            ("admin", _) => Ok(Self::Admin),
            (_, Some(slug)) if is_slug(slug) => Ok(Self::Feed(slug.to_owned())),
            _ => Err(format!("must be read, rates, places, webhooks, operations, admin or feed:SLUG, got `{text}`")),
        }
    }
}

/// What the log shows instead of a key name on a server without keys.
const LOCAL_CALLER: &str = "local";

/// The name of an authorized caller: of its key, or `LOCAL_CALLER`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerName(Box<str>);

impl CallerName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CallerName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Authorizes the requests of this process.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    file: Option<Arc<KeysFile>>,
    /// Whether reads of operational data require a key.
    restricts_operations: bool,
}

#[derive(Debug)]
struct KeysFile {
    path: PathBuf,
    snapshot: Mutex<KeysSnapshot>,
}

/// The last valid content of the file.
#[derive(Debug)]
struct KeysSnapshot {
    text: String,
    records: Records,
    read_at: Instant,
    /// Whether the current error of the file has been logged.
    is_failing: bool,
}

type Records = Arc<[Arc<KeyRecord>]>;

impl Keys {
    /// Loads the keys file. It is reloaded while it is used. Without a file, only the local machine may write.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is invalid, or when a file is required and not set.
    pub fn load(settings: &KeysSettings, access: AccessSettings) -> Result<Self, KeysFileError> {
        let restricts_operations = access.restrict_operations;
        let Some(path) = settings.keys_file.clone() else {
            return if restricts_operations { Err(KeysFileError::Required) } else { Ok(Self::default()) };
        };
        let text = file::read_text(&path)?;
        let records = file::parse(&path, &text)?.into();
        let snapshot = Mutex::new(KeysSnapshot { text, records, read_at: Instant::now(), is_failing: false });
        Ok(Self { file: Some(Arc::new(KeysFile { path, snapshot })), restricts_operations })
    }

    /// A warning if other users of the machine can read or write the keys file.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        file::warn_about_mode(&self.file.as_ref()?.path)
    }

    /// The names of the keys that were loaded.
    #[must_use]
    pub fn list_names(&self) -> Vec<String> {
        let Some(file) = &self.file else { return Vec::new() };
        let snapshot = file.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.records.iter().map(|record| record.name.clone()).collect()
    }

    /// The key that a request sends. A server without keys ignores it. An unknown key of Basic authentication is ignored, too, because a
    /// proxy may require a password for its own purposes.
    ///
    /// # Errors
    ///
    /// When the key is unknown.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Option<Arc<KeyRecord>>, ApiError> {
        let Some(file) = &self.file else { return Ok(None) };
        let caller = Caller::from_headers(headers);
        match file.find(&caller) {
            None if caller.is_bearer() => Err(ApiError::InvalidKey),
            record => Ok(record),
        }
    }

    /// Checks that the caller may write what requires `scope`, records the name of its key in the span of the request, and returns it.
    ///
    /// # Errors
    ///
    /// When the request has no key, an unknown key, or a key without the scope, or when a web page of another origin sent it without
    /// one. On a server without keys, when the request does not come from the local machine.
    pub fn authorize(&self, request: &Request, caller: &Caller, scope: &Scope) -> Result<CallerName, ApiError> {
        self.require_same_origin(request, caller)?;
        let Some(file) = &self.file else {
            local::require_local(request)?;
            return Ok(record_caller(LOCAL_CALLER));
        };
        file.authorize(caller, scope)
    }

    /// Checks that no web page of another origin sent a write, unless it has a key.
    ///
    /// # Errors
    ///
    /// When a page of another origin sent it.
    pub(crate) fn require_same_origin(&self, request: &Request, caller: &Caller) -> Result<(), ApiError> {
        let has_key = self.file.is_some() && caller.is_bearer();
        if has_key { Ok(()) } else { cross_origin::require_same_origin(request) }
    }

    /// Checks that the caller may see the pages of operators and details of their network: with a key of the scope `operations`, or on a
    /// server without keys from the local machine.
    ///
    /// # Errors
    ///
    /// When it may not.
    pub(crate) fn authorize_operator(&self, request: &Request, caller: &Caller) -> Result<CallerName, ApiError> {
        match &self.file {
            Some(file) => file.authorize(caller, &Scope::Operations),
            None => match local::require_local(request) {
                Ok(()) => Ok(LOCAL_CALLER.into()),
                Err(_) => Err(ApiError::RemoteOperationsForbidden),
            },
        }
    }

    /// Whether [`authorize_operator`](Self::authorize_operator) succeeds.
    pub(crate) fn is_operator(&self, request: &Request, caller: &Caller) -> bool {
        self.authorize_operator(request, caller).is_ok()
    }

    /// Whether an operator may write what requires `scope`.
    pub(crate) fn permits(&self, caller: &Caller, scope: &Scope) -> bool {
        self.file.as_ref().is_none_or(|file| file.find(caller).is_some_and(|record| record.permits(scope)))
    }

    /// Checks that the caller may read operational data, which anyone may unless the operator restricts it.
    ///
    /// # Errors
    ///
    /// When they are restricted, and the request has no key with the scope `operations`.
    pub fn authorize_operations(&self, caller: &Caller) -> Result<(), ApiError> {
        match &self.file {
            Some(file) if self.restricts_operations => file.authorize(caller, &Scope::Operations).map(drop),
            _ => Ok(()),
        }
    }
}

fn record_caller(name: &str) -> CallerName {
    tracing::Span::current().record("caller.key", name);
    name.into()
}

impl KeysFile {
    fn authorize(&self, caller: &Caller, scope: &Scope) -> Result<CallerName, ApiError> {
        if caller.digest().is_none() {
            return Err(ApiError::AuthenticationRequired);
        }
        let record = self.find(caller).ok_or(ApiError::InvalidKey)?;
        if record.permits(scope) {
            Ok(record_caller(&record.name))
        } else {
            Err(ApiError::MissingScope { scope: scope.to_string() })
        }
    }

    /// The record of the caller's key. All records are compared, so that the time does not depend on which one matches.
    fn find(&self, caller: &Caller) -> Option<Arc<KeyRecord>> {
        let digest = caller.digest()?;
        let records = self.records();
        let matching =
            records.iter().fold(None, |found, record| if bool::from(record.sha256.ct_eq(digest)) { Some(record) } else { found });
        matching.cloned()
    }

    /// The records of the file, reloaded if they are too old.
    fn records(&self) -> Records {
        let mut snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        if snapshot.read_at.elapsed() >= RELOAD_INTERVAL {
            snapshot.read_at = Instant::now();
            snapshot.reload(&self.path);
        }
        snapshot.records.clone()
    }
}

impl KeysSnapshot {
    /// Reads the file again. An invalid file changes nothing, because editors write in several steps.
    fn reload(&mut self, path: &Path) {
        let read = file::read_text(path).and_then(|text| {
            let records = if text == self.text { None } else { Some(file::parse(path, &text)?) };
            Ok((text, records))
        });
        match read {
            Ok((text, records)) => {
                if let Some(records) = records {
                    tracing::info!(keys.count = records.len(), keys.file = %path.display(), "keys file reloaded");
                    (self.text, self.records) = (text, records.into());
                }
                self.is_failing = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(error = telemetry::with_causes(&error), "keys file not reloaded, previous keys remain valid");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_parsed_as_they_are_formatted() {
        for text in ["read", "rates", "places", "webhooks", "operations", "admin", "feed:fever", "feed:north-stage-2"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "Rates", "feed", "feed:", "feed:*", "feed:Fever", "all"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}

//! Why the providers file is invalid.

use super::MAX_PROVIDERS;
use crate::provider::quote::quote;

/// Why the providers file, or a slug that should be in it, is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// The file cannot be read.
    #[error("cannot read the providers file {path} (set by PROVIDERS_FILE)")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The content is invalid.
    #[error("the providers file {path} is invalid: {detail} (line {line}, column {column})")]
    Invalid {
        /// The file.
        path: String,
        /// The provider, the setting and what is accepted. It is not the parser's own text, which quotes whole lines, and a line may
        /// contain the password of a URL.
        detail: String,
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error in characters, from 1.
        column: usize,
    },
    /// There are no entries.
    #[error("the providers file {path} is invalid: it must have at least one [[provider]] entry")]
    Empty {
        /// The file.
        path: String,
    },
    /// Two entries have the same slug.
    #[error("the providers file {path} is invalid: two providers have the slug `{slug}`")]
    DuplicateSlug {
        /// The file.
        path: String,
        /// The slug.
        slug: String,
    },
    /// Ids cannot be read from this property.
    #[error("the providers file {path} is invalid: provider `{slug}`: `id_from` {detail}")]
    IdFrom {
        /// The file.
        path: String,
        /// The slug.
        slug: String,
        /// What is accepted.
        detail: String,
    },
    /// There are too many entries.
    #[error("the providers file {path} is invalid: at most {MAX_PROVIDERS} providers are allowed, got {count}")]
    TooMany {
        /// The file.
        path: String,
        /// The number of entries.
        count: usize,
    },
    /// No entry has the slug of the command.
    #[error("unknown provider `{slug}`; the providers file has: {known}")]
    Unknown {
        /// The slug of the command.
        slug: String,
        /// The slugs of the file.
        known: String,
    },
}

impl ProvidersError {
    pub(super) fn invalid(path: String, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let detail = match text.parse::<toml::Table>() {
            Err(_) => format!("not valid TOML: {}", error.message().replace('\n', ", ")),
            Ok(table) => {
                let line = text[line_start..].lines().next().unwrap_or_default();
                let setting = describe_setting(line, error.message());
                match find_provider(&table, &text[..line_start], line) {
                    Some(provider) => format!("provider {provider}: {setting}"),
                    None => setting,
                }
            }
        };
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Self::Invalid { path, detail, line, column }
    }
}

/// Names the setting of an error about a value. Other errors, such as an unknown key, contain it.
fn describe_setting(line: &str, message: &str) -> String {
    let key = line.split('=').next().unwrap_or_default().trim();
    if message.starts_with("must ") {
        return format!("`{key}` {message}");
    }
    match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        Some((actual, expected)) => format!("`{key}` must be {expected}, got {actual}"),
        None => message.replace('\n', ", "),
    }
}

/// The slug of the entry that contains the error, or its number if it has no slug.
fn find_provider(table: &toml::Table, lines_before: &str, line: &str) -> Option<String> {
    let is_header = |line: &&str| line.trim().starts_with("[[provider]]");
    let number = lines_before.lines().filter(is_header).count() + usize::from(is_header(&line));
    let entry = table.get("provider")?.get(number.checked_sub(1)?)?;
    Some(entry.get("slug").and_then(toml::Value::as_str).map_or_else(|| number.to_string(), quote))
}

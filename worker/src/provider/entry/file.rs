//! The providers file while the worker runs: it is read again when it has changed.

use std::path::{Path, PathBuf};

use super::{ProviderEntry, ProvidersError, parse_providers, read_text};

/// A providers file, and what was read last.
#[derive(Debug)]
pub struct ProvidersFile {
    path: PathBuf,
    /// `None` if it could not be read.
    text: Option<String>,
}

impl ProvidersFile {
    /// Opens a file with its valid entries.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is invalid.
    pub fn open(path: &Path) -> Result<(Self, Vec<ProviderEntry>), ProvidersError> {
        let text = read_text(path)?;
        let providers = parse_providers(path, &text)?;
        Ok((Self { path: path.to_owned(), text: Some(text) }, providers))
    }

    /// Its path, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file again; `None` if it is the same as before, also if it is the same error.
    pub fn read_changed(&mut self) -> Option<Result<Vec<ProviderEntry>, ProvidersError>> {
        match read_text(&self.path) {
            Ok(text) if self.text.as_ref() == Some(&text) => None,
            Ok(text) => {
                let parsed = parse_providers(&self.path, &text);
                self.text = Some(text);
                Some(parsed)
            }
            Err(error) => self.text.take().map(|_| Err(error)),
        }
    }
}

//! The providers file while the worker runs: it is read again when it has changed.

use std::path::{Path, PathBuf};

use super::{ProviderEntry, ProvidersError, parse_providers, read_text};

/// A providers file, and what was read last.
#[derive(Debug)]
pub struct ProvidersFile {
    path: PathBuf,
    /// Its text, or why it could not be read.
    last: Result<String, String>,
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
        Ok((Self { path: path.to_owned(), last: Ok(text) }, providers))
    }

    /// Its path, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file again; `None` if it is the same as before, also if it is the same error.
    pub fn read_changed(&mut self) -> Option<Result<Vec<ProviderEntry>, ProvidersError>> {
        match read_text(&self.path) {
            Ok(text) if self.last.as_ref() == Ok(&text) => None,
            Ok(text) => {
                let parsed = parse_providers(&self.path, &text);
                self.last = Ok(text);
                Some(parsed)
            }
            Err(error) => {
                let last = std::mem::replace(&mut self.last, Err(telemetry::with_causes(&error)));
                (last != self.last).then_some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "[[provider]]\nslug = \"a\"\nurl = \"https://a.example/\"\nformat = \"icalendar\"\nschedule = \"0 0 * * * *\"\n\
                         currency = \"EUR\"\n";

    #[test]
    fn each_change_is_reported_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("providers.toml");
        std::fs::write(&path, VALID).expect("a writable file");
        let (mut file, _) = ProvidersFile::open(&path).expect("a valid file");
        let mut read = || {
            let first = file.read_changed().map(|read| read.map(drop).map_err(|error| telemetry::with_causes(&error)));
            assert!(file.read_changed().is_none(), "{first:?}");
            first
        };
        assert_eq!(read(), None);
        std::fs::remove_file(&path).expect("a file");
        assert!(read().expect("a change").expect_err("an error").contains("No such file"));
        std::fs::write(&path, b"\xFF").expect("a writable file");
        assert!(read().expect("a change").expect_err("an error").contains("UTF-8"));
        std::fs::write(&path, "a = ").expect("a writable file");
        assert!(read().expect("a change").expect_err("an error").contains("not valid TOML"));
        std::fs::write(&path, VALID).expect("a writable file");
        assert_eq!(read(), Some(Ok(())));
    }
}

//! The report of the `check` commands, which validate settings and files.

use std::{fmt, process::ExitCode};

use crate::{Alignment::Left, ListenAddress, Table};

/// What a `check` command has validated.
#[derive(Clone, Debug)]
pub struct CheckReport {
    table: Table<3>,
    errors: usize,
}

impl Default for CheckReport {
    fn default() -> Self {
        Self { table: Table::new([Left; 3]), errors: 0 }
    }
}

impl CheckReport {
    /// Adds a setting, with a description of its value or of what is wrong with it.
    pub fn add(&mut self, setting: &str, result: Result<String, String>) {
        let (state, text) = match result {
            Ok(description) => ("ok", description),
            Err(error) => {
                self.errors += 1;
                ("ERROR", error)
            }
        };
        self.table.add([state, setting, &text]);
    }

    /// Adds a setting that is valid, but unsafe.
    pub fn add_warning(&mut self, setting: &str, warning: &str) {
        self.table.add(["WARNING", setting, warning]);
    }

    /// Adds the setting of an address to listen on. Nothing listens on it: another process may use it right now.
    pub async fn add_address(&mut self, setting: &str, address: &ListenAddress) {
        let resolved = address.resolve().await;
        self.add(
            setting,
            match resolved {
                Ok(_) => Ok(address.to_string()),
                Err(error) => Err(format!("{address} cannot be looked up: {error}")),
            },
        );
    }

    /// The exit code of the command: 0 if there are no errors.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.table)?;
        match self.errors {
            0 => writeln!(formatter, "all settings are valid; no database, provider or other server was contacted"),
            1 => writeln!(formatter, "1 setting is invalid"),
            errors => writeln!(formatter, "{errors} settings are invalid"),
        }
    }
}

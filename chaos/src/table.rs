//! The results as a Markdown table.

use std::fmt::Display;

/// Results with a limit each.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    missed: usize,
}

impl Table {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), notes: Vec::new(), missed: 0 }
    }

    /// Adds a row. Its last cell is whether the limits are met.
    pub(crate) fn add(&mut self, mut cells: Vec<String>, missed: &[String]) {
        report_progress(cells.join(" | "));
        cells.push(if missed.is_empty() { "yes".to_owned() } else { format!("**no**: {}", missed.join(", ")) });
        self.missed += usize::from(!missed.is_empty());
        self.rows.push(cells);
    }

    /// Adds a paragraph below the table.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Whether all limits are met.
    pub(crate) fn is_met(&self) -> bool {
        self.missed == 0
    }

    #[expect(clippy::print_stdout, reason = "the table is the output of the program")]
    pub(crate) fn print(&self) {
        println!("| {} | met |", self.columns.join(" | "));
        println!("|{}", "---|".repeat(self.columns.len() + 1));
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}

/// Prints progress to standard error.
#[expect(clippy::print_stderr, reason = "standard output contains only the table")]
pub(crate) fn report_progress(what: impl Display) {
    eprintln!("marquee-chaos: {what}");
}

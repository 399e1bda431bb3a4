//! The results as a Markdown table.

use std::fmt::Display;

use crate::{Failure, samples::Samples};

/// The results so far.
#[derive(Debug, Default)]
pub(crate) struct Table {
    facts: Vec<String>,
    lines: Vec<[String; 6]>,
    notes: Vec<String>,
    failures: usize,
}

impl Table {
    pub(crate) fn facts(&mut self, facts: impl IntoIterator<Item = String>) {
        self.facts.extend(facts);
    }

    /// Adds a paragraph below the table.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a result with a median that must be at most `limit` times that of the baseline.
    pub(crate) fn ratio(&mut self, name: &str, marquee: &Samples, baseline: &Samples, limit: f64) {
        match (marquee.median(), baseline.median()) {
            (Some(our), Some(reference)) if reference > 0.0 => {
                let ratio = our / reference;
                let met = if ratio <= limit { "yes" } else { "**no**" };
                self.line([name, &marquee.text(), &baseline.text(), &format!("{ratio:.2}"), &format!("{limit} x"), met]);
            }
            _ => self.failed(name, "no measurements"),
        }
    }

    /// Adds a result with a median that must be at least `limit` times that of the baseline.
    pub(crate) fn ratio_at_least(&mut self, name: &str, marquee: &Samples, baseline: &Samples, limit: f64) {
        match (marquee.median(), baseline.median()) {
            (Some(our), Some(reference)) if reference > 0.0 => {
                let ratio = our / reference;
                let met = if ratio >= limit { "yes" } else { "**no**" };
                self.line([name, &marquee.text(), &baseline.text(), &format!("{ratio:.2}"), &format!("at least {limit} x"), met]);
            }
            _ => self.failed(name, "no measurements"),
        }
    }

    /// Adds a ratio without a limit.
    pub(crate) fn comparison(&mut self, name: &str, marquee: &Samples, baseline: &Samples) {
        if let (Some(our), Some(reference)) = (marquee.median(), baseline.median()) {
            self.line([name, &marquee.text(), &baseline.text(), &format!("{:.2}", our / reference), "-", "-"]);
        }
    }

    /// Adds a result with a limit but without a baseline.
    pub(crate) fn absolute(&mut self, name: &str, marquee: &str, limit: &str, is_met: bool) {
        self.line([name, marquee, "-", "-", limit, if is_met { "yes" } else { "**no**" }]);
    }

    /// Adds a number, the one of the baseline if it was measured, and its limit if it has one.
    pub(crate) fn number(
        &mut self,
        name: &str,
        text: impl Fn(f64) -> String,
        marquee: f64,
        baseline: Option<f64>,
        limit: Option<f64>,
    ) {
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        let ratio = baseline.filter(|baseline| *baseline > 0.0).map(|baseline| format!("{:.2}", marquee / baseline));
        let met = limit.map(|limit| if marquee <= limit { "yes" } else { "**no**" });
        self.line([
            name,
            &text(marquee),
            &or_dash(baseline.map(&text)),
            &or_dash(ratio),
            &or_dash(limit.map(|limit| format!("at most {}", text(limit)))),
            met.unwrap_or("-"),
        ]);
    }

    /// Adds a result without a limit.
    pub(crate) fn figure(&mut self, name: &str, marquee: &str) {
        self.line([name, marquee, "-", "-", "-", "-"]);
    }

    /// Adds a failed measurement.
    pub(crate) fn failed(&mut self, name: &str, why: impl Display) {
        self.failures += 1;
        self.line([name, &format!("measurement failed: {why}"), "-", "-", "-", "-"]);
    }

    pub(crate) fn record_failure(&mut self, name: &str, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.failed(name, failure);
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.failures == 0
    }

    fn line(&mut self, cells: [&str; 6]) {
        progress(format_args!("{}", cells.join(" | ")));
        self.lines.push(cells.map(str::to_owned));
    }

    #[expect(clippy::print_stdout, reason = "the table is the output of the program")]
    pub(crate) fn print(&self) {
        for fact in &self.facts {
            println!("- {fact}");
        }
        println!("\n| benchmark | Marquee | baseline | ratio | limit | met |\n|---|---|---|---|---|---|");
        for cells in &self.lines {
            println!("| {} |", cells.join(" | "));
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}

/// Prints progress to standard error.
#[expect(clippy::print_stderr, reason = "standard output contains only the table")]
pub(crate) fn progress(what: impl Display) {
    eprintln!("marquee-bench: {what}");
}

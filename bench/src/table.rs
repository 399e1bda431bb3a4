//! The answer: one table in Markdown, with what must be known to read it.

use std::fmt::Display;

use crate::{Failure, samples::Samples};

/// Works measured so far.
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

    /// Something to be read beside the table.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A work whose median is to be at most `limit` times its peer's.
    pub(crate) fn ratio(&mut self, work: &str, ours: &Samples, peer: &Samples, limit: f64) {
        match (ours.median(), peer.median()) {
            (Some(our), Some(bare)) if bare > 0.0 => {
                let ratio = our / bare;
                let met = if ratio <= limit { "yes" } else { "**no**" };
                self.line([work, &ours.text(), &peer.text(), &format!("{ratio:.2}"), &format!("{limit} x"), met]);
            }
            _ => self.failed(work, "nothing was measured"),
        }
    }

    /// A work of which there is to be at least `limit` times as much as of its peer's.
    pub(crate) fn ratio_at_least(&mut self, work: &str, ours: &Samples, peer: &Samples, limit: f64) {
        match (ours.median(), peer.median()) {
            (Some(our), Some(bare)) if bare > 0.0 => {
                let ratio = our / bare;
                let met = if ratio >= limit { "yes" } else { "**no**" };
                self.line([work, &ours.text(), &peer.text(), &format!("{ratio:.2}"), &format!("at least {limit} x"), met]);
            }
            _ => self.failed(work, "nothing was measured"),
        }
    }

    /// A ratio without a limit.
    pub(crate) fn compared(&mut self, work: &str, ours: &Samples, peer: &Samples) {
        if let (Some(our), Some(bare)) = (ours.median(), peer.median()) {
            self.line([work, &ours.text(), &peer.text(), &format!("{:.2}", our / bare), "-", "-"]);
        }
    }

    /// A work that has a limit but no peer.
    pub(crate) fn absolute(&mut self, work: &str, ours: &str, limit: &str, is_met: bool) {
        self.line([work, ours, "-", "-", limit, if is_met { "yes" } else { "**no**" }]);
    }

    /// A figure without a limit.
    pub(crate) fn figure(&mut self, work: &str, ours: &str) {
        self.line([work, ours, "-", "-", "-", "-"]);
    }

    /// Enters that a work could not be measured.
    pub(crate) fn failed(&mut self, work: &str, why: impl Display) {
        self.failures += 1;
        self.line([work, &format!("not measured: {why}"), "-", "-", "-", "-"]);
    }

    pub(crate) fn unless_measured(&mut self, work: &str, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.failed(work, failure);
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.failures == 0
    }

    fn line(&mut self, cells: [&str; 6]) {
        progress(format_args!("{}", cells.join(" | ")));
        self.lines.push(cells.map(str::to_owned));
    }

    #[expect(clippy::print_stdout, reason = "the table is what the program is for")]
    pub(crate) fn print(&self) {
        for fact in &self.facts {
            println!("- {fact}");
        }
        println!("\n| work | ours | peer | ratio | limit | met? |\n|---|---|---|---|---|---|");
        for cells in &self.lines {
            println!("| {} |", cells.join(" | "));
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}

/// Says what is being done, for whoever waits.
#[expect(clippy::print_stderr, reason = "standard output is the table's")]
pub(crate) fn progress(what: impl Display) {
    eprintln!("bench: {what}");
}

//! The report of a feed, which an operator can send to its provider: as text or JSON.

use std::{borrow::Cow, collections::BTreeMap, io};

use serde_json::{Value, json};

use super::{
    lint_summary::LintSummary,
    output::{count, describe_warnings},
};
use crate::provider::{
    format::Locator,
    item::{ParsedFeed, RejectSubject},
    spool::Spool,
};

/// What was found in a feed.
pub(super) struct LintReport<'a> {
    /// The name of the document.
    name: &'a str,
    feed: &'a ParsedFeed,
    errors: Vec<Finding<'a>>,
    warnings: Vec<Finding<'a>>,
    summary: LintSummary,
}

/// A rejected item, or a detail that was ignored or changed.
struct Finding<'a> {
    line: usize,
    column: usize,
    subject: Option<&'a RejectSubject>,
    reason: Cow<'a, str>,
}

impl<'a> LintReport<'a> {
    pub(super) fn new(name: &'a str, feed: &'a ParsedFeed, spool: &Spool) -> io::Result<Self> {
        let mut locator = Locator::new(spool);
        let mut find = |position: usize, subject, reason: &'a str| {
            let (line, column) = locator.locate(position as u64)?;
            let reason = locator.describe(reason, position as u64);
            Ok(Finding { line, column, subject, reason })
        };
        let errors = feed.rejects.iter().map(|reject| find(reject.span.start, Some(&reject.subject), &reject.reason));
        let errors = errors.collect::<io::Result<_>>()?;
        let warnings =
            feed.warnings.listed.iter().map(|warning| find(warning.position, warning.subject.as_ref(), &warning.reason));
        let warnings = warnings.collect::<io::Result<_>>()?;
        Ok(Self { name, feed, errors, warnings, summary: LintSummary::new(feed) })
    }

    /// As lines of text.
    pub(super) fn describe(&self) -> Vec<String> {
        let name = self.name;
        let errors = self.errors.iter().map(|Finding { line, column, subject, reason }| {
            let subject = subject.map(describe_subject).unwrap_or_default();
            format!("{name}:{line}:{column}: {subject} rejected: {reason}")
        });
        let warnings = self.warnings.iter().map(|Finding { line, column, subject, reason }| {
            let subject = subject.map(|subject| format!("{} ", describe_subject(subject))).unwrap_or_default();
            format!("{name}:{line}:{column}: {subject}warning: {reason}")
        });
        let totals = [self.describe_totals()].into_iter().chain(self.summary.describe());
        errors.chain(warnings).chain(totals.map(|total| format!("{name}: {total}"))).collect()
    }

    fn describe_totals(&self) -> String {
        let base_events = count(self.feed.base_events.len(), "base event");
        let modes: Vec<String> = self.count_sell_modes().iter().map(|(mode, count)| format!("{count} {mode}")).collect();
        let modes = if modes.is_empty() { String::new() } else { format!(" ({})", modes.join(", ")) };
        let (events, zones) = (count(self.feed.event_count(), "event"), count(self.count_zones(), "zone"));
        let rejects = count(self.errors.len(), "item");
        let warnings = describe_warnings(self.feed.warnings.count);
        format!("{base_events}{modes}, {events} and {zones} accepted, {rejects} rejected{warnings}")
    }

    fn count_sell_modes(&self) -> BTreeMap<&str, usize> {
        let mut sell_modes = BTreeMap::new();
        for base_event in &self.feed.base_events {
            *sell_modes.entry(base_event.sell_mode.as_str()).or_default() += 1;
        }
        sell_modes
    }

    fn count_zones(&self) -> usize {
        self.feed.base_events.iter().flat_map(|base_event| &base_event.events).map(|event| event.zones.len()).sum()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "feed": self.name,
            "errors": self.errors.iter().map(Finding::to_json).collect::<Value>(),
            "warnings": self.warnings.iter().map(Finding::to_json).collect::<Value>(),
            "accepted": {
                "base_events": self.feed.base_events.len(),
                "sell_modes": self.count_sell_modes(),
                "events": self.feed.event_count(),
                "zones": self.count_zones(),
            },
            "rejected": self.errors.len(),
            "warned": self.feed.warnings.count,
            "shown": self.summary.to_json(),
        })
    }
}

impl Finding<'_> {
    fn to_json(&self) -> Value {
        let (base_event, event) = self.subject.map(RejectSubject::ids).unwrap_or_default();
        json!({
            "line": self.line,
            "column": self.column,
            "base_event_id": base_event,
            "event_id": event,
            "reason": self.reason,
        })
    }
}

fn describe_subject(subject: &RejectSubject) -> String {
    match subject {
        RejectSubject::BaseEvent(id) => format!("base event {}", id.as_deref().unwrap_or("?")),
        RejectSubject::Event { base_event, event } => format!("event {base_event}/{}", event.as_deref().unwrap_or("?")),
    }
}

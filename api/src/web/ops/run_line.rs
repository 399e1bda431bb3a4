//! A sync run as a line of a list.

use std::time::Duration;

use entity::{
    UtcInstant,
    sync_run::{self, RunState},
};

use super::{
    health::Level,
    text::{Moment, bound},
};
use crate::resources::sync_runs::RunRow;

/// A run as operators read it.
#[derive(Debug)]
pub(super) struct RunLine {
    pub(super) run: sync_run::Model,
    pub(super) slug: String,
    pub(super) started: Moment,
    pub(super) ended: Option<Moment>,
    /// Until it ended, or until now.
    pub(super) duration: Duration,
    pub(super) reason: Option<String>,
}

impl RunLine {
    pub(super) fn new((run, provider): RunRow, now: UtcInstant) -> Self {
        Self {
            slug: provider.slug,
            started: Moment::new(run.started_at, now),
            ended: run.ended_at.map(|at| Moment::new(at, now)),
            duration: run.started_at.until(run.ended_at.unwrap_or(now)),
            reason: run.reason.as_deref().map(bound),
            run,
        }
    }

    pub(super) fn state(&self) -> &'static str {
        self.run.state.name()
    }

    pub(super) fn class(&self) -> &'static str {
        match self.run.state {
            RunState::Succeeded | RunState::Unchanged => Level::Good.class(),
            RunState::Failed => Level::Critical.class(),
            RunState::Queued | RunState::Running => "pending",
        }
    }

    pub(super) fn symbol(&self) -> &'static str {
        match self.run.state {
            RunState::Succeeded | RunState::Unchanged => Level::Good.symbol(),
            RunState::Failed => Level::Critical.symbol(),
            RunState::Running => "▶",
            RunState::Queued => "…",
        }
    }

    /// The duration, unless the run has not started.
    pub(super) fn duration_text(&self) -> String {
        match (self.run.state, self.duration.as_secs_f64()) {
            (RunState::Queued, _) => "not started".to_owned(),
            (_, seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1_000.0),
            (_, seconds) if seconds < 60.0 => format!("{seconds:.1} s"),
            _ => super::text::format_duration(self.duration),
        }
    }

    /// Items that it changed, in the colors of the plot.
    pub(super) fn changes(&self) -> [(&'static str, i32); 4] {
        let run = &self.run;
        [("inserted", run.inserted), ("updated", run.updated), ("left", run.left), ("rejected", run.rejected)]
    }
}

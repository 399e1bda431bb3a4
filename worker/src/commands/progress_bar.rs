//! A progress line on standard error, if it is a terminal.

use std::{io::IsTerminal, time::Duration};

use indicatif::{HumanBytes, HumanCount, ProgressBar as Bar};
use tokio_util::task::AbortOnDropHandle;

use crate::progress::{ProgressCounter, ProgressSnapshot, ProgressStage};

/// How often the line is redrawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// A progress line that is removed when this is dropped.
pub(super) struct ProgressBar {
    progress: ProgressCounter,
    drawn: Option<(Bar, AbortOnDropHandle<()>)>,
}

impl ProgressBar {
    /// A progress line on a terminal, nothing elsewhere.
    pub(super) fn on_terminal() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { progress: ProgressCounter::none(), drawn: None };
        }
        let (progress, bar) = (ProgressCounter::new(), Bar::new_spinner());
        let (watched, line) = (progress.clone(), bar.clone());
        let drawing = tokio::spawn(async move {
            let mut pause = tokio::time::interval(REDRAW_INTERVAL);
            loop {
                pause.tick().await;
                line.set_message(format_line(watched.snapshot()));
                line.tick();
            }
        });
        Self { progress, drawn: Some((bar, AbortOnDropHandle::new(drawing))) }
    }

    /// The counter to update.
    pub(super) fn progress(&self) -> &ProgressCounter {
        &self.progress
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if let Some((bar, drawing)) = self.drawn.take() {
            drawing.abort();
            bar.finish_and_clear();
        }
    }
}

fn format_line(ProgressSnapshot { stage, done, total }: ProgressSnapshot) -> String {
    let verb = match stage {
        ProgressStage::Waiting => return "waiting".to_owned(),
        ProgressStage::Fetching => "fetching",
        ProgressStage::Reading => "reading",
        ProgressStage::Writing => "writing",
    };
    let amount =
        |count: u64| if stage == ProgressStage::Writing { HumanCount(count).to_string() } else { HumanBytes(count).to_string() };
    match total {
        Some(total) => format!("{verb}: {} of {}", amount(done), amount(total)),
        None => format!("{verb}: {}", amount(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_stage_and_the_amount() {
        let line = |stage, done, total| format_line(ProgressSnapshot { stage, done, total });
        assert_eq!(line(ProgressStage::Waiting, 0, None), "waiting");
        assert_eq!(line(ProgressStage::Fetching, 1024 * 1024, Some(4 * 1024 * 1024)), "fetching: 1.00 MiB of 4.00 MiB");
        assert_eq!(line(ProgressStage::Writing, 12_000, None), "writing: 12,000");
    }
}

//! Plots of the duration and of the counts of runs, one bar for each run, the newest at the right. The table below them is their
//! accessible form.

use entity::sync_run::RunState;

use super::run_line::RunLine;

/// The units of the drawings, not pixels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 80.0;
/// The widest bar: a few runs do not fill the plot.
const MAX_STEP: f64 = 24.0;
/// The lowest bar that can be seen.
const MIN_HEIGHT: f64 = 2.0;
/// The share of a step that a bar fills.
const BAR_SHARE: f64 = 0.8;

/// The plots of a list of runs.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) longest: String,
    pub(super) most: i64,
    pub(super) durations: Vec<Bar>,
    pub(super) counts: Vec<Bar>,
    /// The centers of the bars of failed runs, which are marked.
    pub(super) failed: Vec<String>,
}

/// A rectangle. Its numbers are texts of at most one decimal.
#[derive(Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    /// What the pointer shows.
    pub(super) title: String,
}

impl Timeline {
    /// The plots of runs, which are sorted by age, the newest first.
    #[expect(clippy::cast_precision_loss, reason = "there are at most 50 runs")]
    pub(super) fn draw(runs: &[RunLine]) -> Option<Self> {
        let longest = runs.iter().filter(|line| line.run.state != RunState::Queued).max_by_key(|line| line.duration)?;
        let most = runs.iter().map(total).max().unwrap_or_default();
        let step = (WIDTH / runs.len() as f64).min(MAX_STEP);
        let mut timeline =
            Self { longest: longest.duration_text(), most, durations: Vec::new(), counts: Vec::new(), failed: Vec::new() };
        for (index, line) in runs.iter().enumerate() {
            let x = WIDTH - step * (index + 1) as f64;
            let share = line.duration.as_secs_f64() / longest.duration.as_secs_f64().max(f64::EPSILON);
            if line.run.state != RunState::Queued {
                let title = format!("#{} {} {}: {}", line.run.id, line.slug, line.state(), line.duration_text());
                timeline.durations.push(Bar::new(line.class(), (x, HEIGHT), (step, (HEIGHT * share).max(MIN_HEIGHT)), title));
            }
            if line.run.state == RunState::Failed {
                timeline.failed.push(format!("{:.1}", x + step * BAR_SHARE / 2.0));
            }
            let mut bottom = HEIGHT;
            for (name, count) in line.changes().into_iter().filter(|(_, count)| *count > 0) {
                let height = HEIGHT * f64::from(count) / most as f64;
                let title = format!("#{} {}: {count} {name}", line.run.id, line.slug);
                timeline.counts.push(Bar::new(name, (x, bottom), (step, height), title));
                bottom -= height;
            }
        }
        Some(timeline)
    }
}

impl Bar {
    /// A bar with its lower left corner.
    fn new(class: &'static str, (x, bottom): (f64, f64), (step, height): (f64, f64), title: String) -> Self {
        let text = |number: f64| format!("{number:.1}");
        Self { class, x: text(x), y: text(bottom - height), width: text(step * BAR_SHARE), height: text(height), title }
    }
}

fn total(line: &RunLine) -> i64 {
    line.changes().iter().map(|(_, count)| i64::from(*count)).sum()
}

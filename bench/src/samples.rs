//! Repeated measurements of one thing.

use std::time::Duration;

/// Seconds, in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64());
    }

    /// The value in the middle, or none.
    pub(crate) fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The value that this share of the others does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * share).round() as usize).copied()
    }

    /// Median and spread, for the table.
    pub(crate) fn text(&self) -> String {
        match (self.median(), self.quantile(0.0), self.quantile(1.0)) {
            (Some(median), Some(least), Some(most)) => format!("{median:.3} s ({least:.3}-{most:.3}, n={})", self.0.len()),
            _ => "-".to_owned(),
        }
    }
}

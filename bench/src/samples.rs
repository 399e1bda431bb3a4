//! Repeated measurements.

use std::time::Duration;

/// Values of one unit in the order of their measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    unit: Unit,
    values: Vec<f64>,
}

/// The unit of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unit {
    #[default]
    Seconds,
    PerSecond,
}

impl Samples {
    /// An empty list of rates.
    pub(crate) fn per_second() -> Self {
        Self { unit: Unit::PerSecond, values: Vec::new() }
    }

    pub(crate) fn push(&mut self, time: Duration) {
        self.values.push(time.as_secs_f64());
    }

    /// Adds a value in the unit of the others.
    pub(crate) fn push_number(&mut self, number: f64) {
        self.values.push(number);
    }

    /// Adds values of the same unit.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.values.append(&mut more.values);
    }

    /// The median; `None` if it is empty.
    pub(crate) fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The value that this share of the values does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * share).round() as usize).copied()
    }

    /// Median and spread, for the table.
    pub(crate) fn text(&self) -> String {
        let (Some(median), Some(least), Some(most)) = (self.median(), self.quantile(0.0), self.quantile(1.0)) else {
            return "-".to_owned();
        };
        let count = self.values.len();
        match self.unit {
            Unit::PerSecond => format!("{median:.0}/s ({least:.0}-{most:.0}, n={count})"),
            // In seconds, the time of a query would be rounded to zero.
            Unit::Seconds if median < SHORT_SECONDS => {
                format!("{:.3} ms ({:.3}-{:.3}, n={count})", median * 1000.0, least * 1000.0, most * 1000.0)
            }
            Unit::Seconds => format!("{median:.3} s ({least:.3}-{most:.3}, n={count})"),
        }
    }
}

/// Shorter times are formatted in milliseconds.
const SHORT_SECONDS: f64 = 0.05;

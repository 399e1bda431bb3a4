//! Small plots of the metrics of this process. They are SVG without style attributes, which the content security policy excludes.

use std::fmt::Write;

use crate::state::Interval;

/// The units of the drawing, not pixels: the style sheet sets its size.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 48.0;
/// Samples that "now" refers to: half a minute, so that a single request is not a peak.
const RECENT: usize = 3;

/// A line over the last hour.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// The value now, and the highest one, with their unit.
    pub(super) now: String,
    pub(super) highest: String,
    /// The points of the line.
    pub(super) points: String,
}

/// How a quantity is read.
struct Quantity {
    title: &'static str,
    /// Decimals and unit of a value.
    format: fn(f64) -> String,
    /// Of these intervals together; none if nothing was measured.
    value: fn(&[Interval]) -> Option<f64>,
}

const QUANTITIES: [Quantity; 4] = [
    Quantity {
        title: "Requests",
        format: |value| format!("{value:.1}/s"),
        value: |intervals| ratio(intervals, |interval| (interval.totals.requests, interval.length)),
    },
    Quantity {
        title: "Failed requests (5xx)",
        format: |value| format!("{value:.1} %"),
        value: |intervals| ratio(intervals, |interval| (100.0 * interval.totals.failed, interval.totals.requests)),
    },
    Quantity {
        title: "Mean response time",
        format: |value| format!("{value:.1} ms"),
        value: |intervals| ratio(intervals, |interval| (1_000.0 * interval.totals.seconds, interval.totals.measured)),
    },
    Quantity {
        title: "Responses from a cache",
        format: |value| format!("{value:.0} %"),
        value: |intervals| ratio(intervals, |interval| (100.0 * interval.totals.cached, interval.totals.cacheable)),
    },
];

/// The plots of the last hour.
pub(super) fn draw(intervals: &[Interval]) -> Vec<Plot> {
    if intervals.is_empty() { Vec::new() } else { QUANTITIES.iter().map(|quantity| quantity.draw(intervals)).collect() }
}

impl Quantity {
    fn draw(&self, intervals: &[Interval]) -> Plot {
        let values: Vec<f64> =
            intervals.iter().map(|interval| (self.value)(std::slice::from_ref(interval)).unwrap_or_default()).collect();
        let highest = values.iter().copied().fold(0.0, f64::max);
        let recent = (self.value)(&intervals[intervals.len().saturating_sub(RECENT)..]);
        Plot {
            title: self.title,
            now: recent.map_or_else(|| "no requests".to_owned(), self.format),
            highest: (self.format)(highest),
            points: line(&values, highest),
        }
    }
}

/// The quotient of two sums.
fn ratio(intervals: &[Interval], parts: fn(&Interval) -> (f64, f64)) -> Option<f64> {
    let sum = |(above, below): (f64, f64), interval| {
        let (more_above, more_below) = parts(interval);
        (above + more_above, below + more_below)
    };
    let (above, below) = intervals.iter().fold((0.0, 0.0), sum);
    (below > 0.0).then(|| above / below)
}

/// The points of a line that ends at the right edge. An hour fills the width.
#[expect(clippy::cast_precision_loss, reason = "there are at most 360 values")]
fn line(values: &[f64], highest: f64) -> String {
    let scale = if highest > 0.0 { HEIGHT / highest } else { 0.0 };
    let left = WIDTH - values.len() as f64;
    let mut points = String::new();
    for (index, value) in values.iter().enumerate() {
        // Writing to a string cannot fail.
        let _infallible = write!(points, "{:.0},{:.1} ", left + index as f64 + 1.0, HEIGHT - value * scale);
    }
    points.truncate(points.trim_end().len());
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_the_right_and_touches_the_top() {
        assert_eq!(line(&[0.0, 5.0, 10.0], 10.0), "358,48.0 359,24.0 360,0.0");
        assert_eq!(line(&[0.0], 0.0), "360,48.0");
    }
}

//! The history of the lowest price of an event: a small drawing, and the same as a table.
//!
//! It is SVG without style attributes, which the content security policy excludes.

use std::fmt::Write;

use entity::UtcInstant;

use super::{
    event_text::{format_instant, format_price},
    language::Language,
};
use crate::{resources::events::PriceHistory, response::Instant};

/// The units of the drawing, not pixels: the style sheet sets its size.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 96.0;
/// The space above the highest price and below the lowest one.
const MARGIN: f64 = 8.0;

/// The drawing and the table of an event.
#[derive(Debug)]
pub(super) struct PricePlot {
    /// The points of each line: prices between which there were none are not connected.
    pub(super) lines: Vec<String>,
    pub(super) lowest: String,
    pub(super) highest: String,
    /// Since when, as text and for programs, and the price, the newest first.
    pub(super) rows: Vec<(String, String, String)>,
}

impl PricePlot {
    /// `None` if there is only one price.
    pub(super) fn new(history: &PriceHistory, currency: &str, language: Language) -> Option<Self> {
        let prices = || history.steps.iter().filter_map(|(_, price)| *price);
        let (lowest, highest) = (prices().reduce(f64::min)?, prices().reduce(f64::max)?);
        if lowest >= highest {
            return None;
        }
        let price = |price| format_price(language, price, currency);
        let row = |&(since, lowest): &(UtcInstant, Option<f64>)| {
            let since = Instant::from(since);
            let lowest = lowest.map_or_else(|| language.text("no-price"), price);
            (format_instant(language, &since), since.0, lowest)
        };
        Some(Self {
            lines: draw(history, (lowest, highest)),
            lowest: price(lowest),
            highest: price(highest),
            rows: history.steps.iter().rev().map(row).collect(),
        })
    }
}

/// The lines from the first step to now. A price is a horizontal line until the next step.
fn draw(history: &PriceHistory, (lowest, highest): (f64, f64)) -> Vec<String> {
    let first = history.steps.first().map_or(history.now, |(since, _)| *since);
    let (from, to) = (first.0, history.now.0.max(first.0 + 1));
    #[expect(clippy::cast_precision_loss, reason = "a unit of the drawing is at least an hour")]
    let x = |at: UtcInstant| (at.0.clamp(from, to) - from) as f64 / (to - from) as f64 * WIDTH;
    let y = |price: f64| HEIGHT - MARGIN - (price - lowest) / (highest - lowest) * (HEIGHT - 2.0 * MARGIN);
    let ends = history.steps.iter().skip(1).map(|(since, _)| *since).chain([history.now]);
    let (mut lines, mut is_open) = (Vec::<String>::new(), false);
    for ((since, price), end) in history.steps.iter().zip(ends) {
        let Some(price) = price else {
            is_open = false;
            continue;
        };
        if !std::mem::replace(&mut is_open, true) {
            lines.push(String::new());
        }
        let Some(line) = lines.last_mut() else { continue };
        let separator = if line.is_empty() { "" } else { " " };
        let (left, right, y) = (x(*since), x(end), y(*price));
        // Writing to a string cannot fail.
        let _infallible = write!(line, "{separator}{left:.1},{y:.1} {right:.1},{y:.1}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(steps: &[(i64, Option<f64>)], now: i64) -> Option<PricePlot> {
        let steps = steps.iter().map(|(since, price)| (UtcInstant(*since), *price)).collect();
        PricePlot::new(&PriceHistory { steps, now: UtcInstant(now) }, "EUR", Language::English)
    }

    #[test]
    fn a_price_is_a_horizontal_line_until_the_next_one() {
        let plot = plot(&[(0, Some(10.0)), (30, Some(20.0)), (60, Some(0.0))], 120).unwrap();
        assert_eq!(plot.lines, ["0.0,48.0 150.0,48.0 150.0,8.0 300.0,8.0 300.0,88.0 600.0,88.0"]);
        assert_eq!((plot.lowest.as_str(), plot.highest.as_str()), ("Free", "20 EUR"));
        let prices: Vec<&str> = plot.rows.iter().map(|(_, _, price)| price.as_str()).collect();
        assert_eq!(prices, ["Free", "20 EUR", "10 EUR"]);
        assert_eq!(plot.rows[2].1, "1970-01-01T00:00:00Z");
    }

    #[test]
    fn lines_are_interrupted_while_there_is_no_price() {
        let plot = plot(&[(0, Some(10.0)), (30, None), (60, Some(20.0))], 120).unwrap();
        assert_eq!(plot.lines, ["0.0,88.0 150.0,88.0", "300.0,8.0 600.0,8.0"]);
        assert_eq!(plot.rows[1].2, "no price");
    }

    #[test]
    fn one_price_is_no_history() {
        assert!(plot(&[(0, Some(10.0)), (30, None)], 120).is_none());
        assert!(plot(&[(0, None), (30, None)], 120).is_none());
        // The clock was set back.
        assert!(plot(&[(50, Some(1.0)), (60, Some(2.0))], 10).is_some());
    }
}

//! Prices as decimal numbers.

/// Converts minor units to the float nearest to the exact decimal, which prints as that decimal.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "prices stay far below 2^53 minor units")]
pub fn to_decimal(minor_units: i64, currency_digits: i16) -> f64 {
    minor_units as f64 / 10f64.powi(i32::from(currency_digits))
}

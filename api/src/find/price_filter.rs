//! The filters `min_price`, `max_price` and `currency`.

use poem_openapi::registry::MetaSchema;
use serde::{Serialize, Serializer};

use crate::query::{ParameterKind, Parameters};

/// More than any ticket costs in any currency.
const MAX_PRICE: f64 = 1e12;
/// Prices are compared in the smallest unit of any currency.
const UNITS_PER_PRICE: f64 = 10_000.0;

/// Which prices events have. An event has all prices from its lowest to its highest one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PriceFilter {
    /// Only events with a price of at least this, in ten-thousandths.
    #[serde(serialize_with = "serialize_price", skip_serializing_if = "Option::is_none")]
    pub(super) min_price: Option<i64>,
    /// Only events with a price of at most this, in ten-thousandths.
    #[serde(serialize_with = "serialize_price", skip_serializing_if = "Option::is_none")]
    pub(super) max_price: Option<i64>,
    /// Only events with prices in this currency (ISO 4217).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) currency: Option<String>,
}

/// A price.
#[derive(Debug)]
pub(crate) struct PriceNumber;

/// A currency.
#[derive(Debug)]
pub(crate) struct CurrencyText;

impl PriceFilter {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let min_price = parameters.get("min_price", parse_price);
        let max_price = parameters.get("max_price", parse_price);
        let currency = parameters.get("currency", parse_currency);
        if min_price.zip(max_price).is_some_and(|(min_price, max_price)| min_price > max_price) {
            parameters.add_error("max_price", "must not be less than `min_price`");
        }
        Self { min_price, max_price, currency }
    }

    /// Whether prices are compared, for which they must have one currency.
    pub(super) fn compares(&self) -> bool {
        self.min_price.is_some() || self.max_price.is_some()
    }

    /// The bounds in the minor units of a currency with this many decimal digits: the lowest units of the lower bound, and the highest of the
    /// upper one.
    pub(super) fn minor_units(&self, digits: i16) -> (Option<i64>, Option<i64>) {
        let units = 10_i64.pow(u32::try_from(4 - digits.clamp(0, 4)).unwrap_or(0));
        (
            self.min_price.map(|price| price.div_euclid(units) + i64::from(price.rem_euclid(units) > 0)),
            self.max_price.map(|price| price.div_euclid(units)),
        )
    }
}

/// Parses a price, in ten-thousandths.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn parse_price(text: &str) -> Result<i64, String> {
    match text.parse::<f64>() {
        Ok(price) if (0.0..=MAX_PRICE).contains(&price) => Ok((price * UNITS_PER_PRICE).round() as i64),
        _ => Err("must be a price such as 30 or 27.50".to_owned()),
    }
}

fn parse_currency(text: &str) -> Result<String, String> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_code.then(|| text.to_owned()).ok_or_else(|| "must be an ISO 4217 code such as EUR".to_owned())
}

/// Serializes a price of ten-thousandths as text.
#[expect(clippy::cast_precision_loss, reason = "the range was checked")]
pub(crate) fn serialize_price<S: Serializer>(units: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    units.map(|units| (units as f64 / UNITS_PER_PRICE).to_string()).serialize(serializer)
}

impl ParameterKind for PriceNumber {
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(0.0), maximum: Some(MAX_PRICE), ..MetaSchema::new_with_format("number", "double") }
    }
}

impl ParameterKind for CurrencyText {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some("^([A-Z]{3})?$".to_owned()), example: Some("EUR".into()), ..MetaSchema::new("string") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_to_what_the_currency_has() {
        let filter = PriceFilter::read(&mut Parameters::parse("min_price=27.505&max_price=30.509"));
        assert_eq!(filter.minor_units(2), (Some(2_751), Some(3_050)));
        assert_eq!(filter.minor_units(0), (Some(28), Some(30)));
        assert_eq!(filter.minor_units(3), (Some(27_505), Some(30_509)));
    }
}

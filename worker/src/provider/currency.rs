//! Money: decimal prices are parsed into integers of minor units.

use std::{fmt, iter, str::FromStr};

use super::quote::quote;

/// The highest price in minor units: sums of millions of such prices still fit into 64 bits.
const MAX_MINOR_UNITS: i64 = 1_000_000_000_000;

/// More digits after those of the minor unit, beginning with four zeros or nines, are the error of a binary fraction.
const BINARY_FRACTION_DIGITS: usize = 4;

/// An ISO 4217 currency that has a minor unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency {
    iso: iso_currency::Currency,
    /// Decimal digits of the minor unit: 2 for cents.
    digits: u8,
}

impl Currency {
    /// The three-letter code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.iso.code()
    }

    /// The decimal digits of the minor unit: 2 for cents.
    #[must_use]
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// The usual sign, such as `€`. Several currencies may have the same one.
    pub(super) fn sign(&self) -> String {
        self.iso.symbol().to_string()
    }

    /// The same currency with the digits of an existing copy. ISO 4217 and its table may change, but the prices of a copy do not.
    #[must_use]
    pub fn with_digits(self, digits: u8) -> Self {
        Self { digits, ..self }
    }

    /// Parses a price such as `20`, `20.5` or `20.00` into minor units, exactly. The error of a binary fraction is removed:
    /// `24.200000000000003` is 24.20.
    ///
    /// # Errors
    ///
    /// Continues a sentence that starts with the name of the field. The text is not a plain decimal, negative, more precise than the
    /// minor unit, or above the maximum.
    pub fn parse_price(&self, text: &str) -> Result<i64, String> {
        if text.starts_with('-') {
            return Err(format!("must be 0 or more, got {}", quote(text)));
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_decimal = [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_decimal {
            return Err(format!("must be a decimal number such as 20.00, got {}", quote(text)));
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = usize::from(self.digits);
        let (fraction, rest) = fraction.split_at_checked(digits).unwrap_or((fraction, ""));
        let Some(round_up) = round_binary_fraction(rest) else {
            return Err(format!("must have at most {digits} decimal places for {}, got {}", self.code(), quote(text)));
        };
        let padding = iter::repeat_n(b'0', digits - fraction.len());
        whole
            .bytes()
            .chain(fraction.bytes())
            .chain(padding)
            .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
            .map(|minor_units| minor_units + round_up)
            .filter(|&minor_units| minor_units <= MAX_MINOR_UNITS)
            .ok_or_else(|| format!("must be at most {MAX_MINOR_UNITS} minor units, got {}", quote(text)))
    }
}

/// What is added to the last digit for the digits after it, if these are nothing or the error of a binary fraction, such as in
/// `24.200000000000003` and `19.989999999999998`.
fn round_binary_fraction(digits: &str) -> Option<i64> {
    match digits {
        "" => Some(0),
        _ if digits.len() > BINARY_FRACTION_DIGITS && digits.starts_with("0000") => Some(0),
        _ if digits.len() > BINARY_FRACTION_DIGITS && digits.starts_with("9999") => Some(1),
        _ => None,
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let iso = iso_currency::Currency::from_code(code)
            .ok_or_else(|| format!("must be an ISO 4217 currency code such as EUR, got {}", quote(code)))?;
        // Gold (XAU) and the code for "no currency" (XXX), for example.
        let digits = iso
            .exponent()
            .and_then(|digits| u8::try_from(digits).ok())
            .ok_or_else(|| format!("must be a currency with a minor unit, got {}", quote(code)))?;
        Ok(Self { iso, digits })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(currency: &str, price: &str) -> Result<i64, String> {
        currency.parse::<Currency>().expect("a currency").parse_price(price)
    }

    #[test]
    fn parses_decimals_into_minor_units() {
        for (currency, price, minor_units) in [
            ("EUR", "20.00", 2000),
            ("EUR", "20", 2000),
            ("EUR", "20.5", 2050),
            ("EUR", "0.01", 1),
            ("EUR", "0", 0),
            ("EUR", "20.500", 2050),
            ("JPY", "1500", 1500),
            ("JPY", "1500.00", 1500),
            ("KWD", "1.250", 1250),
            ("XOF", "2500", 2500),
            ("UYI", "7", 7),
            ("CLF", "1.2345", 12345),
            ("EUR", "24.200000000000003", 2420),
            ("EUR", "19.989999999999998", 1999),
            ("EUR", "24.200000762939453", 2420),
            ("EUR", "0.99999999999999989", 100),
            ("JPY", "1500.0000000000002", 1500),
        ] {
            assert_eq!(parse(currency, price), Ok(minor_units), "{price} {currency}");
        }
    }

    #[test]
    fn rejects_invalid_prices() {
        for (currency, price) in [
            ("EUR", "-1.00"),
            ("EUR", "20.005"),
            ("EUR", "20.000001"),
            ("EUR", "20.0012345678901"),
            ("JPY", "1.5"),
            ("XOF", "1.5"),
            ("UYI", "0.1"),
            ("KWD", "0.0001"),
            ("EUR", "1e3"),
            ("EUR", "NaN"),
            ("EUR", ""),
            ("EUR", "1."),
            ("EUR", ".5"),
            ("EUR", "1,50"),
            ("EUR", " 1"),
            ("EUR", "10000000000.01"),
            ("EUR", "99999999999999999999999"),
        ] {
            assert!(parse(currency, price).is_err(), "{price} {currency}");
        }
    }

    #[test]
    fn rejects_codes_that_are_not_currencies_with_a_minor_unit() {
        for code in ["eur", "EURO", "", "€", "ABC", "XAU", "XXX"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }
}

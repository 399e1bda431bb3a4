//! Money: what a provider writes as a decimal is kept as an integer of minor units.

use std::{fmt, iter, str::FromStr};

/// No ticket costs more than this many minor units: below it sums of millions of prices stay within 64 bits.
const MAX_MINOR_UNITS: i64 = 1_000_000_000_000;

/// Currencies whose minor unit is not a hundredth: (code, decimal digits), from ISO 4217, list one.
const OTHER_DIGITS: [(&str, u8); 24] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XPF", 0),
];

/// An ISO 4217 currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency {
    code: String,
    digits: u8,
}

impl Currency {
    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// How many decimal digits the minor unit stands for: 2 for cents.
    #[must_use]
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// Reads a price such as `20`, `20.5` or `20.00` into minor units, exactly.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong: not a plain decimal, negative, finer than the minor unit, or absurdly large.
    pub fn parse_price(&self, text: &str) -> Result<i64, String> {
        if text.starts_with('-') {
            return Err(format!("price `{text}` is negative"));
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_decimal = [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_decimal {
            return Err(format!("price `{text}` is not a decimal number such as 20.00"));
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = usize::from(self.digits);
        if fraction.len() > digits {
            return Err(format!("price `{text}` is finer than {} allows ({digits} decimals)", self.code));
        }
        let missing = iter::repeat_n(b'0', digits - fraction.len());
        let mut written = whole.bytes().chain(fraction.bytes()).chain(missing);
        written
            .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
            .filter(|&minor_units| minor_units <= MAX_MINOR_UNITS)
            .ok_or_else(|| format!("price `{text}` is over the limit of {MAX_MINOR_UNITS} minor units"))
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(format!("`{code}` is no ISO 4217 code such as EUR"));
        }
        let digits = OTHER_DIGITS.iter().find(|(other, _)| *other == code).map_or(2, |&(_, digits)| digits);
        Ok(Self { code: code.to_owned(), digits })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(currency: &str, price: &str) -> Result<i64, String> {
        currency.parse::<Currency>().expect("a currency").parse_price(price)
    }

    #[test]
    fn decimals_become_minor_units() {
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
        ] {
            assert_eq!(read(currency, price), Ok(minor_units), "{price} {currency}");
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for (currency, price) in [
            ("EUR", "-1.00"),
            ("EUR", "20.005"),
            ("JPY", "1.5"),
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
            assert!(read(currency, price).is_err(), "{price} {currency}");
        }
    }

    #[test]
    fn a_currency_is_three_capitals() {
        for code in ["eur", "EURO", "", "€"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }
}

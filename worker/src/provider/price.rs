//! Prices as publishers write them: `Free`, `12,50`, `€ 20`, `10-20`. A text is read only if it can be read in one way.

use entity::fold_name;

use super::{currency::Currency, quote::quote};

/// Words for a price of zero, folded.
const FREE: [&str; 23] = [
    "admission free",
    "eintritt frei",
    "entrada gratis",
    "entrada gratuita",
    "entrada libre",
    "entree gratuite",
    "entree libre",
    "frei",
    "free",
    "free admission",
    "free entry",
    "free of charge",
    "gratis",
    "gratuit",
    "gratuita",
    "gratuite",
    "gratuito",
    "ingresso gratuito",
    "ingresso libero",
    "kostenfrei",
    "kostenlos",
    "libre",
    "no charge",
];

/// What may separate the two ends of a range.
const RANGE_SEPARATORS: [&str; 6] = ["–", "—", " to ", " bis ", " a ", "-"];

/// Powers of ten that a price in a JSON number may have.
const MAX_EXPONENT: i32 = 20;

/// The lowest and the highest price of a text, in minor units. They are equal unless the text is a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    /// The lowest price.
    pub low: i64,
    /// The highest price.
    pub high: i64,
}

impl PriceRange {
    /// Reads a price or a range of prices.
    ///
    /// # Errors
    ///
    /// Continues a sentence that starts with the name of the field. The text is not a price in this currency, or can be read in two
    /// ways, such as `1,000`.
    pub fn read(text: &str, currency: &Currency) -> Result<Self, String> {
        let trimmed = text.trim();
        if let Ok(price) = read_price(trimmed, currency) {
            return Ok(Self::from(price));
        }
        if FREE.contains(&fold_name(trimmed).as_str()) {
            return Ok(Self::from(0));
        }
        let ends = RANGE_SEPARATORS.iter().find_map(|separator| trimmed.split_once(separator));
        match ends.filter(|(low, high)| !low.trim().is_empty() && !high.trim().is_empty()) {
            Some((low, high)) => {
                let (low, high) = (read_price(low, currency)?, read_price(high, currency)?);
                let range = (low <= high).then_some(Self { low, high });
                range.ok_or_else(|| format!("must not end below its start, got {}", quote(text)))
            }
            None => read_price(trimmed, currency).map(Self::from),
        }
    }

    /// Reads a JSON number, which may have an exponent.
    ///
    /// # Errors
    ///
    /// As [`PriceRange::read`].
    pub fn read_number(number: &str, currency: &Currency) -> Result<Self, String> {
        let expanded = expand_exponent(number);
        currency.parse_price(expanded.as_deref().unwrap_or(number)).map(Self::from)
    }
}

impl From<i64> for PriceRange {
    fn from(price: i64) -> Self {
        Self { low: price, high: price }
    }
}

fn read_price(text: &str, currency: &Currency) -> Result<i64, String> {
    let number = strip_currency(text.trim(), currency);
    if number.starts_with(['-', '−']) {
        return Err(format!("must be 0 or more, got {}", quote(text)));
    }
    let plain = currency.parse_price(number);
    // The documented form, unless three decimals may as well be a group of thousands.
    if plain.is_ok() && (read_digits(number, None).is_none() || !number.contains('.') || has_digits(number, currency)) {
        return plain;
    }
    // Three decimals are more likely an error than thousands, unless the currency has no decimals.
    let is_decimal = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && number.matches('.').count() == 1;
    if plain.is_err() && is_decimal && currency.digits() > 0 {
        return plain;
    }
    let readings = [None, Some('.'), Some(',')];
    let mut prices: Vec<i64> =
        readings.into_iter().filter_map(|decimal_mark| currency.parse_price(&read_digits(number, decimal_mark)?).ok()).collect();
    prices.dedup();
    match prices.as_slice() {
        [price] => Ok(*price),
        [] => plain,
        _ => Err(format!("must be a number that can be read in only one way, such as 1000.00, got {}", quote(text))),
    }
}

/// Whether the decimals are those of the currency's minor unit.
fn has_digits(number: &str, currency: &Currency) -> bool {
    number.rsplit('.').next().is_some_and(|decimals| decimals.len() == usize::from(currency.digits()))
}

/// Removes the code or the sign of the currency. Another currency's remains, and makes the number invalid.
fn strip_currency<'a>(text: &'a str, currency: &Currency) -> &'a str {
    // Nearly all prices are plain numbers.
    if text.starts_with(|character: char| character.is_ascii_digit())
        && text.ends_with(|character: char| character.is_ascii_digit())
    {
        return text;
    }
    let sign = currency.sign();
    let text = text.strip_suffix(",-").or_else(|| text.strip_suffix(".-")).unwrap_or(text);
    for mark in [currency.code(), &currency.code().to_lowercase(), &sign] {
        if let Some(number) = text.strip_prefix(mark).or_else(|| text.strip_suffix(mark)) {
            return number.trim();
        }
    }
    text
}

/// The number with `.` before its decimals and without separators of thousands, if it has this decimal mark, or none.
fn read_digits(number: &str, decimal_mark: Option<char>) -> Option<String> {
    let (whole, decimals) = match decimal_mark {
        Some(mark) => number.split_once(mark).map(|(whole, decimals)| (whole, Some(decimals)))?,
        None => (number, None),
    };
    let mut separators = whole.chars().filter(|character| !character.is_ascii_digit());
    let whole = match separators.next() {
        None => whole.to_owned(),
        Some(separator) => {
            let is_separator = matches!(separator, '.' | ',' | ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
            let groups: Vec<&str> = whole.split(separator).collect();
            let (first, others) = groups.split_first()?;
            let are_groups =
                (1..=3).contains(&first.len()) && !first.starts_with('0') && others.iter().all(|group| group.len() == 3);
            (is_separator && are_groups && separators.all(|other| other == separator)).then(|| groups.concat())?
        }
    };
    Some(match decimals {
        Some(decimals) => format!("{whole}.{decimals}"),
        None => whole,
    })
}

/// A number with an exponent as a plain decimal.
fn expand_exponent(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= MAX_EXPONENT)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let Ok(point) = usize::try_from(point) else {
        return Some(format!("0.{}{digits}", "0".repeat(usize::try_from(-point).ok()?)));
    };
    Some(match digits.split_at_checked(point) {
        Some((whole, fraction)) => format!("{whole:0>1}.{fraction:0<1}"),
        None => format!("{digits:0<point$}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, currency: &str) -> Result<PriceRange, String> {
        PriceRange::read(text, &currency.parse().expect("a currency"))
    }

    #[test]
    fn reads_a_price_that_has_only_one_meaning() {
        for (text, currency, price) in [
            ("20.00", "EUR", 2000),
            (" 20 ", "EUR", 2000),
            ("24.200000000000003", "EUR", 2420),
            ("20.5", "EUR", 2050),
            ("20.5000", "EUR", 2050),
            ("12,50", "EUR", 1250),
            ("12,5", "EUR", 1250),
            ("0,500", "EUR", 50),
            ("1,000.00", "EUR", 100_000),
            ("1.000,00", "EUR", 100_000),
            ("1 000,50", "EUR", 100_050),
            ("1'000.50", "CHF", 100_050),
            ("1,234,567", "EUR", 123_456_700),
            ("12,345", "EUR", 1_234_500),
            ("1.250", "KWD", 1250),
            ("1,500", "JPY", 1500),
            ("1.500", "JPY", 1500),
            ("€ 20.00", "EUR", 2000),
            ("20 €", "EUR", 2000),
            ("EUR 20", "EUR", 2000),
            ("20eur", "EUR", 2000),
            ("$10", "USD", 1000),
            ("10,-", "EUR", 1000),
            ("Free", "EUR", 0),
            ("GRATIS!", "EUR", 0),
            ("Entrée libre", "EUR", 0),
            ("0", "EUR", 0),
        ] {
            assert_eq!(read(text, currency), Ok(price.into()), "{text} {currency}");
        }
    }

    #[test]
    fn reads_both_ends_of_a_range() {
        for (text, low, high) in [
            ("10-20", 1000, 2000),
            ("10.50 – 20", 1050, 2000),
            ("€10 to €20", 1000, 2000),
            ("10 bis 12,50 €", 1000, 1250),
            ("10 - 10", 1000, 1000),
        ] {
            assert_eq!(read(text, "EUR"), Ok(PriceRange { low, high }), "{text}");
        }
    }

    #[test]
    fn rejects_what_is_not_a_price_or_has_two_meanings() {
        for (text, currency) in [
            ("1,000", "EUR"),
            ("1.000", "EUR"),
            ("12.500", "EUR"),
            ("1,000", "KWD"),
            ("1,00,000", "EUR"),
            ("1,000.00.00", "EUR"),
            ("$10", "EUR"),
            ("£10", "EUR"),
            ("10 USD", "EUR"),
            ("from 10", "EUR"),
            ("20-10", "EUR"),
            ("10-", "EUR"),
            ("-10", "EUR"),
            ("10-20-30", "EUR"),
            ("20.005", "EUR"),
            ("1e3", "EUR"),
            (",50", "EUR"),
            ("12,", "EUR"),
            ("", "EUR"),
            ("NaN", "EUR"),
            ("99999999999999999999", "EUR"),
        ] {
            assert!(read(text, currency).is_err(), "{text} {currency}: {:?}", read(text, currency));
        }
    }

    #[test]
    fn reads_numbers_with_an_exponent_exactly() {
        for (number, price) in
            [("1e3", 100_000), ("1.5E1", 1500), ("125e-1", 1250), ("5e-2", 5), ("1.000", 100), ("0.5e1", 500), ("0e0", 0)]
        {
            let price = PriceRange::from(price);
            assert_eq!(PriceRange::read_number(number, &"EUR".parse().expect("a currency")), Ok(price), "{number}");
        }
        for number in ["1e30", "1e-3", "-1", "-1e2", "1e99999999999"] {
            assert!(PriceRange::read_number(number, &"EUR".parse().expect("a currency")).is_err(), "{number}");
        }
    }
}

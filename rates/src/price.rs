//! Prices as exact hundredths. Floating point is used only for the mean in a response.

/// More than any travel costs in any currency, and small enough for a sum: the sum of the most prices of a file fits into 63 bits.
const MAX_PRICE: i64 = 100_000_000;
const HUNDREDTHS: i64 = 100;

/// Parses `1154`, `1154.3` or `1154.33` as hundredths.
///
/// # Errors
///
/// What is accepted, to continue a sentence that names the value: "must be 0 or more".
pub(crate) fn parse(text: &[u8]) -> Result<i64, String> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if let Some(positive) = text.strip_prefix(b"-")
        && positive.first().is_some_and(u8::is_ascii_digit)
    {
        return Err("must be 0 or more".to_owned());
    }
    if !is_number(whole) || !fraction.is_none_or(is_number) {
        return Err("must be a decimal number such as 1154 or 1154.33".to_owned());
    }
    let hundredths = match *fraction.unwrap_or_default() {
        [] => 0,
        [tenth] => i64::from(tenth - b'0') * 10,
        [tenth, hundredth] => i64::from(tenth - b'0') * 10 + i64::from(hundredth - b'0'),
        _ => return Err("must have at most 2 decimals".to_owned()),
    };
    let price = whole.iter().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')));
    let price = price.and_then(|whole| whole.checked_mul(HUNDREDTHS)?.checked_add(hundredths));
    price.filter(|price| *price <= MAX_PRICE * HUNDREDTHS).ok_or_else(|| format!("must be at most {MAX_PRICE}"))
}

/// Computes the mean of `count` prices from their sum in hundredths: the nearest double, as long as the sum is below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "JSON numbers are doubles")]
pub fn compute_mean(sum: i64, count: i64) -> f64 {
    sum as f64 / (count * HUNDREDTHS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_prices_exactly() {
        for (text, hundredths) in [
            ("0", 0),
            ("1154", 115_400),
            ("1154.3", 115_430),
            ("1154.33", 115_433),
            ("007.05", 705),
            ("100000000", 10_000_000_000),
            ("0.07", 7),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(hundredths), "{text}");
        }
    }

    #[test]
    fn rejects_what_is_not_a_price() {
        for (text, message) in [
            ("-1", "must be 0 or more"),
            ("-0.5", "must be 0 or more"),
            ("1.234", "must have at most 2 decimals"),
            ("1.100", "must have at most 2 decimals"),
            ("NaN", "must be a decimal number"),
            ("-NaN", "must be a decimal number"),
            ("inf", "must be a decimal number"),
            ("1e30", "must be a decimal number"),
            ("1e3", "must be a decimal number"),
            ("+1", "must be a decimal number"),
            ("1,5", "must be a decimal number"),
            (".5", "must be a decimal number"),
            ("5.", "must be a decimal number"),
            ("", "must be a decimal number"),
            ("0x10", "must be a decimal number"),
            ("100000000.01", "must be at most 100000000"),
            ("99999999999999999999999999", "must be at most 100000000"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn computes_means_without_rounding() {
        assert_eq!(compute_mean(346_300, 3), 1_154.333_333_333_333_3);
        assert_eq!(compute_mean(1, 1), 0.01);
        assert_eq!(compute_mean(30, 3), 0.1);
    }
}

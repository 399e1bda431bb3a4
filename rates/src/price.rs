//! Prices: what is written is what counts, to the hundredth. No floating point on the way in.

/// More than any travel costs in any currency; the sum of as many such prices as a file may hold has 63 bits.
const MAX_PRICE: i64 = 100_000_000;
const HUNDREDTHS: i64 = 100;

/// Reads `1154`, `1154.3` or `1154.33` as hundredths.
///
/// # Errors
///
/// What is wrong and what would be right, in a sentence.
pub(crate) fn parse(text: &[u8]) -> Result<i64, String> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if let Some(positive) = text.strip_prefix(b"-")
        && positive.first().is_some_and(u8::is_ascii_digit)
    {
        return Err("is negative: want 0 or more".to_owned());
    }
    if !is_number(whole) || !fraction.is_none_or(is_number) {
        return Err("is no plain number: want one such as 1154 or 1154.33".to_owned());
    }
    let fraction = fraction.unwrap_or_default();
    let hundredths = match *fraction {
        [] => 0,
        [tenth] => i64::from(tenth - b'0') * 10,
        [tenth, hundredth] => i64::from(tenth - b'0') * 10 + i64::from(hundredth - b'0'),
        _ => return Err(format!("has {} decimals: want two at most", fraction.len())),
    };
    let price = whole.iter().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')));
    let price = price.and_then(|whole| whole.checked_mul(HUNDREDTHS)?.checked_add(hundredths));
    price.filter(|price| *price <= MAX_PRICE * HUNDREDTHS).ok_or_else(|| format!("is too high: want {MAX_PRICE} at most"))
}

/// The mean of `count` prices whose sum is so many hundredths: the double nearest to it, as long as the sum is below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a double is what JSON has")]
pub fn mean(sum: i64, count: i64) -> f64 {
    sum as f64 / (count * HUNDREDTHS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
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
    fn what_is_no_price_is_refused_with_its_reason() {
        for (text, part) in [
            ("-1", "is negative"),
            ("-0.5", "is negative"),
            ("1.234", "has 3 decimals"),
            ("1.100", "has 3 decimals"),
            ("NaN", "plain number"),
            ("-NaN", "plain number"),
            ("inf", "plain number"),
            ("1e30", "plain number"),
            ("1e3", "plain number"),
            ("+1", "plain number"),
            ("1,5", "plain number"),
            (".5", "plain number"),
            ("5.", "plain number"),
            ("", "plain number"),
            ("0x10", "plain number"),
            ("100000000.01", "is too high"),
            ("99999999999999999999999999", "is too high"),
        ] {
            let fault = parse(text.as_bytes()).unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }

    #[test]
    fn a_mean_is_not_rounded() {
        assert_eq!(mean(346_300, 3), 1_154.333_333_333_333_3);
        assert_eq!(mean(1, 1), 0.01);
        assert_eq!(mean(30, 3), 0.1);
    }
}

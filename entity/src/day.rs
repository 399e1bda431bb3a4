//! The one parser of calendar days: for query parameters, feeds and batches of prices.

use chrono::NaiveDate;

/// Why a text is not a day. The message continues a sentence that names the value: "`day` must be an existing date".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DayError {
    /// It does not have the form `2021-01-31`.
    #[error("must be a date in the form YYYY-MM-DD")]
    Malformed,
    /// It has the form, but the calendar has no such day, such as February 30.
    #[error("must be an existing date")]
    NotInCalendar,
}

/// Parses `2021-01-31`: four, two and two ASCII digits, and a day of the Gregorian calendar (year 0 to 9999).
///
/// # Errors
///
/// When the text has another form, or no such day exists.
pub fn parse_day(text: impl AsRef<[u8]>) -> Result<NaiveDate, DayError> {
    let text: &[u8; 10] = text.as_ref().try_into().map_err(|_| DayError::Malformed)?;
    let mut digits = [0_u16; 10];
    for ((digit, &byte), form) in digits.iter_mut().zip(text).zip(b"0000-00-00") {
        match (form, byte) {
            (b'0', b'0'..=b'9') => *digit = u16::from(byte - b'0'),
            (b'-', b'-') => {}
            _ => return Err(DayError::Malformed),
        }
    }
    let [millennium, century, decade, year, _, month_tens, month, _, day_tens, day] = digits;
    let year = millennium * 1000 + century * 100 + decade * 10 + year;
    let (month, day) = (month_tens * 10 + month, day_tens * 10 + day);
    NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()).ok_or(DayError::NotInCalendar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_days_of_the_calendar() {
        for (text, year, month, day) in
            [("2021-01-31", 2021, 1, 31), ("2024-02-29", 2024, 2, 29), ("0000-01-01", 0, 1, 1), ("9999-12-31", 9999, 12, 31)]
        {
            assert_eq!(parse_day(text).ok(), NaiveDate::from_ymd_opt(year, month, day), "{text}");
        }
    }

    #[test]
    fn rejects_other_forms_and_days_that_do_not_exist() {
        for text in
            ["", "2021", "2021-1-31", "2021/01/31", "31-01-2021", "+021-01-31", "2021-01-31T00:00:00Z", "2021-01-3é", "２０２１"]
        {
            assert_eq!(parse_day(text), Err(DayError::Malformed), "{text}");
        }
        for text in ["2021-02-29", "2021-02-30", "2021-00-10", "2021-13-01", "2021-01-00", "1900-02-29"] {
            assert_eq!(parse_day(text.as_bytes()), Err(DayError::NotInCalendar), "{text}");
        }
    }
}

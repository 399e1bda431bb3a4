//! Response headers about time: when to retry, and how long a document is fresh. The schedule decides what to do with them.

use std::time::{Duration, SystemTime};

use entity::provider::MAX_PAUSE;
use reqwest::header::{self, HeaderMap, HeaderName};

/// Parses `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3). A date is that of the provider's clock, so it is compared
/// with the `Date` of the response, and only without one with our own clock.
pub(super) fn parse_retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = get_text(headers, &header::RETRY_AFTER)?.trim();
    let pause = match parse_seconds(value) {
        Some(pause) => pause,
        None => {
            let sent_at = get_text(headers, &header::DATE).and_then(|date| httpdate::parse_http_date(date.trim()).ok());
            httpdate::parse_http_date(value).ok()?.duration_since(sent_at.unwrap_or(now)).unwrap_or_default()
        }
    };
    Some(pause.min(MAX_PAUSE))
}

/// How long the document is fresh: `max-age` of `Cache-Control`, minus its `Age` (RFC 9111, section 4.2). `None` without `max-age`
/// and with `no-cache` or `no-store`.
pub(super) fn parse_freshness(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age: Option<Duration> = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" | "no-store" => return None,
                "max-age" => {
                    let limit = parse_seconds(value.trim().trim_matches('"'))?;
                    max_age = Some(max_age.map_or(limit, |other| other.min(limit)));
                }
                _ => {}
            }
        }
    }
    let age = get_text(headers, &header::AGE).and_then(|age| parse_seconds(age.trim())).unwrap_or_default();
    Some(max_age?.saturating_sub(age).min(MAX_PAUSE))
}

fn get_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Parses a number of seconds. One that exceeds 64 bits becomes the maximum.
fn parse_seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn parses_retry_after_as_seconds_or_a_date_up_to_an_hour() {
        let now = httpdate::parse_http_date("Tue, 04 Mar 2031 10:00:00 GMT").unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("3601", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("Tue, 04 Mar 2031 10:00:30 GMT", Some(30)),
            ("Tuesday, 04-Mar-31 10:00:30 GMT", Some(30)),
            ("Tue Mar  4 10:00:30 2031", Some(30)),
            ("Tue, 04 Mar 2031 09:00:00 GMT", Some(0)),
            ("Wed, 04 Mar 2099 10:00:00 GMT", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("2031-03-04T10:00:30Z", None),
            ("", None),
        ] {
            let pause = parse_retry_after(&headers(&[(header::RETRY_AFTER, value)]), now);
            assert_eq!(pause, expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(parse_retry_after(&HeaderMap::new(), now), None);
        let dated = |date| headers(&[(header::RETRY_AFTER, "Tue, 04 Mar 2031 10:00:30 GMT"), (header::DATE, date)]);
        for (date, seconds) in [("Tue, 04 Mar 2031 10:00:20 GMT", 10), ("Tue, 04 Mar 2031 09:55:30 GMT", 300), ("today", 30)] {
            assert_eq!(parse_retry_after(&dated(date), now), Some(Duration::from_secs(seconds)), "Date: {date}");
        }
    }

    #[test]
    fn subtracts_the_age_from_max_age() {
        for (control, age, expected) in [
            ("max-age=60", None, Some(60)),
            ("public, MAX-AGE=\"60\"", Some("20"), Some(40)),
            ("max-age=60", Some("90"), Some(0)),
            ("max-age=60", Some("old"), Some(60)),
            ("max-age=60, max-age=30", None, Some(30)),
            ("max-age=86400", None, Some(3600)),
            ("max-age=99999999999999999999999999", Some("1"), Some(3600)),
            ("max-age=60, no-cache", None, None),
            ("no-store", None, None),
            ("max-age=-1", None, None),
            ("s-maxage=60", None, None),
            ("", None, None),
        ] {
            let mut given = vec![(header::CACHE_CONTROL, control)];
            given.extend(age.map(|age| (header::AGE, age)));
            assert_eq!(parse_freshness(&headers(&given)), expected.map(Duration::from_secs), "{control}, {age:?}");
        }
        assert_eq!(parse_freshness(&HeaderMap::new()), None);
    }
}

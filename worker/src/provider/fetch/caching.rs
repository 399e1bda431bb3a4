//! What the headers of an answer say of time: when to come again, and how long the document stays what it is.
//!
//! Reads only; what is done with it is the schedule's.

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName};

/// No provider may send the worker away for longer than this by one answer: a slip of a zero must not stop a copy for months.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long the provider asks to be left alone: `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = text(headers, &header::RETRY_AFTER)?.trim();
    let pause = match seconds(value) {
        Some(pause) => pause,
        None => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// How long the document needs not be asked for again: `max-age` of `Cache-Control`, less the `Age` that it has already
/// (RFC 9111, section 4.2). Nothing where the provider says nothing, or that it wants to be asked each time.
pub(super) fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let mut age_limit: Option<Duration> = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" | "no-store" => return None,
                "max-age" => {
                    let limit = seconds(value.trim().trim_matches('"'))?;
                    age_limit = Some(age_limit.map_or(limit, |other| other.min(limit)));
                }
                _ => {}
            }
        }
    }
    let age = text(headers, &header::AGE).and_then(|age| seconds(age.trim())).unwrap_or_default();
    Some(age_limit?.saturating_sub(age).min(LONGEST_PAUSE))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A number of seconds; one too large to hold is as large as any.
fn seconds(text: &str) -> Option<Duration> {
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
    fn retry_after_is_a_number_or_a_date_and_never_more_than_an_hour() {
        let now = httpdate::parse_http_date("Tue, 04 Mar 2031 10:00:00 GMT").unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("3601", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("Tue, 04 Mar 2031 10:00:30 GMT", Some(30)),
            ("Tue, 04 Mar 2031 09:00:00 GMT", Some(0)),
            ("Wed, 04 Mar 2099 10:00:00 GMT", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let found = retry_after(&headers(&[(header::RETRY_AFTER, value)]), now);
            assert_eq!(found, expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_document_is_fresh_for_its_age_limit_less_its_age() {
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
            assert_eq!(fresh_for(&headers(&given)), expected.map(Duration::from_secs), "{control}, {age:?}");
        }
        assert_eq!(fresh_for(&HeaderMap::new()), None);
    }
}

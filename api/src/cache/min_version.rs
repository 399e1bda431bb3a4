//! Versions of the catalogue in headers: which one a response has, and the oldest one that a client accepts
//! ([ADR 61](../../../docs/adr/0061-read-your-writes.md)).

use std::cell::RefCell;

use poem::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{error::ApiError, query::describe_invalid};

/// The name of [`VERSION`] in the OpenAPI document.
pub(crate) const VERSION_NAME: &str = "Marquee-Version";
/// The version of the catalogue that a response has.
const VERSION: HeaderName = HeaderName::from_static("marquee-version");
/// The name of [`MIN_VERSION`] in errors and in the OpenAPI document.
pub(crate) const MIN_VERSION_NAME: &str = "Marquee-Min-Version";
/// The oldest version that a client accepts.
const MIN_VERSION: HeaderName = HeaderName::from_static("marquee-min-version");

/// The oldest version of the catalogue that a client accepts; `None` for any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinVersion(Option<i64>);

impl MinVersion {
    /// The one in the headers of a request.
    ///
    /// # Errors
    ///
    /// When the header is repeated, or is not a version.
    pub fn of(request: &HeaderMap) -> Result<Self, ApiError> {
        let mut values = request.get_all(MIN_VERSION).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        if values.next().is_some() {
            return Err(ApiError::parameter(MIN_VERSION_NAME, "must be given only once"));
        }
        let version = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let version = version.and_then(|text| text.parse().ok());
        let requirement = || {
            let given = String::from_utf8_lossy(value.as_bytes());
            describe_invalid("must be the `Marquee-Version` of a response, an integer from 0 on", &given)
        };
        version.map(|version| Self(Some(version))).ok_or_else(|| ApiError::parameter(MIN_VERSION_NAME, requirement()))
    }

    pub(crate) fn is_any(self) -> bool {
        self.0.is_none()
    }

    /// The later one of this and a version.
    pub(crate) fn at_least(self, version: Option<i64>) -> Self {
        Self(self.0.max(version))
    }

    /// The number, if there is one.
    pub(crate) fn version(self) -> Option<i64> {
        self.0
    }

    /// Whether a client accepts what was read at a version.
    pub(crate) fn accepts(self, version: i64) -> bool {
        self.0.is_none_or(|minimum| version >= minimum)
    }

    /// Checks that a client accepts what was read at a version.
    ///
    /// # Errors
    ///
    /// When it is older, because the database that was read lags.
    pub(crate) fn check(self, version: i64) -> Result<(), ApiError> {
        if self.accepts(version) { Ok(()) } else { Err(self.unavailable()) }
    }

    /// The error of a request for a version that could not be read in time.
    pub(crate) fn unavailable(self) -> ApiError {
        ApiError::VersionUnavailable { minimum: self.0.unwrap_or_default() }
    }
}

thread_local! {
    /// The last value: most responses have the newest version, and a hit must not format it.
    static LAST_VALUE: RefCell<(i64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static("0"))) };
}

/// Sets the version that a response has.
pub(crate) fn set_version(headers: &mut HeaderMap, version: i64) {
    let value = LAST_VALUE.with_borrow_mut(|last| {
        if last.0 != version {
            *last = (version, version.into());
        }
        last.1.clone()
    });
    headers.insert(VERSION, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Result<MinVersion, ApiError> {
        let values = values.iter().map(|value| (MIN_VERSION, HeaderValue::from_str(value).unwrap()));
        MinVersion::of(&values.collect())
    }

    #[test]
    fn versions_are_integers_from_0_on() {
        assert_eq!(parse(&[]).unwrap(), MinVersion(None));
        for (text, version) in [("0", 0), ("007", 7), ("9223372036854775807", i64::MAX)] {
            assert_eq!(parse(&[text]).unwrap(), MinVersion(Some(version)));
        }
        for values in [&["-1"][..], &["+1"], &[""], &["x"], &["1.0"], &["9223372036854775808"], &["1", "1"], &["1, 1"]] {
            assert!(parse(values).is_err(), "{values:?}");
        }
    }

    #[test]
    fn a_header_has_the_version_that_it_is_given() {
        for version in [0, 7, 7, i64::MAX, 7] {
            let mut headers = HeaderMap::new();
            set_version(&mut headers, version);
            assert_eq!(headers.get(VERSION).unwrap(), version.to_string().as_str());
        }
    }
}

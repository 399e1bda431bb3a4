//! Query strings, parsed once and strictly: an unknown parameter is an error, because ignoring a misspelled filter would return the
//! wrong rows. A parameter with an empty value is absent, because HTML forms send all their fields.

use std::{borrow::Cow, ops::RangeInclusive, str::FromStr};

use percent_encoding::percent_decode_str;
use poem::Request;

use crate::error::{ApiError, ValidationError};

/// The longest path and query: enough for 500 ids, and less than the parser's limit of the whole head, so that the error names the URL.
pub(crate) const MAX_TARGET_BYTES: usize = 24 * 1024;
/// How similar an unknown name must be to a known one to be suggested, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.5;
/// Errors of one response: more than anyone makes by accident, and a bound for the size of the response.
const MAX_ERRORS: usize = 20;
/// Characters of an unknown name or an invalid value that are repeated in the response: four times the longest known name.
const MAX_REPEATED_CHARACTERS: usize = 64;

/// Parameters that scripts, campaigns, advertisers and social networks add to any URL, to avoid caches and to count visitors.
const IGNORED: [&str; 9] = ["_", "fbclid", "gclid", "dclid", "msclkid", "twclid", "igshid", "mc_cid", "mc_eid"];
const IGNORED_PREFIX: &str = "utm_";

/// The parameters of one request. The parameters that an operation reads are the ones that it accepts; errors are collected, so that a
/// client sees all of them at the same time.
#[derive(Debug)]
pub struct Parameters<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    known: Vec<&'static str>,
    errors: Vec<ValidationError>,
}

/// Checks that a request has no query parameters.
///
/// # Errors
///
/// With every parameter that it has.
pub fn no_parameters(request: &Request) -> Result<(), ApiError> {
    Parameters::of(request).finish(())
}

/// Parses a path parameter. The requirement continues the sentence that begins with its name: `must be a UUID`.
///
/// # Errors
///
/// When the text cannot be parsed.
pub fn parse_path<T: FromStr>(name: &str, text: &str, requirement: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::parameter(name, describe_invalid(requirement, text)))
}

/// Parses an integer within bounds.
///
/// # Errors
///
/// With the requirement that the text does not meet.
pub(crate) fn parse_integer(text: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
    let requirement = || format!("must be an integer between {} and {}", bounds.start(), bounds.end());
    text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(requirement)
}

/// Parses the slug of a provider.
///
/// # Errors
///
/// With the requirement that the text does not meet.
pub(crate) fn parse_provider_slug(text: &str) -> Result<String, String> {
    let is_slug = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    is_slug.then(|| text.to_owned()).ok_or_else(|| "must be the slug of a provider as in `/providers`".to_owned())
}

impl<'a> Parameters<'a> {
    /// Parses the query string of a request.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        Self::parse(request.uri().query().unwrap_or_default())
    }

    /// Parses a query string, without its `?`.
    #[must_use]
    pub fn parse(query: &'a str) -> Self {
        let mut parameters = Self { pairs: Vec::new(), known: Vec::new(), errors: Vec::new() };
        for pair in query.split('&') {
            let mut decoded = form_urlencoded::parse(pair.as_bytes());
            if percent_decode_str(pair).decode_utf8().is_ok() {
                parameters.pairs.extend(decoded);
            } else if let Some((name, _)) = decoded.next() {
                parameters.add_error(&shorten(&name), "must be percent-encoded UTF-8");
            }
        }
        parameters
    }

    /// Whether the request has a parameter.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The values of a parameter that are not empty.
    fn values(&self, name: &str) -> impl Iterator<Item = &Cow<'a, str>> {
        self.pairs.iter().filter(move |(given, value)| given == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// Whether an error was found so far.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The value of an optional parameter. An error of `parse` continues the sentence that begins with the name of the parameter:
    /// `must be a price such as 27.50`.
    pub fn get<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.known.push(name);
        let (value, is_repeated) = {
            let mut values = self.values(name);
            (values.next()?, values.next().is_some())
        };
        let error = if is_repeated {
            "must be given only once".to_owned()
        } else if value.contains('\0') {
            CONTAINS_NUL.to_owned()
        } else {
            match parse(value) {
                Ok(value) => return Some(value),
                Err(requirement) => describe_invalid(&requirement, value),
            }
        };
        self.add_error(name, error);
        None
    }

    /// The value of a required parameter, as [`get`](Self::get).
    pub fn require<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if !self.has(name) {
            self.add_error(name, "is required");
        }
        self.get(name, parse)
    }

    /// The values of a list, separated by commas or given as repeated parameters. `None` if the parameter is absent.
    pub fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.known.push(name);
        let values = self.values(name).flat_map(|value| value.split(','));
        let values: Vec<String> = values.map(str::to_owned).collect();
        if values.iter().any(|value| value.contains('\0')) {
            self.add_error(name, CONTAINS_NUL);
            return None;
        }
        (!values.is_empty()).then_some(values)
    }

    /// The parsed values of a list, as [`list`](Self::list) and [`get`](Self::get). The first error of `parse` is added.
    pub fn list_of<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let values = self.list(name).unwrap_or_default();
        let parse = |value: &String| parse(value).map_err(|requirement| describe_invalid(&requirement, value));
        values.iter().map(parse).collect::<Result<_, _>>().unwrap_or_else(|error| {
            self.add_error(name, error);
            Vec::new()
        })
    }

    /// Adds an error. The message continues the sentence that begins with the name of the parameter.
    pub fn add_error(&mut self, name: &str, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(ValidationError::for_parameter(name, message));
        }
    }

    /// The value, if all parameters are known and valid.
    ///
    /// # Errors
    ///
    /// With the errors that were found, and with the parameters that were not read.
    pub fn finish<T>(mut self, value: T) -> Result<T, ApiError> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            if self.errors.len() == MAX_ERRORS {
                break;
            }
            if !self.known.contains(&name.as_ref()) && !is_ignored(&name) {
                let name = shorten(&name);
                let message = describe_unknown(&name, &self.known);
                self.add_error(&name, message);
            }
        }
        if self.errors.is_empty() { Ok(value) } else { Err(ApiError::InvalidParameters(self.errors)) }
    }
}

/// Whether a parameter is one that others add to any URL.
pub(crate) fn is_ignored(name: &str) -> bool {
    IGNORED.contains(&name) || name.starts_with(IGNORED_PREFIX)
}

/// PostgreSQL rejects a statement with a NUL character.
const CONTAINS_NUL: &str = "must not contain a NUL character";

/// The error of a value that does not meet a requirement.
pub(crate) fn describe_invalid(requirement: &str, value: &str) -> String {
    format!("{requirement}, got `{}`", shorten(value))
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_REPEATED_CHARACTERS).collect()
}

fn describe_unknown(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match nearest {
        Some((similarity, candidate)) if similarity >= MIN_SIMILARITY => {
            format!("is not a known parameter; did you mean `{candidate}`?")
        }
        Some(_) => format!("is not a known parameter; accepted are {}", known.join(", ")),
        None => "is not a known parameter; this operation accepts none".to_owned(),
    }
}

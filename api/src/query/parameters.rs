//! Query strings, read once and strictly: what is not known is an error and not ignored, because a filter with a typing error
//! in its name would silently answer another question.

use std::borrow::Cow;

use poem::Request;

use crate::{error::ApiError, response::ValidationError};

/// How far a name may be from a known one, 0 to 1, to be taken for a typing error of it.
const SIMILAR_ENOUGH: f64 = 0.5;
/// Faults of one answer: more than anybody makes by accident, and a flood of them must not become a flood of an answer.
const MAX_ERRORS: usize = 20;
/// Characters of an unknown name that are looked at and said back: four times the longest known one.
const NAME_CHARACTERS: usize = 64;

/// The parameters of one request, each at most once unless it is a list.
#[derive(Debug)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Faults that were found so far; a client shall hear of all of them at once, up to a limit.
#[derive(Debug, Default)]
pub struct ValidationErrors(Vec<ValidationError>);

/// Makes sure that a call which takes no parameters was given none.
///
/// # Errors
///
/// With every parameter that was given.
pub fn no_parameters(request: &Request) -> Result<(), ApiError> {
    let mut errors = ValidationErrors::default();
    let _none = Parameters::read(request.uri().query().unwrap_or_default(), &[], &mut errors);
    errors.or(())
}

impl<'a> Parameters<'a> {
    /// Reads a query string (without `?`). Unknown and repeated parameters are noted as errors, and values that no database takes.
    #[must_use]
    pub fn read(query: &'a str, known: &[&str], errors: &mut ValidationErrors) -> Self {
        Self::read_with_lists(query, known, &[], errors)
    }

    /// The same, where some of the known parameters are `lists`: those may be repeated.
    #[must_use]
    pub fn read_with_lists(query: &'a str, known: &[&str], lists: &[&str], errors: &mut ValidationErrors) -> Self {
        let mut found: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(known.len());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let name: String = name.chars().take(NAME_CHARACTERS).collect();
                errors.add(&name, unknown(&name, known));
            } else if !lists.contains(&name.as_ref()) && found.iter().any(|(earlier, _)| *earlier == name) {
                errors.add(&name, "is given more than once");
            } else if value.contains('\0') {
                // PostgreSQL would refuse the statement.
                errors.add(&name, "must not hold a NUL character");
            } else {
                found.push((name, value));
            }
        }
        Self(found)
    }

    /// The value of a parameter, if it was given, as `read` understands it.
    pub fn get<T>(&self, name: &str, errors: &mut ValidationErrors, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (_, value) = self.0.iter().find(|(given, _)| given == name)?;
        read(value).map_err(|message| errors.add(name, message)).ok()
    }
}

impl Parameters<'_> {
    /// Whether the parameter was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// All that was given for a list: its values, separated by commas or by repeating the parameter. Nothing if it was not given.
    #[must_use]
    pub fn list(&self, name: &str) -> Option<Vec<&str>> {
        let mut given = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.split(',')).peekable();
        given.peek()?;
        Some(given.flatten().collect())
    }
}

impl ValidationErrors {
    /// Notes a fault.
    pub fn add(&mut self, parameter: &str, message: impl Into<String>) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(ValidationError::for_parameter(parameter, message));
        }
    }

    /// Whether nothing was wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, if nothing was wrong.
    ///
    /// # Errors
    ///
    /// With everything that was.
    pub fn or<T>(self, value: T) -> Result<T, ApiError> {
        if self.0.is_empty() { Ok(value) } else { Err(ApiError::InvalidParameters(self.0)) }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match nearest {
        Some((similarity, candidate)) if similarity >= SIMILAR_ENOUGH => format!("is not known; did you mean `{candidate}`?"),
        Some(_) => format!("is not known; known are: {}", known.join(", ")),
        None => "is not known; this call takes no parameters".to_owned(),
    }
}

//! Checks of single values that every format needs, with one sentence for each fault.

/// Ids are numbers, words or, in JSON-LD, URLs.
const MAX_ID_CHARACTERS: usize = 255;
/// The longest title in the field has about 200 characters.
const MAX_NAME_CHARACTERS: usize = 1_000;
/// More seats than any venue on Earth.
const MAX_CAPACITY: i64 = 10_000_000;

/// Faults of one item that are named: enough to mend a feed by, and a reject stays small.
const MAX_NAMED_FAULTS: usize = 8;
/// Length of a named fault, which may quote a value as long as an attribute can be.
const MAX_FAULT_CHARACTERS: usize = 200;

/// The faults of one item; it is taken only without any.
#[derive(Default)]
pub(super) struct Faults {
    named: Vec<String>,
    unnamed: usize,
}

impl Faults {
    /// The value, or a note of what is wrong with it.
    pub(super) fn take<T>(&mut self, value: Result<T, String>) -> Option<T> {
        value.map_err(|fault| self.push(fault)).ok()
    }

    /// Notes a fault.
    pub(super) fn push(&mut self, mut fault: String) {
        if self.named.len() < MAX_NAMED_FAULTS {
            if let Some((end, _)) = fault.char_indices().nth(MAX_FAULT_CHARACTERS) {
                fault.truncate(end);
                fault.push('…');
            }
            // They quote the provider's values, which a terminal must not obey and PostgreSQL does not take with a NUL.
            self.named.push(fault.replace(char::is_control, "\u{fffd}"));
        } else {
            self.unnamed += 1;
        }
    }

    /// All of it in a sentence; `None` if nothing is wrong.
    pub(super) fn sentence(&self) -> Option<String> {
        let more = (self.unnamed > 0).then(|| format!("and {} more", self.unnamed));
        let faults: Vec<&str> = self.named.iter().chain(&more).map(String::as_str).collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

/// An id as a provider gives it.
pub(super) fn id(attribute: &str, value: &str) -> Result<String, String> {
    text(attribute, value, MAX_ID_CHARACTERS)
}

/// A title or a name.
pub(super) fn name(attribute: &str, value: &str) -> Result<String, String> {
    text(attribute, value, MAX_NAME_CHARACTERS)
}

/// `true` or `false`, also as XML Schema's `1` and `0`.
pub(super) fn boolean(attribute: &str, value: &str) -> Result<bool, String> {
    match value.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{attribute} `{}` is neither true nor false", shortened(value))),
    }
}

/// A number of tickets.
pub(super) fn capacity(attribute: &str, value: &str) -> Result<i64, String> {
    match value.trim().parse() {
        Ok(capacity @ 0..=MAX_CAPACITY) => Ok(capacity),
        _ => Err(format!("{attribute} `{}` is no whole number from 0 to {MAX_CAPACITY}", shortened(value))),
    }
}

/// A latitude or longitude: degrees from -`limit` to `limit`.
pub(super) fn degrees(attribute: &str, value: &str, limit: f64) -> Result<f64, String> {
    match value.trim().parse::<f64>() {
        // Adding zero makes a negative zero positive: the two are the same place.
        Ok(degrees) if (-limit..=limit).contains(&degrees) => Ok(degrees + 0.0),
        _ => Err(format!("{attribute} `{}` is no number of degrees from -{limit} to {limit}", shortened(value))),
    }
}

fn text(attribute: &str, value: &str, limit: usize) -> Result<String, String> {
    let value = value.trim();
    // Most texts are short and ASCII, and there are millions of them.
    let is_plain = value.len() <= limit && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain {
        Ok(value.to_owned())
    } else if value.chars().any(char::is_control) {
        Err(format!("{attribute} holds a control character"))
    } else if value.chars().nth(limit).is_some() {
        Err(format!("{attribute} is over the limit of {limit} characters"))
    } else {
        Ok(value.to_owned())
    }
}

fn shortened(value: &str) -> String {
    value.chars().take(40).collect()
}

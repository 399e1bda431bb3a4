//! The rules of XML 1.0 (fifth edition) that quick-xml does not check: characters, names, references and the XML declaration.
//!
//! Each check gets a part of the document and returns the position of the first violation within it.

use quick_xml::{
    escape::resolve_predefined_entity,
    events::attributes::{AttrError, Attribute, Attributes},
};

use crate::provider::quote::quote;

/// A violation at a byte of the checked text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IllFormed {
    pub(super) offset: usize,
    pub(super) detail: String,
}

impl IllFormed {
    pub(super) fn new(offset: usize, detail: impl Into<String>) -> Self {
        Self { offset, detail: detail.into() }
    }

    /// The same violation in a text that starts `bytes` earlier.
    pub(super) fn shift(mut self, bytes: usize) -> Self {
        self.offset += bytes;
        self
    }
}

const WHITE_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_allowed(character: char) -> bool {
    !matches!(character, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}')
}

const NAME: u8 = 1;
const NAME_START: u8 = 2;
const COLON: u8 = 4;
/// Not ASCII, or not allowed in a name.
const OTHER: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NAME_START,
            b':' => COLON | NAME_START,
            b'0'..=b'9' | b'-' | b'.' => NAME,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// Checks the name of an element or an attribute, and returns whether it has a namespace prefix.
pub(super) fn check_name(name: &str) -> Result<bool, IllFormed> {
    let classes = name.bytes().fold(0, |classes, byte| classes | CLASSES[usize::from(byte)]);
    let is_start = name.bytes().next().is_some_and(|byte| CLASSES[usize::from(byte)] & (NAME_START | OTHER) != 0);
    if is_start && classes & (OTHER | COLON) == 0 {
        return Ok(false);
    }
    check_characters_of_name(name)?;
    match name.split_once(':') {
        None => Ok(false),
        Some((prefix, local)) => {
            let is_valid = !prefix.is_empty() && local.starts_with(is_name_start) && !local.contains(':');
            let error = || IllFormed::new(0, format!("{} must be a prefix, `:` and a name", quote(name)));
            if is_valid { Ok(true) } else { Err(error()) }
        }
    }
}

fn check_characters_of_name(name: &str) -> Result<(), IllFormed> {
    let Some(first) = name.chars().next() else { return Err(IllFormed::new(0, "a name is missing")) };
    if !is_name_start(first) {
        return Err(IllFormed::new(0, format!("a name must not start with {}", quote_character(first))));
    }
    match name.char_indices().find(|&(_, character)| !is_name_character(character)) {
        Some((at, '<')) => Err(IllFormed::new(at, LESS_THAN_IN_TAG)),
        Some((at, character)) => Err(IllFormed::new(at, format!("{} is not allowed in a name", quote_character(character)))),
        None => Ok(()),
    }
}

fn quote_character(character: char) -> String {
    if character.is_control() { format!("U+{:04X}", u32::from(character)) } else { format!("`{character}`") }
}

fn is_name_start(character: char) -> bool {
    matches!(character,
        ':' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_character(character: char) -> bool {
    is_name_start(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Checks a construct that is not closed: it is truncated, unless the existing part is invalid.
pub(super) fn check_unclosed(text: &str) -> Result<(), IllFormed> {
    const OPENINGS: [&str; 3] = ["<!--", "<![CDATA[", "<!DOCTYPE"];
    if text.starts_with("<!") {
        let is_known = OPENINGS.iter().any(|opening| text.starts_with(opening) || opening.starts_with(text));
        return if is_known { Ok(()) } else { Err(IllFormed::new(0, "unknown markup; expected `<!--` or `<![CDATA[`")) };
    }
    if let Some(instruction) = text.strip_prefix("<?") {
        let is_instruction = instruction.is_empty() || instruction.starts_with(is_name_start);
        return if is_instruction { Ok(()) } else { Err(IllFormed::new(2, "a name is missing")) };
    }
    let Some(tag_end) = memchr::memchr(b'<', &text.as_bytes()[1..]) else { return Ok(()) };
    let tag = &text[1..=tag_end];
    let first_error = check_unclosed_tag(tag).err().filter(|error| error.offset < tag.len());
    Err(first_error.unwrap_or_else(|| IllFormed::new(tag.len(), LESS_THAN_IN_TAG)).shift(1))
}

fn check_unclosed_tag(tag: &str) -> Result<(), IllFormed> {
    let name = tag.split(WHITE_SPACE).next().unwrap_or_default();
    check_name(name)?;
    let mut end = name.len();
    for attribute in Attributes::new(tag, name.len()) {
        let attribute = attribute.map_err(|error| describe_attribute_error(tag, end, &error))?;
        check_attribute_name(tag, attribute.key.into_inner())?;
        check_value(&attribute.value).map_err(|error| error.shift(position(tag, &attribute.value)))?;
        end = end_of_attribute(tag, &attribute);
    }
    Ok(())
}

/// Checks text between tags.
pub(super) fn check_text(text: &str) -> Result<(), IllFormed> {
    let bytes = text.as_bytes();
    let end_of_cdata = memchr::memchr_iter(b'>', bytes).find(|&at| bytes[..at].ends_with(b"]]"));
    end_of_cdata.map_or(Ok(()), |at| Err(IllFormed::new(at - 2, "`]]>` is not allowed in a text")))
}

/// Checks the content of a comment.
pub(super) fn check_comment(comment: &str) -> Result<(), IllFormed> {
    let dashes = comment.find("--").or_else(|| comment.strip_suffix('-').map(str::len));
    dashes.map_or(Ok(()), |at| Err(IllFormed::new(at, "`--` is not allowed in a comment")))
}

/// Checks the content of a processing instruction.
pub(super) fn check_instruction(instruction: &str) -> Result<(), IllFormed> {
    let target = instruction.split(WHITE_SPACE).next().unwrap_or_default();
    if check_name(target)? {
        return Err(IllFormed::new(0, "the target of a processing instruction must not have a prefix"));
    }
    if target.eq_ignore_ascii_case("xml") {
        return Err(IllFormed::new(0, format!("the target {} of a processing instruction is reserved", quote(target))));
    }
    Ok(())
}

/// Whether the text between `&` and `;` is a reference. There are only the five predefined entities, because a DOCTYPE is rejected.
pub(super) fn is_reference(reference: &str) -> bool {
    let Some(number) = reference.strip_prefix('#') else { return resolve_predefined_entity(reference).is_some() };
    let code = number.strip_prefix('x').map_or_else(|| parse_digits(number, 10), |digits| parse_digits(digits, 16));
    code.and_then(char::from_u32).is_some_and(is_allowed)
}

/// The same for each place in a tag, because it depends on where a document is split whether the end of the tag is known.
const LESS_THAN_IN_TAG: &str = "`<` is not allowed in a tag; write `&lt;` in a value";

fn parse_digits(digits: &str, radix: u32) -> Option<u32> {
    // `from_str_radix` also accepts a sign.
    if digits.chars().all(|digit| digit.is_digit(radix)) { u32::from_str_radix(digits, radix).ok() } else { None }
}

/// Checks the value of an attribute as it is written in the document, except for its references.
pub(super) fn check_value(value: &str) -> Result<(), IllFormed> {
    memchr::memchr(b'<', value.as_bytes()).map_or(Ok(()), |at| Err(IllFormed::new(at, LESS_THAN_IN_TAG)))
}

/// Checks the name of an attribute and the white space before it, and returns whether the name has a namespace prefix.
pub(super) fn check_attribute_name(tag: &str, name: &str) -> Result<bool, IllFormed> {
    let at = position(tag, name);
    check_separator(tag, at)?;
    check_name(name).map_err(|error| error.shift(at))
}

fn check_separator(tag: &str, attribute: usize) -> Result<(), IllFormed> {
    if tag[..attribute].ends_with(WHITE_SPACE) {
        return Ok(());
    }
    Err(IllFormed::new(attribute, "white space is missing before the attribute"))
}

/// The position after the closing quote of an attribute.
pub(super) fn end_of_attribute(tag: &str, attribute: &Attribute<'_>) -> usize {
    position(tag, &attribute.value) + attribute.value.len() + 1
}

/// The position of a part of a text.
pub(super) fn position(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

/// Converts an error of quick-xml in an attribute, given the end of the previous one.
pub(super) fn describe_attribute_error(tag: &str, previous_end: usize, error: &AttrError) -> IllFormed {
    let (at, detail) = match *error {
        AttrError::ExpectedEq(at) => {
            // The attribute's name may be what is wrong.
            let name = tag[previous_end..at].trim_ascii();
            if let Err(invalid_name) = check_attribute_name(tag, name) {
                return invalid_name;
            }
            (at, "`=` is missing after the name of an attribute")
        }
        AttrError::ExpectedValue(at) => (at, "the value of an attribute is missing"),
        AttrError::UnquotedValue(at) => (at, "the value of an attribute must be in quotes"),
        AttrError::ExpectedQuote(at, _) => (at, "the value of an attribute is not closed"),
        AttrError::Duplicated(at, _) => {
            let name = tag[at..].split(|next| next == '=' || WHITE_SPACE.contains(&next)).next().unwrap_or_default();
            return IllFormed::new(at, format!("the attribute {} is repeated", quote(name)));
        }
    };
    IllFormed::new(at, if tag[at..].starts_with('<') { LESS_THAN_IN_TAG } else { detail })
}

/// Checks the content of the XML declaration, and returns the encoding that it names.
pub(super) fn check_declaration(declaration: &str) -> Result<Option<String>, IllFormed> {
    let mut encoding = None;
    let mut expected = ["version", "encoding", "standalone"].iter();
    let mut end = "xml".len();
    for attribute in Attributes::new(declaration, "xml".len()) {
        let attribute = attribute.map_err(|error| describe_attribute_error(declaration, end, &error))?;
        end = end_of_attribute(declaration, &attribute);
        let name = attribute.key.into_inner();
        check_attribute_name(declaration, name)?;
        let at = position(declaration, name);
        // Only the version is required.
        let is_first = expected.len() == 3;
        if !expected.any(|&expected| expected == name) || (is_first && name != "version") {
            let detail = format!("{} is not allowed here in the XML declaration", quote(name));
            return Err(IllFormed::new(at, detail));
        }
        let value = attribute.value.as_ref();
        let is_valid = match name {
            "version" => {
                value.strip_prefix("1.").is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
            }
            "encoding" => is_encoding_name(value),
            _ => matches!(value, "yes" | "no"),
        };
        if !is_valid {
            return Err(IllFormed::new(at, format!("the XML declaration must not have the {name} {}", quote(value))));
        }
        if name == "encoding" {
            encoding = Some(value.to_owned());
        }
    }
    let has_version = expected.len() < 3;
    if has_version { Ok(encoding) } else { Err(IllFormed::new(0, "the XML declaration has no version")) }
}

fn is_encoding_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

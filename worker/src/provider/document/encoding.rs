//! The encoding of a document, and its conversion to UTF-8.

use std::{borrow::Cow, ops::Range};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use html5gum::{Token, Tokenizer};

const DECLARATION: &[u8] = b"<?xml";

/// Converts a document to UTF-8.
pub(super) struct TextConverter {
    /// `None` if the document is UTF-8. Then its bytes are copied, and the parser finds those that are not.
    decoder: Option<Decoder>,
    /// The document may be UTF-8 although it declares a single-byte encoding, as those of careless publishers are. No text in such an
    /// encoding has only bytes that are valid in UTF-8, unless it is ASCII.
    may_be_utf8: bool,
    /// The first bytes of a character that the next bytes continue, while the document may be UTF-8.
    incomplete: Vec<u8>,
    /// The length of the byte order mark, which is left out.
    mark_bytes: usize,
    is_start: bool,
}

impl TextConverter {
    /// Detects the encoding of a document in its first bytes: by the byte order mark, the XML declaration, the transport's `charset` or the
    /// `<meta>` of a web page, in this order. The transport's is often only a default of the provider's server.
    pub(super) fn detect(head: &[u8], charset: Option<&str>) -> Self {
        if let Some((encoding, mark_bytes)) = Encoding::for_bom(head) {
            return Self::new(encoding, mark_bytes);
        }
        let declared = find_declared_encoding(head).and_then(|range| find_encoding(&head[range], head));
        let transported = || find_encoding(charset?.as_bytes(), head);
        let encoding = declared.or_else(transported).or_else(|| find_encoding(&find_meta_charset(head)?, head));
        Self::new(encoding.unwrap_or(UTF_8), 0)
    }

    fn new(encoding: &'static Encoding, mark_bytes: usize) -> Self {
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        Self { decoder, may_be_utf8: encoding.is_single_byte(), incomplete: Vec::new(), mark_bytes, is_start: true }
    }

    /// Converts the next bytes. The first ones must be the head of the document.
    pub(super) fn convert<'a>(&mut self, bytes: &'a [u8], is_end: bool) -> Cow<'a, [u8]> {
        let mark_bytes = std::mem::take(&mut self.mark_bytes);
        let bytes = &bytes[mark_bytes..];
        let Some(decoder) = &mut self.decoder else {
            return match find_declared_encoding(bytes).filter(|_| mark_bytes > 0) {
                Some(declared) => Cow::Owned([&bytes[..declared.start], b"UTF-8", &bytes[declared.end..]].concat()),
                None => Cow::Borrowed(bytes),
            };
        };
        let mut text = String::new();
        let mut rest = Cow::Borrowed(bytes);
        if self.may_be_utf8 {
            let mut unread = std::mem::take(&mut self.incomplete);
            unread.extend_from_slice(bytes);
            let (valid, is_incomplete) = match str::from_utf8(&unread) {
                Ok(_) => (unread.len(), false),
                Err(error) => (error.valid_up_to(), error.error_len().is_none() && !is_end),
            };
            rest = Cow::Owned(unread.split_off(valid));
            text = String::from_utf8(unread).unwrap_or_default();
            if is_incomplete {
                self.incomplete = std::mem::take(rest.to_mut());
            }
            self.may_be_utf8 = rest.is_empty();
        }
        text.reserve(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()));
        // Bytes without a meaning in the encoding become U+FFFD. The capacity suffices for the worst case, so all of them are read.
        let _ = decoder.decode_to_string(&rest, &mut text, is_end);
        if std::mem::take(&mut self.is_start)
            && let Some(declared) = find_declared_encoding(text.as_bytes())
        {
            text.replace_range(declared, "UTF-8");
        }
        Cow::Owned(text.into_bytes())
    }
}

/// The encoding with a label, unless a document with this head cannot have it.
fn find_encoding(label: &[u8], head: &[u8]) -> Option<&'static Encoding> {
    if is_ascii(label) {
        return Some(UTF_8);
    }
    // Languages have names such as `latin-1` and `UTF_8`.
    let without_hyphens = || label.iter().copied().filter(|byte| !matches!(byte, b'-' | b'_')).collect::<Vec<u8>>();
    let encoding = Encoding::for_label_no_replacement(label);
    match encoding.or_else(|| Encoding::for_label_no_replacement(&without_hyphens()))? {
        // The first character of every format is one of ASCII. The parser reports a declaration of UTF-16 in ASCII.
        encoding if encoding == UTF_16LE || encoding == UTF_16BE => match head {
            [0, _, ..] => Some(UTF_16BE),
            [_, 0, ..] => Some(UTF_16LE),
            _ => None,
        },
        encoding => Some(encoding),
    }
}

/// Content that is labeled as ASCII is UTF-8 if it is not ASCII: the label is the default of old standards.
fn is_ascii(label: &[u8]) -> bool {
    [b"us-ascii".as_slice(), b"ascii"].iter().any(|name| label.trim_ascii().eq_ignore_ascii_case(name))
}

/// The encoding that the `<meta>` of a web page names, which must be in its first 1024 bytes.
fn find_meta_charset(head: &[u8]) -> Option<Vec<u8>> {
    let is_page = |tag: &[u8]| matches!(tag, b"html" | b"head" | b"title" | b"link" | b"meta" | b"script" | b"base" | b"style");
    if !head.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    for Ok(token) in Tokenizer::new(head) {
        let Token::StartTag(tag) = token else { continue };
        if !is_page(tag.name.as_slice()) {
            return None;
        }
        let get = |name: &[u8]| tag.attributes.get(name).map(|value| value.as_slice().to_vec());
        let is_meta = tag.name.as_slice() == b"meta";
        let is_content_type = get(b"http-equiv").is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"content-type"));
        let content = get(b"content").filter(|_| is_content_type);
        let charset = get(b"charset").or_else(|| content.and_then(|content| find_charset(&content)));
        if is_meta && charset.is_some() {
            return charset;
        }
    }
    None
}

/// The `charset` of a media type.
fn find_charset(media_type: &[u8]) -> Option<Vec<u8>> {
    let media_type = media_type.to_ascii_lowercase();
    let rest = &media_type[memchr::memmem::find(&media_type, b"charset")? + b"charset".len()..];
    let value = rest.trim_ascii_start().strip_prefix(b"=")?;
    let label =
        value.split(|byte| matches!(byte, b';' | b'"' | b'\'')).map(<[u8]>::trim_ascii).find(|label| !label.is_empty())?;
    Some(label.to_vec())
}

/// The name of the encoding in the XML declaration of a document, which may follow white space.
fn find_declared_encoding(document: &[u8]) -> Option<Range<usize>> {
    let start = document.len() - document.trim_ascii_start().len();
    let declaration = document[start..].strip_prefix(DECLARATION)?;
    let declaration = &declaration[..memchr::memmem::find(declaration, b"?>")?];
    let after_name = memchr::memmem::find(declaration, b"encoding")? + b"encoding".len();
    let quoted = declaration[after_name..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (&quote, value) = quoted.split_first()?;
    let length = memchr::memchr(quote, value).filter(|_| matches!(quote, b'"' | b'\''))?;
    let value_start = start + DECLARATION.len() + (declaration.len() - value.len());
    Some(value_start..value_start + length)
}

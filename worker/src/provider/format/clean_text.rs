//! Plain text from what publishers write into titles, names and descriptions: markup, character references, control characters.
//!
//! It only removes or replaces characters. Whether the rest is a valid name, is checked by `values`.

use std::borrow::Cow;

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// The characters of windows-1252 from 0x80 to 0x9F; NUL where there is none.
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•', '–', '—',
    '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// Unicode's line separator and paragraph separator stand for the breaks of elements, until the lines are collected.
const LINE_BREAK: char = '\u{2028}';
const PARAGRAPH_BREAK: char = '\u{2029}';

/// Elements that start a line.
const LINES: [&str; 6] = ["br", "dd", "dt", "li", "option", "tr"];
/// Elements that are separated from others by an empty line.
const PARAGRAPHS: [&str; 25] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "dl",
    "div",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "ul",
];
/// Elements inside of a line. All others are text in angle brackets, such as `<live>`.
const INLINE: [&str; 43] = [
    "a",
    "abbr",
    "acronym",
    "b",
    "bdi",
    "bdo",
    "big",
    "body",
    "button",
    "center",
    "cite",
    "code",
    "del",
    "dfn",
    "em",
    "figcaption",
    "font",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "link",
    "mark",
    "meta",
    "o:p",
    "picture",
    "q",
    "s",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "tbody",
    "td",
    "th",
    "thead",
    "u",
];
/// Elements with content that is not text.
const HIDDEN: [&str; 5] = ["head", "noscript", "script", "style", "template"];

/// Cleans a text of one line, such as a title: tags and invisible characters are removed, character references are decoded once, and
/// white space becomes single spaces. Nearly all texts are clean, and are returned as they are.
pub(super) fn clean_line(text: &str) -> Cow<'_, str> {
    // U+0085 is white space in Unicode, and `…` in windows-1252.
    let text = text.trim_matches(|character: char| character.is_whitespace() && character != '\u{85}');
    if is_clean_line(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(collapse(&decode_markup(text)))
}

/// Cleans a text of several lines, such as a description: as [`clean_line`], with the line breaks and paragraphs of the text or its HTML.
pub(super) fn clean_paragraphs(text: &str) -> String {
    let decoded = decode_markup(text);
    // In HTML, line feeds are only white space.
    let is_html = decoded.contains([LINE_BREAK, PARAGRAPH_BREAK]);
    let is_break = |character: char| matches!(character, LINE_BREAK | PARAGRAPH_BREAK) || (character == '\n' && !is_html);
    let mut paragraphs = String::with_capacity(decoded.len());
    let mut breaks = 0;
    for part in decoded.split_inclusive(is_break) {
        let line = part.trim_end_matches(is_break);
        let mut collapsed = String::new();
        push_collapsed(&mut collapsed, line);
        if !collapsed.is_empty() {
            if !paragraphs.is_empty() {
                paragraphs.push_str(&"\n\n"[..usize::min(breaks, 2)]);
            }
            paragraphs.push_str(&collapsed);
            breaks = 0;
        }
        breaks += match part[line.len()..].chars().next() {
            Some(PARAGRAPH_BREAK) => 2,
            Some(_) => 1,
            None => 0,
        };
    }
    paragraphs
}

/// The character to use instead of this one: U+0080 to U+009F are meant as windows-1252, and other control characters and invisible ones
/// are removed.
fn replace_character(character: char) -> Option<char> {
    match character {
        ' '..='~' => Some(character),
        '\u{80}'..='\u{9F}' => {
            let index = usize::try_from(u32::from(character) - 0x80).ok()?;
            WINDOWS_1252.get(index).copied().filter(|&replacement| replacement != '\0')
        }
        // Soft hyphen, zero-width space, word joiner, byte order mark, characters that XML forbids, and marks that change the direction of the text around them.
        '\u{AD}'
        | '\u{200B}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}'
        | '\u{FFFE}'
        | '\u{FFFF}' => None,
        _ if character.is_whitespace() => Some(' '),
        _ => Some(character).filter(|character| !character.is_control()),
    }
}

/// Whether a trimmed text needs no change.
fn is_clean_line(text: &str) -> bool {
    let mut is_after_space = false;
    let has_clean_characters = text.chars().all(|character| {
        let is_second_space = is_after_space && character == ' ';
        is_after_space = character == ' ';
        !is_second_space && replace_character(character) == Some(character)
    });
    has_clean_characters && !may_have_markup(text)
}

/// Whether a text may have tags or character references. The `&` of `Rock & Roll` is text.
pub(super) fn may_have_markup(text: &str) -> bool {
    let is_reference = |rest: &str| rest.starts_with(|next: char| next == '#' || next.is_ascii_alphanumeric());
    text.contains('<') || text.split('&').skip(1).any(is_reference)
}

/// Replaces white space by single spaces, and control characters as [`replace_character`] does, without reading the text as HTML.
pub(super) fn collapse(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    push_collapsed(&mut line, text);
    line
}

/// Appends a text with single spaces between its words.
fn push_collapsed(line: &mut String, text: &str) {
    let mut is_between_words = false;
    for character in text.chars().filter_map(replace_character) {
        if character == ' ' {
            is_between_words = true;
            continue;
        }
        if std::mem::take(&mut is_between_words) && !line.is_empty() {
            line.push(' ');
        }
        line.push(character);
    }
}

/// Decodes character references, and replaces elements by the breaks that they cause.
fn decode_markup(text: &str) -> Cow<'_, str> {
    if !may_have_markup(text) {
        return Cow::Borrowed(text);
    }
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut decoded = String::with_capacity(text.len());
    let mut hidden: Option<Vec<u8>> = None;
    let mut end = 0;
    for Ok(token) in Tokenizer::new_with_emitter(text, emitter) {
        let (name, is_start, span) = match token {
            Token::String(string) => {
                end = string.span.end;
                if hidden.is_none() {
                    decoded.push_str(&String::from_utf8_lossy(&string));
                }
                continue;
            }
            Token::StartTag(tag) => (tag.name, true, tag.span),
            Token::EndTag(tag) => (tag.name, false, tag.span),
            Token::Comment(comment) => {
                end = comment.span.end;
                continue;
            }
            Token::Doctype(_) | Token::Error(_) => continue,
        };
        end = span.end;
        let name_text = std::str::from_utf8(&name).unwrap_or_default();
        if let Some(outer) = &hidden {
            if !is_start && *outer == **name {
                hidden = None;
            }
        } else if HIDDEN.contains(&name_text) {
            hidden = is_start.then(|| name.to_vec());
        } else if LINES.contains(&name_text) {
            decoded.extend(is_start.then_some(LINE_BREAK));
        } else if PARAGRAPHS.contains(&name_text) {
            decoded.push(PARAGRAPH_BREAK);
        } else if !INLINE.contains(&name_text) {
            decoded.push_str(text.get(span.start..span.end).unwrap_or_default());
        }
    }
    // A tag that is not closed is text.
    if hidden.is_none() {
        decoded.push_str(text.get(end..).unwrap_or_default());
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_a_line() {
        for (text, expected) in [
            ("Rock &amp; Roll &#8211; Live", "Rock & Roll – Live"),
            ("Fish &amp;amp; Chips", "Fish &amp; Chips"),
            ("Fish & Chips &unknown; &lt;b&gt;", "Fish & Chips &unknown; <b>"),
            ("<em>Hamlet</em>, <B class='x'>again</B>", "Hamlet, again"),
            ("One<br/>Two", "One Two"),
            ("I <3 you < me", "I <3 you < me"),
            ("Ann <live> in concert", "Ann <live> in concert"),
            ("AC<DC", "AC<DC"),
            ("5 > 4 <b", "5 > 4 <b"),
            ("a<script>alert(1)</script>b<style>p{}</style><!-- c -->", "ab"),
            (" Two\r\n lines\tand\u{a0}more\u{2028}", "Two lines and more"),
            ("Don\u{92}t look &#146;ere", "Don’t look ’ere"),
            ("wait\u{85}", "wait…"),
            ("a\u{7f}b\u{81}c\u{1}", "abc"),
            ("Soft\u{ad}hyphen\u{200b} \u{202e}x", "Softhyphen x"),
            ("Señor Ñu 🎵 कक्षा", "Señor Ñu 🎵 कक्षा"),
            ("<b> </b>", ""),
        ] {
            assert_eq!(clean_line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn borrows_a_clean_line() {
        for text in ["Stalls, row 7", " Palau de la Música ", "Peña & Co", "R& B&", ""] {
            assert!(matches!(clean_line(text), Cow::Borrowed(line) if line == text.trim()), "{text}");
        }
    }

    #[test]
    fn cleans_paragraphs() {
        for (text, expected) in [
            ("first\r\nsecond\n\n\n\nthird  word\n", "first\nsecond\n\nthird word"),
            ("<p>One\ntwo</p>\n<p>Three<br>four</p>", "One two\n\nThree\nfour"),
            ("<div><div>One</div></div><ul><li>a</li>\n<li>b</li></ul>end", "One\n\na\nb\n\nend"),
            ("<b>One</b>\ntwo &amp; three", "One\ntwo & three"),
            ("<script>if (a < b) {}</script>text", "text"),
            ("One<br><br>two", "One\n\ntwo"),
        ] {
            assert_eq!(clean_paragraphs(text), expected, "{text:?}");
        }
    }
}

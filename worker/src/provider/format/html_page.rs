//! Recognizes web pages, which providers send instead of a feed: errors, logins, maintenance.

use super::{FeedDocumentError, clean_text::clean_line};

/// The part of a document that is searched for the title of a page.
pub(super) const HEAD_BYTES: u64 = 64 * 1024;
/// The length of a title in a message.
const MAX_TITLE_CHARACTERS: usize = 100;

/// How pages start, after comments and an XML declaration.
const STARTS: [&str; 4] = ["<!doctype html", "<html", "<head", "<body"];

/// The error for a document with this beginning, which is only that it is a web page if it is one.
pub(super) fn describe(error: FeedDocumentError, head: &[u8]) -> FeedDocumentError {
    let text = String::from_utf8_lossy(head);
    let start = skip_prolog(&text);
    if STARTS.iter().any(|tag| starts_with(start, tag)) {
        FeedDocumentError::HtmlPage { title: find_title(start) }
    } else {
        error
    }
}

/// Skips white space, comments and processing instructions.
pub(super) fn skip_prolog(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let end = [("<!--", "-->"), ("<?", "?>")].iter().find_map(|(open, close)| {
            let rest = text.strip_prefix(open)?;
            Some(&rest[rest.find(close)? + close.len()..])
        });
        match end {
            Some(rest) => text = rest,
            None => return text,
        }
    }
}

/// Whether a text starts with a tag. The name of the tag must end there.
fn starts_with(text: &str, tag: &str) -> bool {
    let is_end = |rest: &str| rest.starts_with(|next: char| next == '>' || next.is_whitespace());
    text.split_at_checked(tag.len()).is_some_and(|(start, rest)| start.eq_ignore_ascii_case(tag) && is_end(rest))
}

/// The title of a page, if it has one.
pub(super) fn find_title(page: &str) -> Option<String> {
    let tags = || page.match_indices('<').map(|(at, _)| &page[at..]);
    let element = tags().find(|tag| starts_with(tag, "<title"))?;
    let content = &element[element.find('>')? + 1..];
    let content = &content[..content.find("</")?];
    let title: String = clean_line(content).chars().take(MAX_TITLE_CHARACTERS).collect();
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_pages_and_their_titles() {
        for (document, title) in [
            ("<!doctype html><html><head><title>Down</title></head></html>", Some("Down")),
            ("\n<HTML lang='en'>\n<HEAD>\n<TITLE lang='en'>\n Log &amp; in\n</TITLE>", Some("Log & in")),
            ("<?xml version='1.0'?><!-- x -->\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN'><html/>", None),
            ("<html><title></title>", None),
            ("<html><title>cut", None),
            ("<body>Gone</body>", None),
        ] {
            let error = describe(FeedDocumentError::Empty, document.as_bytes());
            assert_eq!(error, FeedDocumentError::HtmlPage { title: title.map(str::to_owned) }, "{document}");
        }
    }

    #[test]
    fn other_documents_are_not_pages() {
        for document in ["", "<eventList>", "<htmlList/>", "<!DOCTYPE eventList>", "{\"html\": \"<html>\"}", "<!-- <html>"] {
            assert_eq!(describe(FeedDocumentError::Empty, document.as_bytes()), FeedDocumentError::Empty, "{document}");
        }
    }
}

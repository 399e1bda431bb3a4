//! [Sitemaps](https://www.sitemaps.org/protocol.html): lists of the pages of a site, and lists of such lists.

use std::borrow::Cow;

use quick_xml::{Reader, events::Event};

use super::{
    FeedDocumentError, html_page,
    text::{check_text, locate},
};

/// URLs of one sitemap: the limit of the protocol.
const MAX_URLS: usize = 50_000;
/// The roots with their entries.
const ROOTS: [(&str, &str); 2] = [("urlset", "url"), ("sitemapindex", "sitemap")];

/// The URLs in a sitemap, as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sitemap {
    /// Of pages.
    Pages(Vec<String>),
    /// Of sitemaps.
    Sitemaps(Vec<String>),
}

/// Whether a document with this beginning is a sitemap.
pub(super) fn is_sitemap(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let root = html_page::skip_prolog(text.trim_start_matches('\u{feff}')).strip_prefix('<').unwrap_or_default();
    let name = root.split(|next: char| next.is_whitespace() || matches!(next, '>' | '/')).next().unwrap_or_default();
    let local_name = name.rsplit(':').next().unwrap_or_default();
    ROOTS.iter().any(|(root, _)| *root == local_name)
}

/// Parses a sitemap.
///
/// # Errors
///
/// When it is not a complete document, or has more URLs than the protocol allows.
pub fn parse_sitemap(document: &[u8]) -> Result<Sitemap, FeedDocumentError> {
    let text = check_text(document)?;
    let mut reader = Reader::from_str(text);
    // In URLs, `&` is often not escaped.
    reader.config_mut().allow_dangling_amp = true;
    let (mut open, mut urls, mut url) = (Vec::<String>::new(), Vec::new(), None);
    let mut root = None;
    loop {
        let position = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|error| {
            let (line, column) = locate(document, position);
            FeedDocumentError::Malformed { line, column, detail: error.to_string() }
        })?;
        match event {
            Event::Start(tag) => {
                open.push(tag.local_name().as_ref().to_owned());
                let is_url = is_url(&open);
                url = is_url.then(String::new);
            }
            Event::Empty(tag) if open.is_empty() => root = Some(tag.local_name().as_ref().to_owned()),
            Event::End(_) => {
                if is_url(&open) {
                    urls.extend(url.take().map(|url: String| url.trim().to_owned()));
                }
                root = open.pop().filter(|_| open.is_empty()).or(root);
            }
            Event::Text(part) => push(&mut url, &part),
            Event::CData(part) => push(&mut url, &part),
            Event::GeneralRef(reference) => push(&mut url, &resolve(&reference)),
            Event::DocType(_) => return Err(FeedDocumentError::Doctype { line: locate(document, position).0 }),
            Event::Eof => break,
            _ => {}
        }
        if urls.len() > MAX_URLS {
            return Err(FeedDocumentError::OverLimit { line: locate(document, position).0, limit: MAX_URLS, what: "URLs" });
        }
    }
    match root.as_deref() {
        Some("urlset") if open.is_empty() => Ok(Sitemap::Pages(urls)),
        Some("sitemapindex") if open.is_empty() => Ok(Sitemap::Sitemaps(urls)),
        _ => Err(FeedDocumentError::Truncated),
    }
}

/// Whether the innermost of these elements is the `loc` of an entry.
fn is_url(open: &[String]) -> bool {
    matches!(open, [root, entry, name] if name == "loc" && ROOTS.contains(&(root.as_str(), entry.as_str())))
}

fn push(url: &mut Option<String>, part: &str) {
    if let Some(url) = url {
        url.push_str(part);
    }
}

/// The text of a reference, which is not resolved if XML does not define it.
fn resolve(reference: &str) -> String {
    let written = format!("&{reference};");
    quick_xml::escape::unescape(&written).map_or_else(|_| written.clone(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn accepts_any_text(text in "(</?(urlset|url|loc|sitemap)/?>|&(amp|#x?[0-9]{0,3});?|<!|[\\[\\]<>&;a-z ]){0,20}") {
            let _parsed = parse_sitemap(text.as_bytes());
            let _detected = is_sitemap(text.as_bytes());
        }

        #[test]
        fn finds_all_urls(urls in prop::collection::vec("[!-~é]{1,20}", 0..5)) {
            let entries: String = urls
                .iter()
                .map(|url| format!("<url>\n<loc> {}</loc></url>", quick_xml::escape::escape(url.as_str())))
                .collect();
            let parsed = parse_sitemap(format!("<urlset>{entries}</urlset>").as_bytes());
            prop_assert_eq!(parsed, Ok(Sitemap::Pages(urls)));
        }
    }

    const SITEMAP: &str = "<?xml version='1.0'?>\n<!-- x --><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>\
        <url><loc>\n https://a.example/?a=1&amp;b=&#50; </loc><lastmod>2031-01-01</lastmod>\
        <image:image><image:loc>https://a.example/i.png</image:loc></image:image></url>\
        <url><lastmod/><loc><![CDATA[https://a.example/2]]></loc></url></urlset>\n";

    #[test]
    fn parses_the_urls_of_pages_and_of_sitemaps() {
        let urls = ["https://a.example/?a=1&b=2", "https://a.example/2"].map(str::to_owned).to_vec();
        assert_eq!(parse_sitemap(SITEMAP.as_bytes()), Ok(Sitemap::Pages(urls.clone())));
        let prefixed = SITEMAP.replace("<u", "<s:u").replace("</u", "</s:u").replace("loc>", "s:loc>");
        assert_eq!(parse_sitemap(prefixed.replace(":s:loc", ":loc").as_bytes()), Ok(Sitemap::Pages(urls.clone())));
        let index = SITEMAP.replace("urlset", "sitemapindex").replace("url>", "sitemap>");
        assert_eq!(parse_sitemap(index.as_bytes()), Ok(Sitemap::Sitemaps(urls)));
        for (document, sitemap) in [("<urlset/>", Sitemap::Pages(vec![])), ("<sitemapindex />", Sitemap::Sitemaps(vec![]))] {
            assert_eq!(parse_sitemap(document.as_bytes()), Ok(sitemap));
        }
    }

    #[test]
    fn an_ampersand_that_is_not_escaped_is_text() {
        for url in ["/?a=1&b=2", "/?a&", "/?&=a&amp;&b;&", "/a & b"] {
            let document = format!("<urlset><url><loc>{url}</loc></url><url><loc>/2</loc></url></urlset>");
            let urls = [&url.replace("&amp;", "&"), "/2"].map(str::to_owned).to_vec();
            assert_eq!(parse_sitemap(document.as_bytes()), Ok(Sitemap::Pages(urls)));
        }
    }

    #[test]
    fn recognizes_the_root() {
        for (document, expected) in [
            (SITEMAP, true),
            ("\u{feff}<sm:sitemapindex>", true),
            ("<urlset/>", true),
            ("<urlsets>", false),
            ("<?xml version='1.0'?><html>", false),
            ("urlset", false),
            ("", false),
        ] {
            assert_eq!(is_sitemap(document.as_bytes()), expected, "{document}");
        }
    }

    #[test]
    fn rejects_what_is_not_complete() {
        let many = format!("<urlset>{}</urlset>", "<url><loc>a</loc></url>".repeat(MAX_URLS + 1));
        for (document, code) in [
            (&SITEMAP[..200], "truncated"),
            (&SITEMAP[..SITEMAP.len() - 10], "truncated"),
            ("<urlset><url></urlset>", "malformed"),
            ("<!DOCTYPE a><urlset/>", "doctype"),
            ("", "truncated"),
            (&many, "over_limit"),
        ] {
            assert_eq!(parse_sitemap(document.as_bytes()).expect_err("an error").code(), code);
        }
    }
}

//! `GET /errors`: the documentation of the error codes, to which the `type` of each problem refers.

use pulldown_cmark::{Event, Options, Parser, html};

use crate::error::ErrorCode;

const MARKDOWN: &str = include_str!("../../../../docs/errors.md");
const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Error codes - Marquee</title>\n\
    <style>body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
    table{border-collapse:collapse}th,td{border:1px solid;padding:.25rem .5rem;text-align:left;vertical-align:top}\
    :target{outline:2px solid}</style>\n</head>\n<body>\n<main>\n";
const FOOT: &str = "</main>\n</body>\n</html>\n";

/// The page as HTML, where the first mention of each code is an anchor.
pub(crate) fn page() -> String {
    let mut codes = ErrorCode::ALL.to_vec();
    let events = Parser::new_ext(MARKDOWN, Options::ENABLE_TABLES).map(|event| match event {
        Event::Code(text) => match codes.iter().position(|code| code.name() == &*text) {
            Some(index) => Event::InlineHtml(anchor(codes.swap_remove(index)).into()),
            None => Event::Code(text),
        },
        event => event,
    });
    let mut page = HEAD.to_owned();
    html::push_html(&mut page, events);
    page.push_str(FOOT);
    page
}

fn anchor(code: ErrorCode) -> String {
    format!("<code id=\"{0}\">{0}</code>", code.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_each_code_with_its_status() {
        let rows = MARKDOWN.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 4, "{line}");
            (cells[0].trim_matches('`').to_owned(), cells[1].to_owned())
        });
        let mut documented: Vec<(String, String)> = rows.collect();
        let mut expected: Vec<(String, String)> =
            ErrorCode::ALL.iter().map(|code| (code.name().to_owned(), code.status().as_str().to_owned())).collect();
        documented.sort();
        expected.sort();
        assert_eq!(documented, expected);
    }

    #[test]
    fn each_code_has_one_anchor() {
        let page = page();
        for code in ErrorCode::ALL {
            assert_eq!(page.matches(&format!(" id=\"{}\"", code.name())).count(), 1, "{}", code.name());
        }
    }
}

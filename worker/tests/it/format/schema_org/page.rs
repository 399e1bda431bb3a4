//! The format `schema-org-html`.

use worker::provider::{
    format::{self, FeedDocumentError},
    item::ParsedFeed,
};

use super::{super::conventions, event_ids, parse};

fn parse_page(page: &str) -> Result<ParsedFeed, FeedDocumentError> {
    format::find("schema-org-html").unwrap().parse(page.as_bytes(), &conventions())
}

const EVENT: &str = r##"{"@type":"Event","@id":"e","name":"E","startDate":"2031-08-01","location":{"@id":"#hall"}}"##;

#[test]
fn reads_all_scripts_of_a_page_as_one_graph() {
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>é & more</title>\n<script type=\"application/ld+json\">{EVENT}</script>\
         <script>var x = '<script type=\"application/ld+json\">';</script></head><body><p>1 < 2\n\
         <script type='application/ld+json'>//<![CDATA[\n[{{\"@type\":\"Place\",\"@id\":\"#hall\",\"name\":\"Hall\"}}]\n//]]></script>\n\
         <script type=\"application/ld+json\">  </script>"
    );
    let feed = parse_page(&page).unwrap();
    assert_eq!((event_ids(&feed.base_events), feed.warnings.count), (vec!["e/e".to_owned()], 0));
    let event = &feed.base_events[0].events[0];
    assert_eq!(event.venue.as_ref().unwrap().name, "Hall");
    assert_eq!(&page[event.span.clone()], EVENT);
}

#[test]
fn ignores_an_invalid_script_with_a_warning_unless_all_are_invalid() {
    let page = format!(
        "<html>\n<script type=\"application/ld+json\">\n{{\"a\": 1,}}</script>\n<script type=\"application/ld+json\">{EVENT}</script></html>"
    );
    let feed = parse_page(&page).unwrap();
    assert_eq!(event_ids(&feed.base_events), ["e/e"]);
    let warning = &feed.warnings.listed[0];
    assert!(page[warning.position..].starts_with("{\"a\": 1,}"));
    assert_eq!(
        warning.reason,
        "a script is ignored: the document is malformed at line 3, column 9: not valid JSON: key must be a string"
    );
    let error = parse_page("<p>é</p><script type=\"application/ld+json\">[1 2]</script>").unwrap_err();
    let detail = "not valid JSON: expected `,` or `]`".to_owned();
    assert_eq!(error, FeedDocumentError::Malformed { line: 1, column: 47, detail });
}

#[test]
fn rejects_a_page_without_events() {
    for (page, code) in [
        ("", "empty_document"),
        ("<html><p>Down for maintenance</p></html>", "no_items"),
        ("<script type=\"application/ld+json\"></script>", "no_items"),
        ("<script type=\"application/ld+json\">{\"@type\":\"WebSite\",\"name\":\"x\"}</script>", "no_items"),
        ("<script type=\"application/json\">[]</script>", "no_items"),
        ("<script type=\"application/ld+json\">[{\"@type\":\"Event\"", "truncated"),
        ("<script type=\"application/ld+json\">[{\"@type\":</script>", "truncated"),
    ] {
        assert_eq!(parse_page(page).expect_err(page).code(), code, "{page}");
    }
}

#[test]
fn the_error_of_a_page_without_json_ld_has_its_title() {
    for (page, detail) in [
        (
            "<!doctype html><title>Agenda &amp; more</title><p>Jazz",
            "the web page with the title `Agenda & more` has no `<script type=\"application/ld+json\">`",
        ),
        ("<p>Jazz", "the web page has no `<script type=\"application/ld+json\">`"),
    ] {
        assert_eq!(parse_page(page).unwrap_err().to_string(), detail, "{page}");
    }
    let error = parse_page("<script type=\"application/ld+json\">{}</script>").unwrap_err().to_string();
    assert!(error.contains("the document has no event of schema.org"), "{error}");
}

#[test]
fn the_error_of_a_page_in_the_other_format_names_this_one() {
    let error = parse(b"<!doctype html><p>x").unwrap_err();
    assert!(error.code() == "html_page" && error.to_string().contains("only schema-org-html reads web pages"), "{error}");
}

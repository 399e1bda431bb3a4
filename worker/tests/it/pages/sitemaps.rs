//! Sitemaps with web pages.

use std::{io::Write, sync::Arc};

use entity::sync_run::RunState;
use flate2::{Compression, write::GzEncoder};
use migration::{on_every_backend, testing::TestDatabase};
use worker::sync::Counts;

use super::{PagedTest, web_page};

on_every_backend!(
    fetches_the_pages_of_an_index_of_sitemaps,
    pages_are_requested_conditionally,
    pages_that_cannot_be_fetched_are_warnings,
    a_page_that_cannot_be_read_is_a_rejected_item,
    other_files_are_ignored,
    a_listing_mentions_the_events_of_other_pages,
    sitemaps_that_cannot_be_used_are_refused,
    a_redirect_leads_to_one_page,
);

fn list(root: &str, entry: &str, urls: &[&str]) -> String {
    let entries: String =
        urls.iter().map(|url| format!("<{entry}><loc>{url}</loc><lastmod>2031-01-01</lastmod></{entry}>")).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{entries}</{root}>"
    )
}

fn sitemap(urls: &[&str]) -> String {
    list("urlset", "url", urls)
}

fn compress(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

async fn new_test(database: &TestDatabase, more: &str) -> PagedTest {
    let test = PagedTest::new(database, "schema-org-html", more).await;
    for name in ["A", "B", "C"] {
        test.server.page(&format!("/{name}"), &format!("ETag: \"{name}\""), web_page(name));
    }
    test
}

async fn fetches_the_pages_of_an_index_of_sitemaps(database: Arc<TestDatabase>) {
    let test = new_test(&database, "").await;
    test.server.page("/feed", "", list("sitemapindex", "sitemap", &["{url}/one.xml", "{url}/two.xml.gz"]));
    test.server.page("/one.xml", "", sitemap(&["{url}/A", "{url}/imprint", "{url}/A#again"]));
    test.server.page("/two.xml.gz", "", compress(&sitemap(&["/B", &format!("{}/C", test.server.url), "/A"])));
    test.server.page("/imprint", "", "<html><p>We are a theatre.</p></html>");
    assert_eq!(test.accept().await, Counts { fetched: 3, inserted: 3, ..Counts::default() });
    let requests = ["/feed", "/robots.txt 404", "/one.xml", "/two.xml.gz", "/A", "/imprint", "/B", "/C"];
    assert_eq!(test.server.requests(), requests);
    assert_eq!(test.titles().await, ["A", "B", "C"]);
}

async fn pages_are_requested_conditionally(database: Arc<TestDatabase>) {
    let test = new_test(&database, "").await;
    test.server.page("/feed", "ETag: \"1\"", sitemap(&["/A", "/B", "/C"]));
    assert_eq!(test.accept().await.inserted, 3);
    test.server.requests();
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.server.requests(), ["/feed 304", "/robots.txt 404", "/A 304", "/B 304", "/C 304"]);
    assert_eq!(test.last_run().await.http_status, Some(304));
    // Only the scripts are stored.
    let stored = test.pages().await.iter().find(|page| page.url.ends_with("/A")).unwrap().content.clone();
    let stored = String::from_utf8(zstd::decode_all(stored.as_slice()).unwrap()).unwrap();
    assert!(stored.starts_with("\n\n  <script") && !stored.contains("<p>"), "{stored}");
    // Another page around the same scripts is the same document.
    test.server.page("/B", "ETag: \"B2\"", web_page("B").replace("<p>B</p>", "<p>Only today!</p>"));
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    assert_eq!(test.server.requests(), ["/feed 304", "/robots.txt 404", "/A 304", "/B", "/C 304"]);
    // Changed events.
    test.server.page("/B", "ETag: \"B3\"", web_page("B").replace("\"name\":\"B\"", "\"name\":\"New\""));
    assert_eq!(test.accept().await, Counts { fetched: 3, updated: 1, unchanged: 2, ..Counts::default() });
    assert_eq!(test.titles().await, ["A", "C", "New"]);
    // A sitemap without one of the pages, which the server would confirm.
    test.server.page("/feed", "ETag: \"2\"", sitemap(&["/A", "/B"]));
    assert_eq!(test.accept().await.left, 1);
    assert_eq!(test.titles().await, ["A", "New"]);
    // A page that does not exist any more, while the sitemap is the same.
    test.server.respond("/A", "410 Gone", "");
    let counts = test.accept().await;
    assert_eq!((counts.left, counts.warned), (1, 1));
    assert_eq!(test.titles().await, ["New"]);
}

async fn pages_that_cannot_be_fetched_are_warnings(database: Arc<TestDatabase>) {
    let test = new_test(&database, "").await;
    test.server.page("/robots.txt", "", "User-agent: *\nDisallow: /private");
    let urls = ["/A", "/private/B", "http://elsewhere.example/C", "/gone", "ftp://server/D", "/imprint?secret=1"];
    test.server.page("/feed", "", sitemap(&urls));
    test.server.page("/imprint?secret=1", "", web_page("B"));
    assert_eq!(test.accept().await, Counts { fetched: 2, inserted: 2, warned: 4, ..Counts::default() });
    assert_eq!(test.server.requests(), ["/feed", "/robots.txt", "/A", "/gone 404", "/imprint?secret=1"]);
    let notes: Vec<String> =
        test.notes().await.into_iter().map(|(line, column, note)| format!("{line}:{column} {note}")).collect();
    assert_eq!(
        notes,
        [
            "1:1 the sitemap has `ftp://server/D`, which leads to a URL that is not http or https; left out",
            "1:1 the page http://server/private/B in the sitemap is disallowed by robots.txt; left out",
            "1:1 the page http://elsewhere.example/C in the sitemap is on another host than the sitemap (127.0.0.1); left out",
            "1:1 the page http://server/gone in the sitemap does not exist (status 404); left out",
        ]
    );
    // Any other error could be an event that is missing.
    test.server.respond("/gone", "500 Oops", "");
    assert_eq!(test.refuse().await.0, "http_status");
}

async fn a_page_that_cannot_be_read_is_a_rejected_item(database: Arc<TestDatabase>) {
    let test = new_test(&database, "max_rejects_share = 1.0").await;
    test.server.page("/feed", "", sitemap(&["/A", "/B", "/C"]));
    assert_eq!(test.accept().await.inserted, 3);
    test.server.page("/C", "", "<html></html>");
    test.server.page("/B", "", web_page("B").replace("\"name\"", "name"));
    let counts = test.accept().await;
    assert_eq!((counts.rejected, counts.left), (1, 0), "any event may be that of the rejected page");
    let notes = test.notes().await;
    assert_eq!((notes.len(), notes[0].0, notes[0].1), (1, 1, 1));
    let reason = &notes[0].2;
    assert!(
        reason.starts_with("the document is malformed at line 3, column ") && reason.ends_with("(page 2, http://server/B)"),
        "{reason}"
    );
}

async fn other_files_are_ignored(database: Arc<TestDatabase>) {
    let test = new_test(&database, "").await;
    let urls = ["/A", "/B", "/programme.pdf", "/picture", "/imprint"];
    test.server.page("/feed", "", sitemap(&urls));
    test.server.page("/programme.pdf", "ETag: \"p\"", b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\0");
    test.server.page("/picture", "", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    // Latin-1 that is not declared, but without JSON-LD.
    test.server.page("/imprint", "", b"<html>Stra\xDFe</html>");
    assert_eq!(test.accept().await, Counts { fetched: 2, inserted: 2, ..Counts::default() });
    assert_eq!(test.sync().await.unwrap().state, RunState::Unchanged);
    // Nothing is rejected, so that events can leave.
    test.server.page("/feed", "", sitemap(&[&urls[..1], &urls[2..]].concat()));
    assert_eq!(test.accept().await, Counts { fetched: 1, unchanged: 1, left: 1, ..Counts::default() });
    // It may have an event.
    test.server.page("/imprint", "", [web_page("C").as_bytes(), b"\xDF"].concat());
    assert_eq!(test.accept().await.rejected, 1);
}

async fn a_listing_mentions_the_events_of_other_pages(database: Arc<TestDatabase>) {
    let test = new_test(&database, "max_rejects_share = 1.0").await;
    test.server.page("/feed", "", sitemap(&["/list", "/A", "/B", "/gig"]));
    let mentions = ["A", "B", "X"].map(|name| format!(r#"{{"@type":"Event","@id":"{name}","name":"{name}"}}"#)).join(",");
    let script = |json: &str| format!("<script type=\"application/ld+json\">{json}</script>");
    test.server.page("/list", "", script(&format!(r#"{{"@type":"ItemList","itemListElement":[{mentions}]}}"#)));
    test.server.page("/gig", "", script(r#"{"@type":"Gig","@id":"g","name":"G","startDate":"2031-08-01"}"#));
    let counts = test.accept().await;
    assert_eq!((counts.inserted, counts.rejected, counts.warned), (2, 1, 1));
    let notes: Vec<String> = test.notes().await.into_iter().map(|(_, _, note)| note).collect();
    assert!(notes.iter().any(|note| note.starts_with("`startDate` is missing")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("`Gig` is not a type of event of schema.org")), "{notes:?}");
}

async fn sitemaps_that_cannot_be_used_are_refused(database: Arc<TestDatabase>) {
    let test = new_test(&database, "max_pages = 3").await;
    let index = list("sitemapindex", "sitemap", &["/one.xml"]);
    for (feed, one, code, expected) in [
        (sitemap(&[]), String::new(), "invalid_sitemap", "it has no page that can be fetched"),
        (sitemap(&["/none"]), String::new(), "invalid_sitemap", "it has no page that can be fetched: the page http"),
        (sitemap(&["/A"]).replace("</urlset>", ""), String::new(), "invalid_sitemap", "truncated"),
        (index.clone(), index.clone(), "invalid_sitemap", "/one.xml, which is not a sitemap with pages"),
        (index.clone(), web_page("A"), "invalid_sitemap", "/one.xml, which is not a sitemap with pages"),
        (index, sitemap(&["/A", "/B"]), "too_many_pages", "raise `max_pages`"),
        (sitemap(&["/A", "/B", "/C"]), String::new(), "too_many_pages", "raise `max_pages`"),
        (sitemap(&["/imprint"]), String::new(), "no_items", "no page of the feed has an event"),
    ] {
        test.server.page("/feed", "", &feed);
        test.server.page("/one.xml", "", &one);
        test.server.page("/imprint", "", "<html></html>");
        let (actual, reason) = test.refuse().await;
        assert!(actual == code && reason.contains(expected), "{feed}: {actual}: {reason}");
    }
    assert!(test.server.requests().iter().all(|request| request != "/A"), "the number of pages is known before");
}

async fn a_redirect_leads_to_one_page(database: Arc<TestDatabase>) {
    let test = new_test(&database, "").await;
    test.server.page("/feed", "", sitemap(&["/old", "/older", "/A", "/outside"]));
    test.server.respond("/old", "301 Moved\r\nLocation: /A", "");
    test.server.respond("/older", "301 Moved\r\nLocation: /B", "");
    let elsewhere = test.server.url.replace("127.0.0.1", "localhost");
    test.server.respond("/outside", &format!("301 Moved\r\nLocation: {elsewhere}/C"), "");
    assert_eq!(test.accept().await, Counts { fetched: 2, inserted: 2, warned: 1, ..Counts::default() });
    assert_eq!(test.titles().await, ["A", "B"]);
}

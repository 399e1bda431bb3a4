//! Feeds of JSON-LD: a document, or a web page with scripts.
#![no_main]

libfuzzer_sys::fuzz_target!(|document: &[u8]| {
    marquee_fuzz::check_feed("schema-org-json", document);
    marquee_fuzz::check_feed("schema-org-html", document);
});

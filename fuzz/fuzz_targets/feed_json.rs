//! Feeds of the format `schema-org-json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|document: &[u8]| {
    marquee_fuzz::check_feed("schema-org-json", document);
});

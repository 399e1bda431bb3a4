//! Feeds of the format `event-list-xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|document: &[u8]| {
    marquee_fuzz::check_feed("event-list-xml", document);
});

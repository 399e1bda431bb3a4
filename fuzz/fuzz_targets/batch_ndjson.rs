//! Batches of prices: Ndjson.
#![no_main]

libfuzzer_sys::fuzz_target!(|batch: &[u8]| {
    marquee_fuzz::check_batch(rates::BatchFormat::Ndjson, batch);
});

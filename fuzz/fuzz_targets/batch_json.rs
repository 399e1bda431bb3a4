//! Batches of prices: Json.
#![no_main]

libfuzzer_sys::fuzz_target!(|batch: &[u8]| {
    marquee_fuzz::check_batch(rates::BatchFormat::Json, batch);
});

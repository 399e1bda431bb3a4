//! Cursors of all lists: a text is rejected, or is a cursor that encodes to an equal one.
#![no_main]

use api::query::{Cursor, SortKey};
use uuid::Uuid;

fn check<K: SortKey>(text: &str) {
    if let Ok(cursor) = text.parse::<Cursor<K>>() {
        assert_eq!(cursor.encode().parse(), Ok(cursor));
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    check::<(i64, Uuid)>(text);
    check::<(i64, Uuid, i32)>(text);
    check::<(String, Uuid)>(text);
    check::<(String, String)>(text);
    check::<i64>(text);
});

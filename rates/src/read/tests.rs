//! What is accepted and rejected, in every format. The place ids are 1 (A) and 2 (B).

use std::io::{Read, Write};

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::{limits::MAX_ROW_BYTES, staged::Row};

const A: &str = "AAAAA";
const B: &str = "BBBBB";

fn places() -> PlaceIds {
    [(A.to_owned(), 1), (B.to_owned(), 2)].into_iter().collect()
}

fn read_all(format: BatchFormat, body: impl AsRef<[u8]>) -> Result<ReadBatch, BatchReadError> {
    read_batch(body.as_ref(), BatchEncoding::Identity, format, &places(), &BatchLimits::REQUEST)
}

fn rows(batch: ReadBatch) -> Vec<Row> {
    let mut rows = batch.outcome.unwrap_or_else(|errors| panic!("{errors:?}")).into_rows().unwrap();
    let mut all = Vec::new();
    loop {
        let chunk = rows.read_chunk().unwrap();
        if chunk.is_empty() {
            return all;
        }
        all.extend(chunk);
    }
}

fn errors(format: BatchFormat, body: impl AsRef<[u8]>) -> Vec<(u64, String)> {
    let errors = read_all(format, body).unwrap().outcome.unwrap_err();
    assert_eq!(errors.first.len() as u64, errors.count.min(100));
    errors.first.into_iter().map(|error| (error.line, error.message)).collect()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const BOTH: [Row; 2] = [
    Row { orig_place_id: 1, dest_place_id: 2, day: 18_658, price: 115_433 },
    Row { orig_place_id: 2, dest_place_id: 1, day: 18_659, price: 700 },
];

#[test]
fn every_format_yields_the_same_rows() {
    for (format, body) in [
        (BatchFormat::Csv, "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\nBBBBB,AAAAA,2021-02-01,7\n"),
        (BatchFormat::Csv, "price,day,dest_code,orig_code\r\n1154.33,2021-01-31,BBBBB,AAAAA\r\n7.00,2021-02-01,AAAAA,BBBBB"),
        (
            BatchFormat::Csv,
            "\u{feff}orig_code, dest_code ,day,price\n\n\"AAAAA\",BBBBB, 2021-01-31 ,\"1154.33\"\n  \nBBBBB,AAAAA,2021-02-01,7\n\n",
        ),
        (
            BatchFormat::Ndjson,
            "{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1154.33}\n\r\n{\"price\":7.0,\"day\":\"2021-02-01\",\"dest_code\":\"AAAAA\",\"orig_code\":\"\\u0042BBBB\"}",
        ),
        (
            BatchFormat::Json,
            "[{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1154.33},{\"price\":7,\"day\":\"2021-02-01\",\"dest_code\":\"AAAAA\",\"orig_code\":\"BBBBB\"}]",
        ),
        (
            BatchFormat::Json,
            "\u{feff}[\n {\"orig_code\" : \"AAAAA\",\n\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1154.33}\n,\n{\"price\":7.00,\"day\":\"2021-02-01\",\"dest_code\":\"AAAAA\",\"orig_code\":\"BBBBB\"}\n]\n ",
        ),
    ] {
        assert_eq!(rows(read_all(format, body).unwrap()), BOTH, "{body}");
    }
}

#[test]
fn keeps_equal_rows() {
    let body = format!("orig_code,dest_code,day,price\n{}", "AAAAA,BBBBB,2021-01-31,1154.33\n".repeat(25_000));
    assert_eq!(rows(read_all(BatchFormat::Csv, body).unwrap()), [BOTH[0]; 25_000]);
}

#[test]
fn reports_the_line_of_each_invalid_csv_row() {
    for (item, part) in [
        ("CCCCC,BBBBB,2021-01-31,1", "`orig_code` must be the code of a place that was imported with PUT /places, got `CCCCC`"),
        ("AAAAA,aaaaa,2021-01-31,1", "`dest_code` must be the code of a place that was imported with PUT /places, got `aaaaa`"),
        ("AAAAA,BBBBB,2021-02-30,1", "`day` must be an existing date, got `2021-02-30`"),
        ("AAAAA,BBBBB,31.01.2021,1", "`day` must be a date in the form YYYY-MM-DD, got `31.01.2021`"),
        ("AAAAA,BBBBB,2021-01-31,-1", "`price` must be 0 or more, got `-1`"),
        ("AAAAA,BBBBB,2021-01-31,1.234", "`price` must have at most 2 decimals, got `1.234`"),
        ("AAAAA,BBBBB,2021-01-31,NaN", "`price` must be a decimal number such as 1154 or 1154.33, got `NaN`"),
        ("AAAAA,BBBBB,2021-01-31,1e30", "must be a decimal number such as 1154 or 1154.33, got `1e30`"),
        ("AAAAA,BBBBB,2021-01-31,", "must be a decimal number such as 1154 or 1154.33, got ``"),
        ("AAAAA,BBBBB,2021-01-31", "the line must have 4 fields like the header, got 3 fields"),
        ("AAAAA,BBBBB,2021-01-31,1,2", "got 5 fields"),
        ("AAAAA;BBBBB;2021-01-31;1", "got 1 field"),
        // An unclosed quote ends with its line.
        ("AAAAA,BBBBB,\"2021-01-31,1", "a quoted field must be quoted as a whole"),
        ("AAAAA,BBBBB,2021-01-31,\"115\"4", "a quoted field must be quoted as a whole"),
        ("AAAAA,BBBBB,2021-01-31,11\"5", "a quoted field must be quoted as a whole"),
        ("AAAAA,BBBBB,2021-01-31, \"115\"", "a quoted field must be quoted as a whole"),
        ("AAAAA,BBBBB,2021-01-31,\"1\"\"5\"", "got `1\"5`"),
        ("AAAAA,BBBBB,2021-01-31,1\rAAAAA,BBBBB,2021-01-31,99", "got 7 fields"),
        ("AAAAA,BBBBB,2021-01-31,2\rGARBAGE", "got `2\\rGARBAGE`"),
        (",,,", "got ``; `dest_code` must be the code of a place"),
        (",,,,,,,,,,,,,,,,,,,,,,,,", "got 16 or more fields"),
    ] {
        let good = "AAAAA,BBBBB,2021-01-31,1\n";
        let found = errors(BatchFormat::Csv, format!("orig_code,dest_code,day,price\n\n{good}{item}\n{good}"));
        assert!(found.len() == 1 && found[0].0 == 4 && found[0].1.contains(part), "{item}: {found:?}");
    }
}

#[test]
fn reports_the_line_of_each_invalid_object() {
    let object = |members: &str| format!("{{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",{members}}}");
    let good = object("\"day\":\"2021-01-31\",\"price\":1");
    for (item, part) in [
        (object("\"day\":\"2021-01-31\",\"price\":\"1\""), "`price` must be a number without quotes, got `\"1\"`"),
        (object("\"day\":\"2021-01-31\",\"price\":null"), "got `null`"),
        (object("\"day\":\"2021-01-31\",\"price\":-0.5"), "must be 0 or more"),
        (object("\"day\":\"2021-01-31\",\"price\":1.005"), "must have at most 2 decimals"),
        (object("\"day\":\"2021-01-31\",\"price\":1e30"), "must be a decimal number"),
        (object("\"day\":\"2021-01-31\",\"price\":[1]"), "must be a decimal number"),
        (object("\"day\":\"2021-01-31\""), "the keys orig_code, dest_code, day and price: missing field `price`"),
        (object("\"day\":20210131,\"price\":1"), "expected a string"),
        (object("\"day\":\"2021-01-31\",\"price\":1,\"prise\":2"), "unknown field `prise`"),
        (object("\"day\":\"2021-01-31\",\"price\":1,\"price\":2"), "duplicate field `price`"),
        ("7".to_owned(), "the row must be an object with the keys orig_code, dest_code, day and price, got `7`"),
        ("null".to_owned(), "the row must be an object"),
        ("[\"AAAAA\",\"BBBBB\",\"2021-01-31\",1]".to_owned(), "the row must be an object"),
        (format!("{{\"{}\":1}}", "x".repeat(60_000)), "unknown field `xxxxx"),
        ("{\"\\u001b]0;owned\\u0007\":1}".to_owned(), "unknown field `\\u{1b}]0;owned\\u{7}`"),
    ] {
        let found = errors(BatchFormat::Ndjson, format!("{good}\n\n{item}\n{good}"));
        assert!(found.len() == 1 && found[0].0 == 3 && found[0].1.contains(part), "{item}: {found:?}");
        let all = read_all(BatchFormat::Json, format!("[\n{good},\n {item},{item},\n{good}]")).unwrap().outcome.unwrap_err();
        let reported: Vec<_> = all.first.iter().map(|error| (error.line, error.pointer.as_deref())).collect();
        assert_eq!(reported, [(3, Some("/1")), (3, Some("/2"))], "{item}");
        assert!(all.first[0].message.contains(part), "{item}: {all:?}");
    }
}

#[test]
fn reports_an_invalid_document_once() {
    for (format, body, line, part) in [
        (BatchFormat::Csv, "", 1, "the batch contains no prices"),
        (BatchFormat::Csv, "orig_code,dest_code,day,price\n", 1, "the batch contains no prices"),
        (BatchFormat::Csv, "orig_code,dest_code,price\nAAAAA,BBBBB,1\n", 1, "`day` is missing"),
        (BatchFormat::Csv, "\norig_code,dest_code,day,day,price\n", 2, "each column once, `day` is repeated"),
        (
            BatchFormat::Csv,
            "orig_code,dest_code,day,price,cost\n",
            1,
            "must have only the columns orig_code,dest_code,day,price, got `cost`",
        ),
        (
            BatchFormat::Csv,
            "orig_code;dest_code;day;price\nAAAAA;BBBBB;2021-01-31;1\n",
            1,
            "must be separated by commas, such as `orig_code,dest_code,day,price`, got `;`",
        ),
        (BatchFormat::Csv, "orig_code\tdest_code\tday\tprice\n", 1, "got tabs"),
        (BatchFormat::Csv, "AAAAA,BBBBB,2021-01-31,1\n", 1, "`orig_code` is missing"),
        (BatchFormat::Csv, "[{}]", 1, "`orig_code` is missing"),
        (BatchFormat::Ndjson, "\n\n", 1, "the batch contains no prices"),
        (BatchFormat::Json, "[]", 1, "the batch contains no prices"),
        (BatchFormat::Json, "", 1, "the body must be a valid JSON array of prices: EOF while parsing a value"),
        (BatchFormat::Json, "{\"rates\":[]}", 1, "expected an array of prices"),
        (BatchFormat::Json, "\n[NaN]", 2, "must be a valid JSON array"),
        (BatchFormat::Json, "[] []", 1, "trailing characters"),
    ] {
        let found = errors(format, body);
        assert!(found.len() == 1 && found[0].0 == line && found[0].1.contains(part), "{body}: {found:?}");
    }
}

#[test]
fn checks_the_rows_before_a_syntax_error() {
    let bad = "{\"orig_code\":\"CCCCC\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}";
    let found = errors(BatchFormat::Json, format!("[\n{bad},\n{{\"price\": NaN}},\n{bad}]"));
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3], "{found:?}");
}

#[test]
fn reports_100_errors_and_counts_all() {
    let body = format!("orig_code,dest_code,day,price\n{}", "x,BBBBB,2021-01-31,1\n".repeat(1_234));
    let errors = read_all(BatchFormat::Csv, body).unwrap().outcome.unwrap_err();
    assert_eq!((errors.count, errors.first.len(), errors.first[99].line), (1_234, 100, 101));
}

#[test]
fn quotes_values_truncated_and_escaped() {
    let value = format!("\u{1b}[2J{}\u{fffd}", "é".repeat(90));
    let found = errors(BatchFormat::Csv, format!("orig_code,dest_code,day,price\n{value},BBBBB,2021-01-31,1\n"));
    assert!(found[0].1.contains("got `\\u{1b}[2Jéé") && found[0].1.chars().count() < 140, "{found:?}");
}

#[test]
fn an_endless_line_or_row_ends_the_batch() {
    let endless = || std::io::repeat(b'7').take(10 << 20);
    for (format, start) in [
        (BatchFormat::Csv, ""),
        (BatchFormat::Csv, "orig_code,dest_code,day,price\n"),
        (BatchFormat::Ndjson, "{\"day\":\""),
        (BatchFormat::Json, "[\""),
        (BatchFormat::Json, ""),
    ] {
        let reading =
            read_batch(start.as_bytes().chain(endless()), BatchEncoding::Identity, format, &places(), &BatchLimits::REQUEST)
                .unwrap();
        let errors = reading.outcome.unwrap_err();
        assert!(
            errors.first[0].message.contains(&format!("longer than the limit of {MAX_ROW_BYTES} bytes")),
            "{start}: {errors:?}"
        );
    }
}

#[test]
fn rejects_batches_over_a_limit() {
    let limits = BatchLimits { body_bytes: 1_000, decoded_bytes: 100_000, items: 3, ..BatchLimits::REQUEST };
    let read = |coding, body: &[u8]| read_batch(body, coding, BatchFormat::Csv, &places(), &limits);
    let line = "AAAAA,BBBBB,2021-01-31,1\n";
    let header = "orig_code,dest_code,day,price\n";
    assert!(read(BatchEncoding::Identity, format!("{header}{}", line.repeat(3)).as_bytes()).unwrap().outcome.is_ok());
    let four = format!("{header}{}", line.repeat(4));
    assert!(matches!(read(BatchEncoding::Identity, four.as_bytes()), Err(BatchReadError::TooManyItems { limit: 3 })));
    let long = format!("{header}{}", "\n".repeat(2_000));
    assert!(matches!(read(BatchEncoding::Identity, long.as_bytes()), Err(BatchReadError::BodyTooLarge { limit_bytes: 1_000 })));
    let bomb = gzipped(&"\n".repeat(200_000).into_bytes());
    assert!(bomb.len() < 1_000);
    assert!(matches!(read(BatchEncoding::Gzip, &bomb), Err(BatchReadError::DecodedTooLarge { limit_bytes: 100_000 })));
}

#[test]
fn rejects_incomplete_gzip() {
    let body = b"orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\nBBBBB,AAAAA,2021-02-01,7\n";
    let read = |bytes: &[u8]| read_batch(bytes, BatchEncoding::Gzip, BatchFormat::Csv, &places(), &BatchLimits::REQUEST);
    let whole = gzipped(body);
    assert_eq!(rows(read(&whole).unwrap()), BOTH);
    let (first, second) = body.split_at(40);
    assert_eq!(rows(read(&[gzipped(first), gzipped(second)].concat()).unwrap()), BOTH, "in two members");
    for cut in 0..whole.len() {
        assert!(matches!(read(&whole[..cut]), Err(BatchReadError::InvalidGzip(_))), "{cut} of {}", whole.len());
    }
    assert!(matches!(read(body), Err(BatchReadError::InvalidGzip(_))), "it is not gzip");
    let garbage_behind = [whole.as_slice(), b"garbage"].concat();
    assert!(matches!(read(&garbage_behind), Err(BatchReadError::InvalidGzip(_))));
}

#[test]
fn a_failing_source_is_not_the_end_of_the_batch() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for (format, start) in [
        (BatchFormat::Csv, "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\n"),
        (BatchFormat::Ndjson, "{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}\n"),
        (BatchFormat::Json, "[{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}"),
        (BatchFormat::Json, "[]"),
    ] {
        let read = |coding, source: &mut dyn Read| read_batch(source, coding, format, &places(), &BatchLimits::REQUEST);
        let plain = read(BatchEncoding::Identity, &mut start.as_bytes().chain(Broken));
        assert!(matches!(plain, Err(BatchReadError::Source(_))), "{start}: {plain:?}");
        let zipped = gzipped(start.as_bytes());
        let zipped = read(BatchEncoding::Gzip, &mut zipped[..zipped.len() - 1].chain(Broken));
        assert!(matches!(zipped, Err(BatchReadError::Source(_))), "{start}: {zipped:?}");
    }
}

#[test]
fn equal_bodies_have_equal_hashes_in_every_encoding() {
    let body = b"orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\n";
    let hash = read_all(BatchFormat::Csv, body).unwrap().body_hash;
    assert_eq!(
        read_batch(gzipped(body).as_slice(), BatchEncoding::Gzip, BatchFormat::Csv, &places(), &BatchLimits::REQUEST)
            .unwrap()
            .body_hash,
        hash
    );
    assert_ne!(read_all(BatchFormat::Csv, &body[..body.len() - 1]).unwrap().body_hash, hash);
    // An invalid batch is hashed to its end, too: its key may belong to a batch that was accepted.
    let wrong = |end: &str| read_all(BatchFormat::Json, format!("[ NaN {}{end}", " ".repeat(200_000))).unwrap();
    assert!(wrong("").outcome.is_err());
    assert_ne!(wrong("1").body_hash, wrong("2").body_hash);
}

//! What is taken and what is not, in every format. Places are A (1) and B (2).

use std::io::{Read, Write};

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::{draft::Row, limits::MAX_ITEM_BYTES};

const A: &str = "AAAAA";
const B: &str = "BBBBB";

fn places() -> Places {
    [(A.to_owned(), 1), (B.to_owned(), 2)].into_iter().collect()
}

fn read_all(format: Format, body: impl AsRef<[u8]>) -> Result<Reading, ReadError> {
    read(body.as_ref(), Coding::Identity, format, &places(), &Limits::REQUEST)
}

fn rows(reading: Reading) -> Vec<Row> {
    let mut rows = reading.outcome.unwrap_or_else(|faults| panic!("{faults:?}")).rows().unwrap();
    let mut all = Vec::new();
    loop {
        let chunk = rows.next().unwrap();
        if chunk.is_empty() {
            return all;
        }
        all.extend(chunk);
    }
}

fn faults(format: Format, body: impl AsRef<[u8]>) -> Vec<(u64, String)> {
    let faults = read_all(format, body).unwrap().outcome.unwrap_err();
    assert_eq!(faults.first.len() as u64, faults.count.min(100));
    faults.first.into_iter().map(|fault| (fault.line, fault.message)).collect()
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
fn every_format_says_the_same() {
    for (format, body) in [
        (Format::Csv, "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\nBBBBB,AAAAA,2021-02-01,7\n"),
        (Format::Csv, "price,day,dest_code,orig_code\r\n1154.33,2021-01-31,BBBBB,AAAAA\r\n7.00,2021-02-01,AAAAA,BBBBB"),
        (
            Format::Csv,
            "\u{feff}orig_code, dest_code ,day,price\n\n\"AAAAA\",BBBBB, 2021-01-31 ,\"1154.33\"\n  \nBBBBB,AAAAA,2021-02-01,7\n\n",
        ),
        (
            Format::Ndjson,
            "{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1154.33}\n\r\n{\"price\":7.0,\"day\":\"2021-02-01\",\"dest_code\":\"AAAAA\",\"orig_code\":\"\\u0042BBBB\"}",
        ),
        (
            Format::Json,
            "[{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1154.33},{\"price\":7,\"day\":\"2021-02-01\",\"dest_code\":\"AAAAA\",\"orig_code\":\"BBBBB\"}]",
        ),
        (
            Format::Json,
            "\u{feff}[\n {\"orig_code\" : \"AAAAA\",\n\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1154.33}\n,\n{\"price\":7.00,\"day\":\"2021-02-01\",\"dest_code\":\"AAAAA\",\"orig_code\":\"BBBBB\"}\n]\n ",
        ),
    ] {
        assert_eq!(rows(read_all(format, body).unwrap()), BOTH, "{body}");
    }
}

#[test]
fn equal_items_stay_as_many_as_they_are() {
    let body = format!("orig_code,dest_code,day,price\n{}", "AAAAA,BBBBB,2021-01-31,1154.33\n".repeat(25_000));
    assert_eq!(rows(read_all(Format::Csv, body).unwrap()), [BOTH[0]; 25_000]);
}

#[test]
fn every_wrong_item_is_told_by_its_line() {
    for (item, part) in [
        ("CCCCC,BBBBB,2021-01-31,1", "orig_code `CCCCC` is no place that is known"),
        ("AAAAA,aaaaa,2021-01-31,1", "dest_code `aaaaa` is no place that is known"),
        ("AAAAA,BBBBB,2021-02-30,1", "day `2021-02-30` is no day of the calendar"),
        ("AAAAA,BBBBB,31.01.2021,1", "day `31.01.2021` is no day"),
        ("AAAAA,BBBBB,2021-01-31,-1", "price `-1` is negative"),
        ("AAAAA,BBBBB,2021-01-31,1.234", "price `1.234` has 3 decimals"),
        ("AAAAA,BBBBB,2021-01-31,NaN", "price `NaN` is no plain number"),
        ("AAAAA,BBBBB,2021-01-31,1e30", "price `1e30` is no plain number"),
        ("AAAAA,BBBBB,2021-01-31,", "price `` is no plain number"),
        ("AAAAA,BBBBB,2021-01-31", "the line has 3 columns, the header has 4"),
        ("AAAAA,BBBBB,2021-01-31,1,2", "the line has 5 columns"),
        ("AAAAA;BBBBB;2021-01-31;1", "the line has 1 columns"),
        // An open quote goes to the end of its line and no further.
        ("AAAAA,BBBBB,\"2021-01-31,1", "a quote stands where none may"),
        ("AAAAA,BBBBB,2021-01-31,\"115\"4", "a quote stands where none may"),
        ("AAAAA,BBBBB,2021-01-31,11\"5", "a quote stands where none may"),
        ("AAAAA,BBBBB,2021-01-31, \"115\"", "a quote stands where none may"),
        ("AAAAA,BBBBB,2021-01-31,\"1\"\"5\"", "price `1\"5` is no plain number"),
        ("AAAAA,BBBBB,2021-01-31,1\rAAAAA,BBBBB,2021-01-31,99", "the line has 7 columns"),
        ("AAAAA,BBBBB,2021-01-31,2\rGARBAGE", "price `2\\rGARBAGE` is no plain number"),
        (",,,", "orig_code `` is no place that is known; PUT /places makes it known; dest_code `` is no place"),
        (",,,,,,,,,,,,,,,,,,,,,,,,", "the line has 16 or more columns"),
    ] {
        let good = "AAAAA,BBBBB,2021-01-31,1\n";
        let found = faults(Format::Csv, format!("orig_code,dest_code,day,price\n\n{good}{item}\n{good}"));
        assert!(found.len() == 1 && found[0].0 == 4 && found[0].1.contains(part), "{item}: {found:?}");
    }
}

#[test]
fn every_wrong_object_is_told_by_its_line() {
    let object = |members: &str| format!("{{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",{members}}}");
    let good = object("\"day\":\"2021-01-31\",\"price\":1");
    for (item, part) in [
        (object("\"day\":\"2021-01-31\",\"price\":\"1\""), "price is a text"),
        (object("\"day\":\"2021-01-31\",\"price\":null"), "price `null` is no plain number"),
        (object("\"day\":\"2021-01-31\",\"price\":-0.5"), "is negative"),
        (object("\"day\":\"2021-01-31\",\"price\":1.005"), "has 3 decimals"),
        (object("\"day\":\"2021-01-31\",\"price\":1e30"), "no plain number"),
        (object("\"day\":\"2021-01-31\",\"price\":[1]"), "no plain number"),
        (object("\"day\":\"2021-01-31\""), "missing field `price`"),
        (object("\"day\":20210131,\"price\":1"), "expected a string"),
        (object("\"day\":\"2021-01-31\",\"price\":1,\"prise\":2"), "unknown field `prise`"),
        (object("\"day\":\"2021-01-31\",\"price\":1,\"price\":2"), "duplicate field `price`"),
        ("7".to_owned(), "`7` is no object: want an object with orig_code, dest_code, day and price"),
        ("null".to_owned(), "is no object"),
        ("[\"AAAAA\",\"BBBBB\",\"2021-01-31\",1]".to_owned(), "is no object"),
        (format!("{{\"{}\":1}}", "x".repeat(60_000)), "unknown field `xxxxx"),
        ("{\"\\u001b]0;owned\\u0007\":1}".to_owned(), "unknown field `\\u{1b}]0;owned\\u{7}`"),
    ] {
        let found = faults(Format::Ndjson, format!("{good}\n\n{item}\n{good}"));
        assert!(found.len() == 1 && found[0].0 == 3 && found[0].1.contains(part), "{item}: {found:?}");
        let all = read_all(Format::Json, format!("[\n{good},\n {item},{item},\n{good}]")).unwrap().outcome.unwrap_err();
        let told: Vec<_> = all.first.iter().map(|fault| (fault.line, fault.pointer.as_deref())).collect();
        assert_eq!(told, [(3, Some("/1")), (3, Some("/2"))], "{item}");
        assert!(all.first[0].message.contains(part), "{item}: {all:?}");
    }
}

#[test]
fn a_document_that_is_none_is_told_once() {
    for (format, body, line, part) in [
        (Format::Csv, "", 1, "the batch holds no prices"),
        (Format::Csv, "orig_code,dest_code,day,price\n", 1, "the batch holds no prices"),
        (Format::Csv, "orig_code,dest_code,price\nAAAAA,BBBBB,1\n", 1, "no column day"),
        (Format::Csv, "\norig_code,dest_code,day,day,price\n", 2, "column day more than once"),
        (Format::Csv, "orig_code,dest_code,day,price,cost\n", 1, "unknown column `cost`"),
        (Format::Csv, "orig_code;dest_code;day;price\nAAAAA;BBBBB;2021-01-31;1\n", 1, "separated by `;`"),
        (Format::Csv, "orig_code\tdest_code\tday\tprice\n", 1, "separated by tabs"),
        (Format::Csv, "AAAAA,BBBBB,2021-01-31,1\n", 1, "no column orig_code"),
        (Format::Csv, "[{}]", 1, "no column orig_code"),
        (Format::Ndjson, "\n\n", 1, "the batch holds no prices"),
        (Format::Json, "[]", 1, "the batch holds no prices"),
        (Format::Json, "", 1, "the JSON ends here: EOF while parsing a value"),
        (Format::Json, "{\"rates\":[]}", 1, "expected an array of prices"),
        (Format::Json, "\n[NaN]", 2, "the JSON ends here"),
        (Format::Json, "[] []", 1, "trailing characters"),
    ] {
        let found = faults(format, body);
        assert!(found.len() == 1 && found[0].0 == line && found[0].1.contains(part), "{body}: {found:?}");
    }
}

#[test]
fn what_stands_before_broken_json_is_checked_all_the_same() {
    let bad = "{\"orig_code\":\"CCCCC\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}";
    let found = faults(Format::Json, format!("[\n{bad},\n{{\"price\": NaN}},\n{bad}]"));
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3], "{found:?}");
}

#[test]
fn a_hundred_faults_are_told_and_all_are_counted() {
    let body = format!("orig_code,dest_code,day,price\n{}", "x,BBBBB,2021-01-31,1\n".repeat(1_234));
    let faults = read_all(Format::Csv, body).unwrap().outcome.unwrap_err();
    assert_eq!((faults.count, faults.first.len(), faults.first[99].line), (1_234, 100, 101));
}

#[test]
fn values_are_said_back_in_part_and_without_harm() {
    let value = format!("\u{1b}[2J{}\u{fffd}", "é".repeat(90));
    let found = faults(Format::Csv, format!("orig_code,dest_code,day,price\n{value},BBBBB,2021-01-31,1\n"));
    assert!(found[0].1.starts_with("orig_code `\\u{1b}[2Jéé") && found[0].1.chars().count() < 120, "{found:?}");
}

#[test]
fn an_endless_line_or_item_ends_the_batch() {
    let endless = || std::io::repeat(b'7').take(10 << 20);
    for (format, start) in [
        (Format::Csv, ""),
        (Format::Csv, "orig_code,dest_code,day,price\n"),
        (Format::Ndjson, "{\"day\":\""),
        (Format::Json, "[\""),
        (Format::Json, ""),
    ] {
        let reading = read(start.as_bytes().chain(endless()), Coding::Identity, format, &places(), &Limits::REQUEST).unwrap();
        let faults = reading.outcome.unwrap_err();
        assert!(faults.first[0].message.contains(&format!("longer than {MAX_ITEM_BYTES}")), "{start}: {faults:?}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let limits = Limits { body_bytes: 1_000, decoded_bytes: 100_000, items: 3, ..Limits::REQUEST };
    let read = |coding, body: &[u8]| read(body, coding, Format::Csv, &places(), &limits);
    let line = "AAAAA,BBBBB,2021-01-31,1\n";
    let header = "orig_code,dest_code,day,price\n";
    assert!(read(Coding::Identity, format!("{header}{}", line.repeat(3)).as_bytes()).unwrap().outcome.is_ok());
    let four = format!("{header}{}", line.repeat(4));
    assert!(matches!(read(Coding::Identity, four.as_bytes()), Err(ReadError::TooManyItems { limit: 3 })));
    let long = format!("{header}{}", "\n".repeat(2_000));
    assert!(matches!(read(Coding::Identity, long.as_bytes()), Err(ReadError::BodyTooLarge { limit_bytes: 1_000 })));
    let bomb = gzipped(&"\n".repeat(200_000).into_bytes());
    assert!(bomb.len() < 1_000);
    assert!(matches!(read(Coding::Gzip, &bomb), Err(ReadError::DecodedTooLarge { limit_bytes: 100_000 })));
}

#[test]
fn gzip_is_read_to_its_end_or_not_at_all() {
    let body = b"orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\nBBBBB,AAAAA,2021-02-01,7\n";
    let read = |bytes: &[u8]| read(bytes, Coding::Gzip, Format::Csv, &places(), &Limits::REQUEST);
    let whole = gzipped(body);
    assert_eq!(rows(read(&whole).unwrap()), BOTH);
    let (first, second) = body.split_at(40);
    assert_eq!(rows(read(&[gzipped(first), gzipped(second)].concat()).unwrap()), BOTH, "in two members");
    for cut in 0..whole.len() {
        assert!(matches!(read(&whole[..cut]), Err(ReadError::Broken(_))), "{cut} of {}", whole.len());
    }
    assert!(matches!(read(body), Err(ReadError::Broken(_))), "it is none");
    let garbage_behind = [whole.as_slice(), b"garbage"].concat();
    assert!(matches!(read(&garbage_behind), Err(ReadError::Broken(_))));
}

#[test]
fn a_source_that_breaks_off_is_no_shorter_batch() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for (format, start) in [
        (Format::Csv, "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\n"),
        (Format::Ndjson, "{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}\n"),
        (Format::Json, "[{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}"),
        (Format::Json, "[]"),
    ] {
        let read = |coding, source: &mut dyn Read| read(source, coding, format, &places(), &Limits::REQUEST);
        let plain = read(Coding::Identity, &mut start.as_bytes().chain(Broken));
        assert!(matches!(plain, Err(ReadError::Source(_))), "{start}: {plain:?}");
        let zipped = gzipped(start.as_bytes());
        let zipped = read(Coding::Gzip, &mut zipped[..zipped.len() - 1].chain(Broken));
        assert!(matches!(zipped, Err(ReadError::Source(_))), "{start}: {zipped:?}");
    }
}

#[test]
fn equal_bodies_have_equal_hashes_however_they_came() {
    let body = b"orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1154.33\n";
    let hash = read_all(Format::Csv, body).unwrap().body_hash;
    assert_eq!(read(gzipped(body).as_slice(), Coding::Gzip, Format::Csv, &places(), &Limits::REQUEST).unwrap().body_hash, hash);
    assert_ne!(read_all(Format::Csv, &body[..body.len() - 1]).unwrap().body_hash, hash);
    // Of what is wrong, too, to its very end: it may repeat what was right before.
    let wrong = |end: &str| read_all(Format::Json, format!("[ NaN {}{end}", " ".repeat(200_000))).unwrap();
    assert!(wrong("").outcome.is_err());
    assert_ne!(wrong("1").body_hash, wrong("2").body_hash);
}

//! Parses CSV with a header.
//!
//! RFC 4180 allows line breaks in quoted fields, but no valid value contains one. Each line is therefore parsed on its own, and an
//! unclosed quote is an error of its line only. A carriage return inside a line is not a line break.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::{
    BatchReadError,
    check::{Checker, RawRow, RowPosition, quote},
    lines::for_each_line,
};
use crate::limits::MAX_ROW_BYTES;

const COLUMNS: [&str; 4] = ["orig_code", "dest_code", "day", "price"];
/// The most fields of one line that are counted.
const MAX_FIELDS: usize = 16;

pub(super) fn parse(source: impl BufRead, checker: &mut Checker<'_>) -> Result<(), BatchReadError> {
    let mut splitter = Splitter::new();
    let mut order: Option<[usize; 4]> = None;
    for_each_line(source, checker, |checker, position, line| {
        if !is_well_quoted(line) {
            checker.reject_row(
                position,
                "a quoted field must be quoted as a whole, with `\"` inside written as `\"\"`".to_owned(),
            )?;
            return Ok(order.is_some());
        }
        let fields = splitter.split(line);
        match order {
            None => match parse_header(&fields) {
                Ok(found) => order = Some(found),
                Err(message) => {
                    checker.add_error(position, message);
                    return Ok(false);
                }
            },
            Some(order) => check_fields(checker, position, &fields, order)?,
        }
        Ok(true)
    })
}

fn check_fields(
    checker: &mut Checker<'_>,
    position: RowPosition,
    fields: &[&[u8]],
    order: [usize; 4],
) -> Result<(), BatchReadError> {
    if fields.len() != COLUMNS.len() {
        let count = match fields.len() {
            1 => "1 field".to_owned(),
            MAX_FIELDS => format!("{MAX_FIELDS} or more fields"),
            count => format!("{count} fields"),
        };
        return checker.reject_row(position, format!("the line must have {} fields like the header, got {count}", COLUMNS.len()));
    }
    let [orig_code, dest_code, day, price] = order.map(|column| fields[column]);
    checker.check_row(position, RawRow { orig_code, dest_code, day, price })
}

/// Whether each quote opens or closes a field, or is doubled within a quoted field. csv-core itself accepts quotes anywhere.
fn is_well_quoted(line: &[u8]) -> bool {
    let mut rest = line;
    loop {
        let column = match rest.strip_prefix(b"\"") {
            None => rest,
            Some(mut quoted) => loop {
                let Some(end) = quoted.iter().position(|byte| *byte == b'"') else { return false };
                match quoted.get(end + 1) {
                    Some(b'"') => quoted = &quoted[end + 2..],
                    Some(b',') | None => break &quoted[end + 1..],
                    Some(_) => return false,
                }
            },
        };
        let end = column.iter().position(|byte| *byte == b',').unwrap_or(column.len());
        if column[..end].contains(&b'"') {
            return false;
        }
        match column.get(end + 1..) {
            Some(next) if end < column.len() => rest = next,
            _ => return true,
        }
    }
}

/// The position of each of [`COLUMNS`] in the header. Its names may be in any case.
fn parse_header(fields: &[&[u8]]) -> Result<[usize; 4], String> {
    let expected = COLUMNS.join(",");
    if let [only] = fields
        && let Some(separator) = [b';', b'\t', b'|'].iter().find(|separator| only.contains(separator))
    {
        let separator = if *separator == b'\t' { "tabs".to_owned() } else { format!("`{}`", char::from(*separator)) };
        return Err(format!("fields must be separated by commas, such as `{expected}`, got {separator}"));
    }
    let has_name = |field: &&[u8], name: &str| field.eq_ignore_ascii_case(name.as_bytes());
    let column = |name: &str| match fields.iter().filter(|field| has_name(field, name)).count() {
        0 => Err(format!("the header must have the columns {expected} in any order, `{name}` is missing")),
        1 => Ok(fields.iter().position(|field| has_name(field, name)).unwrap_or_default()),
        _ => Err(format!("the header must have each column once, `{name}` is repeated")),
    };
    let order = [column(COLUMNS[0])?, column(COLUMNS[1])?, column(COLUMNS[2])?, column(COLUMNS[3])?];
    match (0..fields.len()).find(|position| !order.contains(position)) {
        Some(unknown) => Err(format!("the header must have only the columns {expected}, got {}", quote(fields[unknown]))),
        None => Ok(order),
    }
}

/// Splits a line into its fields, trimmed.
struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    ends: [usize; MAX_FIELDS],
}

impl Splitter {
    fn new() -> Self {
        // Lines arrive without their line endings.
        let reader = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        Self { reader, text: vec![0; MAX_ROW_BYTES], ends: [0; MAX_FIELDS] }
    }

    fn split<'s>(&'s mut self, line: &[u8]) -> Vec<&'s [u8]> {
        self.reader.reset();
        let (mut text, mut ends, mut rest) = (0, 0, line);
        loop {
            let (result, read, written, ended) = self.reader.read_record(rest, &mut self.text[text..], &mut self.ends[ends..]);
            (rest, text, ends) = (&rest[read..], text + written, ends + ended);
            // An empty input is the end of the line.
            if !matches!(result, ReadRecordResult::InputEmpty) {
                break;
            }
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends[..ends]).map(|(start, end)| self.text[start..*end].trim_ascii()).collect()
    }
}

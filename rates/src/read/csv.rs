//! Prices as lines with commas, below a header.
//!
//! A line break within quotes would be allowed by RFC 4180, but no column of ours can hold one: so each line is read by itself, and a
//! quote that is never closed spoils its own line and no other. A carriage return within a line is no line break either.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::{
    ReadError,
    check::{At, Checker, Item, quoted},
    lines::each_line,
};
use crate::limits::MAX_ITEM_BYTES;

const COLUMNS: [&str; 4] = ["orig_code", "dest_code", "day", "price"];
/// Columns of one line that are told apart; what has more has too many.
const MAX_FIELDS: usize = 16;

pub(super) fn parse(source: impl BufRead, checker: &mut Checker<'_>) -> Result<(), ReadError> {
    let mut splitter = Splitter::new();
    let mut order: Option<[usize; 4]> = None;
    each_line(source, checker, |checker, at, line| {
        if !is_well_quoted(line) {
            checker.no_item(at, "a quote stands where none may: want the whole column in quotes, or none of it".to_owned())?;
            return Ok(order.is_some());
        }
        let fields = splitter.split(line);
        match order {
            None => match header(&fields) {
                Ok(found) => order = Some(found),
                Err(message) => {
                    checker.fault(at, message);
                    return Ok(false);
                }
            },
            Some(order) => take(checker, at, &fields, order)?,
        }
        Ok(true)
    })
}

fn take(checker: &mut Checker<'_>, at: At, fields: &[&[u8]], order: [usize; 4]) -> Result<(), ReadError> {
    if fields.len() != COLUMNS.len() {
        let found = if fields.len() == MAX_FIELDS { format!("{MAX_FIELDS} or more") } else { fields.len().to_string() };
        return checker.no_item(at, format!("the line has {found} columns, the header has {}", COLUMNS.len()));
    }
    let [orig_code, dest_code, day, price] = order.map(|column| fields[column]);
    checker.item(at, Item { orig_code, dest_code, day, price })
}

/// Whether each quote opens or closes a whole column, or is doubled within one. The splitter would take anything.
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

/// Where each column stands.
fn header(fields: &[&[u8]]) -> Result<[usize; 4], String> {
    let wanted = COLUMNS.join(",");
    if let [only] = fields
        && let Some(other) = [b';', b'\t', b'|'].iter().find(|other| only.contains(other))
    {
        let other = if *other == b'\t' { "tabs".to_owned() } else { format!("`{}`", char::from(*other)) };
        return Err(format!("the columns are separated by {other}: want commas, as in {wanted}"));
    }
    let column = |name: &str| match fields.iter().filter(|field| **field == name.as_bytes()).count() {
        0 => Err(format!("the header has no column {name}: want {wanted}, in any order")),
        1 => Ok(fields.iter().position(|field| *field == name.as_bytes()).unwrap_or_default()),
        _ => Err(format!("the header has the column {name} more than once")),
    };
    let order = [column(COLUMNS[0])?, column(COLUMNS[1])?, column(COLUMNS[2])?, column(COLUMNS[3])?];
    match (0..fields.len()).find(|position| !order.contains(position)) {
        Some(unknown) => Err(format!("the header has an unknown column {}: want {wanted} alone", quoted(fields[unknown]))),
        None => Ok(order),
    }
}

/// Splits a line into its columns, without the spaces around them.
struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    ends: [usize; MAX_FIELDS],
}

impl Splitter {
    fn new() -> Self {
        // What ends a line was taken away before.
        let reader = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        Self { reader, text: vec![0; MAX_ITEM_BYTES], ends: [0; MAX_FIELDS] }
    }

    fn split<'s>(&'s mut self, line: &[u8]) -> Vec<&'s [u8]> {
        self.reader.reset();
        let (mut text, mut ends, mut rest) = (0, 0, line);
        loop {
            let (result, read, written, ended) = self.reader.read_record(rest, &mut self.text[text..], &mut self.ends[ends..]);
            (rest, text, ends) = (&rest[read..], text + written, ends + ended);
            // An input without bytes says that the line has ended.
            if !matches!(result, ReadRecordResult::InputEmpty) {
                break;
            }
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends[..ends]).map(|(start, end)| self.text[start..*end].trim_ascii()).collect()
    }
}

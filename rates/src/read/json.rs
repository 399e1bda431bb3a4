//! Parses a JSON array of objects, with one object in memory at a time.

use std::{
    cell::Cell,
    fmt,
    io::{self, BufRead, Read},
};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
};
use serde_json::{error::Category, value::RawValue};

use super::{
    BatchReadError,
    check::{Checker, RowPosition},
    item,
};
use crate::limits::MAX_ROW_BYTES;

pub(super) fn parse(source: impl BufRead, checker: &mut Checker<'_>) -> Result<(), BatchReadError> {
    let position = ReadPosition { line: Cell::new(1), row_bytes: Cell::new(0) };
    let mut array = ArrayVisitor { position: &position, checker, index: 0, read_error: None };
    let mut parser = serde_json::Deserializer::from_reader(CountingReader { inner: source, position: &position });
    let parsed = parser.deserialize_seq(&mut array).and_then(|()| parser.end());
    let ArrayVisitor { checker, index, read_error, .. } = array;
    match parsed {
        Ok(()) => Ok(()),
        Err(_) if read_error.is_some() => read_error.map_or(Ok(()), Err),
        Err(_) if position.row_bytes.get() > MAX_ROW_BYTES => {
            let row = RowPosition { line: position.line.get(), index: Some(index) };
            checker.add_error(row, format!("the row is longer than the limit of {MAX_ROW_BYTES} bytes"));
            Ok(())
        }
        Err(error) if error.classify() == Category::Io => Err(io::Error::from(error).into()),
        Err(error) => {
            // After a syntax error the start of the next row is unknown.
            let line = RowPosition { line: position.line.get(), index: None };
            checker.add_error(line, format!("the body must be a valid JSON array of prices: {}", item::describe(&error)));
            Ok(())
        }
    }
}

/// The position of the parser.
struct ReadPosition {
    line: Cell<u64>,
    row_bytes: Cell<usize>,
}

/// Counts lines and bytes. The parser reads byte by byte, so the count is its position.
struct CountingReader<'a, R> {
    inner: R,
    position: &'a ReadPosition,
}

impl<R: BufRead> Read for CountingReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let line_ends = buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        self.position.line.set(self.position.line.get() + line_ends as u64);
        let bytes = self.position.row_bytes.get() + count;
        self.position.row_bytes.set(bytes);
        if bytes > MAX_ROW_BYTES { Err(io::ErrorKind::InvalidData.into()) } else { Ok(count) }
    }
}

/// Visits the array, and as a seed each of its rows.
struct ArrayVisitor<'a, 'c> {
    position: &'a ReadPosition,
    checker: &'a mut Checker<'c>,
    index: u64,
    /// The error that stopped the parser. The error type of the parser cannot carry it.
    read_error: Option<BatchReadError>,
}

impl<'de> Visitor<'de> for &mut ArrayVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of prices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(&mut *self)?.is_some() {
            self.index += 1;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut ArrayVisitor<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let row = RowPosition { line: self.position.line.get(), index: Some(self.index) };
        self.position.row_bytes.set(0);
        let raw: Box<RawValue> = serde::Deserialize::deserialize(deserializer)?;
        let checked = item::check_object(self.checker, row, raw.get().as_bytes());
        self.position.row_bytes.set(0);
        checked.map_err(|error| {
            self.read_error = Some(error);
            D::Error::custom("stopped")
        })
    }
}

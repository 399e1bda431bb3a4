//! Prices as an array of objects, one object in memory at a time.

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
    ReadError,
    check::{At, Checker},
    item,
};
use crate::limits::MAX_ITEM_BYTES;

pub(super) fn parse(source: impl BufRead, checker: &mut Checker<'_>) -> Result<(), ReadError> {
    let place = Place { line: Cell::new(1), item_bytes: Cell::new(0) };
    let mut array = Array { place: &place, checker, index: 0, stopped: None };
    let mut reader = serde_json::Deserializer::from_reader(Counted { inner: source, place: &place });
    let read = reader.deserialize_seq(&mut array).and_then(|()| reader.end());
    let Array { checker, index, stopped, .. } = array;
    match read {
        Ok(()) => Ok(()),
        Err(_) if stopped.is_some() => stopped.map_or(Ok(()), Err),
        Err(_) if place.item_bytes.get() > MAX_ITEM_BYTES => {
            let at = At { line: place.line.get(), index: Some(index) };
            checker.fault(at, format!("the item is longer than {MAX_ITEM_BYTES} bytes: it is no price"));
            Ok(())
        }
        Err(error) if error.classify() == Category::Io => Err(io::Error::from(error).into()),
        Err(error) => {
            // From here on nobody can tell where items begin.
            checker.fault(At { line: place.line.get(), index: None }, format!("the JSON ends here: {}", item::message(&error)));
            Ok(())
        }
    }
}

/// How far the reader has come.
struct Place {
    line: Cell<u64>,
    item_bytes: Cell<usize>,
}

/// What is read byte by byte, so that the place is that of the reader.
struct Counted<'a, R> {
    inner: R,
    place: &'a Place,
}

impl<R: BufRead> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let ends = buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        self.place.line.set(self.place.line.get() + ends as u64);
        let bytes = self.place.item_bytes.get() + count;
        self.place.item_bytes.set(bytes);
        if bytes > MAX_ITEM_BYTES { Err(io::ErrorKind::InvalidData.into()) } else { Ok(count) }
    }
}

/// The array.
struct Array<'a, 'c> {
    place: &'a Place,
    checker: &'a mut Checker<'c>,
    index: u64,
    /// What the reader's own error could not carry.
    stopped: Option<ReadError>,
}

impl<'de> Visitor<'de> for &mut Array<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of prices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(&mut *self)?.is_some() {
            self.index += 1;
        }
        Ok(())
    }
}

/// Its next item.
impl<'de> DeserializeSeed<'de> for &mut Array<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let at = At { line: self.place.line.get(), index: Some(self.index) };
        self.place.item_bytes.set(0);
        let raw: Box<RawValue> = serde::Deserialize::deserialize(reader)?;
        let taken = item::take(self.checker, at, raw.get().as_bytes());
        self.place.item_bytes.set(0);
        taken.map_err(|error| {
            self.stopped = Some(error);
            D::Error::custom("stopped")
        })
    }
}

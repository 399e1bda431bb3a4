//! The valid prices of a batch, staged in an unnamed temporary file. A killed process leaves no file behind.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
};

use crate::limits::ROWS_PER_WRITE;

/// Bytes of one price in the file.
const ROW_BYTES: usize = 20;

/// One valid price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) orig_place_id: i32,
    pub(crate) dest_place_id: i32,
    pub(crate) day: i32,
    pub(crate) price: i64,
}

/// The valid prices of a batch, in their order.
#[derive(Debug)]
pub struct StagedPrices {
    file: BufWriter<File>,
    count: u64,
}

/// The staged prices while they are read.
#[derive(Debug)]
pub(crate) struct StagedRows(BufReader<File>);

impl StagedPrices {
    /// Creates the file in the directory for temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(64 * 1024, tempfile::tempfile()?), count: 0 })
    }

    /// The number of prices.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn push(&mut self, row: Row) -> io::Result<()> {
        let mut bytes = [0; ROW_BYTES];
        bytes[..4].copy_from_slice(&row.orig_place_id.to_le_bytes());
        bytes[4..8].copy_from_slice(&row.dest_place_id.to_le_bytes());
        bytes[8..12].copy_from_slice(&row.day.to_le_bytes());
        bytes[12..].copy_from_slice(&row.price.to_le_bytes());
        self.file.write_all(&bytes)?;
        self.count += 1;
        Ok(())
    }

    pub(crate) fn into_rows(self) -> io::Result<StagedRows> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(StagedRows(BufReader::with_capacity(64 * 1024, file)))
    }
}

impl StagedRows {
    /// Reads the rows of the next write; none at the end.
    pub(crate) fn read_chunk(&mut self) -> io::Result<Vec<Row>> {
        let mut bytes = Vec::new();
        self.0.by_ref().take((ROWS_PER_WRITE * ROW_BYTES) as u64).read_to_end(&mut bytes)?;
        let (rows, _) = bytes.as_chunks::<ROW_BYTES>();
        Ok(rows.iter().map(Row::from_bytes).collect())
    }
}

impl Row {
    fn from_bytes(bytes: &[u8; ROW_BYTES]) -> Self {
        let int = |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let [.., a, b, c, d, e, f, g, h] = *bytes;
        let price = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Self { orig_place_id: int(0), dest_place_id: int(4), day: int(8), price }
    }
}

//! A spool holds a document until it is parsed, in memory within a budget and in a temporary file beyond it.
//!
//! Documents may be larger than memory, and many may arrive at the same time. All spools of the process share one memory budget. A
//! document that exceeds it continues in an unnamed temporary file, so a killed process leaves nothing behind. A spool is written
//! once, from start to end, and may then be read at any position by any number of threads. It knows neither HTTP nor formats.

mod view;

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Arc, LazyLock},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

pub use self::view::{SpoolView, SpooledPage};

/// Memory of all spools of the process together: the usual feeds of several providers at the same time, and a small part of the
/// smallest machine.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// The unit in which memory is allocated and files are written: large enough that the overhead is negligible, small enough that a
/// small document uses little of the budget.
const STEP_BYTES: usize = 1024 * 1024;

static MEMORY: LazyLock<MemoryBudget> = LazyLock::new(|| MemoryBudget::new(MEMORY_BYTES / STEP_BYTES, STEP_BYTES));

/// Memory that several spools share.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    steps: Arc<Semaphore>,
    step_bytes: usize,
}

impl MemoryBudget {
    /// A separate budget, for tests. All other code shares the budget of the process.
    ///
    /// # Panics
    ///
    /// When `step_bytes` is 0.
    #[must_use]
    pub fn new(steps: usize, step_bytes: usize) -> Self {
        assert!(step_bytes > 0, "a step must have at least one byte");
        Self { steps: Arc::new(Semaphore::new(steps)), step_bytes }
    }
}

/// Why a document cannot be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The document is over the limit.
    #[error("the document exceeds the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The temporary file cannot be created or written, usually because the disk is full.
    #[error("the document cannot be written to a temporary file")]
    Disk(#[source] io::Error),
    /// The source file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

/// Writes a document into a spool.
pub struct SpoolWriter {
    limit_bytes: u64,
    length: u64,
    hash: Box<Xxh3>,
    budget: MemoryBudget,
    permits: Option<OwnedSemaphorePermit>,
    head: Vec<Bytes>,
    tail: Option<Arc<File>>,
    /// The current step: of the head while there is no tail, else of the tail.
    open: Vec<u8>,
    pages: Vec<SpooledPage>,
}

impl SpoolWriter {
    /// A writer for at most this many bytes, with the memory budget of the process.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self::with_budget(limit_bytes, &MEMORY)
    }

    /// A writer for at most this many bytes, with another memory budget.
    #[must_use]
    pub fn with_budget(limit_bytes: u64, budget: &MemoryBudget) -> Self {
        Self {
            limit_bytes,
            length: 0,
            hash: Box::new(Xxh3::new()),
            budget: budget.clone(),
            permits: None,
            head: Vec::new(),
            tail: None,
            open: Vec::new(),
            pages: Vec::new(),
        }
    }

    /// The number of bytes written so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.length
    }

    /// Writes the next bytes of the document.
    ///
    /// # Errors
    ///
    /// When they exceed the limit (none of them is written), or the temporary file cannot be written.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), SpoolError> {
        let mut rest = bytes.as_ref();
        let length = self.length.saturating_add(rest.len() as u64);
        if length > self.limit_bytes {
            return Err(SpoolError::TooLarge { limit_bytes: self.limit_bytes });
        }
        self.length = length;
        self.hash.update(rest);
        while !rest.is_empty() {
            if self.open.capacity() == 0 {
                self.open_step().await?;
            }
            let free_bytes = self.budget.step_bytes - self.open.len();
            let (now, later) = rest.split_at(rest.len().min(free_bytes));
            self.open.extend_from_slice(now);
            if self.open.len() == self.budget.step_bytes {
                self.close_step().await?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Begins a page of the document: all bytes up to the next page belong to it.
    pub fn begin_page(&mut self, name: String) {
        self.end_page();
        self.pages.push(SpooledPage { name, range: self.length..self.length });
    }

    fn end_page(&mut self) {
        if let Some(page) = self.pages.last_mut() {
            page.range.end = self.length;
        }
    }

    /// Returns the complete document.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub async fn finish(mut self) -> Result<Spool, SpoolError> {
        if !self.open.is_empty() {
            self.close_step().await?;
        }
        self.end_page();
        let head_length = self.head.iter().map(|chunk| chunk.len() as u64).sum();
        Ok(Spool {
            step_bytes: self.budget.step_bytes as u64,
            head: self.head,
            head_length,
            tail: self.tail,
            length: self.length,
            hash: self.hash.digest().cast_signed(),
            pages: self.pages,
            _permits: self.permits,
        })
    }

    async fn open_step(&mut self) -> Result<(), SpoolError> {
        if self.tail.is_none() {
            match Arc::clone(&self.budget.steps).try_acquire_owned() {
                Ok(permit) => match &mut self.permits {
                    Some(permits) => permits.merge(permit),
                    none => *none = Some(permit),
                },
                Err(_) => self.tail = Some(Arc::new(run_blocking(tempfile::tempfile).await?)),
            }
        }
        self.open = Vec::with_capacity(self.budget.step_bytes);
        Ok(())
    }

    async fn close_step(&mut self) -> Result<(), SpoolError> {
        let mut step = std::mem::take(&mut self.open);
        match &self.tail {
            None => self.head.push(step.into()),
            Some(file) => {
                let file = Arc::clone(file);
                self.open = run_blocking(move || {
                    (&*file).write_all(&step)?;
                    step.clear();
                    Ok(step)
                })
                .await?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SpoolWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SpoolWriter").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A complete document.
pub struct Spool {
    /// The size of each part of the head except the last.
    step_bytes: u64,
    head: Vec<Bytes>,
    head_length: u64,
    tail: Option<Arc<File>>,
    length: u64,
    hash: i64,
    pages: Vec<SpooledPage>,
    /// Released when the memory is freed.
    _permits: Option<OwnedSemaphorePermit>,
}

impl Spool {
    /// A document that is already in memory. It does not use the budget.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes: Bytes = bytes.into();
        let length = bytes.len() as u64;
        let hash = xxh3_64(&bytes).cast_signed();
        let (head, step_bytes) = (vec![bytes], length.max(1));
        Self { step_bytes, head, head_length: length, tail: None, length, hash, pages: Vec::new(), _permits: None }
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The XXH3 hash of all its bytes, with the sign of the database's integers.
    #[must_use]
    pub fn hash(&self) -> i64 {
        self.hash
    }

    /// Whether part of it is in a temporary file.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.tail.is_some()
    }

    /// Reads a range. Blocks while bytes are read from disk. Bytes in memory are copied only if the range crosses the end of a
    /// step.
    ///
    /// # Errors
    ///
    /// When the range is not within the document, or the temporary file cannot be read.
    pub fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        if range.start > range.end || range.end > self.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the range is not within the document"));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if range.end <= self.head_length && range.start / self.step_bytes == (range.end - 1) / self.step_bytes {
            return self.slice_step(range);
        }
        let mut bytes = BytesMut::with_capacity(to_index(range.end - range.start)?);
        let mut position = range.start;
        while position < range.end.min(self.head_length) {
            let step_end = (position / self.step_bytes + 1) * self.step_bytes;
            let end = step_end.min(range.end).min(self.head_length);
            bytes.extend_from_slice(&self.slice_step(position..end)?);
            position = end;
        }
        if let Some(file) = &self.tail
            && position < range.end
        {
            let in_head = bytes.len();
            bytes.resize(in_head + to_index(range.end - position)?, 0);
            file.read_exact_at(&mut bytes[in_head..], position - self.head_length)?;
        }
        Ok(bytes.freeze())
    }

    /// Slices a non-empty range within one step of the head.
    fn slice_step(&self, range: Range<u64>) -> io::Result<Bytes> {
        let step = range.start / self.step_bytes;
        let first = step * self.step_bytes;
        Ok(self.head[to_index(step)?].slice(to_index(range.start - first)?..to_index(range.end - first)?))
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, hash, .. } = self;
        formatter.debug_struct("Spool").field("length", length).field("hash", hash).finish_non_exhaustive()
    }
}

fn to_index(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(io::Error::other)
}

async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, SpoolError> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).and_then(|result| result).map_err(SpoolError::Disk)
}

#[cfg(test)]
mod tests;

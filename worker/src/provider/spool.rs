//! A spool: where a document waits to be read, in memory while there is room and in a file otherwise.
//!
//! Documents may be larger than the memory, and many may arrive at once. All spools of the process share one budget of memory;
//! whatever is over it goes on in a temporary file that has no name, so that a killed process leaves nothing behind. A spool is
//! written once, from its start to its end, and may then be read anywhere by any number of threads. It knows nothing of HTTP
//! and of formats.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, LazyLock},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Memory that all spools of the process may take together: the usual feeds of several providers at once, and a small part of
/// the smallest machine.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// Memory is taken, and files are written, in steps of this size: large enough that neither is felt, small enough that a small
/// document takes little of the budget.
const STEP_BYTES: usize = 1024 * 1024;

static MEMORY: LazyLock<Budget> = LazyLock::new(|| Budget::new(MEMORY_BYTES / STEP_BYTES, STEP_BYTES));

/// The memory that several spools share.
#[derive(Clone, Debug)]
pub struct Budget {
    steps: Arc<Semaphore>,
    step_bytes: usize,
}

impl Budget {
    /// A budget of its own, which is for tests: everything else shares the one of the process.
    ///
    /// # Panics
    ///
    /// When a step has no bytes.
    #[must_use]
    pub fn new(steps: usize, step_bytes: usize) -> Self {
        assert!(step_bytes > 0, "a step of no bytes takes nothing in");
        Self { steps: Arc::new(Semaphore::new(steps)), step_bytes }
    }
}

/// Why a document could not be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It is over the limit.
    #[error("the document is over the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The temporary file could not be made or written; the usual cause is a full disk.
    #[error("the document could not be put into a temporary file")]
    Disk(#[source] io::Error),
    /// The file that the document should come from could not be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

/// A document that is arriving.
pub struct SpoolWriter {
    limit_bytes: u64,
    length: u64,
    hash: Box<Xxh3>,
    budget: Budget,
    permits: Option<OwnedSemaphorePermit>,
    head: Vec<Bytes>,
    tail: Option<Arc<File>>,
    /// The step that is being filled: of the head while there is no tail, else of the tail.
    open: Vec<u8>,
}

impl SpoolWriter {
    /// A document of at most this many bytes, within the memory of the process.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self::within(limit_bytes, &MEMORY)
    }

    /// A document of at most this many bytes, within a given memory.
    #[must_use]
    pub fn within(limit_bytes: u64, budget: &Budget) -> Self {
        Self {
            limit_bytes,
            length: 0,
            hash: Box::new(Xxh3::new()),
            budget: budget.clone(),
            permits: None,
            head: Vec::new(),
            tail: None,
            open: Vec::new(),
        }
    }

    /// How many bytes have arrived.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.length
    }

    /// Takes the next bytes of the document.
    ///
    /// # Errors
    ///
    /// When they go over the limit, of which nothing is kept, or the temporary file cannot be written.
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
            let room = self.budget.step_bytes - self.open.len();
            let (now, later) = rest.split_at(rest.len().min(room));
            self.open.extend_from_slice(now);
            if self.open.len() == self.budget.step_bytes {
                self.close_step().await?;
            }
            rest = later;
        }
        Ok(())
    }

    /// The whole document.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub async fn finish(mut self) -> Result<Spool, SpoolError> {
        if !self.open.is_empty() {
            self.close_step().await?;
        }
        let head_length = self.head.iter().map(|chunk| chunk.len() as u64).sum();
        Ok(Spool {
            step_bytes: self.budget.step_bytes as u64,
            head: self.head,
            head_length,
            tail: self.tail,
            length: self.length,
            hash: self.hash.digest().cast_signed(),
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
                Err(_) => self.tail = Some(Arc::new(blocking(tempfile::tempfile).await?)),
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
                self.open = blocking(move || {
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

/// A document that is there as a whole.
pub struct Spool {
    /// The size of each part of the head but the last.
    step_bytes: u64,
    head: Vec<Bytes>,
    head_length: u64,
    tail: Option<Arc<File>>,
    length: u64,
    hash: i64,
    /// Given back with the memory.
    _permits: Option<OwnedSemaphorePermit>,
}

impl Spool {
    /// A document that is in memory already; it takes nothing of the budget.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes: Bytes = bytes.into();
        let length = bytes.len() as u64;
        let hash = xxh3_64(&bytes).cast_signed();
        Self { step_bytes: length.max(1), head: vec![bytes], head_length: length, tail: None, length, hash, _permits: None }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The XXH3 hash of all its bytes, as the database keeps it.
    #[must_use]
    pub fn hash(&self) -> i64 {
        self.hash
    }

    /// Whether part of it is in a file.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.tail.is_some()
    }

    /// Some of its bytes. Blocks while they are read from the disk; those in memory are copied only where the range goes over
    /// the end of a step.
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
            return self.in_memory(range);
        }
        let mut bytes = BytesMut::with_capacity(index(range.end - range.start)?);
        let mut position = range.start;
        while position < range.end.min(self.head_length) {
            let step_end = (position / self.step_bytes + 1) * self.step_bytes;
            let end = step_end.min(range.end).min(self.head_length);
            bytes.extend_from_slice(&self.in_memory(position..end)?);
            position = end;
        }
        if let Some(file) = &self.tail
            && position < range.end
        {
            let in_head = bytes.len();
            bytes.resize(in_head + index(range.end - position)?, 0);
            file.read_exact_at(&mut bytes[in_head..], position - self.head_length)?;
        }
        Ok(bytes.freeze())
    }

    /// A range that is not empty and lies within one step of the head.
    fn in_memory(&self, range: Range<u64>) -> io::Result<Bytes> {
        let step = range.start / self.step_bytes;
        let first = step * self.step_bytes;
        Ok(self.head[index(step)?].slice(index(range.start - first)?..index(range.end - first)?))
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, hash, .. } = self;
        formatter.debug_struct("Spool").field("length", length).field("hash", hash).finish_non_exhaustive()
    }
}

/// Spools a file, a FIFO, or, for `-`, standard input.
///
/// # Errors
///
/// When it cannot be read, or is over the limit, which also ends what has no end.
pub async fn copy_file(path: &Path, limit_bytes: u64) -> Result<Spool, SpoolError> {
    if path == Path::new("-") {
        return copy(tokio::io::stdin(), limit_bytes).await;
    }
    let file = tokio::fs::File::open(path).await.map_err(SpoolError::Unreadable)?;
    copy(file, limit_bytes).await
}

/// Spools all that a reader gives.
///
/// # Errors
///
/// As [`copy_file`].
pub async fn copy(mut reader: impl AsyncRead + Unpin, limit_bytes: u64) -> Result<Spool, SpoolError> {
    let mut writer = SpoolWriter::new(limit_bytes);
    let mut buffer = BytesMut::with_capacity(STEP_BYTES);
    while reader.read_buf(&mut buffer).await.map_err(SpoolError::Unreadable)? > 0 {
        writer.write(&buffer).await?;
        buffer.clear();
    }
    writer.finish().await
}

fn index(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(io::Error::other)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, SpoolError> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).and_then(|result| result).map_err(SpoolError::Disk)
}

#[cfg(test)]
mod tests;

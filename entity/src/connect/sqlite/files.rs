//! The identity of the files of a database. SQLite continues to write to files that were removed or replaced, where no
//! other process reads it.

use std::{
    ffi::OsString,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What SQLite appends to the name of the file: the database itself, its write-ahead log, and the index of the log.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// How long the first steps of a connection take at most: to open the files, until they are identified.
const OPENING_TIME: Duration = Duration::from_secs(1);

/// Device and inode of each file of a database, if it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIds([Option<(u64, u64)>; SUFFIXES.len()]);

impl FileIds {
    fn read(path: &Path) -> Self {
        Self(SUFFIXES.map(|suffix| {
            let mut name = OsString::from(path);
            name.push(suffix);
            let metadata = std::fs::metadata(name).ok()?;
            Some((metadata.dev(), metadata.ino()))
        }))
    }

    fn database(&self) -> Option<(u64, u64)> {
        self.0[0]
    }

    /// Whether the files that existed are still the same. Others may have been created since.
    fn remain_in(&self, now: &Self) -> bool {
        self.0.iter().zip(now.0).all(|(then, now)| then.is_none() || *then == now)
    }
}

/// The files of a pool.
#[derive(Debug)]
pub(super) struct PoolFiles {
    path: PathBuf,
    opened: Mutex<OpenedFiles>,
}

#[derive(Clone, Copy, Debug)]
struct OpenedFiles {
    ids: FileIds,
    /// When they were first seen: older connections use other files.
    since: Instant,
    /// When the database itself was first seen in place of another one.
    replaced_at: Option<Instant>,
}

impl PoolFiles {
    pub(super) fn new(path: PathBuf) -> Self {
        let opened = OpenedFiles { ids: FileIds::read(&path), since: Instant::now(), replaced_at: None };
        Self { path, opened: Mutex::new(opened) }
    }

    /// The files that a new connection has opened; `None` if the database was replaced a moment ago, perhaps after the connection had
    /// opened it.
    pub(super) fn identify(&self) -> Option<FileIds> {
        // The last connection removes the log when it closes, and the next one creates it.
        let opened = self.observe(|then, now| then.database() != now.database());
        opened.replaced_at.is_none_or(|replaced_at| replaced_at.elapsed() >= OPENING_TIME).then_some(opened.ids)
    }

    /// Whether these are still the files of the database.
    pub(super) fn are_current(&self, ids: &FileIds) -> bool {
        ids.remain_in(&self.observe(|_then, _now| true).ids)
    }

    /// Whether a connection of this age uses the files that are there now.
    pub(super) fn are_used_by(&self, age: Duration) -> bool {
        self.observe(|_then, _now| true).since.elapsed() >= age
    }

    /// Reads which files are there now. `is_fault` returns whether a difference is reported.
    fn observe(&self, is_fault: impl FnOnce(&FileIds, &FileIds) -> bool) -> OpenedFiles {
        let ids = FileIds::read(&self.path);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.ids.remain_in(&ids) {
            opened.ids = ids;
        } else {
            if is_fault(&opened.ids, &ids) {
                let file = self.path.display();
                tracing::error!(sqlite.file = %file, "a file of the SQLite database was removed or replaced; connections to it are closed");
            }
            let now = Instant::now();
            let is_replaced = opened.ids.database() != ids.database();
            *opened = OpenedFiles { ids, since: now, replaced_at: if is_replaced { Some(now) } else { opened.replaced_at } };
        }
        *opened
    }
}

//! A small disk that can be filled. Only root can mount one.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    process::Command,
};

use programs::Failure;

use crate::sandbox::Sandbox;

/// Space for a database and its write-ahead log.
const SIZE: &str = "size=64m";
/// Sizes of the writes that fill it, so that nothing is left.
const CHUNKS: [usize; 3] = [1024 * 1024, 4096, 1];

/// A mounted `tmpfs`, which is unmounted on drop.
#[derive(Debug)]
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it as a folder of the sandbox.
    pub(crate) fn mount(sandbox: &Sandbox, name: &str) -> Result<Self, Failure> {
        let folder = sandbox.create_folder(name)?;
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&folder).output()?;
        if !output.status.success() {
            return Err(format!("tmpfs cannot be mounted: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        Ok(Self(folder))
    }

    /// Uses all of its space.
    pub(crate) fn fill(&self) -> Result<(), Failure> {
        let mut file = File::create(self.filler())?;
        for size in CHUNKS {
            let chunk = vec![b'x'; size];
            while file.write_all(&chunk).is_ok() {}
        }
        Ok(())
    }

    /// Undoes [`fill`](Self::fill).
    pub(crate) fn empty(&self) -> Result<(), Failure> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazy: a program that still runs has files open.
        let _status = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

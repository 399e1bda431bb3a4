//! The memory of large bodies, which is limited: a client that reads slowly holds its response, and there may be one for each connection.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Smaller bodies are not counted: the buffers of the kernel accept them, so a connection does not hold them.
const LARGE_BYTES: usize = 256 * 1024;
/// Memory for large bodies that are not cached: a dozen of the largest.
const MAX_UNCACHED_BYTES: u64 = 128 * 1024 * 1024;

/// Memory for large bodies, in KiB.
#[derive(Debug)]
pub(crate) struct LargeBodies(Arc<Semaphore>);

impl LargeBodies {
    /// Memory for those that a cache of this size holds, and for others.
    pub(crate) fn new(cache_bytes: u64) -> Self {
        let kib = usize::try_from((cache_bytes + MAX_UNCACHED_BYTES) / 1024).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(kib.min(Semaphore::MAX_PERMITS))))
    }

    /// The same bytes, which count until the last reference to them is dropped.
    ///
    /// # Errors
    ///
    /// When there is not enough memory: returns the bytes.
    pub(crate) fn count(&self, bytes: Bytes) -> Result<Bytes, Bytes> {
        if bytes.len() < LARGE_BYTES {
            return Ok(bytes);
        }
        let kib = u32::try_from(bytes.len() / 1024).unwrap_or(u32::MAX);
        match self.0.clone().try_acquire_many_owned(kib) {
            Ok(permit) => Ok(Bytes::from_owner(LargeBody { bytes, _permit: permit })),
            Err(_) => Err(bytes),
        }
    }
}

struct LargeBody {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for LargeBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_use_bounded_memory_until_they_are_dropped() {
        let bodies = LargeBodies::new(0);
        let body = || Bytes::from(vec![0; 8 * 1024 * 1024]);
        let held: Vec<Bytes> = (0..16).map(|_| bodies.count(body()).unwrap()).collect();
        let clone = held[0].slice(1..);
        assert!(bodies.count(body()).is_err());
        assert!(bodies.count(Bytes::from_static(b"small")).is_ok());
        drop(held);
        assert!(bodies.count(Bytes::from(vec![0; 121 * 1024 * 1024])).is_err(), "a reference to one body remains");
        drop(clone);
        assert!(bodies.count(Bytes::from(vec![0; 121 * 1024 * 1024])).is_ok());
    }
}

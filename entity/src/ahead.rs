//! Values that are made on another thread while earlier ones are written.

use tokio::{
    runtime::Handle,
    sync::mpsc,
    task::{JoinError, JoinHandle, spawn_blocking},
};

/// The values of an iterator that blocks or computes. It runs on a separate thread, one value ahead, and ends when this is dropped.
#[derive(Debug)]
pub struct Ahead<T> {
    values: mpsc::Receiver<T>,
    task: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to iterate.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(mut values: impl Iterator<Item = T> + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let runtime = Handle::current();
        let task = spawn_blocking(move || {
            // Values may be large: none is made before there is room for it.
            while let Ok(room) = runtime.block_on(sender.reserve()) {
                let Some(value) = values.next() else { return };
                room.send(value);
            }
        });
        Self { values: receiver, task: Some(task) }
    }

    /// The next value; `None` after the last one.
    ///
    /// # Errors
    ///
    /// When the iterator has panicked: the values so far are not all.
    pub async fn next(&mut self) -> Result<Option<T>, JoinError> {
        if let Some(value) = self.values.recv().await {
            return Ok(Some(value));
        }
        match self.task.take() {
            Some(task) => task.await.map(|()| None),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn every_value_is_returned_in_order_and_then_none() {
        let mut ahead = Ahead::new(0..5);
        for value in 0..5 {
            assert_eq!(ahead.next().await.unwrap(), Some(value));
        }
        assert_eq!(ahead.next().await.unwrap(), None);
        assert_eq!(ahead.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_panic_is_not_the_end_of_the_values() {
        let mut ahead = Ahead::new((0..5).inspect(|value| assert_ne!(*value, 2, "a value that cannot be made")));
        assert_eq!(ahead.next().await.unwrap(), Some(0));
        assert_eq!(ahead.next().await.unwrap(), Some(1));
        assert!(ahead.next().await.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn one_value_is_made_ahead_and_none_without_a_reader() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let mut ahead = Ahead::new((0..).inspect(move |_: &usize| {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        assert_eq!(ahead.next().await.unwrap(), Some(0));
        // Long enough to make more.
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(ahead);
        while Arc::strong_count(&made) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(made.load(Ordering::Relaxed) <= 2, "more than one value was made ahead");
    }
}

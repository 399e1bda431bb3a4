//! Every range reads as it was written, from memory and from a file.

use proptest::prelude::*;

use super::*;

const STEP: usize = 16;

async fn write_spool(writes: &[Vec<u8>], budget: &MemoryBudget) -> Spool {
    let mut writer = SpoolWriter::with_budget(u64::MAX, budget);
    for write in writes {
        writer.write(write).await.unwrap();
    }
    writer.finish().await.unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn reads_back_what_was_written(
        writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
        steps in 0_usize..12,
        ranges in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..16),
    ) {
        let whole = writes.concat();
        let spool = block_on(write_spool(&writes, &MemoryBudget::new(steps, STEP)));
        prop_assert_eq!(spool.len(), whole.len() as u64);
        prop_assert_eq!(spool.hash(), xxh3_64(&whole).cast_signed());
        prop_assert_eq!(spool.is_spilled(), whole.len() > steps * STEP);
        prop_assert_eq!(&spool.read(0..spool.len()).unwrap(), &whole);
        for (one, other) in ranges {
            let (one, other) = (one.index(whole.len() + 1), other.index(whole.len() + 1));
            let range = one.min(other)..one.max(other);
            let read = spool.read(range.start as u64..range.end as u64).unwrap();
            prop_assert_eq!(&read, &whole[range]);
        }
    }
}

#[test]
fn rejects_a_range_beyond_the_end() {
    let spool = Spool::from_bytes("abc");
    assert_eq!(spool.read(0..4).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(spool.read(4..4).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(spool.read(3..3).unwrap(), "");
    assert_eq!(Spool::from_bytes(Bytes::new()).read(0..0).unwrap(), "");
}

#[test]
fn reads_bytes_in_memory_without_a_copy() {
    let bytes = Bytes::from(vec![7; 3 * STEP_BYTES]);
    let spool = Spool::from_bytes(bytes.clone());
    assert_eq!(spool.hash(), xxh3_64(&bytes).cast_signed());
    assert_eq!(spool.read(5..bytes.len() as u64).unwrap().as_ptr(), bytes[5..].as_ptr());
}

#[tokio::test]
async fn releases_memory_when_the_spool_is_dropped() {
    let budget = MemoryBudget::new(2, STEP);
    let first = write_spool(&[vec![1; 2 * STEP]], &budget).await;
    assert!(!first.is_spilled());
    let second = write_spool(&[vec![2]], &budget).await;
    assert!(second.is_spilled(), "the first document uses the whole budget");
    drop(first);
    assert!(!write_spool(&[vec![3; 2 * STEP]], &budget).await.is_spilled());
    assert_eq!(budget.steps.available_permits(), 2);
}

#[tokio::test]
async fn releases_memory_when_the_writer_is_dropped() {
    let budget = MemoryBudget::new(2, STEP);
    let mut writer = SpoolWriter::with_budget(100, &budget);
    writer.write([1; 20]).await.unwrap();
    assert_eq!(budget.steps.available_permits(), 0);
    drop(writer);
    assert_eq!(budget.steps.available_permits(), 2);
}

#[tokio::test]
async fn accepts_exactly_the_limit() {
    let mut writer = SpoolWriter::new(3);
    writer.write("abc").await.unwrap();
    let result = writer.write("d").await;
    assert!(matches!(result, Err(SpoolError::TooLarge { limit_bytes: 3 })), "{result:?}");
}

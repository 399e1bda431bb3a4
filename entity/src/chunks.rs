//! Splits rows and keys into statements that the databases accept, of few different sizes.
//!
//! The drivers cache prepared statements for each connection. Statements of any size would be hundreds of different ones and evict each
//! other.

use sea_orm::{ColumnTrait, DbBackend, sea_query::SimpleExpr};
use uuid::Uuid;

/// Rows or keys of one statement. SQLite accepts 32,766 values, PostgreSQL 65,535.
const ROWS_PER_STATEMENT: usize = 512;
/// Fewer rows are one statement, of exactly this size: most syncs change few rows.
const FEW_ROWS: usize = 8;

/// Splits rows to insert into chunks of at most `ROWS_PER_STATEMENT`. Chunks of more than `FEW_ROWS` have powers of two as sizes.
#[must_use = "iterators are lazy"]
pub fn chunks<T>(rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let size = match rows.len() {
            0 => return None,
            few @ 1..=FEW_ROWS => few,
            more => ROWS_PER_STATEMENT.min(1 << more.ilog2()),
        };
        Some(rows.by_ref().take(size).collect())
    })
}

/// Splits the keys of an `IN` into chunks of at most `ROWS_PER_STATEMENT`, with powers of two as sizes: the last key is repeated, which
/// selects the same rows.
#[must_use = "iterators are lazy"]
pub fn key_chunks<T: Clone>(keys: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut keys = keys.into_iter();
    std::iter::from_fn(move || {
        let mut chunk: Vec<T> = keys.by_ref().take(ROWS_PER_STATEMENT).collect();
        let last = chunk.last()?.clone();
        chunk.resize(chunk.len().next_power_of_two(), last);
        Some(chunk)
    })
}

/// The condition that a column has one of these keys. PostgreSQL gets them as one array, and so finds the rows by an index even if it has no
/// statistics, as of rows that the same transaction has inserted. Of a list it would assume that it has most of the keys.
pub(crate) fn has_any<C: ColumnTrait>(backend: DbBackend, column: C, keys: &[Uuid]) -> SimpleExpr {
    let keys = keys.iter().copied();
    if backend == DbBackend::Postgres { column.eq_any(keys) } else { column.is_in(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: [usize; 12] = [0, 1, 2, 3, 7, 8, 9, 20, 511, 512, 513, 1_500];

    #[test]
    fn chunks_have_every_row_once_and_few_sizes() {
        for count in COUNTS {
            let chunks: Vec<Vec<usize>> = chunks((0..count).collect()).collect();
            let is_allowed = |size: usize| size <= FEW_ROWS || size.is_power_of_two() && size <= ROWS_PER_STATEMENT;
            assert!(chunks.iter().all(|chunk| is_allowed(chunk.len())), "{count}");
            assert_eq!(chunks.concat(), (0..count).collect::<Vec<_>>());
        }
        assert_eq!(chunks(vec![0; 20]).map(|chunk| chunk.len()).collect::<Vec<_>>(), [16, 4]);
    }

    #[test]
    fn chunks_of_keys_repeat_the_last_key() {
        for count in COUNTS {
            let chunks: Vec<Vec<usize>> = key_chunks((0..count).collect()).collect();
            assert_eq!(chunks.len(), count.div_ceil(ROWS_PER_STATEMENT));
            assert!(chunks.iter().all(|chunk| chunk.len().is_power_of_two() && chunk.len() <= ROWS_PER_STATEMENT));
            let mut keys = chunks.concat();
            keys.dedup();
            assert_eq!(keys, (0..count).collect::<Vec<_>>());
        }
    }
}

//! Splits rows into statements.

/// Rows per statement: more are not faster, and 512 rows of the widest table are a third of the 32,766 values that SQLite binds.
const ROWS_PER_STATEMENT: usize = 512;

/// Splits rows into chunks of at most `ROWS_PER_STATEMENT` rows, with powers of two as sizes. The drivers cache 100 prepared statements for
/// each connection; chunks of any size would be hundreds of different statements and evict each other.
#[must_use = "iterators are lazy"]
pub fn chunks<T>(rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let size = ROWS_PER_STATEMENT.min(1 << rows.len().checked_ilog2()?);
        Some(rows.by_ref().take(size).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_row_in_chunks_whose_sizes_are_powers_of_two() {
        for count in [0, 1, 2, 3, 511, 512, 513, 1_500] {
            let chunks: Vec<Vec<usize>> = super::chunks((0..count).collect()).collect();
            assert!(chunks.iter().all(|chunk| chunk.len().is_power_of_two() && chunk.len() <= ROWS_PER_STATEMENT));
            assert_eq!(chunks.concat(), (0..count).collect::<Vec<_>>());
        }
    }
}

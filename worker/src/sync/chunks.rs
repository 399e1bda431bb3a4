//! Cuts rows into statements.

/// Rows of one statement: more than this writes no faster, and 512 rows of the widest table are a third of the 32,766 values
/// that SQLite binds.
const ROWS_PER_STATEMENT: usize = 512;

/// Cuts rows into pieces of at most [`ROWS_PER_STATEMENT`] whose sizes are powers of two. The drivers keep 100 prepared
/// statements for each connection; pieces of any size would be hundreds of different texts and push each other out.
pub(super) fn chunks<T>(rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
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
    fn no_row_is_lost_and_every_size_is_a_power_of_two() {
        for count in [0, 1, 2, 3, 511, 512, 513, 1_500] {
            let pieces: Vec<Vec<usize>> = chunks((0..count).collect()).collect();
            assert!(pieces.iter().all(|piece| piece.len().is_power_of_two() && piece.len() <= ROWS_PER_STATEMENT));
            assert_eq!(pieces.concat(), (0..count).collect::<Vec<_>>());
        }
    }
}

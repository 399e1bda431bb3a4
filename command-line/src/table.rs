//! Tables on standard output.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::escape;

/// What separates two columns.
const GAP: &str = "  ";

/// How the cells of a column are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

/// A table with aligned columns. Each column is as wide as its widest cell on a terminal, where a character takes no, one or two
/// columns.
#[derive(Clone, Debug)]
pub struct Table<const COLUMNS: usize> {
    alignments: [Alignment; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without a header.
    #[must_use]
    pub fn new(alignments: [Alignment; COLUMNS]) -> Self {
        Self { alignments, rows: Vec::new() }
    }

    /// A table with a header.
    #[must_use]
    pub fn with_header(header: [(&str, Alignment); COLUMNS]) -> Self {
        let mut table = Self::new(header.map(|(_, alignment)| alignment));
        table.add(header.map(|(title, _)| title));
        table
    }

    /// Adds a row. Its cells are [escaped](escape): text of a provider must not break the table or control the terminal.
    pub fn add<S: AsRef<str>>(&mut self, row: [S; COLUMNS]) {
        self.rows.push(row.map(|cell| escape(cell.as_ref()).into_owned()));
    }

    fn measure_column(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].width()).max().unwrap_or_default()
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..COLUMNS).map(|column| self.measure_column(column)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), alignment) in row.iter().zip(&widths).zip(self.alignments) {
                let padding = " ".repeat(width - cell.width());
                let (before, after) = if alignment == Alignment::Right { (&*padding, "") } else { ("", &*padding) };
                line.extend([before, cell, after, GAP]);
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Alignment::*, *};

    #[test]
    fn columns_align_with_long_wide_and_combining_characters() {
        let mut table = Table::with_header([("NAME", Left), ("AGE", Right), ("NOTE", Left)]);
        table.add(["a-very-long-name", "5 s", "ok"]);
        table.add(["東京", "120 min", ""]);
        table.add(["Cafe\u{301}", "-", "line\nbreak\u{1b}[31m"]);
        let expected = [
            "NAME                  AGE  NOTE",
            "a-very-long-name      5 s  ok",
            "東京              120 min",
            "Cafe\u{301}                    -  line\\nbreak\\u{1b}[31m",
            "",
        ];
        assert_eq!(table.to_string(), expected.join("\n"));
    }
}

//! Results in columns.

use comfy_table::{ContentArrangement, Table, presets};

/// Rows in columns as wide as their widest cells, without borders. A row stays on one line.
#[must_use]
pub fn table<const COLUMNS: usize>(rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for row in rows {
        table.add_row(row.map(|cell| cell.replace('\n', " ")));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let rows = [["a", "b", "last"], ["longer", "", "two\nlines"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(rows), "a       b  last\nlonger     two lines");
    }
}

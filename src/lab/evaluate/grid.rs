//! Columns of text, and figures as text.

use super::rate::Rate;
use crate::service::grouped;

/// Cells in columns as wide as their widest: the first to the left, the others to the right.
pub(in crate::lab) struct Grid(Vec<Vec<String>>);

impl Grid {
    pub(in crate::lab) fn new(headings: &[&str]) -> Self {
        Self(vec![headings.iter().map(|&heading| heading.to_owned()).collect()])
    }

    pub(in crate::lab) fn row(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    /// The lines, the first of which are headings and a rule.
    pub(in crate::lab) fn print(&self, out: &mut String) {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for (number, row) in self.0.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, &wide)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(wide.saturating_sub(self::width(cell)));
                if column == 0 {
                    line.extend([cell.as_str(), &gap]);
                } else {
                    line.extend(["  ", &gap, cell]);
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
            if number == 0 {
                let rule = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
                out.push_str(&"-".repeat(rule));
                out.push('\n');
            }
        }
    }
}

/// Cells that a text takes on a terminal: Chinese characters and full-width punctuation take two.
fn width(text: &str) -> usize {
    let is_wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x20000..=0x3fffd);
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// What stands where there is nothing to say.
pub(in crate::lab) const NOTHING: &str = "–";

/// A share in percent, with two digits: honest ratings are held in tenths of a thousand.
pub(in crate::lab) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| NOTHING.to_owned(), |share| format!("{:.2} %", 100.0 * share))
}

/// An interval of a share in percent.
pub(super) fn percents(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(String::new, |[low, high]| format!("{:.2}–{:.2}", 100.0 * low, 100.0 * high))
}

/// Count, whole, share and interval: four cells.
pub(super) fn rate_cells(rate: Rate) -> [String; 4] {
    [grouped(rate.count), grouped(rate.of), percent(rate.share()), percents(rate.interval_95())]
}

/// Count, share and interval, where the whole stands elsewhere: three cells.
pub(super) fn share_cells(rate: Rate) -> [String; 3] {
    [grouped(rate.count), percent(rate.share()), percents(rate.interval_95())]
}

/// A figure between 0 and 1, with four digits.
pub(super) fn four_digits(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.4}"))
}

//! The figures as tables for people: Chinese headings with English beside.

use std::fmt::Write;

use super::query::{Dimension, Period};
use super::ranking::Ranking;
use super::report::{Figures, Note, PendingNow, Report};
use crate::date::Day;

/// A report as a table.
pub fn report_table(report: &Report) -> String {
    let mut out = String::new();
    let (zh, en) = report.by.heading();
    title(&mut out, &format!("评价统计（按{zh}）"), &format!("Ratings by {}", en.to_lowercase()));
    header(&mut out, (report.from, report.to), &report.pending, report.log_position, &report.head);

    let mut table = Table::default();
    let is_within = report.by.is_within_department();
    if is_within {
        table.column("部门", "department", Align::Left);
    }
    if report.by != Dimension::Total {
        table.column(zh, &en.to_lowercase(), Align::Left);
    }
    if report.per != Period::Whole {
        table.column("期间", "period", Align::Left);
    }
    const FIGURES: &[(&str, &str)] = &[
        ("计入", "counted"),
        ("5", ""),
        ("4", ""),
        ("3", ""),
        ("2", ""),
        ("1", ""),
        ("好评率", "good"),
        ("满意率", "satisfied"),
        ("差评率", "bad"),
        ("主动率", "active"),
        ("默认", "default"),
        ("待复核", "pending"),
        ("确认", "confirmed"),
        ("恢复", "cleared"),
        ("更正", "corrections"),
    ];
    FIGURES.iter().for_each(|(zh, en)| table.column(zh, en, Align::Right));
    let labels = |department: Option<&str>, code: Option<&str>, period: Option<&str>| {
        let mut cells: Vec<String> = Vec::new();
        if is_within {
            cells.push(department.unwrap_or("").to_owned());
        }
        if report.by != Dimension::Total {
            cells.push(code.unwrap_or("（未填）").to_owned());
        }
        if report.per != Period::Whole {
            cells.push(period.unwrap_or("").to_owned());
        }
        cells
    };
    for row in &report.rows {
        let mut cells = labels(row.department.as_deref(), row.code.as_deref(), row.period.as_deref());
        match &row.figures {
            Some(figures) => cells.extend(figure_cells(figures)),
            None => cells.extend(FIGURES.iter().map(|_| "…".to_owned())),
        }
        table.row(cells);
    }
    let has_labels = is_within || report.by != Dimension::Total || report.per != Period::Whole;
    if has_labels {
        let mut cells = labels(None, None, None);
        cells.iter_mut().for_each(String::clear);
        cells[0] = "合计 total".to_owned();
        cells.extend(figure_cells(&report.total));
        table.total(cells);
    }
    table.print(&mut out);
    footer(&mut out, report.omitted_rows, &report.notes);
    out
}

/// A ranking as a table.
pub fn ranking_table(ranking: &Ranking) -> String {
    let mut out = String::new();
    let (zh, en) = ranking.by.heading();
    title(
        &mut out,
        &format!("{zh}排名（按好评率）"),
        &format!("Ranking of {}s by good rate", en.to_lowercase()),
    );
    header(&mut out, (ranking.from, ranking.to), &ranking.pending, ranking.log_position, &ranking.head);

    let mut table = Table::default();
    table.column("名次", "rank", Align::Right);
    table.column("名次区间", "range", Align::Right);
    table.column(zh, &en.to_lowercase(), Align::Left);
    table.column("好评率", "good", Align::Right);
    table.column("校正后", "shrunk", Align::Right);
    table.column("95%区间", "interval", Align::Right);
    table.column("计入", "counted", Align::Right);
    table.column("待复核", "pending", Align::Right);
    for row in &ranking.rows {
        table.row(vec![
            row.rank.to_string(),
            format!("{}–{}", row.rank_best, row.rank_worst),
            row.code.clone(),
            percent(Some(row.good_rate)),
            percent(Some(row.shrunk_rate)),
            format!("{}–{}", percent(Some(row.interval_95[0])), percent(Some(row.interval_95[1]))),
            row.counted.to_string(),
            row.pending.to_string(),
        ]);
    }
    table.print(&mut out);
    out.push_str("名次按期望名次；评价少的单位居中，区间相交的单位不能断定高下。\n");
    out.push_str(
        "By expected rank: offices with few ratings come out in the middle, and offices whose ranges\n",
    );
    out.push_str("overlap are not surely apart.\n");
    footer(&mut out, ranking.omitted_rows, &ranking.notes);
    out
}

fn title(out: &mut String, zh: &str, en: &str) {
    // Writing to a string cannot fail; so below.
    let _ = writeln!(out, "{zh}  {en}");
}

fn header(out: &mut String, (from, to): (Day, Day), pending: &PendingNow, position: u64, head: &str) {
    let _ = writeln!(out, "期间 days: {from} – {to}");
    let _ = writeln!(out, "日志位置 log position: {position}    链首 head: {head}");
    let oldest = pending.oldest.map(|day| format!("，最早 oldest {day}")).unwrap_or_default();
    let _ = writeln!(
        out,
        "待复核 pending: {}，其中差评 bad {}，默认 default {}{oldest}\n",
        pending.ratings, pending.bad, pending.default
    );
}

fn footer(out: &mut String, omitted: u64, notes: &[Note]) {
    if omitted > 0 {
        let _ = writeln!(out, "另有{omitted}行未列出 {omitted} more rows; raise the limit");
    }
    for note in notes {
        let _ = writeln!(out, "注 note: {}。{}.", note.text, note.text_en);
    }
}

fn figure_cells(figures: &Figures) -> Vec<String> {
    let mut cells = vec![figures.counted.to_string()];
    cells.extend(figures.stars.0.iter().rev().map(u64::to_string));
    let rates = [figures.good_rate, figures.satisfied_rate, figures.bad_rate, figures.active_share];
    cells.extend(rates.into_iter().map(percent));
    let counts = [
        figures.default.counted,
        figures.pending,
        figures.confirmed,
        figures.cleared.saturating_add(figures.lapsed),
        figures.corrections,
    ];
    cells.extend(counts.iter().map(u64::to_string));
    cells
}

/// Hundredths of a percent: the base rate of bad ratings is about 0.34 %.
fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "—".to_owned(), |rate| format!("{:.2}%", rate * 100.0))
}

#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// Columns of two-line headings, as wide as their widest cell on a terminal.
#[derive(Default)]
struct Table {
    headings: Vec<(String, String, Align)>,
    rows: Vec<Vec<String>>,
    total: Option<Vec<String>>,
}

impl Table {
    fn column(&mut self, zh: &str, en: &str, align: Align) {
        self.headings.push((zh.to_owned(), en.to_owned(), align));
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn total(&mut self, cells: Vec<String>) {
        self.total = Some(cells);
    }

    fn print(&self, out: &mut String) {
        let all = || self.rows.iter().chain(&self.total);
        let width_of = |column: usize| {
            let cells = all().filter_map(|row| row.get(column)).map(|cell| width(cell));
            let (zh, en, _) = &self.headings[column];
            cells.chain([width(zh), width(en)]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width_of).collect();
        let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
        let mut line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for (index, (cell, &wide)) in cells.zip(&widths).enumerate() {
                let gap = " ".repeat(wide.saturating_sub(width(cell)));
                let between = if index > 0 { "  " } else { "" };
                match self.headings[index].2 {
                    Align::Left => text.extend([between, cell, &gap]),
                    Align::Right => text.extend([between, &gap, cell]),
                }
            }
            out.push_str(text.trim_end());
            out.push('\n');
        };
        line(&mut self.headings.iter().map(|heading| heading.0.as_str()));
        line(&mut self.headings.iter().map(|heading| heading.1.as_str()));
        line(&mut std::iter::once(rule.as_str()));
        for row in &self.rows {
            line(&mut row.iter().map(String::as_str));
        }
        if let Some(total) = &self.total {
            line(&mut std::iter::once(rule.as_str()));
            line(&mut total.iter().map(String::as_str));
        }
    }
}

/// Cells that a text takes on a terminal: Chinese characters and full-width punctuation take two.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd);
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

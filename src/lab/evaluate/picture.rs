//! The report as a picture: precision-recall curves, and the most distorted targets as bars.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::grid::percent;
use super::report::{Evaluation, Report};

const WIDTH: u32 = 1_000;
const CURVE_HEIGHT: u32 = 460;
const BAR_HEIGHT: u32 = 10;
/// Below a target's bars.
const GAP: u32 = 6;
/// Points of a curve that a picture of this size can show.
const MOST_POINTS: usize = 2_000;

const RAW: RGBColor = RGBColor(158, 158, 158);
/// Told apart by people who see few colours, and in grey.
const FILES: [RGBColor; 2] = [RGBColor(0, 90, 160), RGBColor(213, 94, 0)];
const INK: RGBColor = RGBColor(51, 51, 51);

type DrawResult<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// The report as SVG.
///
/// # Errors
///
/// If the picture cannot be laid out.
pub fn picture(report: &Report) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let rows = report.evaluations.first().map_or(0, |first| first.distortion.most_distorted.len());
    // Rows are at most twenty, files at most two.
    let bars_height = 110 + row_height(&report.evaluations) * rows as u32;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, CURVE_HEIGHT + bars_height)).into_drawing_area();
        let drawn = root.fill(&WHITE).and_then(|()| {
            let (above, below) = root.split_vertically(CURVE_HEIGHT);
            curves(&above, &report.evaluations)?;
            bars(&below, &report.evaluations)?;
            root.present()
        });
        drawn.map_err(|error| format!("drawing the picture: {error}"))?;
    }
    Ok(svg)
}

/// Height of a target's bars, with the gap below them.
fn row_height(evaluations: &[Evaluation]) -> u32 {
    BAR_HEIGHT * (1 + evaluations.len() as u32) + GAP
}

fn curves<'a>(area: &Area<'a>, evaluations: &[Evaluation]) -> DrawResult<'a> {
    let mut chart = ChartBuilder::on(area)
        .caption("Precision and recall of the inline risk", ("sans-serif", 20).into_font().color(&INK))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..1.0_f64, 0.0..1.0_f64)?;
    axes(&mut chart, "recall: abusive ratings found", "precision")?;
    for (evaluation, colour) in evaluations.iter().zip(FILES) {
        let points = steps(&evaluation.curve);
        let name = format!(
            "{}: average precision {:.3}",
            name_of(evaluation, evaluations),
            evaluation.average_precision.value.unwrap_or_default()
        );
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(2)));
        // Where the thresholds in force put it.
        let overall = &evaluation.overall;
        if let (Some(recall), Some(precision)) =
            (overall.recall_inline.share(), overall.precision_inline.share())
        {
            chart
                .draw_series([Circle::new((recall, precision), 5, colour.filled())])?
                .label("its inline decisions")
                .legend(move |(x, y)| Circle::new((x + 11, y), 5, colour.filled()));
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(INK.mix(0.3))
        .label_font(("sans-serif", 14).into_font().color(&INK))
        .draw()
}

/// The curve as average precision sums it up: each risk's precision holds for the recall that it adds.
/// A straight line between two risks would promise what no threshold gives.
fn steps(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = curve.len().div_ceil(MOST_POINTS).max(1);
    let mut points = Vec::new();
    let mut recall_before = 0.0;
    for &(recall, precision) in curve.iter().step_by(every).chain(curve.last()) {
        points.extend([(recall_before, precision), (recall, precision)]);
        recall_before = recall;
    }
    points
}

/// A file's name, and which of two it is.
fn name_of(evaluation: &Evaluation, evaluations: &[Evaluation]) -> String {
    let name = shortened(&evaluation.verdicts);
    match evaluations {
        [_] => name,
        [first, ..] if std::ptr::eq(first, evaluation) => format!("A, {name}"),
        _ => format!("B, {name}"),
    }
}

fn axes<'a>(
    chart: &mut ChartContext<'_, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    x: &str,
    y: &str,
) -> DrawResult<'a> {
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(11)
        .y_labels(11)
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .x_label_formatter(&|value| format!("{value:.1}"))
        .y_label_formatter(&|value| format!("{value:.1}"))
        .draw()
}

/// For each target a bar for the raw figures and one for each file's published ones.
fn bars<'a>(area: &Area<'a>, evaluations: &[Evaluation]) -> DrawResult<'a> {
    let Some(first) = evaluations.first() else { return Ok(()) };
    let rows = &first.distortion.most_distorted;
    let removed = |evaluation: &Evaluation| {
        let share = percent(evaluation.distortion.removed);
        if evaluation.distortion.removed.is_some() { share } else { "nothing to remove".to_owned() }
    };
    let shares: Vec<String> = evaluations.iter().map(removed).collect();
    let title =
        format!("Ratings by which figures differ from the truth (removed overall: {})", shares.join(" / "));
    let ink = |size: u32| TextStyle::from(("sans-serif", size).into_font()).color(&INK);
    area.draw(&Text::new(title, (16, 8), ink(20)))?;
    if rows.is_empty() {
        return area.draw(&Text::new("No target's figures differ from the truth.", (16, 48), ink(15)));
    }
    let row_height = row_height(evaluations);
    let (left, right, top) = (290, WIDTH as i32 - 70, 66);
    let mut legend = vec![("raw: every rating counts".to_owned(), RAW)];
    // Of two files the legend of the curves says which is which.
    let published = match evaluations {
        [one] => vec![format!("published: {}", shortened(&one.verdicts))],
        _ => vec!["published by A".to_owned(), "published by B".to_owned()],
    };
    legend.extend(published.into_iter().zip(FILES));
    let mut x = left;
    for (name, colour) in legend {
        area.draw(&Rectangle::new([(x, 40), (x + 14, 52)], colour.filled()))?;
        // Letters of this size are about 7 pixels wide.
        let wide = 40 + 7 * name.chars().count() as i32;
        area.draw(&Text::new(name, (x + 20, 38), ink(14)))?;
        x += wide;
    }
    let of = |evaluation: &Evaluation, number: usize| {
        let distortion = &evaluation.distortion;
        let target = &rows[number].target;
        let row = distortion.most_distorted.iter().find(|row| row.target == *target);
        row.map(|row| row.published_difference())
    };
    let most = rows.iter().map(|row| row.raw_difference().max(row.published_difference()));
    let second =
        evaluations.iter().skip(1).flat_map(|e| (0..rows.len()).filter_map(move |number| of(e, number)));
    let most = most.chain(second).max().unwrap_or(1).max(1);
    let length = |value: u64| left + ((right - left) as f64 * value as f64 / most as f64).round() as i32;
    for (number, row) in rows.iter().enumerate() {
        let y = top + (number as u32 * row_height) as i32;
        let right_of_axis = ink(13).pos(plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Right,
            plotters::style::text_anchor::VPos::Center,
        ));
        area.draw(&Text::new(
            shortened(&row.target),
            (left - 8, y + (row_height - GAP) as i32 / 2),
            right_of_axis,
        ))?;
        let mut values = vec![(Some(row.raw_difference()), RAW)];
        values.extend(evaluations.iter().map(|evaluation| of(evaluation, number)).zip(FILES));
        let thick = BAR_HEIGHT as i32;
        for (bar, (value, colour)) in (0..).zip(values) {
            let Some(value) = value else { continue };
            let (from, to) = (y + bar * thick, y + bar * thick + thick - 1);
            area.draw(&Rectangle::new([(left, from), (length(value), to)], colour.filled()))?;
            let centre = ink(11).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Left,
                plotters::style::text_anchor::VPos::Center,
            ));
            area.draw(&Text::new(value.to_string(), (length(value) + 4, (from + to) / 2), centre))?;
        }
    }
    let bottom = top + (rows.len() as u32 * row_height) as i32;
    area.draw(&PathElement::new([(left, top - 4), (left, bottom)], INK))
}

/// The beginning of a long name, and its end, which tells neighbours apart.
fn shortened(name: &str) -> String {
    const MOST: usize = 38;
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= MOST {
        return name.to_owned();
    }
    let (begin, end) = (&letters[..MOST - 16], &letters[letters.len() - 15..]);
    begin.iter().chain(&['…']).chain(end).collect()
}

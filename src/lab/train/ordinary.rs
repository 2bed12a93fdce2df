//! What is ordinary: a density for each class of channels.

use super::TrainFailure;
use super::history::History;
use super::labels::Label;
use crate::models::density::{ChannelClass, ClassDensity, Density, FEWEST_ROWS, Transform};

/// Most rows that a density is learnt from.
const MOST: usize = 40_000;

/// Learns the densities from ratings that nobody called abusive, and sets the column `model.density` of all.
/// A class with too few ratings has none.
///
/// # Errors
/// No mixture fits.
pub fn learn(history: &mut History) -> Result<Vec<ClassDensity>, TrainFailure> {
    let mut densities = Vec::new();
    let Some(into) = place(history, "model.density") else { return Ok(densities) };
    for class in ChannelClass::ALL {
        let places: Vec<(usize, &str, Transform)> = class
            .features()
            .iter()
            .filter_map(|&(name, transform)| Some((place(history, name)?, name, transform)))
            .collect();
        let values = |row: usize| -> Option<Vec<f32>> {
            let of = history.of(row);
            places.iter().map(|&(at, ..)| Some(of[at]).filter(|value| !value.is_nan())).collect()
        };
        let ordinary: Vec<Vec<f32>> = (0..history.rows.len())
            .filter(|&row| {
                history.rows[row].class == class && history.rows[row].label != Some(Label::Abusive)
            })
            .filter_map(values)
            .collect();
        if ordinary.len() < FEWEST_ROWS || places.is_empty() {
            continue;
        }
        let step = ordinary.len().div_ceil(MOST);
        let rows: Vec<f32> = ordinary.iter().step_by(step).flatten().copied().collect();
        let transforms: Vec<Transform> = places.iter().map(|place| place.2).collect();
        let density = Density::train(&rows, &transforms, 1).map_err(TrainFailure::Density)?;
        let tails: Vec<(usize, f32)> = (0..history.rows.len())
            .filter(|&row| history.rows[row].class == class)
            .filter_map(|row| {
                let values: Vec<Option<f32>> = values(row)?.into_iter().map(Some).collect();
                Some((row, density.tail(&values)?))
            })
            .collect();
        let features = places.iter().map(|place| place.1.to_owned()).collect();
        let width = history.columns.len();
        for (row, tail) in tails {
            history.values[row * width + into] = tail;
        }
        densities.push(ClassDensity { class, features, density });
    }
    Ok(densities)
}

fn place(history: &History, name: &str) -> Option<usize> {
    history.columns.iter().position(|column| column.feature == name && column.is.is_none())
}

//! Which numbers a model reads: features by name, so that a model outlives the catalogue's order.

use serde::{Deserialize, Serialize};

use super::ModelError;
use crate::catalogue::{Catalogue, FeatureId, FeatureType, FeatureVector};

/// Whether no model reads a feature: one that was trained on part of a month must not take the day for
/// evidence, and what models say is no news to them.
fn is_left_out(name: &str) -> bool {
    name == "timing.month_end_days" || name == "model.logit" || name.starts_with("group.")
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// The feature.
    pub feature: String,
    /// For a feature with names for values: 1 where it has this one, 0 where it has another.
    pub is: Option<String>,
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.feature)?;
        self.is.as_ref().map_or(Ok(()), |is| write!(f, "={is}"))
    }
}

/// All columns that a catalogue has to offer. Organisation codes are none: a model must not learn which
/// office is guilty.
pub fn all(catalogue: &Catalogue) -> Vec<Column> {
    let mut columns = Vec::new();
    for (_, feature) in catalogue.iter().filter(|(_, feature)| !is_left_out(&feature.name)) {
        let column = |is| Column { feature: feature.name.clone(), is };
        match feature.kind {
            FeatureType::Bool | FeatureType::Int | FeatureType::Float => columns.push(column(None)),
            FeatureType::Enum(names) => {
                columns.extend(names.iter().map(|&name| column(Some(name.to_owned()))));
            }
            FeatureType::Code => {}
        }
    }
    columns
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Whole,
    Number,
    Is(i64),
}

/// Columns, and where a catalogue has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<(FeatureId, Reading)>);

impl Columns {
    /// Finds the columns in a catalogue.
    ///
    /// # Errors
    /// It has no such feature, or one of another type.
    pub fn find(columns: &[Column], catalogue: &Catalogue) -> Result<Self, ModelError> {
        let place = |column: &Column| {
            let missing = || ModelError::NoFeature(column.to_string());
            let id = catalogue.find(&column.feature).ok_or_else(missing)?;
            let reading = match (catalogue.get(id).kind, &column.is) {
                (FeatureType::Bool | FeatureType::Int, None) => Reading::Whole,
                (FeatureType::Float, None) => Reading::Number,
                (FeatureType::Enum(names), Some(is)) => {
                    let position = names.iter().position(|name| name == is).ok_or_else(missing)?;
                    Reading::Is(position as i64)
                }
                _ => return Err(missing()),
            };
            Ok((id, reading))
        };
        columns.iter().map(place).collect::<Result<_, _>>().map(Self)
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The feature of a column.
    pub fn feature(&self, column: usize) -> FeatureId {
        self.0[column].0
    }

    /// The columns' numbers, NaN where a value is missing, in place of what `values` held.
    pub fn read(&self, vector: &FeatureVector, values: &mut Vec<f32>) {
        values.clear();
        values.extend(self.0.iter().map(|&(id, reading)| {
            if !vector.is_present(id) {
                return f32::NAN;
            }
            let raw = vector.raw(id);
            match reading {
                Reading::Whole => raw as i64 as f32,
                Reading::Number => f64::from_bits(raw) as f32,
                Reading::Is(position) => f32::from(u8::from(raw as i64 == position)),
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::builtin as f;

    #[test]
    fn a_value_is_read_as_what_it_is_and_a_missing_one_as_no_number() {
        let catalogue = Catalogue::builtin();
        let column =
            |feature: &str, is: Option<&str>| Column { feature: feature.into(), is: is.map(Into::into) };
        let columns = [
            column("stars", None),
            column("device.age_days", None),
            column("case.match", Some("unmatched")),
            column("bad", None),
        ];
        let columns = Columns::find(&columns, &catalogue).unwrap();
        let mut vector = FeatureVector::new(catalogue.len());
        vector.set_int(f::STARS, 4);
        vector.set_float(f::DEVICE_AGE_DAYS, 2.5);
        vector.set_int(f::CASE_MATCH, 1);
        let mut values = vec![9.0; 2];
        columns.read(&vector, &mut values);
        assert_eq!(values[..2], [4.0, 2.5]);
        assert!(values[2] == 1.0 || values[2] == 0.0);
        assert!(values[3].is_nan());
    }

    #[test]
    fn no_model_learns_an_organisation_code_or_the_day() {
        let columns = all(&Catalogue::builtin());
        assert!(columns.iter().all(|column| !column.feature.starts_with("service.")));
        assert!(columns.iter().all(|column| column.feature != "timing.month_end_days"));
        assert!(columns.iter().any(|column| column.to_string() == "case.match=unmatched"));
    }

    #[test]
    fn a_column_that_the_catalogue_lacks_is_named() {
        let column = Column { feature: "device.acounts_24h".into(), is: None };
        let error = Columns::find(&[column], &Catalogue::builtin()).unwrap_err();
        assert!(error.to_string().contains("device.acounts_24h"));
    }
}

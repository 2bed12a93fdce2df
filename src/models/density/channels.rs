//! Which ratings are comparable, and which features of theirs a density looks at.

use serde::{Deserialize, Serialize};

use super::{Density, DensityError, MOST_COLUMNS, Transform};
use crate::catalogue::{Catalogue, FeatureId, FeatureType, FeatureVector};
use crate::wire::Channel;

/// Channels whose ratings send the same fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ChannelClass {
    /// At a window or a kiosk.
    OnSite = 0,
    /// By an app, a portal or a department's own site.
    Online = 1,
    /// By the hotline.
    Phone = 2,
}

impl ChannelClass {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::OnSite, Self::Online, Self::Phone];

    /// The class of a channel.
    pub fn of(channel: Channel) -> Self {
        match channel {
            Channel::HallWindow | Channel::Kiosk => Self::OnSite,
            Channel::Hotline => Self::Phone,
            Channel::Portal | Channel::MobileApp | Channel::DepartmentSite | Channel::Other => Self::Online,
        }
    }

    /// The name in artefacts and reports.
    pub fn name(self) -> &'static str {
        ["on_site", "online", "phone"][self as usize]
    }

    /// The features that a density of this class looks at, at most [`MOST_COLUMNS`]; how they were chosen is in
    /// docs/detection.md.
    pub fn features(self) -> &'static [(&'static str, Transform)] {
        match self {
            Self::OnSite => &[
                ("links.target_sum", Transform::Log),
                ("target.rate_excess", Transform::Log),
                ("device.age_days", Transform::Log),
                ("device_target.accounts_24h", Transform::Log),
                ("links.office_sum", Transform::Log),
                ("traits.target_excess", Transform::Log),
            ],
            Self::Online => &[
                ("links.office_sum", Transform::Log),
                ("rater.ratings_24h", Transform::Log),
                ("links.target_best", Transform::Log),
                ("rater.devices_30d", Transform::Log),
                ("target.bad_share", Transform::Log),
                ("rater_office.cases_30d", Transform::Log),
            ],
            Self::Phone => &[
                ("traits.office_excess", Transform::Log),
                ("links.target", Transform::Log),
                ("target.bad_share", Transform::Log),
                ("links.office_sum", Transform::Log),
            ],
        }
    }
}

/// The density of one class, with the features that its columns are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDensity {
    /// Ratings of these channels.
    pub class: ChannelClass,
    /// A feature for each column.
    pub features: Vec<String>,
    /// Of these features.
    pub density: Density,
}

/// Densities of some channel classes, each bound to places in a catalogue.
#[derive(Clone, Debug, Default)]
pub struct Densities {
    bound: [Option<Bound>; ChannelClass::ALL.len()],
}

#[derive(Clone, Debug)]
struct Bound {
    density: Density,
    features: Vec<(FeatureId, bool)>,
}

impl Densities {
    /// Finds the features of each density.
    ///
    /// # Errors
    /// A feature is not in the catalogue or is no number, there are not as many as columns, or a class comes twice.
    pub fn bind(densities: Vec<ClassDensity>, catalogue: &Catalogue) -> Result<Self, DensityError> {
        let mut bound: [Option<Bound>; ChannelClass::ALL.len()] = Default::default();
        for ClassDensity { class, features, density } in densities {
            let damaged = |what| Err(DensityError::Damaged(format!("{}: {what}", class.name())));
            if features.len() != density.columns() {
                return damaged(format!("{} features for {} columns", features.len(), density.columns()));
            }
            let mut places = Vec::with_capacity(features.len());
            for name in &features {
                let Some(id) = catalogue.find(name) else {
                    return damaged(format!("no feature `{name}`"));
                };
                match catalogue.get(id).kind {
                    FeatureType::Float => places.push((id, true)),
                    FeatureType::Int | FeatureType::Bool => places.push((id, false)),
                    FeatureType::Enum(_) | FeatureType::Code => {
                        return damaged(format!("feature `{name}` is no number"));
                    }
                }
            }
            if bound[class as usize].replace(Bound { density, features: places }).is_some() {
                return damaged("there are two of them".to_owned());
            }
        }
        Ok(Self { bound })
    }

    /// [`Density::tail`] of a rating in its channel's class; `None` if there is no density for it, or a feature of its
    /// is missing.
    #[inline]
    pub fn tail(&self, channel: Channel, features: &FeatureVector) -> Option<f32> {
        let bound = self.bound[ChannelClass::of(channel) as usize].as_ref()?;
        let mut values = [None; MOST_COLUMNS];
        for (place, &(id, is_float)) in values.iter_mut().zip(&bound.features) {
            *place = Some(value_of(features, id, is_float)?);
        }
        bound.density.tail(&values[..bound.features.len()])
    }
}

#[inline]
fn value_of(features: &FeatureVector, id: FeatureId, is_float: bool) -> Option<f32> {
    if is_float {
        features.float(id).map(|value| value as f32)
    } else {
        features.int(id).map(|value| value as f32)
    }
}

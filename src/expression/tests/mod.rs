//! What expressions promise.

mod hostile;
mod oracle;
mod values;

use super::*;
use crate::catalogue::{Bilingual, Feature, FeatureType, Scope, builtin};

/// Adds a whole-number counter.
fn add_int(catalogue: &mut Catalogue, name: &str) -> FeatureId {
    let feature = Feature {
        name: name.to_owned(),
        kind: FeatureType::Int,
        scope: Scope::Counter,
        unit: String::new(),
        meaning: Bilingual::default(),
        text: Bilingual::default(),
    };
    catalogue.add(feature).unwrap()
}

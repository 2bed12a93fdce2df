//! The catalogue: every feature with its name, type, unit, meaning and sentence.
//!
//! The rule checker, the documentation page, the explanations and the desk all read it. Built-in
//! features ([`builtin`]) come first, in a fixed order; counters declared in rule files follow.

pub mod builtin;
mod vector;

use std::collections::HashMap;

pub use vector::{FeatureVector, MAX_FEATURES};

/// A sentence or a name in Chinese and in English.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// Both languages at once.
    pub fn new(zh: &str, en: &str) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// Position of a feature in the catalogue and in every [`FeatureVector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureId(pub u16);

impl FeatureId {
    /// The position as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Type of a feature's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureType {
    /// True or false.
    Bool,
    /// A whole number; `i64` in rules.
    Int,
    /// A number; `f32` where it is stored, `f64` in rules.
    Float,
    /// One of a closed list of names.
    Enum(&'static [&'static str]),
    /// An open vocabulary (organisation codes): equality and lists only.
    Code,
}

impl FeatureType {
    /// Name of the type for people: `bool`, `int`, `float`, `enum`, `code`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Enum(_) => "enum",
            Self::Code => "code",
        }
    }
}

/// Where a feature's value comes from, which decides where it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// From the rating alone; counters' `where` may use it.
    Rating,
    /// From state: what came before.
    State,
    /// A counter declared in a rule file.
    Counter,
    /// From models, after the rules have spoken: no rule may use it.
    Model,
}

/// One feature.
#[derive(Clone, Debug)]
pub struct Feature {
    /// What rules and models call it: `device.class`.
    pub name: String,
    /// Type of the value.
    pub kind: FeatureType,
    /// Where it comes from.
    pub scope: Scope,
    /// Unit of the value (`stars`, `s`, `days`, `ratings`, `share`), empty where there is none.
    pub unit: String,
    /// What it means.
    pub meaning: Bilingual,
    /// A sentence with `{value}` in it.
    pub text: Bilingual,
}

/// Every feature, by position and by name.
#[derive(Clone, Debug)]
pub struct Catalogue {
    features: Vec<Feature>,
    by_name: HashMap<String, FeatureId>,
    /// A bit for each feature of type [`FeatureType::Float`].
    floats: [u64; MAX_FEATURES / 64],
    version: u64,
}

/// Why a feature could not be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueError {
    /// The name is taken.
    Taken(String),
    /// There are [`MAX_FEATURES`] already.
    Full,
}

impl std::fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken(name) => write!(f, "a feature named `{name}` exists already"),
            Self::Full => write!(f, "more than {MAX_FEATURES} features; remove a counter that no rule reads"),
        }
    }
}

impl std::error::Error for CatalogueError {}

impl Catalogue {
    /// The built-in features alone.
    pub fn builtin() -> Self {
        let mut catalogue =
            Self { features: Vec::new(), by_name: HashMap::new(), floats: Default::default(), version: 0 };
        for row in builtin::ROWS {
            let added = catalogue.add(Feature {
                name: row.name.to_owned(),
                kind: row.kind,
                scope: row.scope,
                unit: row.unit.to_owned(),
                meaning: Bilingual::new(row.meaning.0, row.meaning.1),
                text: Bilingual::new(row.text.0, row.text.1),
            });
            debug_assert!(added.is_ok(), "built-in features have distinct names");
        }
        catalogue
    }

    /// Adds a feature at the end.
    ///
    /// # Errors
    /// The name is taken, or the catalogue is full.
    pub fn add(&mut self, feature: Feature) -> Result<FeatureId, CatalogueError> {
        if self.features.len() >= MAX_FEATURES {
            return Err(CatalogueError::Full);
        }
        if self.by_name.contains_key(&feature.name) {
            return Err(CatalogueError::Taken(feature.name));
        }
        let id = FeatureId(self.features.len() as u16);
        let row = format!("{} {}", feature.name, feature.kind.name());
        self.version = xxhash_rust::xxh3::xxh3_64_with_seed(row.as_bytes(), self.version);
        self.by_name.insert(feature.name.clone(), id);
        self.floats[id.index() / 64] |= u64::from(feature.kind == FeatureType::Float) << (id.index() % 64);
        self.features.push(feature);
        Ok(id)
    }

    /// The feature with this name.
    pub fn find(&self, name: &str) -> Option<FeatureId> {
        self.by_name.get(name).copied()
    }

    /// The feature at this position.
    pub fn get(&self, id: FeatureId) -> &Feature {
        &self.features[id.index()]
    }

    /// A bit for each feature that is a [`FeatureType::Float`], 64 to a word.
    pub fn floats(&self) -> &[u64; MAX_FEATURES / 64] {
        &self.floats
    }

    /// All features with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (FeatureId, &Feature)> {
        self.features.iter().enumerate().map(|(i, f)| (FeatureId(i as u16), f))
    }

    /// Tells catalogues apart: a hash over names and types in their order. Log records carry it, so
    /// that their feature values are never read by another catalogue's positions.
    pub fn version(&self) -> u32 {
        (self.version >> 32) as u32
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }
}

/// The 64-bit code under which rules compare an open-vocabulary text ([`FeatureType::Code`]).
pub fn code_of(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes()).max(1)
}

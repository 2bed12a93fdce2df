//! A model's files: what was learnt, and a manifest that says from what.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ModelError;
use super::model::{Model, Weights};
use crate::version::Version;

/// The file with what was learnt.
pub const FILE: &str = "model.bin";
/// The manifest beside it.
pub const MANIFEST: &str = "manifest.toml";

/// The form of [`FILE`]; another form is not read.
const FORMAT: u32 = 1;

/// No model is larger.
const MAX_BYTES: u64 = 16 << 20;

/// What a model was learnt from and how well, for people and for tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of the file.
    pub format: u32,
    /// BLAKE3 of the file, in hex.
    pub blake3: String,
    /// Version of the rule set that the features and the rules' log-odds came from.
    pub rules: String,
    /// What it was trained on.
    pub trained_on: TrainedOn,
    /// How it does on ratings that took no part in training it.
    pub metrics: Metrics,
    /// Features that it asks for.
    pub features: Vec<String>,
}

/// What a model was trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedOn {
    /// In words.
    pub description: String,
    /// Ratings in the history.
    pub ratings: u64,
    /// Of them, labelled.
    pub labelled: u64,
    /// Of these, abusive.
    pub abusive: u64,
    /// Day of the first rating and of the last.
    pub days: [String; 2],
}

/// How a model does on folds of the history that took no part in training it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Share of the abusive ratings held at once.
    pub recall_inline: f64,
    /// Share of them held in the end.
    pub recall_final: f64,
    /// Share of the genuine ratings held in the end.
    pub honest_held: f64,
    /// Share of the genuine bad ratings held in the end.
    pub honest_bad_held: f64,
}

impl Model {
    /// A model with its manifest; what the manifest says of the file is set here.
    ///
    /// # Errors
    /// The weights are malformed.
    pub fn new(weights: Weights, mut manifest: Manifest) -> Result<Self, ModelError> {
        let malformed = |why| ModelError::Malformed { file: FILE.to_owned(), why };
        weights.check().map_err(malformed)?;
        let bytes = postcard::to_stdvec(&weights).map_err(|e| malformed(e.to_string()))?;
        manifest.format = FORMAT;
        manifest.blake3 = blake3::hash(&bytes).to_hex().to_string();
        let text = toml::to_string(&manifest)
            .map_err(|e| ModelError::Malformed { file: MANIFEST.to_owned(), why: e.to_string() })?;
        Self::from_files(vec![(MANIFEST.to_owned(), text.into_bytes()), (FILE.to_owned(), bytes)])
    }

    /// A model from its files, in any order.
    ///
    /// # Errors
    /// A file is missing or malformed, or the manifest is of another file.
    pub fn from_files(files: Vec<(String, Vec<u8>)>) -> Result<Self, ModelError> {
        let of = |name: &str| {
            let found = files.iter().find(|(file, _)| file == name).map(|(_, bytes)| bytes.as_slice());
            found.ok_or_else(|| ModelError::Unreadable {
                file: name.to_owned(),
                why: "it is not there".to_owned(),
            })
        };
        let malformed = |file: &str, why: String| ModelError::Malformed { file: file.to_owned(), why };
        let text = std::str::from_utf8(of(MANIFEST)?).map_err(|e| malformed(MANIFEST, e.to_string()))?;
        let manifest: Manifest = toml::from_str(text).map_err(|e| malformed(MANIFEST, e.to_string()))?;
        if manifest.format != FORMAT {
            let why = format!("format = {}; this program reads {FORMAT}", manifest.format);
            return Err(malformed(MANIFEST, why));
        }
        let bytes = of(FILE)?;
        let hash = blake3::hash(bytes);
        let found = hash.to_hex().to_string();
        if found != manifest.blake3 {
            return Err(ModelError::Mismatch { said: manifest.blake3, found });
        }
        let weights: Weights = postcard::from_bytes(bytes).map_err(|e| malformed(FILE, e.to_string()))?;
        weights.check().map_err(|why| malformed(FILE, why))?;
        Ok(Self { weights, manifest, version: Version::of_hash(&hash), files })
    }
}

/// Reads a model from its directory.
///
/// # Errors
/// A file cannot be read or is not accepted.
pub fn load_directory(directory: &Path) -> Result<Model, ModelError> {
    let read = |name: &str| {
        let path = directory.join(name);
        let unreadable = |why: String| ModelError::Unreadable { file: path.display().to_string(), why };
        let length = std::fs::metadata(&path).map_err(|e| unreadable(e.to_string()))?.len();
        if length > MAX_BYTES {
            return Err(unreadable(format!("it has {length} bytes; at most {MAX_BYTES} are read")));
        }
        let bytes = std::fs::read(&path).map_err(|e| unreadable(e.to_string()))?;
        Ok((name.to_owned(), bytes))
    };
    Model::from_files(vec![read(MANIFEST)?, read(FILE)?])
}

/// Writes a model into a directory, which is made if need be: the manifest last, and each file whole or
/// not at all, so that whoever reads meanwhile gets the model before, or none that is accepted.
///
/// # Errors
/// A file cannot be written.
pub fn write_directory(model: &Model, directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for name in [FILE, MANIFEST] {
        let Some((_, bytes)) = model.files.iter().find(|(file, _)| file == name) else { continue };
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_all()?;
        file.persist(directory.join(name)).map_err(|e| e.error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::columns::Column;
    use super::super::trees::{Split, Tree, Trees};
    use super::super::{Bars, Platt};
    use super::*;

    pub(crate) fn sample() -> Model {
        let tree = Tree {
            splits: vec![Split { column: 0, missing_above: false, threshold: 2.5 }],
            leaves: vec![-1.0, 1.0],
            covers: vec![3.0, 1.0],
        };
        let weights = Weights {
            columns: vec![Column { feature: "stars".to_owned(), is: None }],
            densities: Vec::new(),
            prior: Platt::default(),
            trees: Trees::new(1, vec![tree]).unwrap(),
            scale: Platt::default(),
            bars: Bars { hold_good: 0.6, hold_bad: 0.9, second_look_good: 0.3, second_look_bad: 0.5 },
            group: None,
        };
        let manifest = Manifest {
            format: 0,
            blake3: String::new(),
            rules: "0011223344556677".to_owned(),
            trained_on: TrainedOn { description: "one rating".to_owned(), ..TrainedOn::default() },
            metrics: Metrics::default(),
            features: vec!["stars".to_owned()],
        };
        Model::new(weights, manifest).unwrap()
    }

    #[test]
    fn a_model_reads_back_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let model = sample();
        write_directory(&model, directory.path()).unwrap();
        assert_eq!(load_directory(directory.path()).unwrap().weights(), model.weights());
    }

    #[test]
    fn a_changed_byte_in_a_model_is_found() {
        let directory = tempfile::tempdir().unwrap();
        write_directory(&sample(), directory.path()).unwrap();
        let path = directory.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = load_directory(directory.path()).unwrap_err();
        assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
    }

    #[test]
    fn a_manifest_alone_is_no_model() {
        let directory = tempfile::tempdir().unwrap();
        write_directory(&sample(), directory.path()).unwrap();
        std::fs::remove_file(directory.path().join(FILE)).unwrap();
        assert!(load_directory(directory.path()).unwrap_err().to_string().contains(FILE));
    }
}

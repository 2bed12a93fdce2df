//! The ratings, in the order of their arrival, with what is known of them.

use std::collections::HashSet;
use std::io::BufRead;

use super::{Progress, StalenessError};
use crate::features::case::rating_fingerprint;
use crate::hashed::HashedMap;
use crate::lab::evaluate::{LabelLine, Source, Wrong, WrongLines};
use crate::observation::Observation;
use crate::pseudonym::Keyring;

/// How often progress is told.
const TOLD_EVERY: usize = 4_096;

/// What is known of a rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) is_abusive: bool,
    /// An index into [`Stream::scenarios`].
    pub(super) scenario: usize,
}

/// A rating after the door.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) observation: Observation,
    /// Never before the one before it.
    pub(super) at_ms: i64,
    pub(super) truth: Option<Truth>,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) ratings: Vec<Arrived>,
    /// Names of scenarios; the first is that of labels without one.
    pub(super) scenarios: Vec<String>,
    /// Ratings that repeat the id of an earlier one: the log lets them pass.
    pub(super) repeats: u64,
}

impl Stream {
    /// Reads labels, and then ratings up to `most`.
    pub(super) fn read<R: BufRead>(
        ratings: &mut Source<R>,
        labels: Option<Source<R>>,
        most: usize,
        wrong: &mut WrongLines,
        progress: &(impl Fn(Progress) + Sync),
    ) -> Result<Self, StalenessError> {
        let mut stream = Self { scenarios: vec![String::new()], ..Self::default() };
        let known = match labels {
            Some(labels) => stream.read_labels(labels, wrong)?,
            None => HashedMap::default(),
        };
        let keyring = Keyring::public();
        let mut ids = HashSet::new();
        let mut newest = i64::MIN;
        let read = ratings.read_lines(wrong, |line| {
            if stream.ratings.len() == most {
                return Ok(());
            }
            let rating = crate::rating::parse(line).map_err(|error| Wrong::rating(&error))?;
            let (observation, ..) = keyring.pseudonymise_both(rating);
            let id = rating_fingerprint(&observation.rating_id);
            if !ids.insert(id) {
                stream.repeats += 1;
                return Ok(());
            }
            newest = newest.max(observation.received_at.unwrap_or(observation.submitted_at).ms());
            stream.ratings.push(Arrived { observation, at_ms: newest, truth: known.get(&id).copied() });
            if stream.ratings.len().is_multiple_of(TOLD_EVERY) {
                progress(Progress::Read(TOLD_EVERY as u64));
            }
            Ok(())
        });
        read.map_err(|error| StalenessError::Read { file: ratings.name.clone(), error })?;
        Ok(stream)
    }

    fn read_labels<R: BufRead>(
        &mut self,
        mut labels: Source<R>,
        wrong: &mut WrongLines,
    ) -> Result<HashedMap<Truth>, StalenessError> {
        let mut known = HashedMap::default();
        let read = labels.read_lines(wrong, |line| {
            let label = LabelLine::parse(line)?;
            let id = rating_fingerprint(&label.rating_id);
            match label.label.is_abusive() {
                Some(is_abusive) => {
                    let scenario = self.scenario(label.scenario.as_deref().unwrap_or(""));
                    known.insert(id, Truth { is_abusive, scenario });
                }
                None => {
                    known.remove(&id);
                }
            }
            Ok(())
        });
        read.map_err(|error| StalenessError::Read { file: labels.name.clone(), error })?;
        Ok(known)
    }

    fn scenario(&mut self, name: &str) -> usize {
        self.scenarios.iter().position(|known| known == name).unwrap_or_else(|| {
            self.scenarios.push(name.to_owned());
            self.scenarios.len() - 1
        })
    }
}

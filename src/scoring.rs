//! The path of one rating, from its bytes to what was decided: three steps, one call each.
//!
//! 1. [`Preparer::prepare`] (pure, parallel): parse, pseudonymise, features of the rating alone.
//! 2. [`Engine::observe`] (one thread, in input order): state and the features that come from it.
//! 3. [`judge`] (pure, parallel): rules and policy.
//!
//! Nothing here does I/O or reads a clock, and no result depends on how ratings are batched or on
//! which thread runs a step. Inline, batch, stream, backtest, shadow and replay all call these.

mod judge;
mod ruling;
mod warmup;

use std::io::Write;
use std::sync::Arc;

use crate::catalogue::FeatureVector;
use crate::date::UtcOffset;
use crate::features::case::EarlierRating;
use crate::features::direct;
use crate::features::identity::keys_of;
use crate::features::keys::{KeyField, Keys};
use crate::features::past::{NoPast, Past};
use crate::features::reference::References;
use crate::features::snapshot::SnapshotError;
use crate::features::state::{Resolved, State, StateLimits};
use crate::models::labels::{Labels, LabelsInForce};
use crate::observation::{FormerNames, Observation};
use crate::pseudonym::{Comment, Keyring};
use crate::rating::{self, RatingError};
use crate::time::Instant;

pub use judge::{Desk, Judgement, by_rules, group_features, group_reasons, judge, model_for, rethink, weigh};
pub use ruling::{Ruling, RulingError};
pub use warmup::Warmup;

/// A rating that went through the door.
#[derive(Debug)]
pub struct Prepared {
    /// The rating without a raw identifier.
    pub observation: Box<Observation>,
    /// Its comment, for the vault alone.
    pub comment: Option<Comment>,
    /// Its features; those that come from state are missing until it is observed.
    pub features: FeatureVector,
    /// Under which keys its events are kept, but for those that state resolves.
    pub keys: Keys,
    /// What its identifiers were called before the last rotation of the keys, as long as that matters.
    pub former: Option<Box<FormerNames>>,
}

impl Prepared {
    /// What step 1 makes of an observation.
    pub fn new(observation: Box<Observation>, comment: Option<Comment>, features: FeatureVector) -> Self {
        let keys = keys_of(&observation);
        Self { observation, comment, features, keys, former: None }
    }
}

/// Step 1: what turns bytes into a [`Prepared`] rating.
#[derive(Clone, Debug)]
pub struct Preparer {
    keyring: Arc<Keyring>,
    offset: UtcOffset,
}

impl Preparer {
    /// Pseudonymises with `keyring`; hours and days are those of `offset`.
    pub fn new(keyring: Arc<Keyring>, offset: UtcOffset) -> Self {
        Self { keyring, offset }
    }

    /// The keys that it pseudonymises with.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Parses one rating, pseudonymises it and sets the features of the rating alone. `features` is
    /// the length of the catalogue in force ([`Ruling::catalogue`]).
    ///
    /// # Errors
    /// A required field is missing or wrong.
    pub fn prepare(&self, line: &[u8], features: usize) -> Result<Prepared, RatingError> {
        self.prepare_in(Spare::default(), line, features)
    }

    /// As [`Preparer::prepare`], in the memory of a rating that is done.
    ///
    /// # Errors
    /// As [`Preparer::prepare`].
    pub fn prepare_in(&self, spare: Spare, line: &[u8], features: usize) -> Result<Prepared, RatingError> {
        let rating = rating::parse(line)?;
        let (mut observation, former, comment) = self.keyring.pseudonymise_both(rating);
        let former = former.map(|names| Box::new(FormerNames::from(names)));
        observation.former = former.clone();
        let observation = match spare.observation {
            Some(mut place) => {
                *place = observation;
                place
            }
            None => Box::new(observation),
        };
        let mut vector = spare.features;
        vector.reset(features);
        direct::observe(&observation, self.offset, &mut vector);
        Ok(Prepared { former, ..Prepared::new(observation, comment, vector) })
    }
}

/// Memory that a rating was prepared in, for another one.
#[derive(Debug, Default)]
pub struct Spare {
    observation: Option<Box<Observation>>,
    features: FeatureVector,
}

impl Spare {
    /// What a rating that is done leaves behind.
    pub fn new(observation: Box<Observation>, features: FeatureVector) -> Self {
        Self { observation: Some(observation), features }
    }
}

/// What [`Preparer::prepare`] made of a rating that the log holds: replay shows state the same features
/// as the first time, and none that came from state then.
pub fn again(observation: Box<Observation>, offset: UtcOffset, features: usize) -> Prepared {
    let mut features = FeatureVector::new(features);
    direct::observe(&observation, offset, &mut features);
    Prepared::new(observation, None, features)
}

/// What step 2 found besides the features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Under which keys its events are kept.
    pub keys: Keys,
    /// The rating that stood for its occasion before.
    pub earlier: Option<EarlierRating>,
    /// The newest event time, this rating included.
    pub watermark: Instant,
    /// Names for lists beside `keys`: see [`crate::rules::ListKeys::renamed`].
    pub renamed: [u64; 4],
}

/// Step 2: all state, and the rules in force.
#[derive(Debug)]
pub struct Engine {
    state: State,
    ruling: Arc<Ruling>,
    /// The rules by whose declarations the counters are laid out; `ruling` may have others by now.
    layout: Arc<Ruling>,
    /// Counters in force that are missing because the state knows nothing of them yet.
    cold: usize,
    /// Ratings since the log began, erased ones too.
    ratings: u64,
    limits: StateLimits,
    offset: UtcOffset,
    resolved: Vec<Resolved>,
}

/// How many ratings ahead memory is asked for counters, and twice as far for where they stand.
const PREFETCH_AHEAD: usize = 4;

impl Engine {
    /// An engine without a past.
    pub fn new(ruling: Arc<Ruling>, limits: StateLimits, offset: UtcOffset) -> Self {
        let state = State::new(ruling.counters(), ruling.catalogue(), &limits, offset);
        let layout = Arc::clone(&ruling);
        Self { state, ruling, layout, cold: 0, ratings: 0, limits, offset, resolved: Vec::new() }
    }

    /// A copy to write down ([`Engine::write`]); costs as long as memory takes to copy.
    pub fn copy(&self) -> Self {
        Self {
            state: self.state.copy(),
            ruling: Arc::clone(&self.ruling),
            layout: Arc::clone(&self.layout),
            cold: self.cold,
            ratings: self.ratings,
            limits: self.limits.clone(),
            offset: self.offset,
            resolved: Vec::new(),
        }
    }

    /// Writes the state.
    ///
    /// # Errors
    /// Writing failed.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), SnapshotError> {
        out.write_all(&self.ratings.to_le_bytes())?;
        self.state.write(out)
    }

    /// An engine that goes on exactly as the one that was written would have. `ruling` were its rules in
    /// force, and `layout` those of [`Engine::layout`]; the bounds and the offset must be the same, too.
    ///
    /// # Errors
    /// The state is damaged, or of other counters.
    pub fn read(
        ruling: Arc<Ruling>,
        layout: Arc<Ruling>,
        limits: StateLimits,
        offset: UtcOffset,
        bytes: &[u8],
    ) -> Result<Self, SnapshotError> {
        let (ratings, bytes) = bytes.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let mut state = State::read(layout.counters(), layout.catalogue(), bytes)?;
        let cold = state.set_counters(ruling.counters(), ruling.catalogue(), &limits);
        let ratings = u64::from_le_bytes(*ratings);
        Ok(Self { state, ruling, layout, cold, ratings, limits, offset, resolved: Vec::new() })
    }

    /// The rules in force.
    pub fn ruling(&self) -> &Arc<Ruling> {
        &self.ruling
    }

    /// All state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The rules by whose declarations the counters are laid out.
    pub fn layout(&self) -> &Arc<Ruling> {
        &self.layout
    }

    /// Ratings since the log began, erased ones too.
    pub fn ratings(&self) -> u64 {
        self.ratings
    }

    /// Counters in force that are missing until a [`Warmup`] brings what the log says of them.
    pub fn cold(&self) -> usize {
        self.cold
    }

    /// Brings rules into force, from the next rating on. Counters that mean what they meant go on; new
    /// ones are missing until a [`Warmup`].
    pub fn activate(&mut self, ruling: Arc<Ruling>) {
        if self.state.watermark() == Instant(0) {
            self.layout = Arc::clone(&ruling);
        }
        self.cold = self.state.set_counters(ruling.counters(), ruling.catalogue(), &self.limits);
        let labels = self.labels().cloned();
        self.ruling = ruling;
        if labels.is_some() {
            self.set_labels(labels);
        }
    }

    /// Brings what was learnt from reviewers' decisions into force, from the next rating on; it stays so
    /// whatever rules follow.
    pub fn set_labels(&mut self, labels: Option<Arc<Labels>>) {
        self.ruling = Arc::new(self.ruling.with_labels(labels));
    }

    /// What was learnt from reviewers' decisions and is in force.
    pub fn labels(&self) -> Option<&Arc<Labels>> {
        self.ruling.labels().map(LabelsInForce::labels)
    }

    /// Puts warmed counters in the place of those before, from the next rating on. They must have seen
    /// just the ratings that this engine has. What is no longer needed comes back, for somebody to drop
    /// who has the time.
    ///
    /// # Errors
    /// They have seen other ratings, or other rules came into force meanwhile: they come back.
    pub fn warm(&mut self, warmup: Box<Warmup>) -> Result<Box<dyn Send>, Box<Warmup>> {
        if warmup.ratings() != self.ratings {
            return Err(warmup);
        }
        let (layout, warming) = warmup.finish();
        let before = self.state.warm(warming);
        self.layout = layout;
        self.activate(Arc::clone(&self.ruling));
        Ok(Box::new(before))
    }

    /// Says that the next rating is erased: of state, nothing but its place is left.
    pub fn forget(&mut self) {
        self.ratings += 1;
        self.state.forget();
    }

    /// Brings reference tables into force, from the next rating on.
    pub fn set_references(&mut self, references: Arc<References>) {
        self.state.set_references(references);
    }

    /// The offset that hours and days are reckoned in.
    pub fn offset(&self) -> UtcOffset {
        self.offset
    }

    /// Shows state a run of ratings, in input order, and completes their features. `found` is
    /// called for each with its position.
    ///
    /// What memory has forgotten of a case stays so: a service, which has a log to look into, calls
    /// [`Engine::observe_with`].
    pub fn observe(&mut self, batch: &mut [&mut Prepared], found: impl FnMut(usize, Observed)) {
        self.observe_with(&NoPast, batch, found);
    }

    /// As [`Engine::observe`], with a log behind memory.
    pub fn observe_with(
        &mut self,
        past: &dyn Past,
        batch: &mut [&mut Prepared],
        mut found: impl FnMut(usize, Observed),
    ) {
        let features = self.ruling.catalogue().len();
        self.ratings += batch.len() as u64;
        self.resolved.clear();
        for (i, prepared) in batch.iter().enumerate() {
            if let Some(ahead) = batch.get(i + 2 * PREFETCH_AHEAD) {
                self.state.prefetch_identity(&ahead.observation, &ahead.keys);
            }
            self.resolved.push(self.state.resolve(&prepared.observation, &prepared.keys));
        }
        for i in 0..batch.len() {
            if let Some(ahead) = self.resolved.get(i + 2 * PREFETCH_AHEAD) {
                self.state.prefetch_slots(&batch[i + 2 * PREFETCH_AHEAD].observation, ahead);
            }
            if let Some(ahead) = self.resolved.get(i + PREFETCH_AHEAD) {
                self.state.prefetch_entities(ahead);
            }
            let prepared = &mut *batch[i];
            let Prepared { observation, features: vector, .. } = prepared;
            vector.resize(features);
            // The log keeps a link once: where it is learnt.
            observation.former = self.resolved[i].entities.learnt.take();
            let names = self.resolved[i].entities.case_names;
            let earlier = self.state.observe(observation, &self.resolved[i], || past.case(i, names), vector);
            let keys = self.resolved[i].keys.clone();
            let renamed = renamed(&prepared.keys, &prepared.observation, &self.resolved[i]);
            found(i, Observed { keys, earlier, watermark: self.state.watermark(), renamed });
        }
    }
}

/// The current names of what state keeps under a former one (device, rater, address, subnet); 0 where they
/// are the same. A device that was linked to another one has that one's name alone.
fn renamed(names: &Keys, o: &Observation, resolved: &Resolved) -> [u64; 4] {
    let of = |field| Some(names.get(field)).filter(|&name| name != resolved.keys.get(field)).unwrap_or(0);
    let device = match o.device.fingerprint {
        Some(id)
            if resolved.device.key == resolved.entities.fingerprint && id.key() != resolved.device.key =>
        {
            id.key()
        }
        _ => 0,
    };
    [device, of(KeyField::Rater), of(KeyField::Ip), of(KeyField::Subnet)]
}

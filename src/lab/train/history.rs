//! The ratings of the history, taken through the scoring path in their order, and what is kept of each.

use std::collections::HashSet;
use std::io::BufRead;
use std::sync::Arc;
use std::thread;

use super::TrainFailure;
use super::labels::{Label, Labels};
use crate::date::{Day, UtcOffset};
use crate::features::case::rating_fingerprint;
use crate::features::state::StateLimits;
use crate::lookback::Entrant;
use crate::models::columns::{Column, Columns, all};
use crate::models::density::ChannelClass;
use crate::policy;
use crate::pseudonym::Keyring;
use crate::scoring::{Desk, Engine, Observed, Prepared, Preparer, Ruling, weigh};
use crate::time::{DAY_MS, Instant};
use crate::wire::Origin;

/// Ratings that are taken through the path together.
const BATCH: usize = 8192;
/// The longest line; the contract's bound on a rating is below it.
const MAX_LINE: usize = 1 << 20;

/// What is kept of a rating.
pub struct Row {
    /// What is known of it, if anything is.
    pub label: Option<Label>,
    /// The rules' log-odds for what they suspect it of most.
    pub rules: f64,
    /// As it enters the look-back; its own log-odds are not set yet.
    pub entrant: Entrant,
    /// The class of its channel.
    pub class: ChannelClass,
    /// A bad rating.
    pub bad: bool,
    /// A bad rating of a matched applicant.
    pub protected: bool,
    /// Which fold it is in.
    pub fold: u8,
}

/// The ratings of the history that a model is for, in their order.
pub struct History {
    /// What the models read.
    pub columns: Vec<Column>,
    /// The values: a row of [`History::columns`] per rating.
    pub values: Vec<f32>,
    /// The rest.
    pub rows: Vec<Row>,
    /// Lines read.
    pub lines: u64,
    /// Lines that are no rating, or repeat one.
    pub passed_over: u64,
    /// Day of the first and of the last rating.
    pub days: Option<[Day; 2]>,
}

impl History {
    /// The values of one rating.
    pub fn of(&self, row: usize) -> &[f32] {
        let width = self.columns.len();
        &self.values[row * width..(row + 1) * width]
    }

    /// Reads ratings, one JSON object per line; `read_bytes` is told how many bytes went by.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read(
        mut input: impl BufRead,
        ruling: &Arc<Ruling>,
        labels: &Labels,
        folds: u8,
        mut read_bytes: impl FnMut(u64),
    ) -> Result<Self, TrainFailure> {
        let offset = UtcOffset::CHINA;
        let preparer = Preparer::new(Arc::new(Keyring::public()), offset);
        let mut engine = Engine::new(Arc::clone(ruling), StateLimits::default(), offset);
        let columns = all(ruling.catalogue());
        let found = Columns::find(&columns, ruling.catalogue()).map_err(TrainFailure::Model)?;
        let mut history =
            Self { columns, values: Vec::new(), rows: Vec::new(), lines: 0, passed_over: 0, days: None };
        let mut known = HashSet::new();
        let mut lines: Vec<Vec<u8>> = Vec::with_capacity(BATCH);
        loop {
            lines.clear();
            while lines.len() < BATCH {
                let mut line = Vec::new();
                let read = input.read_until(b'\n', &mut line).map_err(TrainFailure::Ratings)?;
                if read == 0 {
                    break;
                }
                read_bytes(read as u64);
                history.lines += 1;
                if !line.trim_ascii().is_empty() && line.len() <= MAX_LINE {
                    lines.push(line);
                }
            }
            if lines.is_empty() {
                break;
            }
            let mut ready: Vec<Prepared> = prepare(&preparer, &lines, ruling.catalogue().len())
                .into_iter()
                .flatten()
                .filter(|prepared| known.insert(rating_fingerprint(&prepared.observation.rating_id)))
                .collect();
            history.passed_over += (lines.len() - ready.len()) as u64;
            let mut seen: Vec<Option<Observed>> = vec![None; ready.len()];
            let mut batch: Vec<&mut Prepared> = ready.iter_mut().collect();
            engine.observe(&mut batch, |i, observed| seen[i] = Some(observed));
            history.take(ruling, &found, labels, folds, &ready, &seen, offset);
        }
        Ok(history)
    }

    #[allow(clippy::too_many_arguments)]
    fn take(
        &mut self,
        ruling: &Ruling,
        columns: &Columns,
        labels: &Labels,
        folds: u8,
        ready: &[Prepared],
        seen: &[Option<Observed>],
        offset: UtcOffset,
    ) {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = ready.len().div_ceil(threads).max(1);
        let parts: Vec<(Vec<f32>, Vec<Row>)> = thread::scope(|scope| {
            let parts: Vec<_> = ready
                .chunks(share)
                .zip(seen.chunks(share))
                .map(|(ready, seen)| {
                    scope.spawn(move || {
                        let (mut values, mut rows, mut desk) = (Vec::new(), Vec::new(), Desk::default());
                        let mut read = Vec::new();
                        for (prepared, observed) in ready.iter().zip(seen) {
                            let Some(observed) = observed else { continue };
                            if prepared.observation.origin != Origin::Active {
                                continue;
                            }
                            columns.read(&prepared.features, &mut read);
                            values.extend_from_slice(&read);
                            rows.push(row(ruling, labels, folds, prepared, observed, &mut desk));
                        }
                        (values, rows)
                    })
                })
                .collect();
            parts
                .into_iter()
                .map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        for (values, rows) in parts {
            self.values.extend(values);
            self.rows.extend(rows);
        }
        for prepared in ready {
            let day = offset.day_of(prepared.observation.submitted_at);
            let days = self.days.get_or_insert([day, day]);
            *days = [days[0].min(day), days[1].max(day)];
        }
    }
}

fn row(
    ruling: &Ruling,
    labels: &Labels,
    folds: u8,
    prepared: &Prepared,
    observed: &Observed,
    desk: &mut Desk,
) -> Row {
    let o = &prepared.observation;
    let at: Instant = observed.watermark;
    let (evidence, facts) = weigh(ruling, o, &prepared.features, observed, at, desk);
    // By office and by two days: what judges a rating has seen its office on other days, as a model in
    // service has, and not the day's campaigns.
    let office = crate::lookback::keys_of(o)[crate::lookback::Link::Office as usize];
    let block = o.submitted_at.ms().div_euclid(2 * DAY_MS) as u64;
    let fold = ((office >> 7).wrapping_add(block) % u64::from(folds)) as u8;
    Row {
        label: labels.of(&o.rating_id),
        rules: policy::lead(&evidence, &facts, ruling.thresholds()).logit,
        entrant: Entrant::new(0, o, &prepared.features, 0.0).in_fold(fold),
        class: ChannelClass::of(o.channel),
        bad: facts.bad,
        protected: facts.bad && facts.matched_applicant,
        fold,
    }
}

fn prepare(preparer: &Preparer, lines: &[Vec<u8>], features: usize) -> Vec<Option<Prepared>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = lines.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = lines
            .chunks(share)
            .map(|lines| {
                let prepare = move || -> Vec<Option<Prepared>> {
                    lines.iter().map(|line| preparer.prepare(line.trim_ascii(), features).ok()).collect()
                };
                scope.spawn(prepare)
            })
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

//! Makes comments durable, one step ahead of the committer: no rating enters the log before its comment
//! is in the vault, and the vault's sync for one group runs beside the log's sync for the group before.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant as Timer};

use super::commit::Work;
use super::worker::Judged;
use super::{ServiceError, Shared};
use crate::time::Instant;

/// How long a service that stops waits for a broker that cannot be reached.
const STOPPING_GRACE: Duration = Duration::from_secs(15);

/// Runs until the service is closed and everything that it took is answered. Hands on what it takes, in
/// order. What waits behind it has no bound of its own: the bounds of calls and batches on their way
/// hold there too.
///
/// # Errors
/// The vault failed; nothing of that group was handed on.
pub fn run(shared: &Shared, sealed: &Sender<Work>) -> Result<(), ServiceError> {
    // The newest `scored_at`: the time, where no clock is read.
    let mut latest = Instant::default();
    let mut stopping_since = None;
    loop {
        let mut batches = shared.ready.take(|| shared.gate.inside() == 0);
        if batches.is_empty() {
            return Ok(());
        }
        let mut comments = Vec::new();
        for judged in batches.iter_mut().flat_map(|batch| &mut batch.judged) {
            let Judged::New(new) = judged else { continue };
            latest = latest.max(new.entry.outcome.scored_at);
            if let Some(comment) = new.comment.take() {
                comments.push((new.entry.observation.rating_id.clone(), comment));
            }
        }
        if !comments.is_empty() {
            let exposed: Vec<(&str, &str)> =
                comments.iter().map(|(id, comment)| (id.as_str(), comment.expose_for_sealing())).collect();
            let now = shared.clock.now().unwrap_or(latest);
            shared.vault.append_group(&exposed, now)?;
            if let Some(topic) = &shared.comments {
                topic.append(&exposed, now, || gives_up(shared, &mut stopping_since))?;
            }
        }
        if sealed.send(Work::Judged(batches)).is_err() {
            // The committer ended because the log is lost.
            return Ok(());
        }
    }
}

/// Whether the broker has been waited for long enough.
fn gives_up(shared: &Shared, stopping_since: &mut Option<Timer>) -> bool {
    shared.stopping.load(Ordering::Relaxed)
        && stopping_since.get_or_insert_with(Timer::now).elapsed() >= STOPPING_GRACE
}

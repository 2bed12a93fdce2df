//! Verdicts and revisions onto a topic, in the order of the log, by the one node that leads.
//!
//! The topic follows from the log: who begins to write reads its last message and goes on after the sequence
//! that stands there. A broker that answers nothing leaves it unknown whether a message is there; then the
//! end is read again before anything more is written. So each verdict is there once. Should a writer be held up
//! for longer than another waits for it, what it had on its way may come twice; whoever reads skips sequences
//! that are not above the last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use super::super::Shared;
use super::presence::Presence;
use crate::broker::{BrokerError, Partition};

/// Verdicts that are appended at once.
const AT_ONCE: usize = 512;
const PATIENCE: Duration = Duration::from_millis(20);
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest time for which the last message of the topic is waited.
const LAST_WITHIN: Duration = Duration::from_secs(10);

/// The thread that writes. Dropping it ends it.
pub(in crate::service) struct VerdictWriter {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl VerdictWriter {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        shared: Arc<Shared>,
        presence: Arc<Presence>,
        verdicts: Arc<dyn Partition>,
    ) -> std::io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let run = move || {
            while !over.load(Ordering::Relaxed) {
                if !presence.leads() {
                    std::thread::sleep(PATIENCE);
                } else if let Err(error) = write(&shared, &presence, &*verdicts, &over) {
                    tracing::debug!(%error, "verdicts cannot be written to their topic now; it is tried again");
                    std::thread::sleep(BACKOFF);
                }
            }
        };
        let thread = std::thread::Builder::new().name("verdict-writer".into()).spawn(run)?;
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for VerdictWriter {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it did not write the next leader does.
            let _ = thread.join();
        }
    }
}

/// The sequence after the last verdict of the topic.
fn next_of(verdicts: &dyn Partition) -> Result<u64, BrokerError> {
    let bounds = verdicts.bounds()?;
    if bounds.is_empty() {
        return Ok(0);
    }
    let unreadable = |why: &str| BrokerError::Topic {
        topic: "of verdicts".to_owned(),
        why: format!("its last message {why}; nothing but Zhenping may write to it"),
    };
    let messages = verdicts.follow(bounds.end - 1)?.next(LAST_WITHIN)?;
    let Some(last) = messages.last() else {
        return Err(BrokerError::Unreachable {
            what: "reading the last verdict".into(),
            why: "none came".into(),
        });
    };
    let last: serde_json::Value =
        serde_json::from_slice(&last.payload).map_err(|_| unreadable("is no verdict"))?;
    let sequence = last.get("sequence").and_then(serde_json::Value::as_u64);
    Ok(sequence.ok_or_else(|| unreadable("has no sequence"))? + 1)
}

/// Writes as long as this node leads, or until something fails.
fn write(
    shared: &Shared,
    presence: &Presence,
    verdicts: &dyn Partition,
    over: &AtomicBool,
) -> Result<(), BrokerError> {
    let mut next = next_of(verdicts)?;
    tracing::info!(next, "this node writes the verdicts to their topic");
    while presence.leads() && !over.load(Ordering::Relaxed) {
        let lost = |error: &dyn std::fmt::Display| BrokerError::Settings(error.to_string());
        let page = shared.verdict_bytes_from(next, AT_ONCE).map_err(|error| lost(&error))?;
        if page.items.is_empty() {
            next = page.next;
            std::thread::sleep(PATIENCE);
            continue;
        }
        let messages: Vec<Bytes> = page.items.into_iter().map(|(_, json)| Bytes::from(json)).collect();
        // Reading took a while; the lead may be another's now.
        if presence.leads() {
            verdicts.append(&messages)?;
            next = page.next;
        }
    }
    Ok(())
}

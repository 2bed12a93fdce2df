//! Tells the pipeline that the clock went on: undecided holds lapse though no rating comes.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Shared, Submission};

/// Holds lapse after days; a minute more does not matter to anybody.
const EVERY: Duration = Duration::from_secs(60);

/// A thread that submits [`Submission::Tick`] at once and then every minute.
pub(super) struct Ticker {
    /// Dropped to end it, which wakes it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("ticker".into()).spawn(move || {
            while let Some(now) = shared.clock.now() {
                if shared.intake.push_all(vec![Submission::Tick(now)]).is_err() {
                    return;
                }
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it and waits for that. The queue is to be closed before, or it may wait for room.
    pub fn stop(self) -> std::thread::Result<()> {
        drop(self.stop);
        self.thread.join()
    }
}

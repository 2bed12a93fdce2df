//! Comments on their way to the vaults of all nodes: sealed, on a topic that forgets them when vaults do.
//!
//! A comment never enters the log. Its node seals it into its own vault and appends it here, sealed under a key
//! that all nodes derive, before the rating's group is sent; so whoever reviews a case, at whichever node, can
//! read what was said, and the loss of a node loses no words.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Timer};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ClusterError;
use crate::broker::{BrokerError, MESSAGE_BYTES_MAX, Partition};
use crate::time::Instant;
use crate::vault::{MAX_COMMENT_BYTES, WordsKey};

/// Where in a data directory the next message's offset stands.
const FILE: &str = "comments.position";
/// How often it is kept.
const KEPT_EVERY: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_millis(200);
/// First and longest time between two tries.
const BACKOFF: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// A message of the topic.
#[derive(Serialize, Deserialize)]
struct Message {
    incarnation: [u8; 16],
    /// When the comments came, in ms since the Unix epoch.
    at_ms: i64,
    /// Each with the id of its rating, sealed.
    comments: Vec<(String, String)>,
}

/// The topic.
#[derive(Clone)]
pub struct Comments {
    partition: Arc<dyn Partition>,
    key: Arc<WordsKey>,
    incarnation: [u8; 16],
}

impl Comments {
    /// The topic with this partition; all nodes derive the same key.
    pub fn new(partition: Arc<dyn Partition>, key: &[u8; 32], incarnation: [u8; 16]) -> Self {
        Self { partition, key: Arc::new(WordsKey::new(key)), incarnation }
    }

    /// Appends comments, each with its rating's id; the brokers have them when it returns. Tries again until
    /// `gives_up` says to leave it.
    ///
    /// # Errors
    /// The broker refuses them for good, or it was given up.
    pub fn append(
        &self,
        comments: &[(&str, &str)],
        at: Instant,
        mut gives_up: impl FnMut() -> bool,
    ) -> Result<(), ClusterError> {
        // In base 64 a comment takes four thirds of its bytes.
        const EACH: usize = MAX_COMMENT_BYTES * 4 / 3 + 512;
        for some in comments.chunks(MESSAGE_BYTES_MAX / EACH) {
            let mut backoff = BACKOFF[0];
            let message = self.message(some, at)?;
            loop {
                match self.partition.append(std::slice::from_ref(&message)) {
                    Ok(()) => break,
                    Err(error) if error.is_passing() && !gives_up() => {
                        tracing::debug!(%error, "comments are sent again");
                        std::thread::sleep(backoff);
                        backoff = (backoff * 2).min(BACKOFF[1]);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn message(&self, comments: &[(&str, &str)], at: Instant) -> Result<Bytes, ClusterError> {
        let settings = |why: String| ClusterError::Broker(BrokerError::Settings(why));
        let sealed = |&(id, comment): &(&str, &str)| Ok((id.to_owned(), self.key.seal(comment, id)?));
        let comments: Result<_, getrandom::Error> = comments.iter().map(sealed).collect();
        let comments = comments.map_err(|error| settings(format!("no random bytes: {error}")))?;
        let message = Message { incarnation: self.incarnation, at_ms: at.ms(), comments };
        let bytes = postcard::to_allocvec(&message).map_err(|error| settings(error.to_string()))?;
        Ok(bytes.into())
    }

    /// Takes others' comments as they come, with `keep`, from where this directory has them.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn follow(
        &self,
        data: &Path,
        keep: impl FnMut(&[(&str, &str)], Instant) -> bool + Send + 'static,
    ) -> std::io::Result<Follower> {
        let ended = Arc::new(AtomicBool::new(false));
        let work = Work { comments: self.clone(), path: data.join(FILE), ended: Arc::clone(&ended), next: 0 };
        let thread = std::thread::Builder::new().name("comments".into()).spawn(move || work.run(keep))?;
        Ok(Follower { ended, thread: Some(thread) })
    }
}

/// The thread that takes others' comments. Dropping it ends it.
pub struct Follower {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has said what went wrong.
            let _ = thread.join();
        }
    }
}

struct Work {
    comments: Comments,
    path: PathBuf,
    ended: Arc<AtomicBool>,
    next: u64,
}

impl Work {
    fn run(mut self, mut keep: impl FnMut(&[(&str, &str)], Instant) -> bool) {
        let kept = fs::read_to_string(&self.path).ok().and_then(|text| text.trim().parse().ok());
        self.next = kept.unwrap_or(0);
        let mut backoff = BACKOFF[0];
        while !self.ended.load(Ordering::Relaxed) {
            match self.read_on(&mut keep) {
                Ok(()) => break,
                // What the topic forgot, the vaults have forgotten as well.
                Err(BrokerError::Gone { kept, .. }) => self.next = kept.start,
                Err(error) => {
                    tracing::debug!(%error, "others' comments cannot be read now");
                    std::thread::sleep(backoff);
                    backoff = (backoff * 2).min(BACKOFF[1]);
                }
            }
        }
        self.save();
    }

    fn read_on(
        &mut self,
        keep: &mut impl FnMut(&[(&str, &str)], Instant) -> bool,
    ) -> Result<(), BrokerError> {
        let mut follow = self.comments.partition.follow(self.next)?;
        let mut saved = Timer::now();
        while !self.ended.load(Ordering::Relaxed) {
            for message in follow.next(PATIENCE)? {
                if !self.take(&message.payload, keep) {
                    return Ok(());
                }
                self.next = message.offset + 1;
            }
            if saved.elapsed() >= KEPT_EVERY {
                self.save();
                saved = Timer::now();
            }
        }
        Ok(())
    }

    fn take(&self, payload: &[u8], keep: &mut impl FnMut(&[(&str, &str)], Instant) -> bool) -> bool {
        let Ok(message) = postcard::from_bytes::<Message>(payload) else {
            tracing::warn!("a message of comments cannot be read and is passed over");
            return true;
        };
        if message.incarnation == self.comments.incarnation {
            return true;
        }
        let open = |(id, sealed): &(String, String)| Some((id.clone(), self.comments.key.open(sealed, id)?));
        let opened: Vec<(String, String)> = message.comments.iter().filter_map(open).collect();
        let comments: Vec<(&str, &str)> = opened.iter().map(|(id, c)| (id.as_str(), c.as_str())).collect();
        comments.is_empty() || keep(&comments, Instant(message.at_ms))
    }

    fn save(&self) {
        // Without it they are taken again, which changes nothing.
        if let Err(error) = fs::write(&self.path, self.next.to_string()) {
            tracing::warn!(%error, "the place in the topic of comments cannot be kept");
        }
    }
}

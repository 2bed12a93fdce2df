//! A backend in memory, and a server around it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use zhenping::access::{Access, Role};
use zhenping::catalogue::Bilingual;
use zhenping::cli::serve::Server;
use zhenping::config::Config;
use zhenping::http::backend::{
    Answer, Backend, BackendError, Live, LiveReason, LiveVerdict, Page, Refusal, ReviewFailure,
    StatisticsQuery, StatisticsQueryError,
};
use zhenping::http::incidents::{Surge, Surges};
use zhenping::log::entry::CallbackResult;
use zhenping::metrics::Metrics;

/// Keeps what it was given. A rating is held if its stars are 1, admitted otherwise; the words `conflict`,
/// `shed`, `stopping`, `silent` and `slow` in a `rating_id` call for those answers.
pub struct Fake {
    pub bodies: Mutex<Vec<Bytes>>,
    pub verdicts: Mutex<Vec<Value>>,
    pub broken: AtomicBool,
    pub stopped: AtomicBool,
    pub reloads: AtomicUsize,
    pub rules: Mutex<Option<PathBuf>>,
    pub not_ready: Mutex<Option<String>>,
    unanswered: Mutex<Vec<oneshot::Sender<Answer>>>,
    head: watch::Sender<u64>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            bodies: Mutex::default(),
            verdicts: Mutex::default(),
            broken: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            reloads: AtomicUsize::new(0),
            rules: Mutex::default(),
            not_ready: Mutex::default(),
            unanswered: Mutex::default(),
            head: watch::channel(0).0,
        }
    }
}

fn refusal(path: &str, found: &str, allowed: &str) -> Answer {
    Answer::Invalid(Box::new(Refusal {
        code: "missing".into(),
        path: path.into(),
        found: found.into(),
        allowed: allowed.into(),
        message: format!("{path} is {found}; allowed: {allowed}."),
    }))
}

impl Fake {
    fn answer(&self, body: &Bytes) -> Answer {
        self.bodies.lock().unwrap().push(body.clone());
        let Ok(rating) = serde_json::from_slice::<Value>(body) else {
            return refusal("$", "no JSON", "one JSON object");
        };
        let Some(id) = rating["rating_id"].as_str() else {
            return refusal("$.rating_id", "nothing", "1 to 128 characters");
        };
        if id.contains("conflict") {
            return Answer::Conflict { rating_id: id.into() };
        }
        if id.contains("shed") {
            return Answer::Shed { retry_after_s: 7 };
        }
        if id.contains("stopping") {
            return Answer::Stopping;
        }
        let stars = rating["stars"].as_u64().unwrap_or(5);
        let mut verdicts = self.verdicts.lock().unwrap();
        let mut verdict = json!({
            "rating_id": id, "revision": 0, "decision": if stars == 1 { "hold" } else { "admit" },
            "suspicion": null, "risk": 0.25, "reasons": [], "rules": "0011223344556677",
            "model": "0000000000000000", "sequence": verdicts.len(),
        });
        if stars <= 2 {
            verdict["handling"] = "proceed".into();
        }
        let bytes = serde_json::to_vec(&verdict).unwrap();
        verdicts.push(verdict);
        self.head.send_replace(verdicts.len() as u64);
        Answer::Verdict(bytes)
    }

    /// As a later revision in the log.
    pub fn revise(&self, rating_id: &str, revision: u32, decision: &str) {
        let mut verdicts = self.verdicts.lock().unwrap();
        let verdict = json!({
            "rating_id": rating_id, "revision": revision, "decision": decision, "sequence": verdicts.len(),
        });
        verdicts.push(verdict);
        self.head.send_replace(verdicts.len() as u64);
    }

    fn read(&self) -> Result<(), BackendError> {
        match self.broken.load(Ordering::Relaxed) {
            true => Err(BackendError("segment 7 of /secret/path is unreadable".into())),
            false => Ok(()),
        }
    }
}

/// Reference that an appeal is known under.
pub const REFERENCE: &str = "ZP-0000-1111-2222-3333";

impl Backend for Fake {
    fn callbacks_from(&self, from: u64, limit: usize) -> Result<Page<(u64, String)>, BackendError> {
        let all = [(4, "r-1".to_owned()), (9, "r-2".to_owned())];
        let items = all.into_iter().filter(|(at, _)| *at >= from).take(limit).collect();
        Ok(Page { items, next: 10 })
    }

    fn appeal(&self, reference: &str, words: &str) -> Result<u64, ReviewFailure> {
        match (reference, words) {
            (REFERENCE, "again") => Err(ReviewFailure::Refused {
                code: "appeal-pending",
                message: "An appeal is being looked at".into(),
            }),
            (REFERENCE, _) => Ok(17),
            _ => Err(ReviewFailure::NotFound),
        }
    }

    fn evidence(&self, rating_id: &str, _: CallbackResult, _: &str) -> Result<u64, ReviewFailure> {
        if rating_id == "r-1" { Ok(18) } else { Err(ReviewFailure::NotFound) }
    }

    async fn submit(&self, body: Bytes) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let has = |word: &[u8]| body.windows(word.len()).any(|window| window == word);
        if has(b"silent") {
            self.unanswered.lock().unwrap().push(sender);
        } else if has(b"slow") {
            let answer = self.answer(&body);
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(400));
                let _ = sender.send(answer);
            });
        } else {
            let _ = sender.send(self.answer(&body));
        }
        receiver.await.unwrap_or(Answer::Stopping)
    }

    async fn submit_batch(&self, lines: Vec<Bytes>) -> Vec<Answer> {
        tokio::task::yield_now().await;
        lines.iter().map(|line| self.answer(line)).collect()
    }

    fn verdicts_of(&self, rating_id: &str) -> Result<Option<Value>, BackendError> {
        self.read()?;
        let verdicts = self.verdicts.lock().unwrap();
        let of_it: Vec<&Value> =
            verdicts.iter().rev().filter(|verdict| verdict["rating_id"] == rating_id).collect();
        Ok((!of_it.is_empty()).then(|| json!({ "rating_id": rating_id, "verdicts": of_it })))
    }

    fn verdicts_from(&self, from: u64, limit: usize) -> Result<Page<(u64, Value)>, BackendError> {
        self.read()?;
        let verdicts = self.verdicts.lock().unwrap();
        let items: Vec<(u64, Value)> =
            (0..).zip(verdicts.iter().cloned()).skip(from as usize).take(limit).collect();
        let next = items.last().map_or(from, |(sequence, _)| sequence + 1);
        Ok(Page { items, next })
    }

    fn handling_from(&self, from: u64, limit: usize) -> Result<Page<(u64, String)>, BackendError> {
        let page = self.verdicts_from(from, usize::MAX)?;
        let proceeding = page.items.into_iter().filter(|(_, verdict)| verdict["handling"] == "proceed");
        let items: Vec<(u64, String)> = proceeding
            .take(limit)
            .map(|(sequence, verdict)| (sequence, verdict["rating_id"].as_str().unwrap().to_owned()))
            .collect();
        let next = if items.len() == limit { items[limit - 1].0 + 1 } else { page.next };
        Ok(Page { items, next })
    }

    fn incidents(&self) -> Surges {
        let surge = Surge {
            id: "I2A".into(),
            department: "990108-GA".into(),
            district: Some("990108".into()),
            hall: None,
            window: None,
            since: "2026-03-18T02:00:00.000Z".into(),
            until: None,
            ratings: 23,
            raters: Some(22),
            related: Some(1),
            held: Some(0),
            baseline: "0.4/h".into(),
            text: Bilingual::new("23 条差评", "23 bad ratings"),
        };
        Surges { incidents: vec![surge], alerts: Vec::new() }
    }

    fn statistics(&self, query: &StatisticsQuery) -> Result<Value, StatisticsQueryError> {
        self.read().map_err(StatisticsQueryError::Unavailable)?;
        match query.by.as_deref() {
            None | Some("department") => Ok(
                json!({ "position": *self.head.borrow(), "per": query.per, "from": query.from, "to": query.to }),
            ),
            Some(_) => Err(StatisticsQueryError::Invalid { parameter: "by", allowed: "department".into() }),
        }
    }

    fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    fn ready(&self) -> Result<(), String> {
        self.not_ready.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn reload_rules(&self) -> Result<Value, String> {
        self.reloads.fetch_add(1, Ordering::Relaxed);
        match self.broken.load(Ordering::Relaxed) {
            true => Err("rules/a.toml:3:8: unknown feature `stras`; did you mean `stars`?".into()),
            false => Ok(json!({ "version": "0011223344556677" })),
        }
    }

    fn rules_directory(&self) -> Option<PathBuf> {
        self.rules.lock().unwrap().clone()
    }

    fn live(&self) -> Live {
        let verdicts = self.verdicts.lock().unwrap();
        let held = verdicts.iter().filter(|verdict| verdict["decision"] == "hold").count() as u64;
        let reason = LiveReason { text: "<b>原因</b>".into(), text_en: "<script>reason</script>".into() };
        let latest =
            LiveVerdict { decision: "hold", stars: 1, reasons: vec![reason], ..LiveVerdict::default() };
        Live {
            uptime_ms: 1_000,
            admitted: verdicts.len() as u64 - held,
            held,
            rules: "0011223344556677".into(),
            log_head: verdicts.len() as u64,
            latest: vec![latest],
            ..Live::default()
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// A running server. It stops when it is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub fake: Arc<Fake>,
    pub metrics: Arc<Metrics>,
    pub directory: tempfile::TempDir,
    pub stop: Arc<watch::Sender<bool>>,
    pub ended: std::sync::mpsc::Receiver<bool>,
    tokens: [String; 4],
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    /// With the defaults.
    pub fn start() -> Self {
        Self::with(|_| ())
    }

    /// With other settings.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::around(Fake::default(), change)
    }

    /// Around a backend of the test's own, with other settings.
    pub fn around(fake: Fake, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let directory = tempfile::tempdir().unwrap();
        let access = Arc::new(Access::open(directory.path()).unwrap());
        let tokens = Role::ALL.map(|role| access.create(role, "", None).unwrap().0);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (fake, metrics) = (Arc::new(fake), Arc::new(Metrics::new().unwrap()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(Arc::clone(&fake), access, Arc::clone(&metrics), &config);
        let stop = Arc::clone(&server.stop);
        let (send_ended, ended) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let drained = server.run(listener).await;
            let _ = send_ended.send(drained);
        });
        Self { address, fake, metrics, directory, stop, ended, tokens, _runtime: runtime }
    }

    /// A token of a role.
    pub fn token(&self, role: Role) -> &str {
        &self.tokens[role as usize]
    }
}

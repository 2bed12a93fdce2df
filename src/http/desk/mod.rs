//! The reviewers' desk: pages under `/desk/`, made on the server, which work without a script.
//!
//! ```text
//! request ─▶ visit (session, language) ─▶ a page's file ─▶ templates ─▶ HTML
//!                                    └──▶ acts (form, CSRF, recusal) ─▶ service ─▶ back to the page, with a notice
//! ```
//!
//! What a page shows is read from the projection of the log and from the log itself; what a form does goes
//! through the one door of the service. The desk decides nothing on its own.

mod act;
mod audit;
mod campaign;

mod case;
mod events;
mod forms;
mod operations;
mod pages;
mod pictures;

mod quality;
mod queue;
mod rows;
mod rules;
mod sign_in;
mod statistics;
mod templates;
mod visit;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use dashmap::DashMap;
use tokio::sync::{Semaphore, watch};

use crate::access::{Access, Throttle, ThrottleLimits};
use crate::config;
use crate::review::ReviewTimes;
use crate::service::{ReviewDesk, Service};
use pages::Notice;
use templates::Templates;

/// Longest form, in bytes: five thousand ids and some words.
const FORM_BYTES_MAX: usize = 1 << 20;
/// Pages that are read from disk at once; others wait their turn.
const READS_MAX: usize = 4;
/// Passwords that are verified at once: each takes 19 MiB.
const VERIFIED_MAX: usize = 2;
/// Notices that wait for their page.
const NOTICES_MAX: usize = 10_000;

/// What all pages share.
pub struct Desk {
    service: Arc<Service>,
    review: Arc<ReviewDesk>,
    access: Arc<Access>,
    templates: Templates,
    settings: config::Desk,
    throttle: Throttle,
    stopping: watch::Receiver<bool>,
    reads: Semaphore,
    verified: Semaphore,
    streams: Arc<Semaphore>,
    /// What is said on the next page of a session, by its cookie's hash.
    notices: DashMap<[u8; 32], Notice>,
}

impl Desk {
    /// The desk over a service that keeps a projection for it.
    ///
    /// # Errors
    /// The service keeps no projection, or a template has an error, which a test excludes.
    pub fn new(
        service: Arc<Service>,
        access: Arc<Access>,
        limits: &config::Http,
        settings: config::Desk,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let review = Arc::clone(service.desk().ok_or("the service keeps no desk")?);
        Ok(Self {
            service,
            review,
            access,
            templates: Templates::new()?,
            settings,
            throttle: Throttle::new(ThrottleLimits::default()),
            stopping,
            reads: Semaphore::new(READS_MAX),
            verified: Semaphore::new(VERIFIED_MAX),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            notices: DashMap::new(),
        })
    }

    fn times(&self) -> ReviewTimes {
        ReviewTimes { claim_minutes: self.settings.claim_minutes, undo_minutes: self.settings.undo_minutes }
    }
}

/// All pages and forms of the desk.
pub fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/desk", get(async || axum::response::Redirect::to("/desk/queue")))
        .route("/desk/", get(async || axum::response::Redirect::to("/desk/queue")))
        .route("/desk/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/desk/sign-out", post(sign_in::sign_out))
        .route("/desk/password", get(sign_in::password).post(sign_in::change_password))
        .route("/desk/language", post(sign_in::language))
        .route("/desk/queue", get(queue::page))
        .route("/desk/views", post(queue::save_view))
        .route("/desk/views/{id}/delete", post(queue::delete_view))
        .route("/desk/claim", post(act::claim_many))
        .route("/desk/release", post(act::release_many))
        .route("/desk/decide", post(act::decide_many))
        .route("/desk/cases/{rating_id}", get(case::page))
        .route("/desk/cases/{rating_id}/{act}", post(act::one))
        .route("/desk/campaigns/{id}", get(campaign::page))
        .route("/desk/campaigns/{id}/evidence.json", get(campaign::evidence))
        .route("/desk/rules", get(rules::page))
        .route("/desk/statistics", get(statistics::page))
        .route("/desk/operations", get(operations::page))
        .route("/desk/operations.json", get(operations::live))
        .route("/desk/quality", get(quality::page))
        .route("/desk/quality/{file}", get(quality::export))
        .route("/desk/audit", get(audit::page))
        .route("/desk/events", get(events::stream))
        .route("/desk/assets/desk.css", get(pages::css))
        .route("/desk/assets/desk.js", get(pages::js))
        .route("/desk/{*rest}", get(pages::not_found))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(desk)
}

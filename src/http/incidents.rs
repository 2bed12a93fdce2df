//! `GET /v1/incidents`: what people should know of, for machines; the desk shows the same.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde::Serialize;

use super::auth::Call;
use super::backend::Backend;
use super::problem::json;
use super::{App, CallResult, json_response, response_of};
use crate::catalogue::Bilingual;
use crate::incidents::{Alert, Incident, Incidents};
use crate::time::Instant;

/// An incident or an alert as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Surge {
    /// Stable.
    pub id: String,
    /// Department code; empty where it is about the city as a whole.
    pub department: String,
    /// District code, where it is about one.
    pub district: Option<String>,
    /// Hall code, where it is about one window.
    pub hall: Option<String>,
    /// Window code, where it is about one window.
    pub window: Option<String>,
    /// When it began, RFC 3339.
    pub since: String,
    /// When it was over; `None` while it goes on.
    pub until: Option<String>,
    /// Ratings so far; of an alert, those of the day.
    pub ratings: u32,
    /// Distinct raters; an alert has none.
    pub raters: Option<u32>,
    /// Of the ratings, those that share something with another.
    pub related: Option<u32>,
    /// Of the ratings, those that were held on their own evidence.
    pub held: Option<u32>,
    /// What is usual, as it reads.
    pub baseline: String,
    /// It in one sentence.
    pub text: Bilingual,
}

/// Incidents and alerts, those that go on first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Surges {
    /// Surges of bad ratings by unrelated raters.
    pub incidents: Vec<Surge>,
    /// Jumps in what a window's ratings are made of.
    pub alerts: Vec<Surge>,
}

/// Incidents and alerts, copied so that nobody who appends waits while they are written out.
pub struct Copied {
    incidents: Vec<Incident>,
    alerts: Vec<Alert>,
}

impl Copied {
    /// At most so many of each, those that go on first.
    pub fn of(incidents: &Incidents, most: usize) -> Self {
        Self {
            incidents: incidents.recent(most).cloned().collect(),
            alerts: incidents.alerts().take(most).cloned().collect(),
        }
    }

    /// Written out, with instants as `moment` writes them.
    pub fn told(&self, moment: impl Fn(Instant) -> String) -> Surges {
        let text = |code: &Option<compact_str::CompactString>| code.as_ref().map(ToString::to_string);
        let incident = |incident: &Incident| Surge {
            id: incident.id(),
            department: incident.department.to_string(),
            district: text(&incident.district),
            hall: text(&incident.hall),
            window: text(&incident.window),
            since: moment(incident.since),
            until: incident.until.map(&moment),
            ratings: incident.ratings,
            raters: Some(incident.raters),
            related: Some(incident.related),
            held: Some(incident.held),
            baseline: incident.baseline_text(),
            text: incident.text(),
        };
        let alert = |alert: &Alert| Surge {
            id: alert.id(),
            department: alert.department.to_string(),
            district: None,
            hall: text(&alert.hall),
            window: Some(alert.window.to_string()),
            since: moment(alert.since),
            until: alert.until.map(&moment),
            ratings: alert.ratings,
            raters: None,
            related: None,
            held: None,
            baseline: alert.baseline_text(),
            text: alert.text(),
        };
        Surges {
            incidents: self.incidents.iter().map(incident).collect(),
            alerts: self.alerts.iter().map(alert).collect(),
        }
    }
}

/// The call.
pub(super) async fn surges<B: Backend>(State(app): State<Arc<App<B>>>, headers: HeaderMap) -> Response<Body> {
    response_of(told(app, &headers).await)
}

async fn told<B: Backend>(app: Arc<App<B>>, headers: &HeaderMap) -> CallResult {
    app.admit(headers, Call::Operate).await?;
    let surges = app.read(|backend| backend.incidents()).await?;
    Ok(json_response(json(&surges)))
}

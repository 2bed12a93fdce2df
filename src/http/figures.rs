//! `GET /v1/statistics`: the authoritative figures.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};

use super::auth::Call;
use super::backend::{Backend, StatisticsQuery, StatisticsQueryError};
use super::feeds::parameters;
use super::problem::{Problem, json};
use super::{App, CallResult, json_response, response_of};

/// The call.
pub(super) async fn statistics<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    response_of(figures(app, &uri, &headers).await)
}

async fn figures<B: Backend>(app: Arc<App<B>>, uri: &Uri, headers: &HeaderMap) -> CallResult {
    if !app.limits.statistics_open {
        app.admit(headers, Call::Statistics).await?;
    }
    let mut parameters = parameters(uri, &["by", "per", "from", "to", "department", "limit"])?;
    let query = StatisticsQuery {
        by: parameters.remove("by"),
        per: parameters.remove("per"),
        from: parameters.remove("from"),
        to: parameters.remove("to"),
        department: parameters.remove("department"),
        limit: parameters.remove("limit"),
    };
    match app.read(move |backend| backend.statistics(&query)).await? {
        Ok(figures) => Ok(json_response(json(&figures))),
        Err(StatisticsQueryError::Invalid { parameter, allowed }) => {
            Err(Problem::parameter(parameter, allowed))
        }
        Err(StatisticsQueryError::Unavailable(error)) => Err(Problem::failed("Reading the figures", &error)),
    }
}

//! What forms do about cases.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use compact_str::CompactString;

use super::Desk;
use super::forms::{Fields, Signed};
use super::pages::{Notice, Problem, Undo, problem};
use super::visit::{Visitor, refusal, see_other, target};
use super::words::{Text, name_of, text};
use crate::access::may_decide;
use crate::log::entry::Act;
use crate::review::{Effect, Refusal};
use crate::service::{CASES_MAX, ReviewRequest, Reviewed};
use crate::time::{Instant, MINUTE_MS};
use crate::wire::ReviewOutcome;

/// `POST /desk/cases/{rating_id}/{act}`.
pub async fn one(
    State(desk): State<Arc<Desk>>,
    Path((rating_id, act)): Path<(String, String)>,
    signed: Signed,
) -> Response<Body> {
    let now = desk.now();
    let Some(act) = act_of(&act, &signed.fields, now, &desk) else {
        return problem(&desk, &signed.visitor.caller, Problem::not_found());
    };
    perform(desk, signed, vec![rating_id.into()], act, now).await
}

/// `POST /desk/claim`.
pub async fn claim_many(State(desk): State<Arc<Desk>>, signed: Signed) -> Response<Body> {
    many(desk, signed, "claim").await
}

/// `POST /desk/release`.
pub async fn release_many(State(desk): State<Arc<Desk>>, signed: Signed) -> Response<Body> {
    many(desk, signed, "release").await
}

/// `POST /desk/decide`.
pub async fn decide_many(State(desk): State<Arc<Desk>>, signed: Signed) -> Response<Body> {
    many(desk, signed, "decide").await
}

async fn many(desk: Arc<Desk>, signed: Signed, act: &str) -> Response<Body> {
    let now = desk.now();
    let mut ids: Vec<CompactString> = signed.fields.all("id").map(Into::into).collect();
    let campaign = signed.fields.get("all").to_owned();
    if !campaign.is_empty() {
        match desk.read(move |desk| desk.review.projection().open_members(&campaign)).await {
            Ok(Ok(members)) => ids = members.into_iter().map(Into::into).collect(),
            Ok(Err(failure)) => {
                return problem(&desk, &signed.visitor.caller, Problem::failed("a campaign", &failure));
            }
            Err(refused) => return problem(&desk, &signed.visitor.caller, refused),
        }
    }
    if ids.is_empty() || ids.len() > CASES_MAX {
        let says = match ids.is_empty() {
            true => text("没有选择任何评价。", "No rating was selected."),
            false => text(
                format!("一次最多处理 {CASES_MAX} 条。"),
                format!("At most {CASES_MAX} ratings can be decided at once."),
            ),
        };
        desk.say(&signed.visitor, Notice::error(says));
        return see_other(signed.fields.back());
    }
    match act_of(act, &signed.fields, now, &desk) {
        Some(act) => perform(desk, signed, ids, act, now).await,
        None => {
            desk.say(&signed.visitor, Notice::error(text("请选择决定。", "Choose a decision.")));
            see_other(signed.fields.back())
        }
    }
}

fn act_of(act: &str, fields: &Fields, now: Instant, desk: &Desk) -> Option<Act> {
    Some(match act {
        "claim" => {
            Act::Claim { until: Instant(now.ms() + i64::from(desk.settings.claim_minutes) * MINUTE_MS) }
        }
        "release" => Act::Release,
        "decide" => Act::Decide(ReviewOutcome::from_name(fields.get("outcome"))?),
        "escalate" => Act::Escalate,
        "return" => Act::Return,
        "extend" => Act::Extend,
        "callback" => Act::AskCallback,
        "undo" => Act::Undo,
        _ => return None,
    })
}

async fn perform(
    desk: Arc<Desk>,
    signed: Signed,
    rating_ids: Vec<CompactString>,
    act: Act,
    at: Instant,
) -> Response<Body> {
    let Signed { visitor, fields } = signed;
    let account = Arc::clone(visitor.account());
    let request = ReviewRequest {
        rating_ids,
        act,
        reason: fields.get("reason").into(),
        words: fields.get("words").trim().to_owned(),
        by: account.name.as_str().into(),
        at,
        times: desk.times(),
        permit: Arc::new(move |rating| may_decide(&account, &target(rating)).map_err(refusal)),
    };
    let done = desk
        .read(move |desk| {
            let reviewed = desk.service.review(request)?;
            let last =
                reviewed.iter().filter_map(|one| one.result.as_ref().ok()).map(|&(_, place)| place).max();
            // The page that follows shows what was just done.
            last.inspect(|&place| desk.review.wait_for(place + 1));
            Ok::<_, crate::service::ServiceError>(reviewed)
        })
        .await;
    match done {
        Ok(Ok(reviewed)) => {
            let notice = told(&desk, &visitor, act, at, &reviewed);
            desk.say(&visitor, notice);
            see_other(fields.back())
        }
        Ok(Err(failure)) => problem(&desk, &visitor.caller, Problem::failed("an act of review", &failure)),
        Err(refused) => problem(&desk, &visitor.caller, refused),
    }
}

/// What the page says of what was done.
fn told(desk: &Desk, visitor: &Visitor, act: Act, at: Instant, reviewed: &[Reviewed]) -> Notice {
    // Pages call people by their names.
    let by_name = |refusal: &Refusal| match refusal {
        Refusal::Claimed { by, until } => Refusal::Claimed { by: desk.display(by).into(), until: *until },
        Refusal::NotYours { of } => Refusal::NotYours { of: desk.display(of).into() },
        other => other.clone(),
    };
    let refused: Vec<Refusal> =
        reviewed.iter().filter_map(|one| one.result.as_ref().err()).map(by_name).collect();
    let done: Vec<&Reviewed> = reviewed.iter().filter(|one| one.result.is_ok()).collect();
    if done.is_empty() {
        let why =
            refused.first().map_or_else(|| Refusal::NoSuchCase.sentences(), |refusal| refusal.sentences());
        return Notice::error(why.into());
    }
    let waiting = matches!(act, Act::Decide(outcome) if outcome != ReviewOutcome::Clear)
        .then(|| done.iter().filter(|one| matches!(one.result, Ok((Effect::Noted, _)))).count())
        .unwrap_or(0);
    let mut says = what(act, done.len());
    if waiting > 0 {
        says.zh.push_str(&format!("；其中 {waiting} 条须由另一人复核后生效，或原决定维持不变"));
        says.en.push_str(&format!("; {waiting} of them wait for a second person, or leave what was decided"));
    }
    if let Some(first) = refused.first() {
        let (zh, en) = first.sentences();
        says.zh.push_str(&format!("。{} 条未处理：{zh}", refused.len()));
        says.en.push_str(&format!(". {} not done: {en}", refused.len()));
    }
    let mut notice = Notice { kind: if refused.is_empty() { "ok" } else { "info" }, says, undo: None };
    if let (Act::Decide(_), [one]) = (act, &done[..]) {
        let until = Instant(at.ms() + i64::from(desk.settings.undo_minutes) * MINUTE_MS);
        notice.undo = Some(Undo {
            action: format!("/desk/cases/{}/undo", one.rating_id),
            label: text("撤销", "Undo"),
            until: desk.moment(until),
        });
    }
    tracing::info!(
        account = visitor.account().name,
        act = act.name(),
        done = done.len(),
        refused = refused.len(),
        "reviewed"
    );
    notice
}

fn what(act: Act, count: usize) -> Text {
    match act {
        Act::Claim { .. } => text(format!("已领取 {count} 条"), format!("{count} claimed")),
        Act::Release => text(format!("已放回 {count} 条"), format!("{count} released")),
        Act::Decide(outcome) => {
            let name = name_of(outcome).name;
            text(format!("已决定 {count} 条：{}", name.zh), format!("{count} decided: {}", name.en))
        }
        Act::Escalate => text("已上报，由他人决定", "Escalated; somebody else decides"),
        Act::Return => text("已退回队列", "Returned to the queue"),
        Act::Extend => {
            text("已申请延长；两人申请后生效", "Asked to extend; it takes effect when two have asked")
        }
        Act::Undo => text("已撤销，恢复原状态", "Undone; it stands as before"),
        Act::AskCallback => text("已请求 12345 回访", "The hotline was asked to call back"),
        Act::Callback(_) | Act::Appeal => text("已记录", "Noted"),
    }
}

//! One case: what was rated, why it waits, what is around it, and what can be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::Response;
use serde::{Deserialize, Serialize};

use super::forms::local;
use super::pages::{PageResult, Problem, is_for, respond};
use super::rows::{Choice, Row, choices, reasons_of, said};
use super::visit::Visitor;
use super::words::{Named, Text, aspect, both, case_match, name_of, origin, text};
use super::{Desk, pictures};
use crate::access::{Target, Viewed, may_decide};
use crate::log::Entry;
use crate::log::entry::{Act, RatingEntry, RatingFlags, ReviewEntry, RevisionSource};
use crate::pseudonym::Pseudonym;
use crate::review::case::Callback;
use crate::review::drawing::{Links, Timeline};
use crate::review::projection::{CaseRow, QueueFilter, Viewer};
use crate::review::{CaseState, mask, reasons};
use crate::service::CaseFile;
use crate::time::{Instant, MINUTE_MS};
use crate::verdict::Reason;
use crate::wire::{Aspect, ReviewOutcome};

/// The page that a case was opened from.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct From {
    back: String,
}

#[derive(Serialize)]
struct Content {
    case: Details,
    comment: Comment,
    reasons: Vec<Why>,
    features: Vec<Family>,
    timeline: Timeline,
    links: Option<Links>,
    similar: Similar,
    history: Vec<Event>,
    callback: CallBack,
    appeal: Option<Appeal>,
    second: Option<First>,
    can: Can,
    cannot: Option<Text>,
    outcomes: Vec<Choice>,
    other_reasons: BTreeMap<&'static str, Vec<Named>>,
    extension: Option<Extension>,
    next: Option<String>,
    back: String,
}

#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    row: Row,
    submitted: String,
    received: Option<String>,
    stage: Option<Named>,
    hall: Option<String>,
    clerk: Option<String>,
    hall_stars: Option<u8>,
    aspects: Vec<AspectStars>,
    origin: Named,
    decision: Named,
    revision: u32,
    scored: String,
    sequence: u64,
    rules: String,
    model: String,
    visit: Option<String>,
    case_match: Option<Named>,
    /// It was drawn by lot, which is said once that biases nobody.
    control: bool,
    applicant: Option<bool>,
    pseudonyms: Vec<NamedValue>,
}

#[derive(Serialize)]
struct AspectStars {
    #[serde(flatten)]
    name: Text,
    stars: u8,
}

#[derive(Serialize)]
struct NamedValue {
    #[serde(flatten)]
    name: Text,
    value: String,
}

#[derive(Serialize)]
struct Comment {
    state: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Why {
    #[serde(flatten)]
    says: Text,
    code: String,
    source: Named,
    weight: f64,
    share: f64,
}

#[derive(Serialize)]
struct Family {
    #[serde(flatten)]
    name: Text,
    values: Vec<Value>,
}

#[derive(Serialize)]
struct Value {
    name: String,
    #[serde(flatten)]
    says: Text,
    text: String,
}

/// What was decided about cases like this one.
#[derive(Serialize)]
struct Similar {
    what: Text,
    decided: u64,
    cleared: u64,
    confirmed: u64,
    mistaken: u64,
    latest: Vec<Row>,
}

#[derive(Serialize)]
struct Event {
    at: String,
    who: String,
    what: Text,
    reason: Option<Text>,
    words: String,
    sequence: u64,
}

#[derive(Serialize)]
struct CallBack {
    state: &'static str,
    asked_at: Option<String>,
    outcome: Option<Named>,
    words: String,
}

#[derive(Serialize)]
struct Appeal {
    at: String,
    words: String,
    original: Original,
}

/// What an appeal is against. Who decided it is not told to whoever decides the appeal.
#[derive(Serialize)]
struct Original {
    what: Text,
    at: String,
}

#[derive(Serialize)]
struct First {
    outcome: Named,
    reason: Option<Text>,
    words: String,
}

#[derive(Serialize)]
struct Can {
    claim: bool,
    release: bool,
    decide: bool,
    escalate: bool,
    r#return: bool,
    extend: bool,
    callback: bool,
    undo: bool,
}

#[derive(Serialize)]
struct Extension {
    asked: bool,
    until: Option<String>,
    extended: bool,
}

/// `GET /desk/cases/{rating_id}`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Path(rating_id): Path<String>,
    Query(From { back }): Query<From>,
    visitor: Visitor,
) -> Response<Body> {
    let visitor = Arc::new(visitor);
    let result = show(&desk, &visitor, rating_id, back).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Arc<Visitor>, rating_id: String, back: String) -> PageResult {
    if !is_for("case", visitor.account().role) {
        return Err(Problem::forbidden());
    }
    let looks = Arc::clone(visitor);
    let content = desk.read(move |desk| content(desk, &looks, &rating_id, &back)).await??;
    desk.page(visitor, "case", &content)
}

fn content(desk: &Desk, visitor: &Visitor, rating_id: &str, back: &str) -> Result<Content, Problem> {
    let failed = |failure: &dyn std::fmt::Display| Problem::failed("a case", failure);
    let (account, now) = (visitor.account(), desk.now());
    let projection = desk.review.projection();
    let viewer = Viewer { name: &account.name, now };
    let file = desk.service.case_file(rating_id).map_err(|failure| failed(&failure))?;
    let row = projection.case_row(rating_id, viewer).map_err(|failure| failed(&failure))?;
    let (Some(file), Some(row)) = (file, row) else { return Err(Problem::not_found()) };
    let public = file.rating.public();
    visitor.may_see(&public)?;
    let may_decide = visitor.may_decide(&public);
    let is_blind = row.kind.value == "second_look" && row.state == "open";
    let verdict_reasons = desk.service.reasons_of(&file).map_err(|failure| failed(&failure))?;
    let next = next(desk, visitor, rating_id)?;
    let can = can(
        desk,
        &file.state,
        may_decide.is_ok(),
        &account.name,
        now,
        file.held.as_ref().map(|held| held.extended),
    );
    let cannot = match (&may_decide, can.decide) {
        (Err(refusal), _) => Some(said(refusal)),
        (Ok(()), true) => None,
        (Ok(()), false) => file
            .state
            .check(Act::Decide(ReviewOutcome::Confirm), &account.name, now, desk.times())
            .err()
            .filter(|_| file.state.is_open())
            .map(|refusal| said(&refusal)),
    };
    Ok(Content {
        comment: comment(desk, visitor, &file)?,
        reasons: why(verdict_reasons, is_blind),
        features: features(desk, &file, is_blind).map_err(|failure| failed(&failure))?,
        timeline: pictures::timeline(desk, &file),
        links: pictures::links_of_case(desk, &file),
        similar: similar(desk, visitor, &row)?,
        history: history(desk, visitor, &file, &row)?,
        callback: callback(desk, &file),
        appeal: appeal(desk, &file),
        second: second(desk, &file),
        can,
        cannot,
        outcomes: choices(file.state.needs_second(ReviewOutcome::Confirm) || file.state.first.is_some()),
        other_reasons: [
            ("escalate", reasons::ESCALATE),
            ("return", reasons::RETURN),
            ("extend", reasons::EXTEND),
        ]
        .map(|(act, list)| (act, reasons_of(list)))
        .into(),
        extension: file.held.as_ref().filter(|held| held.bad).map(|held| Extension {
            asked: held.asked_by().is_some(),
            until: held.deadline.map(|at| desk.moment(at)),
            extended: held.extended,
        }),
        next,
        back: local(back).to_owned(),
        case: details(desk, visitor, &file, row),
    })
}

/// The most urgent case that the account can take and is not this one.
fn next(desk: &Desk, visitor: &Visitor, this: &str) -> Result<Option<String>, Problem> {
    const LOOKED_AT: usize = 20;
    let account = visitor.account();
    let filter = QueueFilter {
        scope: super::queue::scope_of(account),
        name: account.name.clone(),
        now: desk.now(),
        ..QueueFilter::default()
    };
    let page = desk
        .review
        .projection()
        .queue(&filter, None, LOOKED_AT)
        .map_err(|failure| Problem::failed("the next case", &failure))?;
    let is_free = |row: &CaseRow| {
        let target = Target { department: &row.department, district: row.district.as_deref(), bad: row.bad };
        row.id != this
            && row.claim.as_ref().is_none_or(|claim| claim.mine)
            && !row.deciders.contains(&account.name)
            && may_decide(account, &target).is_ok()
    };
    Ok(page.rows.iter().find(|row| is_free(row)).map(|row| format!("/desk/cases/{}", row.id)))
}

fn can(
    desk: &Desk,
    state: &CaseState,
    may_decide: bool,
    name: &str,
    now: Instant,
    extended: Option<bool>,
) -> Can {
    let times = desk.times();
    let in_order = |act| may_decide && state.check(act, name, now, times).is_ok();
    let until = Instant(now.ms() + i64::from(times.claim_minutes) * MINUTE_MS);
    let is_mine = state.claim_at(now).is_some_and(|claim| claim.by == name);
    Can {
        claim: !is_mine && in_order(Act::Claim { until }),
        release: is_mine && in_order(Act::Release),
        decide: in_order(Act::Decide(ReviewOutcome::Confirm)),
        escalate: in_order(Act::Escalate) && state.escalated_by.as_deref() != Some(name),
        r#return: is_mine && in_order(Act::Return),
        extend: extended == Some(false) && in_order(Act::Extend),
        callback: in_order(Act::AskCallback),
        undo: in_order(Act::Undo),
    }
}

fn details(desk: &Desk, visitor: &Visitor, file: &CaseFile, row: CaseRow) -> Details {
    let rating = &file.rating;
    let o = &rating.observation;
    let s = &o.service;
    Details {
        submitted: desk.moment(o.submitted_at),
        received: o.received_at.map(|at| desk.moment(at)),
        stage: s.stage.map(name_of),
        hall: s.hall.as_deref().map(str::to_owned),
        clerk: s.clerk.as_deref().map(str::to_owned),
        hall_stars: o.hall_stars,
        aspects: Aspect::ALL
            .iter()
            .zip(o.aspects)
            .filter(|&(_, stars)| stars > 0)
            .map(|(&of, stars)| AspectStars { name: aspect(of), stars })
            .collect(),
        origin: origin(o.origin),
        decision: name_of(file.state.decision),
        revision: file.state.revision,
        scored: desk.moment(rating.outcome.scored_at),
        sequence: file.sequence,
        rules: rating.outcome.rules.to_string(),
        model: rating.outcome.model.to_string(),
        visit: s.occasion.as_ref().map(short),
        case_match: s.case_match.map(case_match),
        control: row.state != "open" && rating.flags.has(RatingFlags::CONTROL),
        applicant: o.rater.is_applicant,
        pseudonyms: pseudonyms(rating),
        row: desk.row(visitor, row),
    }
}

/// The pseudonyms of a rating, shortened: enough to see what is alike on a page.
fn pseudonyms(rating: &RatingEntry) -> Vec<NamedValue> {
    let o = &rating.observation;
    [
        (text("评价人", "Rater"), o.rater.id.as_ref()),
        (text("手机号", "Phone"), o.rater.phone.as_ref()),
        (text("设备", "Device"), o.device.fingerprint.as_ref()),
        (text("办件", "Case"), o.service.case.as_ref()),
        (text("网络地址", "Address"), o.network.ip.as_ref()),
        (text("网段", "Network"), o.network.subnet.as_ref()),
        (text("评语", "Comment"), o.text.as_ref().map(|text| &text.exact)),
    ]
    .into_iter()
    .filter_map(|(name, pseudonym)| Some(NamedValue { name, value: short(pseudonym?) }))
    .collect()
}

/// The first 32 bits of a pseudonym, in two groups.
pub fn short(pseudonym: &Pseudonym) -> String {
    let [a, b, c, d, ..] = pseudonym.0;
    format!("{a:02x}{b:02x}·{c:02x}{d:02x}")
}

/// A whole pseudonym, for those who compare files.
pub fn whole(pseudonym: &Pseudonym) -> String {
    format!("{:032x}", u128::from_be_bytes(pseudonym.0))
}

/// The comment, masked, for whoever decides; that it was looked at is written down first.
fn comment(desk: &Desk, visitor: &Visitor, file: &CaseFile) -> Result<Comment, Problem> {
    let o = &file.rating.observation;
    let nothing = |state| Comment { state, text: String::new() };
    if o.text.is_none() {
        return Ok(nothing("none"));
    }
    let account = visitor.account();
    if !account.role.decides() {
        return Ok(nothing("withheld"));
    }
    let failed = |failure: &dyn std::fmt::Display| Problem::failed("a comment", failure);
    let Some(comment) = desk.service.comment(&o.rating_id).map_err(|failure| failed(&failure))? else {
        return Ok(nothing("erased"));
    };
    desk.access
        .record_view(&account.name, &o.rating_id, Viewed::Comment)
        .map_err(|failure| failed(&failure))?;
    Ok(Comment { state: "shown", text: mask::masked(&comment) })
}

/// The reasons with their shares of the evidence. Of a second look, what machines found is left out until it is
/// decided: reviewers judge it as they would any other.
fn why(reasons: Vec<Reason<'_>>, is_blind: bool) -> Vec<Why> {
    if is_blind {
        return Vec::new();
    }
    let sum: f64 = reasons.iter().map(|reason| reason.weight.abs()).sum();
    reasons
        .into_iter()
        .map(|reason| Why {
            says: text(reason.text, reason.text_en),
            code: reason.code.to_owned(),
            source: name_of(reason.source),
            weight: reason.weight,
            share: if sum > 0.0 { reason.weight.abs() / sum } else { 0.0 },
        })
        .collect()
}

/// The values that the rating was judged on, by what they are about.
fn features(
    desk: &Desk,
    file: &CaseFile,
    is_blind: bool,
) -> Result<Vec<Family>, crate::service::ServiceError> {
    /// What a feature is about, by how its name begins; the rest is about the rating itself.
    const FAMILIES: &[(&str, &str, &str)] = &[
        ("case", "办件", "Case"),
        ("rater", "评价人", "Rater"),
        ("device", "设备", "Device"),
        ("ip", "网络", "Network"),
        ("subnet", "网络", "Network"),
        ("network", "网络", "Network"),
        ("text", "评语", "Comment"),
        ("timing", "时间", "Timing"),
        ("pace", "时间", "Timing"),
        ("target", "被评对象", "Rated office"),
        ("office", "被评对象", "Rated office"),
        ("profile", "软硬件特征", "Hardware and software"),
        ("traits", "软硬件特征", "Hardware and software"),
        ("links", "关联", "Links"),
        ("burst", "突发", "Bursts"),
        ("group", "同批", "Group"),
        ("model", "模型", "Model"),
        ("missing", "缺失", "Missing"),
    ];
    const RATING: (&str, &str, &str) = ("", "评价", "The rating");
    let mut families: Vec<Family> = Vec::new();
    for seen in desk.service.values_of(&file.rating)? {
        let begins = seen.name.split(['.', '_']).next().unwrap_or_default();
        // What machines made of it would tell a control sample from another second look.
        if is_blind && matches!(begins, "model" | "group") {
            continue;
        }
        let &(_, zh, en) = FAMILIES.iter().find(|(known, ..)| *known == begins).unwrap_or(&RATING);
        let place = families.iter().position(|family| family.name.en == en).unwrap_or_else(|| {
            families.push(Family { name: text(zh, en), values: Vec::new() });
            families.len() - 1
        });
        families[place].values.push(Value { says: seen.meaning.into(), text: seen.value, name: seen.name });
    }
    Ok(families)
}

fn similar(desk: &Desk, visitor: &Visitor, row: &CaseRow) -> Result<Similar, Problem> {
    let account = visitor.account();
    let viewer = Viewer { name: &account.name, now: desk.now() };
    let found = desk
        .review
        .projection()
        .similar(row, &super::queue::scope_of(account), viewer)
        .map_err(|failure| Problem::failed("similar cases", &failure))?;
    let what = match &row.top {
        Some(top) => text(
            format!("最强理由同为 {} 的评价", top.code),
            format!("ratings whose strongest reason was {} too", top.code),
        ),
        None => text("同类评价", "ratings of the same kind"),
    };
    Ok(Similar {
        what,
        decided: found.decided,
        cleared: found.cleared,
        confirmed: found.confirmed,
        mistaken: found.mistaken,
        latest: found.latest.into_iter().map(|row| desk.row(visitor, row)).collect(),
    })
}

fn history(desk: &Desk, visitor: &Visitor, file: &CaseFile, row: &CaseRow) -> Result<Vec<Event>, Problem> {
    let failed = |failure| Problem::failed("a history", &failure);
    let rows = desk.review.projection().history(&row.id).map_err(failed)?;
    // Whoever answers an appeal, or agrees as the second person, is not told who decided before.
    let is_hidden = file.state.is_open() && visitor.account().role.decides();
    let machine = || if visitor.caller.lang == super::visit::Lang::Zh { "系统" } else { "the system" };
    let who = |name: &str, code: &str| match name {
        "" if code == "appeal" || code.starts_with("callback") => String::from("—"),
        "" => machine().to_owned(),
        name if is_hidden && name != visitor.account().name => String::from("···"),
        name => desk.display(name),
    };
    let scored = Event {
        at: desk.moment(file.rating.outcome.scored_at),
        who: machine().to_owned(),
        what: {
            let decision = name_of(file.rating.outcome.decision).name;
            text(format!("评分：{}", decision.zh), format!("scored: {}", decision.en))
        },
        reason: None,
        words: String::new(),
        sequence: file.sequence,
    };
    let later = rows.into_iter().map(|row| Event {
        at: desk.moment(row.at),
        who: who(&row.who, &row.code),
        what: both(&row.what),
        reason: row.reason.as_ref().map(both),
        words: row
            .words
            .map(|sealed| mask::masked(&desk.service.open_words(&sealed, &row.id)))
            .unwrap_or_default(),
        sequence: row.sequence,
    });
    Ok(std::iter::once(scored).chain(later).collect())
}

/// The acts about a case, latest first.
fn acts(file: &CaseFile) -> impl Iterator<Item = &ReviewEntry> {
    file.entries.iter().rev().filter_map(|(_, entry)| match entry {
        Entry::Review(review) => Some(&**review),
        _ => None,
    })
}

fn words_of(desk: &Desk, review: &ReviewEntry) -> String {
    let words = review.words.as_ref();
    words.map_or_else(String::new, |words| desk.service.open_words(&words.sealed, &review.rating_id))
}

fn callback(desk: &Desk, file: &CaseFile) -> CallBack {
    let asked = acts(file).find(|review| review.act == Act::AskCallback);
    let answered = acts(file).find(|review| matches!(review.act, Act::Callback(_)));
    let asked_at = asked.map(|review| desk.moment(review.at));
    match file.state.callback {
        Callback::None => CallBack { state: "none", asked_at: None, outcome: None, words: String::new() },
        Callback::Asked => CallBack { state: "asked", asked_at, outcome: None, words: String::new() },
        Callback::Answered(result) => CallBack {
            state: "answered",
            asked_at,
            outcome: Some(name_of(result)),
            // Whoever called may have written down what the rater said of themselves.
            words: answered.map(|review| mask::masked(&words_of(desk, review))).unwrap_or_default(),
        },
    }
}

fn appeal(desk: &Desk, file: &CaseFile) -> Option<Appeal> {
    let appeal = acts(file).find(|review| review.act == Act::Appeal)?;
    let before = file.entries.iter().rev().find_map(|(_, entry)| match entry {
        Entry::Revision(revision) if revision.at <= appeal.at => Some(revision),
        _ => None,
    });
    let original = match before {
        Some(revision) => {
            let name = name_of(revision.decision).name;
            let by = match revision.source {
                RevisionSource::Reviewer => ("人工", "by people"),
                _ => ("系统", "by the system"),
            };
            let what = text(format!("{}：{}", by.0, name.zh), format!("{}, {}", name.en, by.1));
            Original { what, at: desk.moment(revision.at) }
        }
        None => {
            let name = name_of(file.rating.outcome.decision).name;
            let what = text(format!("系统：{}", name.zh), format!("{}, by the system", name.en));
            Original { what, at: desk.moment(file.rating.outcome.scored_at) }
        }
    };
    Some(Appeal { at: desk.moment(appeal.at), words: mask::masked(&words_of(desk, appeal)), original })
}

/// What the first of two people decided; it is shown to the second, and to the first.
fn second(desk: &Desk, file: &CaseFile) -> Option<First> {
    let first = file.state.first.as_ref()?;
    let review = acts(file).find(|review| matches!(review.act, Act::Decide(_)) && review.by == first.by);
    Some(First {
        outcome: name_of(first.outcome),
        reason: reasons::find(&first.reason).map(|reason| text(reason.zh, reason.en)),
        words: review.map(|review| mask::masked(&words_of(desk, review))).unwrap_or_default(),
    })
}

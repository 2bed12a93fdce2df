//! Signing in and out, passwords, the language.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, Response};
use serde::{Deserialize, Serialize};

use super::Desk;
use super::forms::{Own, local};
use super::pages::{PageResult, Problem, problem, respond};
use super::visit::{Caller, LANGUAGE_COOKIE, see_other};
use super::words::{Text, text};
use crate::access::{AccessError, AccountError, SetBy, session::COOKIE_NAME};
use crate::http::Peer;

#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Serialize)]
struct SignIn<'a> {
    error: Option<Text>,
    wait_s: Option<u64>,
    next: &'a str,
}

/// `GET /desk/sign-in`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Query(Next { next }): Query<Next>,
    caller: Caller,
) -> Response<Body> {
    if caller.session.is_some() {
        return see_other(local(&next));
    }
    let content = SignIn { error: None, wait_s: None, next: local(&next) };
    let result = desk.framed(&caller, None, "sign-in", None, &content);
    respond(&desk, &caller, result)
}

/// `POST /desk/sign-in`.
pub async fn submit(
    State(desk): State<Arc<Desk>>,
    peer: Option<Extension<Peer>>,
    own: Own,
) -> Response<Body> {
    let Own { caller, fields } = own;
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |Extension(peer)| peer.0.ip().to_canonical());
    let result =
        enter(&desk, &caller, address, fields.get("name"), fields.get("password"), local(fields.get("next")))
            .await;
    respond(&desk, &caller, result)
}

async fn enter(
    desk: &Arc<Desk>,
    caller: &Caller,
    address: IpAddr,
    name: &str,
    password: &str,
    next: &str,
) -> PageResult {
    let refuse = |error: Text, wait_s| {
        let content = SignIn { error: Some(error), wait_s, next };
        desk.framed(caller, None, "sign-in", None, &content)
    };
    if let Err(wait) = desk.throttle.try_now(name, address, std::time::Instant::now()) {
        let seconds = wait.as_secs().max(1);
        tracing::warn!(%address, seconds, "sign-in is throttled");
        return refuse(text("尝试次数过多。", "Too many tries."), Some(seconds));
    }
    let _place = desk.verified.acquire().await.map_err(|error| Problem::failed("waiting", &error))?;
    let (access, typed, secret) =
        (Arc::clone(&desk.access), name.to_owned(), zeroize::Zeroizing::new(password.to_owned()));
    let account = tokio::task::spawn_blocking(move || {
        // An account may have been made a moment ago by `user add`.
        if let Err(error) = access.refresh() {
            tracing::error!(%error, "the accounts could not be read again");
        }
        access.verify_password(&typed, &secret)
    })
    .await
    .map_err(|error| Problem::failed("signing in", &error))?;
    let Some(account) = account else {
        tracing::warn!(%address, "a sign-in failed");
        return refuse(text("账号或密码不正确。", "The name or the password is wrong."), None);
    };
    desk.throttle.succeeded(name, address);
    // Whoever planted a cookie before must not know the one of the session.
    if let Some(cookie) = &caller.cookie {
        drop(desk.access.end_session(cookie));
    }
    let (cookie, _) =
        desk.access.start_session(&account.name).map_err(|error| Problem::failed("signing in", &error))?;
    let mut response = see_other(if account.must_change { "/desk/password" } else { next });
    set_cookie(&mut response, desk, COOKIE_NAME, &cookie, None);
    Ok(response)
}

/// `POST /desk/sign-out`.
pub async fn sign_out(State(desk): State<Arc<Desk>>, own: Own) -> Response<Body> {
    if let Some(cookie) = &own.caller.cookie
        && let Err(error) = desk.access.end_session(cookie)
    {
        tracing::error!(%error, "a session that has ended is still in the database");
    }
    let mut response = see_other("/desk/sign-in");
    set_cookie(&mut response, &desk, COOKIE_NAME, "", Some(0));
    response
}

#[derive(Serialize)]
struct Password {
    error: Option<Text>,
    must_change: bool,
}

/// `GET /desk/password`.
pub async fn password(State(desk): State<Arc<Desk>>, caller: Caller) -> Response<Body> {
    let Some((session, _)) = &caller.session else { return see_other("/desk/sign-in") };
    let content = Password { error: None, must_change: session.account.must_change };
    let result = desk.framed(&caller, Some((&session.account, session.csrf())), "password", None, &content);
    respond(&desk, &caller, result)
}

/// `POST /desk/password`.
pub async fn change_password(
    State(desk): State<Arc<Desk>>,
    peer: Option<Extension<Peer>>,
    own: Own,
) -> Response<Body> {
    let Own { caller, fields } = own;
    let Some((session, _)) = caller.session.clone() else { return see_other("/desk/sign-in") };
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |Extension(peer)| peer.0.ip().to_canonical());
    let account = session.account.clone();
    let refuse = |error: Text| {
        let content = Password { error: Some(error), must_change: account.must_change };
        let result = desk.framed(&caller, Some((&account, session.csrf())), "password", None, &content);
        respond(&desk, &caller, result)
    };
    if fields.get("new") != fields.get("repeat") {
        return refuse(text("两次输入的新密码不一致。", "The new passwords differ."));
    }
    // Whoever sits at somebody else's open desk guesses no better here than at the door.
    if let Err(wait) = desk.throttle.try_now(&account.name, address, std::time::Instant::now()) {
        let seconds = wait.as_secs().max(1);
        return refuse(text(
            format!("尝试次数过多，请在 {seconds} 秒后再试。"),
            format!("Too many tries; try again in {seconds} s."),
        ));
    }
    let Ok(_place) = desk.verified.acquire().await else { return see_other("/desk/password") };
    let (access, name) = (Arc::clone(&desk.access), account.name.clone());
    let (current, new) = (
        zeroize::Zeroizing::new(fields.get("current").to_owned()),
        zeroize::Zeroizing::new(fields.get("new").to_owned()),
    );
    let changed = tokio::task::spawn_blocking(move || {
        if access.verify_password(&name, &current).is_none() {
            return Ok(None);
        }
        if *current == *new {
            return Ok(Some(false));
        }
        access.set_password(&name, Some(&new), SetBy::Holder).map(|_| Some(true))
    })
    .await;
    match changed {
        Ok(Ok(None)) => refuse(text("现在的密码不正确。", "The present password is wrong.")),
        Ok(Ok(Some(false))) => refuse(text("新密码与现在的相同。", "The new password is the present one.")),
        Ok(Err(AccessError::Account(AccountError::Password(refusal)))) => {
            refuse(text(refusal.zh(), refusal.en()))
        }
        Ok(Err(failure)) => problem(&desk, &caller, Problem::failed("changing a password", &failure)),
        Err(failure) => problem(&desk, &caller, Problem::failed("changing a password", &failure)),
        Ok(Ok(Some(true))) => {
            desk.throttle.succeeded(&account.name, address);
            // A new password ends all sessions; this one goes on as a new one.
            match desk.access.start_session(&account.name) {
                Ok((cookie, _)) => {
                    let mut response = see_other("/desk/queue");
                    set_cookie(&mut response, &desk, COOKIE_NAME, &cookie, None);
                    response
                }
                Err(_) => see_other("/desk/sign-in"),
            }
        }
    }
}

/// `POST /desk/language`.
pub async fn language(State(desk): State<Arc<Desk>>, own: Own) -> Response<Body> {
    const YEAR_S: u32 = 365 * 24 * 3_600;
    let lang = if own.fields.get("lang") == "en" { "en" } else { "zh" };
    let mut response = see_other(own.fields.back());
    set_cookie(&mut response, &desk, LANGUAGE_COOKIE, lang, Some(YEAR_S));
    response
}

/// Sets a cookie for the desk alone, which no script reads and no other site sends. Without an age it ends
/// with the browser.
fn set_cookie(response: &mut Response<Body>, desk: &Desk, name: &str, value: &str, max_age_s: Option<u32>) {
    let mut cookie = format!("{name}={value}; Path=/desk; HttpOnly; SameSite=Strict");
    if let Some(seconds) = max_age_s {
        cookie.push_str(&format!("; Max-Age={seconds}"));
    }
    if desk.settings.secure_cookies {
        cookie.push_str("; Secure");
    }
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

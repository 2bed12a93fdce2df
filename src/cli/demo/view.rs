//! The terminal view of the demonstration: redrawn in place on a terminal, plain lines on a pipe.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;

use super::tally::{Counts, share};
use crate::http::backend::{Live, LiveVerdict};

/// Latest verdicts shown.
const LATEST_SHOWN: usize = 6;
/// Characters of a reason shown; a line must not wrap, or the redraw would scroll.
const REASON_CHARS: usize = 70;
/// Seconds between lines on a pipe.
const PIPE_INTERVAL_MS: u64 = 5_000;

/// Accounts of the demonstration. It takes two people to exclude a bad rating.
pub(super) const REVIEWERS: [(&str, &str); 2] = [("li.na", "李娜"), ("wang.min", "王敏")];

/// Where the demonstration runs.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    /// The password of the reviewers [`REVIEWERS`].
    pub(super) password: String,
    pub(super) directory: String,
}

impl Place {
    /// A call that works when pasted.
    fn curl(&self) -> String {
        let Self { address, token, .. } = self;
        format!(
            "curl -s http://{address}/v1/ratings -H 'Authorization: Bearer {token}' \
             -H 'Content-Type: application/json' -d '{{\"rating_id\":\"try-'$(date +%s)'\",\
             \"submitted_at\":\"'$(date -u +%Y-%m-%dT%H:%M:%SZ)'\",\"channel\":\"portal\",\"stars\":2,\
             \"service\":{{\"matter\":\"M-1\",\"department\":\"D-1\"}}}}'"
        )
    }

    fn text(&self) -> String {
        format!(
            "真评 Zhenping  演示 demonstration\n  复核 desk   http://{0}/desk/  账号 name {1}, {2}  密码 password {3}\n  \
             实时 live   http://{0}/live\n  数据 data   {4} (结束后删除 removed at the end)\n  \
             试一试 try it:\n{5}\n",
            self.address,
            REVIEWERS[0].0,
            REVIEWERS[1].0,
            self.password,
            self.directory,
            self.curl()
        )
    }
}

/// Shows the service from second to second.
pub(super) struct View {
    place: Place,
    terminal: bool,
    /// Uptime and ratings when last shown, for the rate.
    before: Option<(u64, u64)>,
    next_line_ms: u64,
}

impl View {
    pub(super) fn new(place: Place, terminal: bool) -> Self {
        Self { place, terminal, before: None, next_line_ms: 0 }
    }

    /// Begins: on a terminal with an empty screen, on a pipe with where everything is.
    pub(super) fn open(&self) {
        match self.terminal {
            true => write_out("\x1b[2J\x1b[?25l"),
            false => write_out(&self.place.text()),
        }
    }

    /// Ends: a terminal gets its cursor back.
    pub(super) fn close(&self) {
        if self.terminal {
            write_out("\x1b[?25h\n");
        }
    }

    /// Shows the figures of now.
    pub(super) fn show(&mut self, live: &Live, counts: &Counts) {
        let total = live.admitted + live.held + live.rejected;
        let rate = match self.before {
            Some((ms, ratings)) if live.uptime_ms > ms => {
                1_000.0 * total.saturating_sub(ratings) as f64 / (live.uptime_ms - ms) as f64
            }
            _ => 0.0,
        };
        if self.terminal {
            self.before = Some((live.uptime_ms, total));
            write_out(&self.screen(live, counts, rate));
        } else if live.uptime_ms >= self.next_line_ms {
            self.before = Some((live.uptime_ms, total));
            self.next_line_ms = live.uptime_ms + PIPE_INTERVAL_MS;
            write_out(&line(live, rate));
        }
    }

    /// The whole screen, each line cleared to its end, so that nothing flickers.
    fn screen(&self, live: &Live, counts: &Counts, rate: f64) -> String {
        let mut text = self.place.text();
        let total = live.admitted + live.held + live.rejected;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n  {rate:>7.0} 条/秒 ratings/s   共 total {total}   P50 {:.2} ms   P99 {:.2} ms   队列 queue {}/{}",
            live.p50_us as f64 / 1_000.0,
            live.p99_us as f64 / 1_000.0,
            live.queue_depth,
            live.queue_limit
        );
        let _ = writeln!(
            text,
            "  采纳 admitted {}   暂缓 held {}   不计入 rejected {}   差评 bad {} (全部照常办理 all proceed)",
            live.admitted, live.held, live.rejected, live.bad
        );
        let [honest, abusive] = [counts.honest, counts.abusive]
            .map(|[admitted, held, rejected]| share(held + rejected, admitted + held + rejected));
        let _ = writeln!(text, "  未计入 kept out: 异常 of abusive {abusive}   真实 of honest {honest}");
        let _ = writeln!(text, "  规则 rules {}   账本 log {}\n", live.rules, live.log_head);
        let _ = writeln!(text, "最近的暂缓 Latest holds");
        for verdict in live.latest.iter().take(LATEST_SHOWN) {
            text += &shown(verdict);
        }
        let _ = writeln!(text, "\nCtrl-C 结束 stops");
        format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))
    }
}

/// One verdict in up to three lines.
fn shown(verdict: &LiveVerdict) -> String {
    let suspicion = verdict.suspicion.unwrap_or("-");
    let mut text = format!(
        "  {} {}★ {suspicion} {:.2}  {}\n",
        verdict.decision,
        verdict.stars,
        verdict.risk,
        printable(&verdict.rating_id)
    );
    if let Some(reason) = verdict.reasons.first() {
        let _ = writeln!(text, "      {}", printable(&reason.text));
        let _ = writeln!(text, "      {}", printable(&reason.text_en));
    }
    text
}

/// One line of figures for a pipe.
fn line(live: &Live, rate: f64) -> String {
    format!(
        "{:>5} s  {rate:>6.0}/s  admitted {}  held {}  rejected {}  bad {}  p99 {:.2} ms  log {}\n",
        live.uptime_ms / 1_000,
        live.admitted,
        live.held,
        live.rejected,
        live.bad,
        live.p99_us as f64 / 1_000.0,
        live.log_head
    )
}

/// Text without control characters, which could move the cursor, cut to a line's length.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(REASON_CHARS).collect()
}

/// A terminal or pipe that is gone is no reason to stop the service.
fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::backend::LiveReason;

    fn view(terminal: bool) -> View {
        let place = Place {
            address: ([127, 0, 0, 1], 8686).into(),
            token: "zp_iTOKEN".into(),
            password: "abcd-efgh-jkmn-pqrs".into(),
            directory: "/tmp/zhenping-demo".into(),
        };
        View::new(place, terminal)
    }

    fn live() -> Live {
        let reason = LiveReason {
            text: "同一设备24小时内有9个账号\u{1b}[2J".into(),
            text_en: "9 accounts on one device within 24 hours".into(),
        };
        let verdict = LiveVerdict {
            rating_id: "R-1".into(),
            decision: "hold",
            suspicion: Some("padded_praise"),
            risk: 0.912,
            stars: 5,
            reasons: vec![reason],
            ..LiveVerdict::default()
        };
        Live { uptime_ms: 2_000, admitted: 390, held: 10, bad: 4, latest: vec![verdict], ..Live::default() }
    }

    #[test]
    fn a_screen_shows_rates_decisions_and_reasons() {
        let counts = Counts { honest: [389, 1, 0], abusive: [1, 9, 0], unanswered: 0 };
        let screen = view(true).screen(&live(), &counts, 200.0);
        assert_eq!(screen.matches('\x1b').count(), screen.matches('\n').count() + 2, "no escape but our own");
        insta::assert_snapshot!(screen.replace("\x1b[K", "").replace("\x1b[H", "").replace("\x1b[J", ""));
    }

    #[test]
    fn a_pipe_gets_a_plain_line() {
        insta::assert_snapshot!(line(&live(), 200.0));
    }
}

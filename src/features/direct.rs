//! Features of the rating alone: pure, and computed in parallel.

use crate::catalogue::builtin as f;
use crate::catalogue::{FeatureVector, code_of};
use crate::observation::{Contradiction, Observation};
use crate::time::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use crate::wire::{Channel, Stage};

/// A place's offset from UTC, in minutes. A fixed one, so that figures never change with a time
/// zone database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset(pub i32);

impl Default for UtcOffset {
    /// China Standard Time, +08:00.
    fn default() -> Self {
        Self(480)
    }
}

impl UtcOffset {
    /// Milliseconds since the epoch by the local clock.
    pub fn local_ms(self, at: Instant) -> i64 {
        at.ms() + i64::from(self.0) * MINUTE_MS
    }

    /// Hour of the local day, 0 to 23.
    pub fn hour(self, at: Instant) -> i64 {
        self.local_ms(at).rem_euclid(DAY_MS) / HOUR_MS
    }

    /// Local days since the epoch.
    pub fn day(self, at: Instant) -> i64 {
        self.local_ms(at).div_euclid(DAY_MS)
    }
}

/// Days left in the month of this day (days since the epoch); 0 on the last one.
///
/// Source of the conversion: Howard Hinnant, "chrono-compatible low-level date algorithms",
/// `civil_from_days`.
pub fn days_to_month_end(day: i64) -> i64 {
    let month = |day: i64| {
        let z = day + 719_468;
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        ((5 * doy + 2) / 153, doy - (153 * ((5 * doy + 2) / 153) + 2) / 5)
    };
    let (this, since_first) = month(day);
    let first = day - since_first;
    // Every month has at least 28 days, so its end lies 28 to 31 days after its first.
    (28..=31).find(|&n| month(first + n).0 != this).map_or(0, |n| first + n - 1 - day)
}

/// Sets every rating-scope feature.
pub fn observe(o: &Observation, offset: UtcOffset, out: &mut FeatureVector) {
    out.set_int(f::STARS, i64::from(o.stars));
    out.set_int(f::STARS_WORST, i64::from(o.worst_stars()));
    out.set_bool(f::BAD, o.is_bad());
    let mut aspects = o.aspects.iter().filter(|&&a| a > 0);
    if let Some(first) = aspects.next()
        && o.aspects.iter().filter(|&&a| a > 0).count() >= 3
    {
        out.set_bool(f::STARS_UNIFORM, aspects.all(|a| a == first));
    }
    out.set_int(f::ORIGIN, o.origin as i64);
    out.set_int(f::CHANNEL, o.channel as i64);
    if let Some(entry) = o.entry {
        out.set_int(f::ENTRY, entry as i64);
    }
    if let Some(stage) = o.service.stage {
        out.set_int(f::STAGE, stage as i64);
    }
    out.set_bool(f::SUPERSEDES, o.supersedes.is_some());
    organisation(o, out);
    case(o, out);
    rater(o, out);
    device(o, out);
    timing(o, offset, out);
    out.set_bool(f::TEXT_PRESENT, o.text.is_some());
    if let Some(text) = &o.text {
        out.set_int(f::TEXT_CHARS, i64::from(text.chars));
        out.set_bool(f::TEXT_STOCK, text.stock);
    }
    out.set_int(f::WARNING_COUNT, o.warnings.len() as i64);
}

fn organisation(o: &Observation, out: &mut FeatureVector) {
    let s = &o.service;
    out.set_raw(f::MATTER, code_of(&s.matter));
    out.set_raw(f::DEPARTMENT, code_of(&s.department));
    let optional =
        [(f::DISTRICT, &s.district), (f::HALL, &s.hall), (f::WINDOW, &s.window), (f::CLERK, &s.clerk)];
    for (feature, code) in optional {
        if let Some(code) = code {
            out.set_raw(feature, code_of(code));
        }
    }
}

fn case(o: &Observation, out: &mut FeatureVector) {
    out.set_bool(f::CASE_PRESENT, o.service.case.is_some());
    if let Some(case_match) = o.service.case_match {
        out.set_int(f::CASE_MATCH, case_match as i64);
    }
    if let (Some(Stage::Complete), Some(completed)) = (o.service.stage, o.service.completed_at) {
        out.set_bool(f::CASE_BEFORE_COMPLETION, o.submitted_at < completed);
    }
}

fn rater(o: &Observation, out: &mut FeatureVector) {
    let r = &o.rater;
    out.set_bool(f::RATER_PRESENT, r.id.is_some());
    if let Some(verified) = r.verified {
        out.set_bool(f::RATER_VERIFIED, verified);
    }
    if let Some(is_applicant) = r.is_applicant {
        out.set_bool(f::RATER_IS_APPLICANT, is_applicant);
    }
    out.set_bool(f::RATER_MATCHED_APPLICANT, o.is_matched_applicant());
    if let Some(registered) = r.registered_at
        && registered <= o.submitted_at
    {
        out.set_float(f::RATER_ACCOUNT_AGE_DAYS, (o.submitted_at.ms() - registered.ms()) as f64 / DAY_MS as f64);
    }
}

fn device(o: &Observation, out: &mut FeatureVector) {
    let d = &o.device;
    out.set_bool(f::DEVICE_ID_PRESENT, d.fingerprint.is_some() || d.terminal.is_some());
    out.set_bool(f::DEVICE_TERMINAL, d.terminal.is_some());
    if let Some(platform) = d.platform {
        out.set_int(f::DEVICE_PLATFORM, platform as i64);
    }
    let flags =
        [(f::DEVICE_ROOTED, d.rooted), (f::DEVICE_EMULATOR, d.emulator), (f::DEVICE_AUTOMATION, d.automation)];
    for (feature, flag) in flags {
        if let Some(flag) = flag {
            out.set_bool(feature, flag);
        }
    }
    if d.platform.is_some() || o.channel != Channel::Hotline {
        out.set_bool(f::DEVICE_HEADLESS, d.headless);
        // A time zone unlike the language's is common among travellers, so it does not count.
        let strong = d.contradictions & !(1 << Contradiction::TimezoneLanguage as u8);
        out.set_int(f::DEVICE_CONTRADICTIONS, i64::from(strong.count_ones()));
    }
    out.set_bool(f::NETWORK_PRESENT, o.network.ip.is_some());
    if let Some(proxy) = o.network.proxy {
        out.set_bool(f::NETWORK_PROXY, proxy);
    }
}

fn timing(o: &Observation, offset: UtcOffset, out: &mut FeatureVector) {
    let seconds = |from: Instant, to: Instant| (to.ms() - from.ms()) as f64 / 1_000.0;
    if let Some(opened) = o.opened_at
        && opened <= o.submitted_at
    {
        out.set_float(f::TIMING_DWELL_S, seconds(opened, o.submitted_at));
    }
    if let Some(completed) = o.service.completed_at {
        out.set_float(f::TIMING_COMPLETION_TO_SUBMIT_S, seconds(completed, o.submitted_at));
    }
    if let Some(received) = o.received_at {
        out.set_float(f::TIMING_LAG_S, seconds(o.submitted_at, received));
    }
    out.set_int(f::TIMING_HOUR, offset.hour(o.submitted_at));
    out.set_int(f::TIMING_MONTH_END_DAYS, days_to_month_end(offset.day(o.submitted_at)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_ends_are_found_across_leap_years() {
        let day = |text: &str| Instant::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap().ms() / DAY_MS;
        let cases = [("2026-01-01", 30), ("2026-01-31", 0), ("2026-02-01", 27), ("2028-02-01", 28), ("2028-02-28", 1)];
        for (date, left) in cases {
            assert_eq!(days_to_month_end(day(date)), left, "{date}");
        }
        assert_eq!(days_to_month_end(day("2026-12-31")), 0);
    }
}

//! Features of the rating alone: pure, and computed in parallel.

use crate::catalogue::builtin as f;
use crate::catalogue::{FeatureVector, code_of};
use crate::date::UtcOffset;
use crate::observation::{Contradiction, Observation};
use crate::time::{DAY_MS, HOUR_MS, Instant};
use crate::wire::{Channel, Stage};

/// Hour of the local day, 0 to 23.
pub fn local_hour(offset: UtcOffset, at: Instant) -> i64 {
    (at.ms() - offset.start_of(offset.day_of(at)).ms()) / HOUR_MS
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
        out.set_float(
            f::RATER_ACCOUNT_AGE_DAYS,
            (o.submitted_at.ms() - registered.ms()) as f64 / DAY_MS as f64,
        );
    }
}

fn device(o: &Observation, out: &mut FeatureVector) {
    let d = &o.device;
    out.set_bool(f::DEVICE_ID_PRESENT, d.fingerprint.is_some() || d.terminal.is_some());
    out.set_bool(f::DEVICE_TERMINAL, d.terminal.is_some());
    if let Some(platform) = d.platform {
        out.set_int(f::DEVICE_PLATFORM, platform as i64);
    }
    let flags = [
        (f::DEVICE_ROOTED, d.rooted),
        (f::DEVICE_EMULATOR, d.emulator),
        (f::DEVICE_AUTOMATION, d.automation),
    ];
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
    out.set_int(f::TIMING_HOUR, local_hour(offset, o.submitted_at));
    let day = offset.day_of(o.submitted_at);
    let month_end_days = day.month().last_day().number() - day.number();
    out.set_int(f::TIMING_MONTH_END_DAYS, i64::from(month_end_days));
}

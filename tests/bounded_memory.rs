//! Whoever sends nothing twice fills no memory. A process of its own: what is measured is all that it holds.

use std::sync::Arc;

use zhenping::date::UtcOffset;
use zhenping::features::case::MOST_IN_FLIGHT;
use zhenping::features::engine::Limits;
use zhenping::features::state::StateLimits;
use zhenping::pseudonym::Keyring;
use zhenping::rules::shipped;
use zhenping::scoring::{Engine, Preparer, Ruling};
use zhenping::time::Instant;

const ENTITIES: usize = 4_000;
const RATINGS: u64 = 40_000;

/// A rating of which no key ever comes again.
fn never_again(i: u64) -> String {
    let at = Instant(1_773_763_200_000 + i as i64 * 1_000);
    format!(
        r#"{{"rating_id":"r{i}","submitted_at":"{at}","channel":"mobile_app","stars":{stars},
"service":{{"matter":"M-{i}","department":"D-{i}","district":"R-{i}","hall":"H-{i}","window":"W-{i}","clerk":"C-{i}","case_no":"case-{i}","case_match":"matched","stage":"complete"}},
"rater":{{"account":"account-{i}","phone":"13{i:09}"}},
"device":{{"fingerprint":"{i:032x}","platform":"android","model":"model-{i}","os_version":"{i}","app_version":"{i}","user_agent":"agent {i}","screen":"{i}x1","language":"zh-CN","timezone":"Asia/Shanghai","canvas":"{i:016x}"}},
"network":{{"ip":"{a}.{b}.{c}.7","asn":{i}}},
"comment":"第{i}号意见：排队{i}分钟，材料{i}份，窗口{i}，请改进流程{i}"}}"#,
        stars = i % 5 + 1,
        a = 1 + i / 65_536 % 200,
        b = i / 256 % 256,
        c = i % 256,
    )
}

/// Memory in use, in bytes; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

#[test]
fn memory_stays_within_its_bound_when_no_key_repeats() {
    let counters = Limits { memory_bytes: 8 << 20, hot_bytes: 1 << 20 };
    let limits = StateLimits { entities: ENTITIES, counters };
    let ruling = Arc::new(Ruling::load(shipped()).unwrap());
    let preparer = Preparer::new(Arc::new(Keyring::public()), UtcOffset::CHINA);
    let features = ruling.catalogue().len();
    let mut engine = Engine::new(ruling, limits, UtcOffset::CHINA);

    let (mut warm_sizes, mut warm_bytes) = (None, 0);
    for i in 0..RATINGS {
        let mut prepared = preparer.prepare(never_again(i).as_bytes(), features).unwrap();
        engine.observe(&mut [&mut prepared], |_, _| {});
        if i % 1_000 == 0 {
            let stats = engine.state().counter_stats();
            assert!(stats.memory_bytes <= counters.memory_bytes, "{stats:?}");
            assert!(stats.hot_bytes <= counters.hot_bytes, "{stats:?}");
        }
        if i == RATINGS / 2 {
            (warm_sizes, warm_bytes) = (Some(engine.state().sizes()), resident_bytes());
        }
    }

    for ((part, size), (_, warm)) in engine.state().sizes().into_iter().zip(warm_sizes.unwrap()) {
        // Each part has a handful of maps, of at most so many entries each. Two of cases have a least size,
        // so that what they forget is in the log by then.
        let least = if part == "cases" { 2 * 2 * MOST_IN_FLIGHT } else { 0 };
        assert!(size <= (8 * ENTITIES).max(least), "{part} holds {size}");
        assert!(size <= warm.max(size / 2) * 2, "{part} still grows: {warm}, then {size}");
    }
    let evicted: u64 = engine.state().counter_stats().groups.iter().map(|(_, g)| g.evicted + g.expired).sum();
    assert!(evicted > 0, "the bound was met");
    let grown = resident_bytes().saturating_sub(warm_bytes);
    assert!(grown < 16 << 20, "{grown} bytes more after the warm-up");
}

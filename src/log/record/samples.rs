//! Entries for tests: a typical one, and arbitrary ones for property tests.

use compact_str::CompactString;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::entry::{
    Act, ActivationEntry, CallbackResult, Comparison, Entry, Evidence, LearningEntry, LearningStep,
    RatingEntry, RatingFlags, ReviewEntry, RevisionEntry, RevisionSource, Subject, Words,
};
use crate::catalogue::{
    Bilingual, Catalogue, Feature, FeatureId, FeatureType, FeatureVector, Scope, builtin, code_of,
};
use crate::date::{Day, UtcOffset};
use crate::observation::{Device, FormerNames, Network, Observation, Rater, Service, Text, Warning};
use crate::pseudonym::Pseudonym;
use crate::time::{DAY_MS, Instant, MINUTE_MS};
use crate::verdict::{Contribution, Outcome, Version};
use crate::wire::{
    CaseMatch, Channel, Decision, EntryPoint, Origin, Platform, ReasonSource, ReviewOutcome, Stage, Suspicion,
};

/// The built-in features and 25 counters.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::builtin();
    for number in 0..25 {
        let counter = Feature {
            name: format!("counter.number_{number}"),
            kind: if number % 5 == 4 { FeatureType::Float } else { FeatureType::Int },
            scope: Scope::Counter,
            unit: String::new(),
            meaning: Bilingual::default(),
            text: Bilingual::default(),
        };
        catalogue.add(counter).unwrap();
    }
    catalogue
}

fn pseudonym(of: &str) -> Option<Pseudonym> {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(of.as_bytes()).as_bytes()[..16]);
    Some(Pseudonym(bytes))
}

/// A rating from an app with an account, a case and a short comment, admitted with one reason, with 45
/// feature values.
pub fn typical(number: u64, catalogue: &Catalogue) -> RatingEntry {
    let submitted_at = Instant(1_772_352_000_000 + number as i64 * 137);
    let observation = Observation {
        rating_id: CompactString::from(format!("R20260301-{number:012}")),
        digest: pseudonym(&format!("digest {number}")).unwrap().0,
        supersedes: None,
        source: Some("suishenban".into()),
        submitted_at,
        received_at: Some(Instant(submitted_at.ms() + 412)),
        opened_at: Some(Instant(submitted_at.ms() - 48_250)),
        channel: Channel::MobileApp,
        entry: Some(EntryPoint::Suishenban),
        stars: 5,
        origin: Origin::Active,
        hall_stars: None,
        aspects: [0; 6],
        tag_count: Some(2),
        service: Service {
            matter: "310100-0412-07".into(),
            department: "SH-0412".into(),
            district: Some("310101".into()),
            hall: Some("H-0107".into()),
            window: Some("W-012".into()),
            clerk: Some("C-04417".into()),
            case: pseudonym(&format!("case {number}")),
            occasion: pseudonym(&format!("occasion {number}")),
            case_match: Some(CaseMatch::Matched),
            stage: Some(Stage::Complete),
            completed_at: Some(Instant(submitted_at.ms() - 37 * MINUTE_MS - 11)),
        },
        rater: Rater {
            id: pseudonym(&format!("account {number}")),
            person: None,
            phone: pseudonym(&format!("phone {number}")),
            verified: Some(true),
            registered_at: Some(Instant(submitted_at.ms() - 412 * DAY_MS - 7)),
            is_applicant: Some(true),
        },
        device: Device {
            fingerprint: pseudonym(&format!("device {number}")),
            terminal: None,
            platform: Some(Platform::Android),
            hardware: Some(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            habitat: Some(number.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)),
            software: Some(number.wrapping_mul(0x1656_67b1_9e37_79f9)),
            contradictions: 0,
            rooted: Some(false),
            emulator: Some(false),
            automation: Some(false),
            headless: false,
            sent: 0x07ff_ffff,
            app_version: Some(0x9e37_79b9_7f4a_7c15),
        },
        network: Network {
            ip: pseudonym(&format!("ip {number}")),
            subnet: pseudonym(&format!("subnet {number}")),
            asn: Some(4812),
            proxy: Some(false),
        },
        text: Some(Text { exact: pseudonym("text").unwrap(), chars: 9, stock: false, minhash: None }),
        warnings: Vec::new(),
        former: None,
    };
    let outcome = Outcome {
        decision: Decision::Admit,
        suspicion: Some(Suspicion::PaddedPraise),
        risk: 0.112,
        reasons: vec![Contribution {
            code: "young-accounts".into(),
            source: ReasonSource::Rule,
            weight: 0.75,
        }],
        rules: Version([0x51; 8]),
        model: Version([0x4d; 8]),
        scored_at: Instant(submitted_at.ms() + 420),
    };
    let features = features(&observation, catalogue, 45, number);
    RatingEntry {
        features,
        catalogue: catalogue.version(),
        day: UtcOffset::CHINA.day_of(submitted_at),
        supersedes_sequence: None,
        flags: RatingFlags::SECOND_LOOK,
        observation: Box::new(observation),
        outcome,
    }
}

/// `count` values spread over the catalogue, organisation codes among them.
fn features(observation: &Observation, catalogue: &Catalogue, count: usize, seed: u64) -> FeatureVector {
    let mut vector = FeatureVector::new(catalogue.len());
    set_codes(&mut vector, observation);
    let stride = catalogue.len().div_ceil(count - 6);
    let ids =
        (0..stride).flat_map(|first| (first..catalogue.len()).step_by(stride)).map(|at| FeatureId(at as u16));
    for id in ids.filter(|id| catalogue.get(*id).kind != FeatureType::Code).take(count - 6) {
        let mixed = (seed + u64::from(id.0)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        match catalogue.get(id).kind {
            FeatureType::Float => vector.set_float(id, mixed as f64 / 977.0),
            FeatureType::Bool => vector.set_bool(id, mixed % 2 == 1),
            FeatureType::Enum(names) => vector.set_int(id, (mixed % names.len() as u64) as i64),
            _ => vector.set_int(id, (mixed % 40) as i64),
        }
    }
    vector
}

fn set_codes(vector: &mut FeatureVector, observation: &Observation) {
    let service = &observation.service;
    for (id, text) in [
        (builtin::MATTER, Some(&service.matter)),
        (builtin::DEPARTMENT, Some(&service.department)),
        (builtin::DISTRICT, service.district.as_ref()),
        (builtin::HALL, service.hall.as_ref()),
        (builtin::WINDOW, service.window.as_ref()),
        (builtin::CLERK, service.clerk.as_ref()),
    ] {
        if let Some(text) = text {
            vector.set_raw(id, code_of(text));
        }
    }
}

prop_compose! {
    fn code()(text in ".{0,24}") -> CompactString { CompactString::from(text) }
}
prop_compose! {
    fn arbitrary_pseudonym()(bytes: [u8; 16]) -> Pseudonym { Pseudonym(bytes) }
}
prop_compose! {
    fn instant()(ms in prop_oneof![0..7_258_118_400_000_i64, any::<i64>()]) -> Instant { Instant(ms) }
}
prop_compose! {
    fn service()(
        codes in (code(), code(), of(code()), of(code()), of(code()), of(code())),
        case in of(arbitrary_pseudonym()),
        occasion in of(arbitrary_pseudonym()),
        case_match in of(select(CaseMatch::ALL)),
        stage in of(select(Stage::ALL)),
        completed_at in of(instant()),
    ) -> Service {
        let (matter, department, district, hall, window, clerk) = codes;
        Service { matter, department, district, hall, window, clerk, case, occasion, case_match, stage, completed_at }
    }
}
prop_compose! {
    fn rater()(
        ids in (of(arbitrary_pseudonym()), of(arbitrary_pseudonym()), of(arbitrary_pseudonym())),
        same: (bool, bool),
        verified: Option<bool>,
        registered_at in of(instant()),
        is_applicant: Option<bool>,
    ) -> Rater {
        let (id, person, phone) = ids;
        let person = if same.0 { id } else { person };
        let phone = if same.1 { id } else { phone };
        Rater { id, person, phone, verified, registered_at, is_applicant }
    }
}
prop_compose! {
    fn device()(
        fingerprint in of(arbitrary_pseudonym()),
        terminal in of(code()),
        platform in of(select(Platform::ALL)),
        hashes: [Option<u64>; 4],
        contradictions: u8,
        known: [Option<bool>; 3],
        headless: bool,
        sent: u32,
    ) -> Device {
        let [hardware, habitat, software, app_version] = hashes;
        let [rooted, emulator, automation] = known;
        Device {
            fingerprint, terminal, platform, hardware, habitat, software, contradictions,
            rooted, emulator, automation, headless, sent, app_version,
        }
    }
}
prop_compose! {
    fn network()(
        ip in of(arbitrary_pseudonym()),
        subnet in of(arbitrary_pseudonym()),
        asn: Option<u32>,
        proxy: Option<bool>,
    ) -> Network {
        Network { ip, subnet, asn, proxy }
    }
}
prop_compose! {
    fn text()(exact in arbitrary_pseudonym(), chars: u32, stock: bool, minhash: Option<[u32; 8]>) -> Text {
        Text { exact, chars, stock, minhash }
    }
}
prop_compose! {
    fn warning()(path in code(), text in code()) -> Warning { Warning { path, text } }
}
prop_compose! {
    fn observation()(
        rating_id in "[A-Za-z0-9._:-]{1,128}",
        digest: [u8; 16],
        ids in (of(code()), of(code())),
        times in (instant(), of(instant()), of(instant())),
        places in (select(Channel::ALL), of(select(EntryPoint::ALL)), select(Origin::ALL)),
        stars in (1..=5_u8, of(1..=5_u8), proptest::array::uniform6(0..=5_u8)),
        tag_count: Option<u8>,
        service in service(),
        who in (rater(), device(), network()),
        text in of(text()),
        warnings in vec(warning(), 0..3),
        former: Option<[Option<[u8; 16]>; 6]>,
    ) -> Observation {
        let (supersedes, source) = ids;
        let (submitted_at, received_at, opened_at) = times;
        let (channel, entry, origin) = places;
        let (stars, hall_stars, aspects) = stars;
        let (rater, device, network) = who;
        Observation {
            rating_id: rating_id.into(), digest, supersedes, source, submitted_at, received_at, opened_at,
            channel, entry, stars, origin, hall_stars, aspects, tag_count, service, rater, device, network,
            text, warnings, former: former.and_then(former_names),
        }
    }
}

/// Names of the epoch before; `None` if there is none, as it is never logged so.
fn former_names(names: [Option<[u8; 16]>; 6]) -> Option<Box<FormerNames>> {
    let [rater, fingerprint, ip, subnet, case, occasion] = names.map(|name| name.map(Pseudonym));
    let names = FormerNames { rater, fingerprint, ip, subnet, case, occasion };
    (names != FormerNames::default()).then(|| Box::new(names))
}
prop_compose! {
    fn reason()(code in code(), source in select(ReasonSource::ALL), weight in -1e3_f32..1e3) -> Contribution {
        Contribution { code, source, weight }
    }
}
prop_compose! {
    fn outcome()(
        decision in select(Decision::ALL),
        suspicion in of(select(Suspicion::ALL)),
        risk in 0_f32..=1.0,
        reasons in vec(reason(), 0..5),
        versions: ([u8; 8], [u8; 8]),
        scored_at in instant(),
    ) -> Outcome {
        let (rules, model) = (Version(versions.0), Version(versions.1));
        Outcome { decision, suspicion, risk, reasons, rules, model, scored_at }
    }
}

/// Any rating, with values of every type and size for some of the features of [`catalogue`].
pub fn any_rating() -> impl Strategy<Value = RatingEntry> {
    let catalogue = catalogue();
    let values = vec((any::<bool>(), any::<i64>(), 0..80_u32, any::<f32>()), catalogue.len());
    (observation(), outcome(), values, 0..=120_529_i32, any::<Option<u64>>(), any::<u16>()).prop_map(
        move |(observation, outcome, values, day, supersedes_sequence, flags)| {
            let mut features = FeatureVector::new(catalogue.len());
            for ((id, feature), (present, whole, shift, float)) in catalogue.iter().zip(values) {
                match feature.kind {
                    FeatureType::Code => {}
                    _ if !present => {}
                    FeatureType::Bool => features.set_bool(id, whole & 1 == 1),
                    FeatureType::Enum(names) => features.set_int(id, whole.rem_euclid(names.len() as i64)),
                    FeatureType::Int => features.set_int(id, whole.checked_shr(shift).unwrap_or(0)),
                    FeatureType::Float => features.set_float(id, f64::from(float)),
                }
            }
            set_codes(&mut features, &observation);
            let (catalogue, day, flags) =
                (catalogue.version(), Day::from_number(day).unwrap(), RatingFlags(flags));
            RatingEntry {
                observation: Box::new(observation),
                outcome,
                features,
                catalogue,
                day,
                supersedes_sequence,
                flags,
            }
        },
    )
}

/// Any revision of any rating.
pub fn any_revision() -> impl Strategy<Value = RevisionEntry> {
    let sources =
        [RevisionSource::Lapse, RevisionSource::Contest, RevisionSource::LookBack, RevisionSource::Reviewer];
    let evidence = (of(select(Suspicion::ALL)), 0_f32..=1.0, vec(reason(), 0..4), any::<[u8; 16]>())
        .prop_map(|(suspicion, risk, reasons, nonce)| Evidence {
            suspicion,
            risk,
            reasons,
            figures: vec![(FeatureId(3), 7), (FeatureId(90), u64::MAX)],
            nonce,
        });
    let decisions = (select(Decision::ALL), select(Decision::ALL));
    (any_rating(), any::<u64>(), any::<u32>(), decisions, select(sources.to_vec()), instant(), of(evidence))
        .prop_map(|(rating, rating_sequence, revision, (previous, decision), source, at, evidence)| {
            let rating = rating.public();
            RevisionEntry { rating, rating_sequence, revision, previous, decision, source, at, evidence }
        })
}

/// Any activation.
pub fn any_activation() -> impl Strategy<Value = ActivationEntry> {
    let subject = select(&[Subject::Rules, Subject::Model, Subject::Lists, Subject::Reference][..]);
    let files = vec((".{0,20}", vec(any::<u8>(), 0..200)), 0..4);
    (subject, any::<[u8; 8]>(), files, instant(), ".{0,20}").prop_map(|(subject, version, files, at, by)| {
        ActivationEntry { subject, version: Version(version), files, at, by }
    })
}

/// Any act of review.
pub fn any_review() -> impl Strategy<Value = ReviewEntry> {
    let act = prop_oneof![
        instant().prop_map(|until| Act::Claim { until }),
        select(ReviewOutcome::ALL).prop_map(Act::Decide),
        (0..4_u8).prop_map(|index| Act::Callback(CallbackResult::from_index(index).unwrap())),
        select(
            &[
                Act::Release,
                Act::Escalate,
                Act::Return,
                Act::Extend,
                Act::Undo,
                Act::AskCallback,
                Act::Appeal
            ][..]
        ),
    ];
    let words = of((".{0,40}", any::<[u8; 16]>()).prop_map(|(sealed, nonce)| Words { sealed, nonce }));
    ("[ -~]{1,128}", any::<u64>(), act, ("[a-z-]{0,20}", "[a-z.]{0,20}"), instant(), words).prop_map(
        |(rating_id, rating_sequence, act, (reason, by), at, words)| ReviewEntry {
            rating_id: rating_id.into(),
            rating_sequence,
            act,
            reason: reason.into(),
            by: by.into(),
            at,
            words,
        },
    )
}

/// Any step of learning.
pub fn any_learning() -> impl Strategy<Value = LearningEntry> {
    let comparison = || {
        (any::<u32>(), 0.0..9e3_f32, 0.0..9.0_f32, 0.0..9.0_f32)
            .prop_map(|(decisions, weight, with, without)| Comparison { decisions, weight, with, without })
    };
    let step = prop_oneof![
        vec(any::<u8>(), 0..99).prop_map(|contents| LearningStep::Published { contents }),
        comparison().prop_map(LearningStep::InForce),
        comparison().prop_map(LearningStep::Dropped),
    ];
    (any::<u64>(), any::<[u8; 8]>(), step, any::<i64>()).prop_map(|(number, version, step, at)| {
        LearningEntry { number, version: Version(version), step, at: Instant(at) }
    })
}

/// Any entry of a known kind.
pub fn any_entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        4 => any_rating().prop_map(|entry| Entry::Rating(Box::new(entry))),
        2 => any_revision().prop_map(|entry| Entry::Revision(Box::new(entry))),
        1 => any_activation().prop_map(Entry::Activation),
        1 => any_review().prop_map(|entry| Entry::Review(Box::new(entry))),
        1 => any_learning().prop_map(|entry| Entry::Learning(Box::new(entry))),
    ]
}

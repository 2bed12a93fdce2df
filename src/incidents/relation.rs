//! How unrelated the raters behind some ratings are.

use serde::{Deserialize, Serialize};

use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::features::identity::organisation_key;
use crate::features::keys::KeyField;
use crate::observation::Observation;

/// Lanes of two comments that must agree for them to be one text in other words; of 8.
const LANES_ALIKE: usize = 5;

/// What two ratings can share; bits in [`Member::shared`].
mod bit {
    pub const DEVICE: u8 = 1;
    pub const RATER: u8 = 2;
    pub const CASE: u8 = 4;
    pub const TEXT: u8 = 8;
    pub const NETWORK: u8 = 16;
}

/// What is kept of a rating that may belong to a surge. Keys are cut to 32 bits: among a few dozen ratings
/// a chance agreement is one in ten million.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its place in the log.
    pub sequence: u64,
    /// Event time.
    pub at_ms: i64,
    device: u32,
    rater: u32,
    phone: u32,
    case: u32,
    text: u32,
    subnet: u32,
    profile: u32,
    lanes: [u16; 8],
    department: u32,
    /// `target.dispersion` in 1/254; 255 where it is missing.
    dispersion: u8,
    /// What it shares with others that were kept when it came, or that came since.
    shared: u8,
    /// A matched applicant: whose own case it is.
    applicant: bool,
    /// Held or rejected when it was scored.
    held: bool,
}

/// How related some ratings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Relations {
    /// Ratings looked at.
    pub members: u32,
    /// Of them, those that share device, account, phone, case, words, or network and hardware with another.
    pub related: u32,
    /// Held when they were scored.
    pub held: u32,
    /// Matched applicants.
    pub applicants: u32,
    /// Distinct devices per rating that has one; 1 where none has.
    pub devices: f32,
    /// Distinct raters likewise.
    pub raters: f32,
    /// Distinct cases likewise.
    pub cases: f32,
    /// Distinct texts likewise (stock phrases are none).
    pub texts: f32,
    /// Distinct subnets likewise.
    pub networks: f32,
    /// Share of the department that most of them are about.
    pub largest: f32,
    /// Mean of the feature `target.dispersion`; 1 where fewer than four have it.
    pub dispersion: f32,
}

impl Member {
    /// What is kept of a rating.
    pub fn new(sequence: u64, at_ms: i64, o: &Observation, features: &FeatureVector, held: bool) -> Self {
        let cut = |key: Option<u64>| key.map_or(0, |key| ((key >> 16) as u32).max(1));
        // Many people share an official terminal by design: that relates nobody.
        let official = o.device.terminal.is_some();
        let personal = |key: Option<u64>| key.filter(|_| !official);
        let text = o.text.as_ref().filter(|text| !text.stock);
        let lanes = text.and_then(|text| text.minhash).unwrap_or_default();
        let dispersion = features.float(f::DISPERSION);
        Self {
            sequence,
            at_ms,
            device: cut(personal(o.device.fingerprint.map(|id| id.key()))),
            rater: cut(o.rater.id.map(|id| id.key())),
            phone: cut(o.rater.phone.map(|id| id.key())),
            case: cut(o.service.case.map(|id| id.key())),
            text: cut(text.map(|text| text.exact.key())),
            subnet: cut(personal(o.network.subnet.map(|id| id.key()))),
            profile: cut(personal(o.device.hardware)),
            department: (organisation_key(KeyField::Department, &[&o.service.department]) >> 16) as u32,
            lanes: lanes.map(|lane| (lane >> 16) as u16),
            dispersion: dispersion.map_or(255, |share| (share.clamp(0.0, 1.0) * 254.0).round() as u8),
            shared: 0,
            applicant: o.is_matched_applicant(),
            held,
        }
    }

    /// Notes on both sides what two ratings share.
    pub fn meet(&mut self, other: &mut Self) {
        let same = |a: u32, b: u32| a != 0 && a == b;
        let mut shared = 0;
        let mut set = |bit: u8, yes: bool| shared |= if yes { bit } else { 0 };
        set(bit::DEVICE, same(self.device, other.device));
        set(bit::RATER, same(self.rater, other.rater) || same(self.phone, other.phone));
        set(bit::CASE, same(self.case, other.case));
        set(bit::NETWORK, same(self.subnet, other.subnet) && same(self.profile, other.profile));
        // Neighbours with cases of their own may agree on what to write.
        let own = self.applicant && other.applicant;
        set(bit::TEXT, !own && self.words_alike(other));
        self.shared |= shared;
        other.shared |= shared;
    }

    fn words_alike(&self, other: &Self) -> bool {
        let both = self.text != 0 && other.text != 0;
        let lanes = || {
            let alike = self.lanes.iter().zip(&other.lanes).filter(|(a, b)| **a != 0 && a == b).count();
            alike >= LANES_ALIKE
        };
        both && (self.text == other.text || lanes())
    }

    /// Whose it is: the account, else the device, else nobody known.
    pub fn who(&self) -> Option<u32> {
        [self.rater, self.device].into_iter().find(|&key| key != 0)
    }

    /// Whether it was held or rejected.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether it shares something with another.
    pub fn is_related(&self) -> bool {
        self.shared != 0
    }
}

impl Relations {
    /// Of these ratings.
    pub fn of<'a>(members: impl Iterator<Item = &'a Member> + Clone) -> Self {
        let count = |is: fn(&Member) -> bool| members.clone().filter(|member| is(member)).count() as u32;
        let mut keys = Vec::new();
        let mut distinct = |key: fn(&Member) -> u32| {
            keys.clear();
            keys.extend(members.clone().map(key).filter(|&key| key != 0));
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            if all == 0 { 1.0 } else { keys.len() as f32 / all as f32 }
        };
        let (devices, raters) = (distinct(|m| m.device), distinct(|m| m.rater));
        let (cases, texts, networks) = (distinct(|m| m.case), distinct(|m| m.text), distinct(|m| m.subnet));
        let mut departments: Vec<u32> = members.clone().map(|member| member.department).collect();
        departments.sort_unstable();
        let largest = departments.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap_or(0);
        let known = members.clone().filter(|member| member.dispersion != 255);
        let (sum, with) =
            known.fold((0.0, 0_u32), |(sum, n), member| (sum + f32::from(member.dispersion) / 254.0, n + 1));
        Self {
            members: members.clone().count() as u32,
            related: count(Member::is_related),
            held: count(|member| member.held),
            applicants: count(|member| member.applicant),
            devices,
            raters,
            cases,
            texts,
            networks,
            largest: largest as f32 / departments.len().max(1) as f32,
            dispersion: if with < 4 { 1.0 } else { sum / with as f32 },
        }
    }

    /// Whether half of them or more are about one department.
    pub fn of_one_department(&self) -> bool {
        self.largest >= 0.5
    }

    /// Whether these are many people who have nothing to do with each other.
    pub fn unrelated(&self) -> bool {
        let share = |part: u32| f64::from(part) / f64::from(self.members.max(1));
        share(self.related) <= 0.35
            && share(self.held) < 0.5
            && self.devices >= 0.8
            && self.raters >= 0.8
            && self.cases >= 0.8
            && self.texts >= 0.7
            && self.networks >= 0.4
            && self.dispersion >= 0.5
    }
}

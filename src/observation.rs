//! A rating after the door: validated, and without a raw identifier.
//!
//! Everything above this module sees only this type. Identifiers are [`Pseudonym`]s, the comment
//! has gone to the vault, and what is left of it is [`Text`].

use compact_str::CompactString;

use crate::pseudonym::Pseudonym;
pub use crate::rating::Warning;
use crate::time::Instant;
use crate::wire::{CaseMatch, Channel, EntryPoint, Origin, Platform, Stage};

/// One rating as the scoring path sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Unique per rating; the idempotency key.
    pub rating_id: CompactString,
    /// Keyed digest of the parsed contract fields: tells a repeat from a conflict.
    pub digest: [u8; 16],
    /// The `rating_id` that this one revises.
    pub supersedes: Option<CompactString>,
    /// The platform that collected it.
    pub source: Option<CompactString>,
    /// When the rater submitted it (event time).
    pub submitted_at: Instant,
    /// Intake's clock when it arrived.
    pub received_at: Option<Instant>,
    /// When the form was opened.
    pub opened_at: Option<Instant>,
    /// Where it was given.
    pub channel: Channel,
    /// The way into the channel.
    pub entry: Option<EntryPoint>,
    /// 1 (very dissatisfied) to 5 (very satisfied).
    pub stars: u8,
    /// Who chose the stars.
    pub origin: Origin,
    /// Stars for the hall itself.
    pub hall_stars: Option<u8>,
    /// Stars per [`crate::wire::Aspect`], in its order; 0 where absent.
    pub aspects: [u8; 6],
    /// Number of tags the rater ticked.
    pub tag_count: Option<u8>,
    /// The service event.
    pub service: Service,
    /// The rater.
    pub rater: Rater,
    /// The device.
    pub device: Device,
    /// The network.
    pub network: Network,
    /// What is kept of the comment; `None` where there was none.
    pub text: Option<Text>,
    /// Optional fields that were invalid (now missing) or cut.
    pub warnings: Vec<Warning>,
    /// What its identifiers were called before the last rotation of the keys, where that is to be learnt
    /// from this rating; `None` otherwise, and always where keys were never rotated.
    pub former: Option<Box<FormerNames>>,
}

/// Pseudonyms of the epoch before, for the names of an [`Observation`] under which state is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormerNames {
    /// Of [`Rater::id`].
    pub rater: Option<Pseudonym>,
    /// Of [`Device::fingerprint`].
    pub fingerprint: Option<Pseudonym>,
    /// Of [`Network::ip`].
    pub ip: Option<Pseudonym>,
    /// Of [`Network::subnet`].
    pub subnet: Option<Pseudonym>,
    /// Of [`Service::case`].
    pub case: Option<Pseudonym>,
    /// Of [`Service::occasion`].
    pub occasion: Option<Pseudonym>,
}

/// The service event that was rated. Organisation codes stay in the clear: the statistics need them.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Code of the service matter.
    pub matter: CompactString,
    /// Department code.
    pub department: CompactString,
    /// District code.
    pub district: Option<CompactString>,
    /// Hall code.
    pub hall: Option<CompactString>,
    /// Window code.
    pub window: Option<CompactString>,
    /// Clerk code.
    pub clerk: Option<CompactString>,
    /// The case.
    pub case: Option<Pseudonym>,
    /// Case, stage and visit together: at most one final rating for each. `None` without a case.
    pub occasion: Option<Pseudonym>,
    /// Whether intake found the case.
    pub case_match: Option<CaseMatch>,
    /// Stage of the event.
    pub stage: Option<Stage>,
    /// When the service event ended.
    pub completed_at: Option<Instant>,
}

/// Who rated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rater {
    /// The account, or else the id number, or else the phone; each under its own context.
    pub id: Option<Pseudonym>,
    /// The id number, where given.
    pub person: Option<Pseudonym>,
    /// The phone, where given.
    pub phone: Option<Pseudonym>,
    /// Real-name verified.
    pub verified: Option<bool>,
    /// When the account was registered.
    pub registered_at: Option<Instant>,
    /// Whether the rater is the case's applicant or the agent on record.
    pub is_applicant: Option<bool>,
}

/// What the client kit said of the device, canonicalised and hashed by groups of like stability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    /// The client kit's stable id.
    pub fingerprint: Option<Pseudonym>,
    /// Id of an official, managed terminal.
    pub terminal: Option<CompactString>,
    /// Platform.
    pub platform: Option<Platform>,
    /// Keyed hash of platform, model, screen (orientation folded) and canvas: stable for the
    /// device's life. `None` if fewer than two of them are known.
    pub hardware: Option<u64>,
    /// Keyed hash of language, time zone and the OS's major version: changes rarely.
    /// `None` if fewer than two of them are known.
    pub habitat: Option<u64>,
    /// Keyed hash of app version, full OS version and user agent: changes with every update.
    pub software: Option<u64>,
    /// Bits of [`Contradiction`]: claims that no real device makes together.
    pub contradictions: u8,
    /// Rooted or jailbroken.
    pub rooted: Option<bool>,
    /// An emulator.
    pub emulator: Option<bool>,
    /// The client kit saw a driver (never assistive technology).
    pub automation: Option<bool>,
    /// The user agent or model names a headless browser, an HTTP library or a driver.
    pub headless: bool,
    /// Which optional fields of device, network, rater and timing were sent, one bit each
    /// ([`crate::observation::Sent`]); learned per channel, entry and app version.
    pub sent: u32,
    /// Keyed hash of the app version alone; what a version normally sends is learned by it.
    pub app_version: Option<u64>,
}

/// Claims that contradict each other; bit numbers in [`Device::contradictions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Contradiction {
    /// A phone platform with a desktop screen, or the reverse.
    PlatformScreen = 0,
    /// The user agent names another platform than `platform`.
    PlatformUserAgent = 1,
    /// The model belongs to another platform (an iPhone on Android).
    PlatformModel = 2,
    /// The time zone is not one that the language and network suggest (weak).
    TimezoneLanguage = 3,
    /// The entry point cannot occur on this channel (a pad on the hotline).
    EntryChannel = 4,
    /// A terminal id with a personal platform.
    TerminalPlatform = 5,
}

/// Optional fields whose presence is learned per channel, entry point and app version; bit numbers
/// in [`Device::sent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Sent {
    Fingerprint,
    Platform,
    Model,
    OsVersion,
    AppVersion,
    UserAgent,
    Screen,
    Language,
    Timezone,
    Canvas,
    Rooted,
    Emulator,
    Automation,
    Ip,
    Asn,
    Proxy,
    Account,
    IdNumber,
    Phone,
    Verified,
    RegisteredAt,
    IsApplicant,
    OpenedAt,
    ReceivedAt,
    CompletedAt,
    CaseNo,
    CaseMatch,
    Terminal,
}

/// The network that the rating came through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// IPv4 address, or the /64 of an IPv6 address (privacy addresses change within it).
    pub ip: Option<Pseudonym>,
    /// IPv4 /24 or IPv6 /48.
    pub subnet: Option<Pseudonym>,
    /// Autonomous system number.
    pub asn: Option<u32>,
    /// Intake's own proxy or VPN detection.
    pub proxy: Option<bool>,
}

/// What is kept of a comment outside the vault.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Keyed hash of the normalised text (width, case, digits, punctuation and spaces folded).
    pub exact: Pseudonym,
    /// Length in characters, before it was cut.
    pub chars: u32,
    /// A stock phrase ("很好", "满意") or at most a few characters: carries no weight.
    pub stock: bool,
    /// MinHash of the character 2- and 3-grams (keyed), where the normalised text has
    /// [`Text::MINHASH_CHARS`] or more characters: 8 lanes of 32 bits.
    pub minhash: Option<[u32; 8]>,
}

impl Text {
    /// Texts shorter than this have no MinHash: too few n-grams to compare.
    pub const MINHASH_CHARS: u32 = 12;
}

impl Observation {
    /// The lowest of stars, hall stars and aspects.
    pub fn worst_stars(&self) -> u8 {
        let aspects = self.aspects.iter().copied().filter(|&a| a > 0);
        aspects.chain(self.hall_stars).chain([self.stars]).min().unwrap_or(self.stars)
    }

    /// Whether this is a bad rating (差评): stars, hall stars or an aspect of 1 or 2.
    pub fn is_bad(&self) -> bool {
        self.worst_stars() <= 2
    }

    /// Whether the rater is the applicant of a case that intake found.
    pub fn is_matched_applicant(&self) -> bool {
        self.service.case_match == Some(CaseMatch::Matched) && self.rater.is_applicant == Some(true)
    }
}

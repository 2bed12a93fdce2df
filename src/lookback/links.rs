//! By what two ratings can be linked, and under which key each link is kept.

use crate::features::identity::organisation_key;
use crate::features::identity::target_key;
use crate::features::keys::KeyField;
use crate::features::mix;
use crate::observation::Observation;

/// A kind of link. The first [`Link::CHAINED`] are rare enough to look at each linked rating; the others
/// are counted by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Link {
    /// The device's stable id.
    Device,
    /// The account, or else the id number, or else the phone.
    Rater,
    /// The phone, under whatever account.
    Phone,
    /// The case, at any stage.
    Case,
    /// The comment's normalised text; stock phrases link nobody.
    Text,
    /// The address.
    Ip,
    /// The subnet.
    Subnet,
    /// The subnet, at one target.
    TargetSubnet,
    /// Hardware and software alike, at one target.
    TargetProfile,
    /// Hardware alike, at one office.
    OfficeProfile,
    /// The target, with good ratings and bad ones apart.
    Target,
    /// The office, likewise.
    Office,
}

impl Link {
    /// How many kinds are looked at rating by rating.
    pub const CHAINED: usize = 10;
    /// How many kinds there are.
    pub const COUNT: usize = 12;
    /// All kinds.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Device,
        Self::Rater,
        Self::Phone,
        Self::Case,
        Self::Text,
        Self::Ip,
        Self::Subnet,
        Self::TargetSubnet,
        Self::TargetProfile,
        Self::OfficeProfile,
        Self::Target,
        Self::Office,
    ];

    /// Kinds whose ratings can be walked: those that are looked at one by one, and the target.
    pub const WALKED: &[Self] = Self::ALL.split_at(Self::CHAINED + 1).0;

    /// The name in columns and reasons.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Rater => "rater",
            Self::Phone => "phone",
            Self::Case => "case",
            Self::Text => "text",
            Self::Ip => "ip",
            Self::Subnet => "subnet",
            Self::TargetSubnet => "target_subnet",
            Self::TargetProfile => "target_profile",
            Self::OfficeProfile => "office_profile",
            Self::Target => "target",
            Self::Office => "office",
        }
    }

    /// Which strong link it is, if it is one: two that say the same thing are one. Text and network never
    /// are.
    pub fn strength(self) -> Option<u8> {
        match self {
            Self::Device => Some(0),
            Self::Rater | Self::Phone => Some(1),
            Self::Case => Some(2),
            Self::TargetProfile => Some(3),
            Self::Target => Some(4),
            Self::Text
            | Self::Ip
            | Self::Subnet
            | Self::TargetSubnet
            | Self::OfficeProfile
            | Self::Office => None,
        }
    }
}

/// A rating's key under each kind of link; 0 where it has none.
pub type LinkKeys = [u64; Link::COUNT];

/// The keys of a rating. Official terminals link nobody: hundreds of people share one by design.
pub fn keys_of(o: &Observation) -> LinkKeys {
    let bad = o.is_bad();
    let target = target_key(&o.service);
    let office = organisation_key(
        KeyField::Office,
        &[&o.service.department, o.service.district.as_deref().unwrap_or("")],
    );
    let official = o.device.terminal.is_some();
    let mut keys = [0; Link::COUNT];
    let mut set = |link: Link, key: Option<u64>| {
        if let Some(key) = key {
            keys[link as usize] = mix(key ^ mix(link as u64 + 0x6c6f_6f6b)).max(1);
        }
    };
    let personal = |key: Option<u64>| key.filter(|_| !official);
    let subnet = o.network.subnet.map(|subnet| subnet.key());
    let hardware = personal(o.device.hardware);
    set(Link::Device, personal(o.device.fingerprint.map(|id| id.key())));
    set(Link::Rater, o.rater.id.map(|id| id.key()));
    set(Link::Phone, o.rater.phone.map(|id| id.key()));
    set(Link::Case, o.service.case.map(|id| id.key()));
    set(Link::Text, o.text.as_ref().filter(|text| !text.stock).map(|text| text.exact.key()));
    set(Link::Ip, o.network.ip.map(|ip| ip.key()));
    set(Link::Subnet, subnet);
    set(Link::TargetSubnet, subnet.map(|subnet| mix(subnet) ^ target));
    let profile = hardware.map(|hardware| mix(hardware ^ mix(o.device.software.unwrap_or(0))));
    set(Link::TargetProfile, profile.map(|profile| profile ^ target));
    set(Link::OfficeProfile, hardware.map(|hardware| mix(hardware) ^ office));
    set(Link::Target, Some(mix(target ^ u64::from(bad))));
    set(Link::Office, Some(mix(office ^ u64::from(bad))));
    keys
}

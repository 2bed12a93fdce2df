//! From a rating to an observation: the step after which nothing holds a raw identifier.
//!
//! Identifiers become pseudonyms, the comment goes aside for the vault, and the device's
//! description becomes hashes by groups of like stability. All of it is a pure function of the
//! rating and the keys.

mod device;
mod digest;
mod text;

use std::borrow::Cow;

use compact_str::CompactString;

use crate::observation::{FormerNames, Network, Observation, Rater, Sent, Service, Warning};
use crate::pseudonym::{Comment, EpochKeys, Form, Keyring, Kind, Pseudonym, Unusable};
use crate::rating::{self, Rating};
use crate::wire::Origin;

/// The pseudonyms of one rating under one epoch's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// As [`Rater::id`].
    pub rater: Option<Pseudonym>,
    /// As [`Rater::person`].
    pub person: Option<Pseudonym>,
    /// As [`Rater::phone`].
    pub phone: Option<Pseudonym>,
    /// As [`crate::observation::Device::fingerprint`].
    pub fingerprint: Option<Pseudonym>,
    /// As [`Network::ip`].
    pub ip: Option<Pseudonym>,
    /// As [`Network::subnet`].
    pub subnet: Option<Pseudonym>,
    /// As [`Service::case`].
    pub case: Option<Pseudonym>,
    /// As [`Service::occasion`].
    pub occasion: Option<Pseudonym>,
}

impl Identities {
    fn new(keys: &EpochKeys, forms: &Form) -> Self {
        let person = keys.pseudonym_in(forms, Kind::IdNumber);
        let phone = keys.pseudonym_in(forms, Kind::Phone);
        let case = keys.pseudonym_in(forms, Kind::Case);
        Self {
            rater: keys.pseudonym_in(forms, Kind::Account).or(person).or(phone),
            person,
            phone,
            fingerprint: keys.pseudonym_in(forms, Kind::Fingerprint),
            ip: keys.pseudonym_in(forms, Kind::Ip),
            subnet: keys.pseudonym_in(forms, Kind::Subnet),
            case,
            occasion: keys.occasion_in(forms, case),
        }
    }
}

impl From<Identities> for FormerNames {
    fn from(names: Identities) -> Self {
        let Identities { rater, person: _, phone: _, fingerprint, ip, subnet, case, occasion } = names;
        Self { rater, fingerprint, ip, subnet, case, occasion }
    }
}

impl Keyring {
    /// Turns a rating into an observation under the current epoch, and its comment (if it has one)
    /// into what the vault seals.
    pub fn pseudonymise(&self, rating: Rating<'_>) -> (Observation, Option<Comment>) {
        let (observation, _, comment) = self.pseudonymise_both(rating);
        (observation, comment)
    }

    /// As [`Keyring::pseudonymise`], and gives what the same identifiers were called in the epoch before,
    /// as long as anything is kept under those names ([`Keyring::linking_at`]).
    pub fn pseudonymise_both(
        &self,
        mut rating: Rating<'_>,
    ) -> (Observation, Option<Identities>, Option<Comment>) {
        let mut scratch = Vec::with_capacity(1024);
        let digest = digest::digest(self, &rating, &mut scratch);
        let mut warnings = std::mem::take(&mut rating.warnings);
        let forms = forms(&rating, &mut warnings);
        let identities = Identities::new(self.current(), &forms);
        let previous = self.linking_at(rating.submitted_at).map(|keys| Identities::new(keys, &forms));

        let written = rating.comment.as_ref().filter(|comment| !comment.text.trim().is_empty());
        let text = written.map(|comment| text::observe(self, comment));
        let comment = written.map(|comment| Comment::new(&comment.text));

        let Rating { service, rater, network, aspects, .. } = &rating;
        let observation = Observation {
            rating_id: CompactString::from(&*rating.rating_id),
            digest,
            supersedes: code(&rating.supersedes),
            source: code(&rating.source),
            submitted_at: rating.submitted_at,
            received_at: rating.received_at,
            opened_at: rating.opened_at,
            channel: rating.channel,
            entry: rating.entry,
            stars: rating.stars,
            origin: rating.origin.unwrap_or(Origin::Active),
            hall_stars: rating.hall_stars,
            aspects: in_order(aspects).map(Option::unwrap_or_default),
            // The parser keeps at most 20.
            tag_count: rating.tags.as_ref().map(|tags| tags.len() as u8),
            service: Service {
                matter: CompactString::from(&*service.matter),
                department: CompactString::from(&*service.department),
                district: code(&service.district),
                hall: code(&service.hall),
                window: code(&service.window),
                clerk: code(&service.clerk),
                case: identities.case,
                occasion: identities.occasion,
                case_match: service.case_match,
                stage: service.stage,
                completed_at: service.completed_at,
            },
            rater: Rater {
                id: identities.rater,
                person: identities.person,
                phone: identities.phone,
                verified: rater.verified,
                registered_at: rater.registered_at,
                is_applicant: rater.is_applicant,
            },
            device: device::observe(
                self,
                &rating,
                identities.fingerprint,
                sent(&rating, &forms),
                &mut scratch,
            ),
            network: Network {
                ip: identities.ip,
                subnet: identities.subnet,
                asn: network.asn,
                proxy: network.proxy,
            },
            text,
            warnings,
            former: None,
        };
        (observation, previous, comment)
    }
}

fn code(text: &Option<Cow<'_, str>>) -> Option<CompactString> {
    text.as_deref().map(CompactString::from)
}

/// The aspects in the order of [`crate::wire::Aspect`].
fn in_order(aspects: &rating::Aspects) -> [Option<u8>; 6] {
    let rating::Aspects { matter_management, procedure, efficiency, competence, attitude, convenience } =
        *aspects;
    [matter_management, procedure, efficiency, competence, attitude, convenience]
}

/// Brings the identifiers into their canonical forms; one that identifies nothing becomes missing.
fn forms(rating: &Rating<'_>, warnings: &mut Vec<Warning>) -> Form {
    let mut forms = Form::with_capacity(256);
    let mut add = |kind, raw: &Option<Cow<'_, str>>, path: &'static str| {
        let Some(raw) = raw.as_deref() else { return };
        if let Err(unusable) = forms.add(kind, raw) {
            warnings.push(set_aside(path, unusable));
        }
    };
    add(Kind::Account, &rating.rater.account, "$.rater.account");
    add(Kind::IdNumber, &rating.rater.id_number, "$.rater.id_number");
    add(Kind::Phone, &rating.rater.phone, "$.rater.phone");
    add(Kind::Fingerprint, &rating.device.fingerprint, "$.device.fingerprint");
    add(Kind::Case, &rating.service.case_no, "$.service.case_no");
    forms.add_occasion(rating.service.stage.map(|stage| stage as u8), rating.service.visit.as_deref());
    if let Some(address) = rating.network.ip {
        forms.add_address(address);
    }
    forms
}

#[cold]
fn set_aside(path: &'static str, unusable: Unusable) -> Warning {
    Warning { path: path.into(), text: unusable.text().into() }
}

/// The bits of [`Sent`]. An invalid field counts as not sent: garbage hides as much as silence.
fn sent(rating: &Rating<'_>, forms: &Form) -> u32 {
    let Rating { device, network, rater, service, .. } = rating;
    let known = |kind| forms.get(kind).is_some();
    let fields = [
        (Sent::Fingerprint, known(Kind::Fingerprint)),
        (Sent::Platform, device.platform.is_some()),
        (Sent::Model, device.model.is_some()),
        (Sent::OsVersion, device.os_version.is_some()),
        (Sent::AppVersion, device.app_version.is_some()),
        (Sent::UserAgent, device.user_agent.is_some()),
        (Sent::Screen, device.screen.is_some()),
        (Sent::Language, device.language.is_some()),
        (Sent::Timezone, device.timezone.is_some()),
        (Sent::Canvas, device.canvas.is_some()),
        (Sent::Rooted, device.rooted.is_some()),
        (Sent::Emulator, device.emulator.is_some()),
        (Sent::Automation, device.automation.is_some()),
        (Sent::Ip, network.ip.is_some()),
        (Sent::Asn, network.asn.is_some()),
        (Sent::Proxy, network.proxy.is_some()),
        (Sent::Account, known(Kind::Account)),
        (Sent::IdNumber, known(Kind::IdNumber)),
        (Sent::Phone, known(Kind::Phone)),
        (Sent::Verified, rater.verified.is_some()),
        (Sent::RegisteredAt, rater.registered_at.is_some()),
        (Sent::IsApplicant, rater.is_applicant.is_some()),
        (Sent::OpenedAt, rating.opened_at.is_some()),
        (Sent::ReceivedAt, rating.received_at.is_some()),
        (Sent::CompletedAt, service.completed_at.is_some()),
        (Sent::CaseNo, known(Kind::Case)),
        (Sent::CaseMatch, service.case_match.is_some()),
        (Sent::Terminal, device.terminal.is_some()),
    ];
    fields.iter().fold(0, |bits, &(field, sent)| bits | u32::from(sent) << field as u32)
}

#[cfg(test)]
mod tests;

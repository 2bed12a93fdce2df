//! A scored rating's record. The layout, field by field, is in `docs/log-format.md`.

use super::super::codec::{DecodeError, Fields, put_bytes, put_varint, put_zigzag};
use super::super::entry::{PublicRating, RatingEntry, RatingFlags};
use super::features;
use crate::catalogue::Catalogue;
use crate::date::Day;
use crate::observation::{Device, FormerNames, Network, Observation, Rater, Service, Text, Warning};
use crate::pseudonym::Pseudonym;
use crate::time::{DAY_MS, Instant};
use crate::verdict::{Contribution, Outcome, Version};
use crate::wire::{
    CaseMatch, Channel, Decision, EntryPoint, Origin, Platform, ReasonSource, Stage, Suspicion,
};

/// Bits of the public part's presence byte.
mod public_bit {
    pub const HALL_STARS: u8 = 0;
    pub const ASPECTS: u8 = 1;
    pub const STAGE: u8 = 2;
    pub const DISTRICT: u8 = 3;
    pub const HALL: u8 = 4;
    pub const WINDOW: u8 = 5;
    pub const CLERK: u8 = 6;
    pub const SUPERSEDES: u8 = 7;
}

/// Bits of the erasable part's presence word (48 bits). A truth value that may be missing has two:
/// that it is known, and what it is.
mod bit {
    pub const CASE: u8 = 0;
    pub const OCCASION: u8 = 1;
    pub const CASE_MATCH: u8 = 2;
    pub const COMPLETED_AT: u8 = 3;
    pub const SUPERSEDES: u8 = 4;
    pub const SOURCE: u8 = 5;
    pub const RECEIVED_AT: u8 = 6;
    pub const OPENED_AT: u8 = 7;
    pub const ENTRY: u8 = 8;
    pub const TAG_COUNT: u8 = 9;
    pub const RATER: u8 = 10;
    pub const PERSON: u8 = 11;
    pub const PHONE: u8 = 12;
    pub const REGISTERED_AT: u8 = 13;
    pub const VERIFIED: u8 = 14;
    pub const IS_APPLICANT: u8 = 16;
    pub const FINGERPRINT: u8 = 18;
    pub const TERMINAL: u8 = 19;
    pub const PLATFORM: u8 = 20;
    pub const HARDWARE: u8 = 21;
    pub const HABITAT: u8 = 22;
    pub const SOFTWARE: u8 = 23;
    pub const APP_VERSION: u8 = 24;
    pub const ROOTED: u8 = 25;
    pub const EMULATOR: u8 = 27;
    pub const AUTOMATION: u8 = 29;
    pub const HEADLESS: u8 = 31;
    pub const CONTRADICTIONS: u8 = 32;
    pub const IP: u8 = 33;
    pub const SUBNET: u8 = 34;
    pub const ASN: u8 = 35;
    pub const PROXY: u8 = 36;
    pub const TEXT: u8 = 38;
    pub const STOCK: u8 = 39;
    pub const MINHASH: u8 = 40;
    pub const WARNINGS: u8 = 41;
    pub const SUSPICION: u8 = 42;
    pub const REASONS: u8 = 43;
    pub const FLAGS: u8 = 44;
    pub const PERSON_IS_RATER: u8 = 45;
    pub const PHONE_IS_RATER: u8 = 46;
    pub const FORMER: u8 = 47;
    pub const ALL: u8 = 48;
}

const PRESENCE_BYTES: usize = 6;

pub fn put_public(out: &mut Vec<u8>, rating: &PublicRating) {
    use public_bit as bit;
    put_bytes(out, rating.rating_id.as_bytes());
    let has_aspects = rating.aspects != [0; 6];
    let presence = u8::from(rating.hall_stars.is_some()) << bit::HALL_STARS
        | u8::from(has_aspects) << bit::ASPECTS
        | u8::from(rating.stage.is_some()) << bit::STAGE
        | u8::from(rating.district.is_some()) << bit::DISTRICT
        | u8::from(rating.hall.is_some()) << bit::HALL
        | u8::from(rating.window.is_some()) << bit::WINDOW
        | u8::from(rating.clerk.is_some()) << bit::CLERK
        | u8::from(rating.supersedes_sequence.is_some()) << bit::SUPERSEDES;
    out.extend_from_slice(&[
        presence,
        rating.stars,
        rating.origin as u8,
        rating.channel as u8,
        rating.decision as u8,
        rating.flags.public().0 as u8,
    ]);
    out.extend(rating.hall_stars);
    if has_aspects {
        out.extend_from_slice(&rating.aspects);
    }
    out.extend(rating.stage.map(|stage| stage as u8));
    put_bytes(out, rating.matter.as_bytes());
    put_bytes(out, rating.department.as_bytes());
    for code in [&rating.district, &rating.hall, &rating.window, &rating.clerk].into_iter().flatten() {
        put_bytes(out, code.as_bytes());
    }
    put_zigzag(out, i64::from(rating.day.number()));
    out.extend_from_slice(&rating.rules.0);
    out.extend_from_slice(&rating.model.0);
    if let Some(sequence) = rating.supersedes_sequence {
        put_varint(out, sequence);
    }
}

/// Reads the public part from the front of `fields`.
pub fn take_public(fields: &mut Fields<'_>) -> Result<PublicRating, DecodeError> {
    use public_bit as bit;
    let rating_id = fields.compact("rating_id")?;
    let presence = fields.byte("presence")?;
    let has = |bit: u8| presence >> bit & 1 == 1;
    let stars = fields.byte("stars")?;
    let origin = fields.variant("origin", Origin::from_index)?;
    let channel = fields.variant("channel", Channel::from_index)?;
    let decision = fields.variant("decision", Decision::from_index)?;
    let flags = RatingFlags(u16::from(fields.byte("flags")?));
    Ok(PublicRating {
        rating_id,
        stars,
        origin,
        channel,
        decision,
        flags,
        hall_stars: when(has(bit::HALL_STARS), || fields.byte("hall_stars"))?,
        aspects: when(has(bit::ASPECTS), || fields.array("aspects"))?.unwrap_or_default(),
        stage: when(has(bit::STAGE), || fields.variant("stage", Stage::from_index))?,
        matter: fields.compact("matter")?,
        department: fields.compact("department")?,
        district: when(has(bit::DISTRICT), || fields.compact("district"))?,
        hall: when(has(bit::HALL), || fields.compact("hall"))?,
        window: when(has(bit::WINDOW), || fields.compact("window"))?,
        clerk: when(has(bit::CLERK), || fields.compact("clerk"))?,
        day: i32::try_from(fields.zigzag("day")?)
            .ok()
            .and_then(Day::from_number)
            .ok_or(DecodeError { field: "day", problem: "is not between 1970-01-01 and 2299-12-31" })?,
        rules: Version(fields.array("rules")?),
        model: Version(fields.array("model")?),
        supersedes_sequence: when(has(bit::SUPERSEDES), || fields.varint("supersedes_sequence"))?,
    })
}

/// Reads a rating's whole public part.
pub fn public(bytes: &[u8]) -> Result<PublicRating, DecodeError> {
    let mut fields = Fields::new(bytes);
    let rating = take_public(&mut fields)?;
    fields.end("public part")?;
    Ok(rating)
}

pub fn put_erasable(out: &mut Vec<u8>, entry: &RatingEntry, catalogue: &Catalogue) {
    let observation = &*entry.observation;
    let Observation { service, rater, device, network, text, .. } = observation;
    out.extend_from_slice(&observation.digest);
    out.extend_from_slice(&presence_of(entry).to_le_bytes()[..PRESENCE_BYTES]);
    put_pseudonyms(out, [service.case, service.occasion]);
    out.extend(service.case_match.map(|case_match| case_match as u8));

    let submitted = observation.submitted_at;
    // Relative to the day it takes 4 bytes instead of 6.
    put_zigzag(out, submitted.ms().wrapping_sub(start_of(entry.day)));
    put_zigzag(out, entry.outcome.scored_at.ms().wrapping_sub(submitted.ms()));
    let times = [service.completed_at, observation.received_at, observation.opened_at, rater.registered_at];
    for at in times.into_iter().flatten() {
        put_zigzag(out, submitted.ms().wrapping_sub(at.ms()));
    }
    for id in [&observation.supersedes, &observation.source].into_iter().flatten() {
        put_bytes(out, id.as_bytes());
    }
    out.extend(observation.entry.map(|entry| entry as u8));
    out.extend(observation.tag_count);

    put_pseudonyms(out, [rater.id, unless(rater.person, rater.id), unless(rater.phone, rater.id)]);

    put_pseudonyms(out, [device.fingerprint]);
    if let Some(terminal) = &device.terminal {
        put_bytes(out, terminal.as_bytes());
    }
    out.extend(device.platform.map(|platform| platform as u8));
    for hash in [device.hardware, device.habitat, device.software, device.app_version].into_iter().flatten() {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    if device.contradictions != 0 {
        out.push(device.contradictions);
    }
    put_varint(out, u64::from(device.sent));

    put_pseudonyms(out, [network.ip, network.subnet]);
    if let Some(asn) = network.asn {
        put_varint(out, u64::from(asn));
    }
    if let Some(text) = text {
        put_pseudonyms(out, [Some(text.exact)]);
        put_varint(out, u64::from(text.chars));
        out.extend(text.minhash.iter().flatten().flat_map(|lane| lane.to_le_bytes()));
    }
    if !observation.warnings.is_empty() {
        put_varint(out, observation.warnings.len() as u64);
        for warning in &observation.warnings {
            put_bytes(out, warning.path.as_bytes());
            put_bytes(out, warning.text.as_bytes());
        }
    }

    out.extend(entry.outcome.suspicion.map(|suspicion| suspicion as u8));
    out.extend_from_slice(&entry.outcome.risk.to_le_bytes());
    if !entry.outcome.reasons.is_empty() {
        put_reasons(out, &entry.outcome.reasons);
    }
    let private_flags = (entry.flags.0 >> 8) as u8;
    if private_flags != 0 {
        out.push(private_flags);
    }
    out.extend_from_slice(&entry.catalogue.to_le_bytes());
    features::put(out, &entry.features, catalogue);
    if let Some(former) = observation.former.as_deref() {
        let names = former_names(former);
        out.push(names.iter().enumerate().fold(0, |bits, (i, name)| bits | u8::from(name.is_some()) << i));
        put_pseudonyms(out, names);
    }
}

/// In the order in which they stand in the record.
fn former_names(former: &FormerNames) -> [Option<Pseudonym>; 6] {
    let FormerNames { rater, fingerprint, ip, subnet, case, occasion } = *former;
    [rater, fingerprint, ip, subnet, case, occasion]
}

/// Midnight UTC of the day with the number of `day`: what `submitted_at` counts from.
fn start_of(day: Day) -> i64 {
    i64::from(day.number()) * DAY_MS
}

fn presence_of(entry: &RatingEntry) -> u64 {
    let Observation { service, rater, device, network, text, .. } = &*entry.observation;
    let mut word = 0;
    let mut set = |bit: u8, value: bool| word |= u64::from(value) << bit;
    set(bit::CASE, service.case.is_some());
    set(bit::OCCASION, service.occasion.is_some());
    set(bit::CASE_MATCH, service.case_match.is_some());
    set(bit::COMPLETED_AT, service.completed_at.is_some());
    set(bit::SUPERSEDES, entry.observation.supersedes.is_some());
    set(bit::SOURCE, entry.observation.source.is_some());
    set(bit::RECEIVED_AT, entry.observation.received_at.is_some());
    set(bit::OPENED_AT, entry.observation.opened_at.is_some());
    set(bit::ENTRY, entry.observation.entry.is_some());
    set(bit::TAG_COUNT, entry.observation.tag_count.is_some());
    set(bit::RATER, rater.id.is_some());
    set(bit::PERSON, rater.person.is_some());
    set(bit::PHONE, rater.phone.is_some());
    set(bit::REGISTERED_AT, rater.registered_at.is_some());
    set(bit::FINGERPRINT, device.fingerprint.is_some());
    set(bit::TERMINAL, device.terminal.is_some());
    set(bit::PLATFORM, device.platform.is_some());
    set(bit::HARDWARE, device.hardware.is_some());
    set(bit::HABITAT, device.habitat.is_some());
    set(bit::SOFTWARE, device.software.is_some());
    set(bit::APP_VERSION, device.app_version.is_some());
    set(bit::HEADLESS, device.headless);
    set(bit::CONTRADICTIONS, device.contradictions != 0);
    set(bit::IP, network.ip.is_some());
    set(bit::SUBNET, network.subnet.is_some());
    set(bit::ASN, network.asn.is_some());
    set(bit::TEXT, text.is_some());
    set(bit::STOCK, text.as_ref().is_some_and(|text| text.stock));
    set(bit::MINHASH, text.as_ref().is_some_and(|text| text.minhash.is_some()));
    set(bit::WARNINGS, !entry.observation.warnings.is_empty());
    set(bit::SUSPICION, entry.outcome.suspicion.is_some());
    set(bit::REASONS, !entry.outcome.reasons.is_empty());
    set(bit::FLAGS, entry.flags.0 >> 8 != 0);
    set(bit::PERSON_IS_RATER, rater.person.is_some() && rater.person == rater.id);
    set(bit::FORMER, entry.observation.former.is_some());
    set(bit::PHONE_IS_RATER, rater.phone.is_some() && rater.phone == rater.id);
    for (bit, known) in [
        (bit::VERIFIED, rater.verified),
        (bit::IS_APPLICANT, rater.is_applicant),
        (bit::ROOTED, device.rooted),
        (bit::EMULATOR, device.emulator),
        (bit::AUTOMATION, device.automation),
        (bit::PROXY, network.proxy),
    ] {
        set(bit, known.is_some());
        set(bit + 1, known == Some(true));
    }
    word
}

/// The presence word, read.
#[derive(Clone, Copy)]
struct Presence(u64);

impl Presence {
    fn take(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let mut word = [0; 8];
        word[..PRESENCE_BYTES].copy_from_slice(fields.take(PRESENCE_BYTES, "presence")?);
        let word = u64::from_le_bytes(word);
        if word >> bit::ALL != 0 {
            return Err(DecodeError { field: "presence", problem: "has an unknown bit" });
        }
        Ok(Self(word))
    }

    fn has(self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    fn known(self, bit: u8) -> Option<bool> {
        self.has(bit).then(|| self.has(bit + 1))
    }
}

/// The case alone, from a whole erasable part.
pub fn case(erasable: &[u8]) -> Result<Option<Pseudonym>, DecodeError> {
    let mut fields = Fields::new(erasable);
    fields.take(16, "digest")?;
    let presence = Presence::take(&mut fields)?;
    when(presence.has(bit::CASE), || pseudonym(&mut fields, "case"))
}

/// The whole entry from its two parts.
pub fn entry(public: PublicRating, erasable: &[u8]) -> Result<RatingEntry, DecodeError> {
    let fields = &mut Fields::new(erasable);
    let digest = fields.array("digest")?;
    let presence = Presence::take(fields)?;
    let has = |bit| presence.has(bit);
    let case = when(has(bit::CASE), || pseudonym(fields, "case"))?;
    let occasion = when(has(bit::OCCASION), || pseudonym(fields, "occasion"))?;
    let case_match = when(has(bit::CASE_MATCH), || fields.variant("case_match", CaseMatch::from_index))?;

    let submitted_at = Instant(start_of(public.day).wrapping_add(fields.zigzag("submitted_at")?));
    let scored_at = Instant(submitted_at.ms().wrapping_add(fields.zigzag("scored_at")?));
    let mut time =
        |bit, field| when(has(bit), || Ok(Instant(submitted_at.ms().wrapping_sub(fields.zigzag(field)?))));
    let completed_at = time(bit::COMPLETED_AT, "completed_at")?;
    let received_at = time(bit::RECEIVED_AT, "received_at")?;
    let opened_at = time(bit::OPENED_AT, "opened_at")?;
    let registered_at = time(bit::REGISTERED_AT, "registered_at")?;

    let supersedes = when(has(bit::SUPERSEDES), || fields.compact("supersedes"))?;
    let source = when(has(bit::SOURCE), || fields.compact("source"))?;
    let entry = when(has(bit::ENTRY), || fields.variant("entry", EntryPoint::from_index))?;
    let tag_count = when(has(bit::TAG_COUNT), || fields.byte("tag_count"))?;
    let rater = take_rater(fields, presence, registered_at)?;
    let device = take_device(fields, presence)?;
    let network = Network {
        ip: when(has(bit::IP), || pseudonym(fields, "ip"))?,
        subnet: when(has(bit::SUBNET), || pseudonym(fields, "subnet"))?,
        asn: when(has(bit::ASN), || fields.varint32("asn"))?,
        proxy: presence.known(bit::PROXY),
    };
    let text = when(has(bit::TEXT), || {
        Ok(Text {
            exact: pseudonym(fields, "text")?,
            chars: fields.varint32("text.chars")?,
            stock: has(bit::STOCK),
            minhash: when(has(bit::MINHASH), || take_minhash(fields))?,
        })
    })?;
    let warnings = when(has(bit::WARNINGS), || take_warnings(fields))?.unwrap_or_default();

    let suspicion = when(has(bit::SUSPICION), || fields.variant("suspicion", Suspicion::from_index))?;
    let risk = fields.f32("risk")?;
    let reasons = when(has(bit::REASONS), || take_reasons(fields))?.unwrap_or_default();
    let private_flags = when(has(bit::FLAGS), || fields.byte("flags"))?.unwrap_or_default();
    let catalogue = fields.u32("catalogue")?;
    let features = features::take(fields, &public)?;
    let former = when(has(bit::FORMER), || take_former(fields))?.map(Box::new);
    fields.end("erasable part")?;

    Ok(RatingEntry {
        features,
        catalogue,
        day: public.day,
        supersedes_sequence: public.supersedes_sequence,
        flags: public.flags.with(RatingFlags(u16::from(private_flags) << 8)),
        outcome: Outcome {
            decision: public.decision,
            suspicion,
            risk,
            reasons,
            rules: public.rules,
            model: public.model,
            scored_at,
        },
        observation: Box::new(Observation {
            rating_id: public.rating_id,
            digest,
            supersedes,
            source,
            submitted_at,
            received_at,
            opened_at,
            channel: public.channel,
            entry,
            stars: public.stars,
            origin: public.origin,
            hall_stars: public.hall_stars,
            aspects: public.aspects,
            tag_count,
            service: Service {
                matter: public.matter,
                department: public.department,
                district: public.district,
                hall: public.hall,
                window: public.window,
                clerk: public.clerk,
                case,
                occasion,
                case_match,
                stage: public.stage,
                completed_at,
            },
            rater,
            device,
            network,
            text,
            warnings,
            former,
        }),
    })
}

fn take_former(fields: &mut Fields<'_>) -> Result<FormerNames, DecodeError> {
    let bits = fields.byte("former")?;
    if bits == 0 || bits >> 6 != 0 {
        return Err(DecodeError { field: "former", problem: "names nothing, or has an unknown bit" });
    }
    let mut name = |bit: u8| when(bits >> bit & 1 == 1, || pseudonym(fields, "former"));
    Ok(FormerNames {
        rater: name(0)?,
        fingerprint: name(1)?,
        ip: name(2)?,
        subnet: name(3)?,
        case: name(4)?,
        occasion: name(5)?,
    })
}

fn take_rater(
    fields: &mut Fields<'_>,
    presence: Presence,
    registered_at: Option<Instant>,
) -> Result<Rater, DecodeError> {
    let has = |bit| presence.has(bit);
    let id = when(has(bit::RATER), || pseudonym(fields, "rater"))?;
    let mut other = |bit, same, field| match (has(bit), has(same)) {
        (true, true) => Ok(id),
        (known, _) => when(known, || pseudonym(fields, field)),
    };
    Ok(Rater {
        id,
        person: other(bit::PERSON, bit::PERSON_IS_RATER, "rater.person")?,
        phone: other(bit::PHONE, bit::PHONE_IS_RATER, "rater.phone")?,
        verified: presence.known(bit::VERIFIED),
        registered_at,
        is_applicant: presence.known(bit::IS_APPLICANT),
    })
}

fn take_device(fields: &mut Fields<'_>, presence: Presence) -> Result<Device, DecodeError> {
    let has = |bit| presence.has(bit);
    Ok(Device {
        fingerprint: when(has(bit::FINGERPRINT), || pseudonym(fields, "device.fingerprint"))?,
        terminal: when(has(bit::TERMINAL), || fields.compact("device.terminal"))?,
        platform: when(has(bit::PLATFORM), || fields.variant("device.platform", Platform::from_index))?,
        hardware: when(has(bit::HARDWARE), || fields.u64("device.hardware"))?,
        habitat: when(has(bit::HABITAT), || fields.u64("device.habitat"))?,
        software: when(has(bit::SOFTWARE), || fields.u64("device.software"))?,
        app_version: when(has(bit::APP_VERSION), || fields.u64("device.app_version"))?,
        contradictions: when(has(bit::CONTRADICTIONS), || fields.byte("device.contradictions"))?.unwrap_or(0),
        rooted: presence.known(bit::ROOTED),
        emulator: presence.known(bit::EMULATOR),
        automation: presence.known(bit::AUTOMATION),
        headless: has(bit::HEADLESS),
        sent: fields.varint32("device.sent")?,
    })
}

fn take_minhash(fields: &mut Fields<'_>) -> Result<[u32; 8], DecodeError> {
    let mut lanes = [0; 8];
    for lane in &mut lanes {
        *lane = fields.u32("text.minhash")?;
    }
    Ok(lanes)
}

fn take_warnings(fields: &mut Fields<'_>) -> Result<Vec<Warning>, DecodeError> {
    let count = fields.count("warnings")?;
    (0..count)
        .map(|_| Ok(Warning { path: fields.compact("warnings")?, text: fields.compact("warnings")? }))
        .collect()
}

/// Appends reasons: their number, then code, source and weight of each.
pub fn put_reasons(out: &mut Vec<u8>, reasons: &[Contribution]) {
    put_varint(out, reasons.len() as u64);
    for reason in reasons {
        put_bytes(out, reason.code.as_bytes());
        out.push(reason.source as u8);
        out.extend_from_slice(&reason.weight.to_le_bytes());
    }
}

/// Reads what [`put_reasons`] wrote.
pub fn take_reasons(fields: &mut Fields<'_>) -> Result<Vec<Contribution>, DecodeError> {
    let count = fields.count("reasons")?;
    let reason = |_| {
        Ok(Contribution {
            code: fields.compact("reasons.code")?,
            source: fields.variant("reasons.source", ReasonSource::from_index)?,
            weight: fields.f32("reasons.weight")?,
        })
    };
    (0..count).map(reason).collect()
}

fn put_pseudonyms<const N: usize>(out: &mut Vec<u8>, pseudonyms: [Option<Pseudonym>; N]) {
    for pseudonym in pseudonyms.into_iter().flatten() {
        out.extend_from_slice(&pseudonym.0);
    }
}

fn pseudonym(fields: &mut Fields<'_>, field: &'static str) -> Result<Pseudonym, DecodeError> {
    fields.array(field).map(Pseudonym)
}

/// Nothing where both are the same: a bit says so, and 16 bytes are saved for raters without an
/// account, whose id is their phone's or id number's pseudonym.
fn unless(pseudonym: Option<Pseudonym>, same: Option<Pseudonym>) -> Option<Pseudonym> {
    if pseudonym == same { None } else { pseudonym }
}

/// Reads a field if its presence bit is set.
fn when<T>(present: bool, read: impl FnOnce() -> Result<T, DecodeError>) -> Result<Option<T>, DecodeError> {
    if present { read().map(Some) } else { Ok(None) }
}

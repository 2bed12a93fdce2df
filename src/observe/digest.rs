//! The digest of a rating's content: tells a repeat from a conflict.
//!
//! It runs over the parsed fields in the contract's order, so that the order of keys, white space,
//! escapes, unknown fields and the offset of a date-time make no difference. Its key survives
//! rotations, and its bytes are pinned by a test: a change would turn repeats into conflicts.

use std::borrow::Cow;

use crate::pseudonym::Keyring;
use crate::rating::{Device, Network, Rater, Rating, Service};
use crate::time::Instant;
use crate::wire::Origin;

/// Stands for "absent" where a byte tells which of a few values it is.
const NONE: u8 = u8::MAX;

pub(super) fn digest(keyring: &Keyring, rating: &Rating<'_>, scratch: &mut Vec<u8>) -> [u8; 16] {
    scratch.clear();
    Fields(scratch).rating(rating);
    keyring.digest(scratch)
}

/// Every field has a presence or a length of its own, so no two ratings run together.
///
/// The structs are taken apart without `..`: a field that joins the contract must join the digest.
struct Fields<'s>(&'s mut Vec<u8>);

impl Fields<'_> {
    fn rating(&mut self, rating: &Rating<'_>) {
        let Rating {
            rating_id,
            supersedes,
            source,
            submitted_at,
            received_at,
            opened_at,
            channel,
            entry,
            stars,
            origin,
            hall_stars,
            aspects,
            tags,
            comment,
            service,
            rater,
            device,
            network,
            warnings: _,
        } = rating;
        self.text(Some(rating_id));
        self.optional(supersedes);
        self.optional(source);
        self.time(Some(*submitted_at));
        self.time(*received_at);
        self.time(*opened_at);
        self.byte(Some(*channel as u8));
        self.byte(entry.map(|entry| entry as u8));
        self.byte(Some(*stars));
        // Absent means active, so a repeat may spell it out.
        self.byte(Some(origin.unwrap_or(Origin::Active) as u8));
        self.byte(*hall_stars);
        super::in_order(aspects).into_iter().for_each(|aspect| self.byte(aspect));
        self.byte(tags.as_ref().map(|tags| tags.len() as u8));
        tags.iter().flatten().for_each(|tag| self.text(Some(tag)));
        self.text(comment.as_ref().map(|comment| &*comment.text));
        self.number(comment.as_ref().map(|comment| comment.chars));
        self.service(service);
        self.rater(rater);
        self.device(device);
        self.network(network);
    }

    fn service(&mut self, service: &Service<'_>) {
        let Service {
            matter,
            case_no,
            case_match,
            stage,
            visit,
            department,
            district,
            hall,
            window,
            clerk,
            completed_at,
        } = service;
        self.text(Some(matter));
        self.optional(case_no);
        self.byte(case_match.map(|case_match| case_match as u8));
        self.byte(stage.map(|stage| stage as u8));
        self.optional(visit);
        self.text(Some(department));
        [district, hall, window, clerk].into_iter().for_each(|code| self.optional(code));
        self.time(*completed_at);
    }

    fn rater(&mut self, rater: &Rater<'_>) {
        let Rater { account, id_number, phone, verified, registered_at, is_applicant } = rater;
        [account, id_number, phone].into_iter().for_each(|id| self.optional(id));
        self.flag(*verified);
        self.time(*registered_at);
        self.flag(*is_applicant);
    }

    fn device(&mut self, device: &Device<'_>) {
        let Device {
            fingerprint,
            terminal,
            platform,
            model,
            os_version,
            app_version,
            user_agent,
            screen,
            language,
            timezone,
            canvas,
            rooted,
            emulator,
            automation,
        } = device;
        self.optional(fingerprint);
        self.optional(terminal);
        self.byte(platform.map(|platform| platform as u8));
        let texts = [model, os_version, app_version, user_agent, screen, language, timezone, canvas];
        texts.into_iter().for_each(|text| self.optional(text));
        [*rooted, *emulator, *automation].into_iter().for_each(|flag| self.flag(flag));
    }

    fn network(&mut self, network: &Network) {
        let Network { ip, asn, proxy } = network;
        match ip {
            None => self.byte(None),
            Some(std::net::IpAddr::V4(v4)) => self.bytes(4, &v4.octets()),
            Some(std::net::IpAddr::V6(v6)) => self.bytes(16, &v6.octets()),
        }
        self.number(*asn);
        self.flag(*proxy);
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(bytes);
    }

    fn byte(&mut self, value: Option<u8>) {
        self.0.push(value.unwrap_or(NONE));
    }

    fn flag(&mut self, value: Option<bool>) {
        self.byte(value.map(u8::from));
    }

    fn number(&mut self, value: Option<u32>) {
        match value {
            None => self.byte(None),
            Some(value) => self.bytes(4, &value.to_le_bytes()),
        }
    }

    fn time(&mut self, value: Option<Instant>) {
        match value {
            None => self.byte(None),
            Some(Instant(ms)) => self.bytes(8, &ms.to_le_bytes()),
        }
    }

    fn optional(&mut self, value: &Option<Cow<'_, str>>) {
        self.text(value.as_deref());
    }

    fn text(&mut self, value: Option<&str>) {
        // A line has at most 64 KiB, of which a text is a part, so the length and one fit.
        let length = value.map_or(0, |text| text.len() as u16 + 1);
        self.0.extend_from_slice(&length.to_le_bytes());
        if let Some(text) = value {
            self.0.extend_from_slice(text.as_bytes());
        }
    }
}

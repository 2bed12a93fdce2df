//! Ratings and labels as lines of JSON, written straight into a buffer: at 200,000 ratings a second
//! there is no time for a tree of values.

use super::calendar::{civil, local_day, put, write_instant};
use super::networks::Address;
use super::organisation::{clerk_code, department_code, district_code, hall_code, matter_code, window_code};
use super::rating::{Simulated, Terminal};
use crate::wire::{Aspect, Platform};

/// What raters may tick, by bit.
pub(super) const TAGS: [&str; 16] = [
    "态度好",
    "效率高",
    "一次办成",
    "讲解清楚",
    "环境整洁",
    "流程简便",
    "主动服务",
    "线上好办",
    "等待时间长",
    "态度差",
    "多次跑腿",
    "材料繁琐",
    "系统故障",
    "推诿扯皮",
    "电话打不通",
    "答复不一致",
];

impl Simulated {
    /// Appends the rating as one JSON object, without a line end. It begins `{"rating_id": "`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        raw(out, "{\"rating_id\": \"");
        rating_id(out, self.id, self.submitted);
        if let Some((id, submitted)) = self.supersedes {
            raw(out, "\", \"supersedes\": \"");
            rating_id(out, id, submitted);
        }
        raw(out, "\", \"source\": \"");
        raw(out, self.way.source());
        raw(out, "\", \"submitted_at\": \"");
        write_instant(out, self.submitted, true);
        raw(out, "\", \"received_at\": \"");
        write_instant(out, self.received, true);
        if let Some(opened) = self.opened {
            raw(out, "\", \"opened_at\": \"");
            write_instant(out, opened, true);
        }
        raw(out, "\", \"channel\": \"");
        raw(out, self.way.channel().name());
        if let Some(entry) = self.way.entry() {
            raw(out, "\", \"entry\": \"");
            raw(out, entry.name());
        }
        raw(out, "\", \"stars\": ");
        out.push(b'0' + self.stars);
        if let Some(origin) = self.origin {
            raw(out, ", \"origin\": \"");
            raw(out, origin.name());
            out.push(b'"');
        }
        if self.hall_stars > 0 {
            raw(out, ", \"hall_stars\": ");
            out.push(b'0' + self.hall_stars);
        }
        self.write_opinion(out);
        self.write_service(out);
        self.write_rater(out);
        self.write_device(out);
        self.write_network(out);
        out.push(b'}');
    }

    /// Appends the label as one JSON object, without a line end.
    pub fn write_label(&self, out: &mut Vec<u8>) {
        raw(out, "{\"rating_id\": \"");
        rating_id(out, self.id, self.submitted);
        raw(out, "\", \"label\": \"");
        raw(out, self.truth.label.name());
        raw(out, "\", \"scenario\": \"");
        raw(out, self.truth.scenario);
        raw(out, "\", \"target\": \"");
        let office = self.event.office;
        match office.post {
            Some(post) => clerk_code(out, office.district, post),
            None => department_code(out, office),
        }
        if let Some(campaign) = self.truth.campaign {
            raw(out, "\", \"campaign\": \"c");
            number(out, campaign);
        }
        raw(out, "\"}");
    }

    fn write_opinion(&self, out: &mut Vec<u8>) {
        if self.aspects.iter().any(|&s| s > 0) {
            let mut object = Object::open(out, "aspects");
            for (aspect, &stars) in Aspect::NAMES.iter().zip(&self.aspects) {
                if stars > 0 {
                    object.key(aspect).push(b'0' + stars);
                }
            }
            object.close();
        }
        if self.tags != 0 {
            raw(out, ", \"tags\": [");
            let mut first = true;
            for (bit, tag) in TAGS.iter().enumerate() {
                if self.tags >> bit & 1 == 1 {
                    raw(out, if first { "\"" } else { ", \"" });
                    raw(out, tag);
                    out.push(b'"');
                    first = false;
                }
            }
            out.push(b']');
        }
        if let Some(comment) = &self.comment {
            raw(out, ", \"comment\": \"");
            escape(out, comment);
            out.push(b'"');
        }
    }

    fn write_service(&self, out: &mut Vec<u8>) {
        let (event, office) = (&self.event, self.event.office);
        raw(out, ", \"service\": {\"matter\": \"");
        matter_code(out, office.department, event.matter);
        if let Some(case) = event.case {
            raw(out, "\", \"case_no\": \"");
            number(out, case);
        }
        if let Some(case_match) = self.case_match {
            raw(out, "\", \"case_match\": \"");
            raw(out, case_match.name());
        }
        raw(out, "\", \"stage\": \"");
        raw(out, event.stage.name());
        if let Some(ticket) = event.ticket {
            raw(out, "\", \"visit\": \"");
            out.push(b'A' + (ticket / 1000 % 8) as u8);
            let mut digits = [0_u8; 3];
            put(&mut digits, u64::from(ticket % 1000));
            out.extend_from_slice(&digits);
        }
        raw(out, "\", \"department\": \"");
        department_code(out, office);
        raw(out, "\", \"district\": \"");
        district_code(out, office.district);
        if let Some(post) = office.post {
            raw(out, "\", \"hall\": \"");
            hall_code(out, office.district, post);
            raw(out, "\", \"window\": \"");
            window_code(out, office.district, post);
            raw(out, "\", \"clerk\": \"");
            clerk_code(out, office.district, post);
        }
        if let Some(completed) = self.completed {
            raw(out, "\", \"completed_at\": \"");
            write_instant(out, completed, false);
        }
        raw(out, "\"}");
    }

    fn write_rater(&self, out: &mut Vec<u8>) {
        let rater = &self.rater;
        let mut object = Object::open(out, "rater");
        if let Some(bits) = rater.account {
            let text = object.key("account");
            text.push(b'"');
            account_code(text, bits);
            text.push(b'"');
        }
        if let Some(number) = &rater.id_number {
            let text = object.key("id_number");
            text.push(b'"');
            text.extend_from_slice(number);
            text.push(b'"');
        }
        if let Some(telephone) = rater.telephone {
            let text = object.key("phone");
            text.push(b'"');
            number(text, telephone);
            text.push(b'"');
        }
        if let Some(verified) = rater.verified {
            object.bool("verified", verified);
        }
        if let (true, Some(who)) = (rater.registered, rater.who) {
            let text = object.key("registered_at");
            text.push(b'"');
            write_instant(text, who.registered, false);
            text.push(b'"');
        }
        if let Some(is_applicant) = rater.is_applicant {
            object.bool("is_applicant", is_applicant);
        }
        object.close();
    }

    fn write_device(&self, out: &mut Vec<u8>) {
        let fields = &self.device;
        let submitted = self.submitted;
        let inside = self.way.inside();
        let mut object = Object::open(out, "device");
        if let Some(terminal) = fields.terminal {
            let text = object.key("terminal");
            text.push(b'"');
            terminal_code(text, terminal);
            text.push(b'"');
            object.text("platform", Platform::Terminal.name());
        }
        let Some(device) = &fields.device else { return object.close() };
        if fields.fingerprint {
            let text = object.key("fingerprint");
            text.push(b'"');
            fingerprint_code(text, device.fingerprint);
            text.push(b'"');
        }
        if fields.details {
            object.text("platform", device.platform().name());
            if let Some(model) = device.model() {
                object.text("model", model);
            }
            object.text("os_version", device.os_version());
        }
        if fields.app_version {
            let text = object.key("app_version");
            text.push(b'"');
            device.write_app_version(text, submitted);
            text.push(b'"');
        }
        if fields.user_agent {
            let text = object.key("user_agent");
            text.push(b'"');
            device.write_user_agent(text, inside);
            text.push(b'"');
        }
        if fields.details {
            object.text("screen", device.screen());
            object.text("language", if device.english { "en-US" } else { "zh-CN" });
            object.text("timezone", "Asia/Shanghai");
        }
        if fields.canvas {
            let text = object.key("canvas");
            text.push(b'"');
            hex(text, device.canvas());
            text.push(b'"');
        }
        if fields.checks {
            object.bool("rooted", device.rooted);
            object.bool("emulator", device.emulator);
            object.bool("automation", device.driven);
        }
        object.close();
    }

    fn write_network(&self, out: &mut Vec<u8>) {
        let Some(link) = self.link else { return };
        let mut object = Object::open(out, "network");
        let text = object.key("ip");
        text.push(b'"');
        match link.address {
            Address::V4(ip) => {
                for (i, byte) in ip.to_be_bytes().into_iter().enumerate() {
                    if i > 0 {
                        text.push(b'.');
                    }
                    number(text, u64::from(byte));
                }
            }
            Address::V6(ip) => {
                for i in 0..8 {
                    if i > 0 {
                        text.push(b':');
                    }
                    group(text, (ip >> (112 - 16 * i)) as u16);
                }
            }
        }
        text.push(b'"');
        number(object.key("asn"), u64::from(link.asn));
        if self.proxy_known {
            object.bool("proxy", link.proxy);
        }
        object.close();
    }
}

/// A nested object, which appears only if it gets a key.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    name: &'static str,
    begun: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>, name: &'static str) -> Self {
        Self { out, name, begun: false }
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if self.begun {
            raw(self.out, ", \"");
        } else {
            raw(self.out, ", \"");
            raw(self.out, self.name);
            raw(self.out, "\": {\"");
            self.begun = true;
        }
        raw(self.out, key);
        raw(self.out, "\": ");
        self.out
    }

    fn bool(&mut self, key: &str, value: bool) {
        raw(self.key(key), if value { "true" } else { "false" });
    }

    /// A value that needs no escaping.
    fn text(&mut self, key: &str, value: &str) {
        let out = self.key(key);
        out.push(b'"');
        raw(out, value);
        out.push(b'"');
    }

    fn close(self) {
        if self.begun {
            self.out.push(b'}');
        }
    }
}

fn raw(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// `20260318-` and 13 letters and digits: the day, which intake puts in front, and random bits.
fn rating_id(out: &mut Vec<u8>, id: u64, submitted: i64) {
    let (year, month, day) = civil(local_day(submitted));
    let mut date = *b"00000000-";
    put(&mut date[..4], year as u64);
    put(&mut date[4..6], u64::from(month));
    put(&mut date[6..8], u64::from(day));
    out.extend_from_slice(&date);
    base32(out, id, 13);
}

/// An account's id.
pub(super) fn account_code(out: &mut Vec<u8>, bits: u64) {
    out.push(b'u');
    base32(out, bits, 12);
}

/// The client kit's id of a device.
pub(super) fn fingerprint_code(out: &mut Vec<u8>, fingerprint: u128) {
    hex(out, (fingerprint >> 64) as u64);
    hex(out, fingerprint as u64);
}

/// `P990104-51873`: a serial number, which tells nothing of where the terminal stands.
pub(super) fn terminal_code(out: &mut Vec<u8>, terminal: Terminal) {
    out.push(if terminal.kiosk { b'K' } else { b'P' });
    district_code(out, terminal.district);
    // 99,991 is prime, so that no two of a district's terminals share a serial.
    let place = u64::from(terminal.hall) * 100 + u64::from(terminal.number) + 1;
    let mut code = *b"-00000";
    put(&mut code[1..], place * 48_611 % 99_991);
    out.extend_from_slice(&code);
}

/// Appends `value` in decimal.
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

fn hex(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 16];
    for (i, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(value >> (60 - 4 * i) & 15) as usize];
    }
    out.extend_from_slice(&digits);
}

/// One group of an IPv6 address, without leading zeros.
fn group(out: &mut Vec<u8>, value: u16) {
    for shift in [12, 8, 4, 0] {
        if shift == 0 || value >> shift != 0 {
            out.push(b"0123456789abcdef"[usize::from(value >> shift & 15)]);
        }
    }
}

/// The lowest `5 × digits` bits, without the letters that look like digits.
fn base32(out: &mut Vec<u8>, value: u64, digits: u32) {
    out.extend((0..digits).map(|i| b"0123456789abcdefghjkmnpqrstvwxyz"[(value >> (5 * i) & 31) as usize]));
}

/// Appends `text` as the inside of a JSON string.
fn escape(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => {
                raw(out, "\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(b"0123456789abcdef"[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_comment_holds_is_valid_json() {
        for text in ["很好", "a\"b\\c\nd\u{1}\u{1f}e", "👍🏻", ""] {
            let mut out = vec![b'"'];
            escape(&mut out, text);
            out.push(b'"');
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for value in [0, 7, 10, 99, 12_345_678_901, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
        for value in [0_u16, 1, 0x10, 0xabc, 0xffff] {
            let mut out = Vec::new();
            group(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{value:x}"));
        }
    }
}

//! One form per identifier, so that the same person or device is the same pseudonym however a
//! platform writes it, and so that fillers ("null", "000000", "138****1234") are nobody.

use std::net::IpAddr;

/// A kind of identifier. Each is hashed under a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A rater's account.
    Account,
    /// An id number.
    IdNumber,
    /// A phone number.
    Phone,
    /// The client kit's device id.
    Fingerprint,
    /// An IPv4 address, or the /64 of an IPv6 address (privacy addresses change within it).
    Ip,
    /// An IPv4 /24 or IPv6 /48.
    Subnet,
    /// A case number.
    Case,
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = 7;

    /// All kinds, in the order of the discriminants.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Account, Self::IdNumber, Self::Phone, Self::Fingerprint, Self::Ip, Self::Subnet, Self::Case];

    /// Appends the canonical form of a raw identifier to `out`.
    ///
    /// All: full-width characters become ASCII, and white space at the ends goes. Phone numbers
    /// keep their digits without the country code of China; id numbers lose spaces and dashes, and
    /// their check digit is `X`; e-mail accounts and device ids in hexadecimal are lower case; case
    /// numbers are upper case. Other accounts and device ids keep their case: in a WeChat openid it
    /// tells two people apart.
    ///
    /// # Errors
    ///
    /// If the identifier identifies nothing; `out` is then as it was.
    pub fn canonical(self, raw: &str, out: &mut Vec<u8>) -> Result<(), Unusable> {
        let start = out.len();
        let result = match self {
            Self::Ip | Self::Subnet => match raw.trim().parse() {
                Ok(address) => {
                    self.address(address, out);
                    return Ok(());
                }
                Err(_) => Err(Unusable::NoAddress),
            },
            Self::Account | Self::IdNumber | Self::Phone | Self::Fingerprint | Self::Case => {
                narrow(raw, out);
                self.refine(start, out)
            }
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Appends the canonical form of an address: its bytes, cut to the part that this kind keeps.
    pub fn address(self, address: IpAddr, out: &mut Vec<u8>) {
        let whole = !matches!(self, Self::Subnet);
        match address.to_canonical() {
            IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()[..if whole { 4 } else { 3 }]),
            IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()[..if whole { 8 } else { 6 }]),
        }
    }

    fn refine(self, start: usize, out: &mut Vec<u8>) -> Result<(), Unusable> {
        let form = &mut out[start..];
        if form.is_empty() {
            return Err(Unusable::Empty);
        }
        if form.iter().filter(|&&byte| byte == b'*').count() >= 2 {
            return Err(Unusable::Masked);
        }
        match self {
            Self::Account if form.contains(&b'@') => form.make_ascii_lowercase(),
            Self::Fingerprint if form.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b':')) => {
                form.make_ascii_lowercase();
            }
            Self::Case => form.make_ascii_uppercase(),
            Self::IdNumber => {
                form.make_ascii_uppercase();
                retain(start, out, |byte| !matches!(byte, b' ' | b'-'));
            }
            Self::Phone => {
                retain(start, out, |byte| byte.is_ascii_digit());
                strip_country_code(start, out);
            }
            _ => {}
        }
        if is_filler(&out[start..]) { Err(Unusable::Filler) } else { Ok(()) }
    }
}

/// Why an identifier identifies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is empty or white space.
    Empty,
    /// It is masked with asterisks: what is left of it is shared by many.
    Masked,
    /// It is what software writes where it has none: `null`, `unknown`, zeros.
    Filler,
    /// It is no IP address.
    NoAddress,
}

impl Unusable {
    /// In English, without the value.
    pub fn text(self) -> &'static str {
        match self {
            Self::Empty => "found white space alone; read as missing",
            Self::Masked => "found an identifier masked with asterisks, which names nobody; read as missing",
            Self::Filler => {
                "found a filler such as null, unknown or zeros, which would make strangers one; read as missing"
            }
            Self::NoAddress => "found a string that is no IP address; read as missing",
        }
    }
}

/// The canonical forms of one rating's identifiers, by kind, in one buffer.
#[derive(Default)]
pub struct Form {
    bytes: Vec<u8>,
    ranges: [Option<(u32, u32)>; Kind::COUNT],
    occasion: (u32, u32),
}

impl Form {
    /// No identifiers yet, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a raw identifier.
    ///
    /// # Errors
    ///
    /// If it identifies nothing; it is then absent.
    pub fn add(&mut self, kind: Kind, raw: &str) -> Result<(), Unusable> {
        let start = self.bytes.len();
        kind.canonical(raw, &mut self.bytes)?;
        self.close(kind, start);
        Ok(())
    }

    /// Adds an address, as [`Kind::Ip`] and as [`Kind::Subnet`].
    pub fn add_address(&mut self, address: IpAddr) {
        for kind in [Kind::Ip, Kind::Subnet] {
            let start = self.bytes.len();
            kind.address(address, &mut self.bytes);
            self.close(kind, start);
        }
    }

    /// Adds what, with the case, makes the occasion: stage and visit.
    pub fn add_occasion(&mut self, stage: Option<u8>, visit: Option<&str>) {
        let start = self.bytes.len();
        self.bytes.push(stage.unwrap_or(u8::MAX));
        narrow(visit.unwrap_or_default(), &mut self.bytes);
        self.occasion = (start as u32, self.bytes.len() as u32);
    }

    /// Stage and visit, as [`Form::add_occasion`] wrote them.
    pub fn occasion(&self) -> &[u8] {
        &self.bytes[self.occasion.0 as usize..self.occasion.1 as usize]
    }

    /// The canonical form of this kind.
    pub fn get(&self, kind: Kind) -> Option<&[u8]> {
        self.ranges[kind as usize].map(|(start, end)| &self.bytes[start as usize..end as usize])
    }

    fn close(&mut self, kind: Kind, start: usize) {
        self.ranges[kind as usize] = Some((start as u32, self.bytes.len() as u32));
    }
}

/// Full-width ASCII as ASCII.
pub(crate) fn narrowed(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from((c as u32 - 0xFF01 + 0x21) as u8),
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// Appends `raw`, trimmed and with full-width characters as ASCII.
fn narrow(raw: &str, out: &mut Vec<u8>) {
    let raw = raw.trim();
    if raw.is_ascii() {
        return out.extend_from_slice(raw.as_bytes());
    }
    for c in raw.chars() {
        out.extend_from_slice(narrowed(c).encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Keeps the bytes from `start` on that `keep` keeps.
fn retain(start: usize, out: &mut Vec<u8>, keep: impl Fn(u8) -> bool) {
    let mut end = start;
    for i in start..out.len() {
        if keep(out[i]) {
            out[end] = out[i];
            end += 1;
        }
    }
    out.truncate(end);
}

/// `+86 138…` and `0086 138…` are the mobile number `138…`.
fn strip_country_code(start: usize, out: &mut Vec<u8>) {
    let digits = &out[start..];
    let code = match digits.len() {
        13 if digits.starts_with(b"861") => 2,
        15 if digits.starts_with(b"00861") => 4,
        _ => return,
    };
    out.drain(start..start + code);
}

/// Whether software writes this where it has no identifier.
fn is_filler(form: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] = [
        b"null",
        b"nil",
        b"none",
        b"undefined",
        b"unknown",
        b"anonymous",
        b"n/a",
        b"na",
        // The one Android id that a defect of 2010 gave to millions of devices and every emulator.
        b"9774d56d682e549c",
    ];
    // Zeros, or any one character six times and more; separators apart.
    let is_separator = |byte: &u8| matches!(byte, b'-' | b':' | b'.' | b'_' | b'/' | b' ');
    let mut letters = form.iter().filter(|byte| !is_separator(byte));
    let uniform = match letters.next() {
        None => true,
        Some(first) => {
            let mut count = 1;
            letters.all(|other| {
                count += 1;
                other == first
            }) && (*first == b'0' || count >= 6)
        }
    };
    uniform || WORDS.iter().any(|word| form.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: Kind, raw: &str) -> Result<String, Unusable> {
        let mut out = b"kept".to_vec();
        let result = kind.canonical(raw, &mut out);
        assert!(out.starts_with(b"kept"));
        if result.is_err() {
            assert_eq!(out, b"kept");
        }
        result.map(|()| String::from_utf8(out.split_off(4)).unwrap())
    }

    #[test]
    fn one_phone_number_has_one_form() {
        for raw in [
            "13800138000",
            "+86 138-0013-8000",
            "008613800138000",
            " １３８００１３８０００ ",
            "(+86)13800138000",
        ] {
            assert_eq!(form(Kind::Phone, raw).unwrap(), "13800138000", "{raw}");
        }
        assert_eq!(form(Kind::Phone, "021-12345678").unwrap(), "02112345678");
    }

    #[test]
    fn one_id_number_has_one_form() {
        for raw in
            ["11010519491231002x", "11010519491231002X", "110105 19491231 002x", "１１０１０５19491231002Ｘ"]
        {
            assert_eq!(form(Kind::IdNumber, raw).unwrap(), "11010519491231002X", "{raw}");
        }
    }

    #[test]
    fn case_is_folded_only_where_it_tells_nothing() {
        assert_eq!(form(Kind::Account, "Li.Na@Example.COM").unwrap(), "li.na@example.com");
        assert_eq!(
            form(Kind::Account, "oGZUI0egBJY1zhBYw2KhdUfwVJJE").unwrap(),
            "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
        );
        assert_eq!(form(Kind::Fingerprint, "DE-AD-BE-EF").unwrap(), "de-ad-be-ef");
        assert_eq!(form(Kind::Fingerprint, "Ab_Zk9").unwrap(), "Ab_Zk9");
        assert_eq!(form(Kind::Case, " sh2026a-01 ").unwrap(), "SH2026A-01");
    }

    #[test]
    fn fillers_and_masked_numbers_are_nobody() {
        for raw in
            ["null", "NULL", "unknown", "0", "00000000-0000-0000-0000-000000000000", "-", "xxxxxx", "N/A"]
        {
            assert_eq!(form(Kind::Fingerprint, raw), Err(Unusable::Filler), "{raw}");
        }
        assert_eq!(form(Kind::Phone, "138****8000"), Err(Unusable::Masked));
        assert_eq!(form(Kind::IdNumber, "1101**********002X"), Err(Unusable::Masked));
        assert_eq!(form(Kind::Account, "  \u{3000}"), Err(Unusable::Empty));
        assert_eq!(form(Kind::Phone, "无"), Err(Unusable::Filler));
        for raw in ["7", "11", "100000"] {
            assert_eq!(form(Kind::Account, raw).unwrap(), raw, "a short account is an account");
        }
    }

    #[test]
    fn addresses_are_cut_to_what_identifies_a_line() {
        let bytes = |kind: Kind, raw: &str| {
            let mut out = Vec::new();
            kind.canonical(raw, &mut out).unwrap();
            out
        };
        assert_eq!(bytes(Kind::Ip, "::ffff:203.0.113.9"), bytes(Kind::Ip, "203.0.113.9"));
        assert_eq!(bytes(Kind::Ip, "2001:db8:1:2:3::4"), bytes(Kind::Ip, "2001:db8:1:2:ffff::1"));
        assert_ne!(bytes(Kind::Ip, "2001:db8:1:2::1"), bytes(Kind::Ip, "2001:db8:1:3::1"));
        assert_eq!(bytes(Kind::Subnet, "203.0.113.9"), bytes(Kind::Subnet, "203.0.113.200"));
        assert_eq!(bytes(Kind::Subnet, "2001:db8:1:2::1"), bytes(Kind::Subnet, "2001:db8:1:ffff::1"));
        assert_eq!(Kind::Ip.canonical("10.0.0.256", &mut Vec::new()), Err(Unusable::NoAddress));
    }
}

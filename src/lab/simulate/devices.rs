//! Phones and computers, with claims that agree with each other as they do in the field.
//!
//! A rendering probe (`canvas`) tells a model and its software apart, never one phone from the next
//! of its kind: thousands share each value. Emulators render with their host's graphics, so that
//! the ones of one host share a value whatever model they claim.

use super::calendar::local_day;
use super::random::{Derived, Purpose, Source};
use crate::wire::Platform;

/// A model on the market.
struct Model {
    platform: Platform,
    name: &'static str,
    screen: &'static str,
    os: &'static [&'static str],
    weight: u32,
}

const fn model(
    platform: Platform,
    name: &'static str,
    screen: &'static str,
    os: &'static [&'static str],
    weight: u32,
) -> Model {
    Model { platform, name, screen, os, weight }
}

const A13: &[&str] = &["12", "13"];
const A14: &[&str] = &["12", "13", "14"];
const A15: &[&str] = &["13", "14", "15"];
const A16: &[&str] = &["14", "15", "16"];
const H4: &[&str] = &["3.0.0", "4.0.0", "4.2.0"];
const H5: &[&str] = &["5.0.0", "5.0.1", "5.1.0"];
const I16: &[&str] = &["15.7", "15.8.2", "16.7.10"];
const I18: &[&str] = &["16.6.1", "17.6.1", "18.1.1", "18.3.2"];
const I26: &[&str] = &["18.3.2", "18.5", "26.0", "26.1"];

/// Phones and tablets, with their share of the traffic.
const PHONES: [Model; 60] = [
    model(Platform::Android, "23127PN0CC", "1200x2670", A15, 34),
    model(Platform::Android, "24129PN74C", "1200x2670", A16, 30),
    model(Platform::Android, "2211133C", "1080x2400", A15, 30),
    model(Platform::Android, "23049RAD8C", "1220x2712", A15, 24),
    model(Platform::Android, "2312DRAABC", "1220x2712", A14, 24),
    model(Platform::Android, "22120RN86C", "720x1600", A13, 16),
    model(Platform::Android, "M2102J2SC", "1080x2340", A13, 18),
    model(Platform::Android, "M2012K11AC", "1080x2400", A13, 18),
    model(Platform::Android, "24069RA21C", "1220x2712", A16, 20),
    model(Platform::Android, "23013RK75C", "1440x3200", A15, 18),
    model(Platform::Android, "V2309A", "1260x2800", A15, 22),
    model(Platform::Android, "V2241A", "1080x2400", A15, 16),
    model(Platform::Android, "V2307A", "1260x2800", A15, 14),
    model(Platform::Android, "V2166A", "1080x2408", A13, 18),
    model(Platform::Android, "V2284A", "1080x2388", A14, 16),
    model(Platform::Android, "V2324A", "1260x2800", A16, 18),
    model(Platform::Android, "V2183A", "1080x2400", A14, 12),
    model(Platform::Android, "V2405A", "1260x2800", A16, 14),
    model(Platform::Android, "PHM110", "1080x2412", A15, 18),
    model(Platform::Android, "PJD110", "1440x3168", A16, 18),
    model(Platform::Android, "PGT110", "1080x2412", A14, 16),
    model(Platform::Android, "PEQM00", "1080x2400", A13, 16),
    model(Platform::Android, "PHZ110", "1080x2412", A15, 14),
    model(Platform::Android, "PJH110", "1240x2772", A16, 16),
    model(Platform::Android, "PBEM00", "1080x2340", &["10", "11"], 8),
    model(Platform::Android, "LE2120", "1440x3216", A14, 8),
    model(Platform::Android, "RMX3700", "1240x2772", A15, 10),
    model(Platform::Android, "RMX3350", "1080x2400", A13, 8),
    model(Platform::Android, "PGT-AN10", "1224x2664", A15, 18),
    model(Platform::Android, "MAA-AN00", "1200x2652", A15, 16),
    model(Platform::Android, "ANY-AN00", "1080x2388", A14, 18),
    model(Platform::Android, "FNE-AN00", "1080x2388", A13, 12),
    model(Platform::Android, "BVL-AN16", "1280x2800", A16, 14),
    model(Platform::Android, "SM-S9180", "1440x3088", A16, 6),
    model(Platform::Android, "SM-G9910", "1080x2400", A15, 4),
    model(Platform::Android, "ELS-AN00", "1200x2640", &["10"], 20),
    model(Platform::Android, "VOG-AL00", "1080x2340", &["10"], 16),
    model(Platform::Android, "JEF-AN00", "1080x2400", &["10"], 12),
    model(Platform::HarmonyOs, "NOH-AN00", "1344x2772", H4, 36),
    model(Platform::HarmonyOs, "ALN-AL00", "1260x2720", &["4.0.0", "4.2.0", "5.0.1"], 44),
    model(Platform::HarmonyOs, "BRA-AL00", "1216x2688", &["4.0.0", "4.2.0", "5.0.1"], 26),
    model(Platform::HarmonyOs, "HBN-AL00", "1260x2844", H5, 22),
    model(Platform::HarmonyOs, "FOA-AL00", "1084x2412", H4, 24),
    model(Platform::HarmonyOs, "CLS-AL00", "1316x2832", H5, 16),
    model(Platform::HarmonyOs, "BRQ-AN00", "1080x2376", H4, 16),
    model(Platform::HarmonyOs, "DBY-W09", "1600x2560", H4, 6),
    model(Platform::Ios, "iPhone10,3", "1125x2436", I16, 10),
    model(Platform::Ios, "iPhone11,8", "828x1792", I18, 22),
    model(Platform::Ios, "iPhone12,1", "828x1792", I18, 44),
    model(Platform::Ios, "iPhone12,5", "1242x2688", I18, 18),
    model(Platform::Ios, "iPhone13,2", "1170x2532", I26, 46),
    model(Platform::Ios, "iPhone13,4", "1284x2778", I26, 22),
    model(Platform::Ios, "iPhone14,5", "1170x2532", I26, 58),
    model(Platform::Ios, "iPhone14,3", "1284x2778", I26, 28),
    model(Platform::Ios, "iPhone15,3", "1290x2796", I26, 36),
    model(Platform::Ios, "iPhone15,4", "1179x2556", I26, 34),
    model(Platform::Ios, "iPhone16,2", "1290x2796", I26, 38),
    model(Platform::Ios, "iPhone17,2", "1320x2868", I26, 28),
    model(Platform::Ios, "iPhone17,3", "1179x2556", I26, 24),
    model(Platform::Ios, "iPhone14,7", "1170x2532", I26, 8),
];

/// Kinds of computer; the "model" is the part of the user agent that names the system.
const COMPUTERS: [Model; 8] = [
    model(Platform::Windows, "Windows NT 10.0; Win64; x64", "1920x1080", &["10", "11"], 420),
    model(Platform::Windows, "Windows NT 10.0; Win64; x64", "1366x768", &["10"], 150),
    model(Platform::Windows, "Windows NT 10.0; Win64; x64", "2560x1440", &["10", "11"], 140),
    model(Platform::Windows, "Windows NT 10.0; Win64; x64", "1536x864", &["10", "11"], 110),
    model(Platform::Windows, "Windows NT 6.1; Win64; x64", "1440x900", &["7"], 50),
    model(Platform::MacOs, "Macintosh; Intel Mac OS X 10_15_7", "1440x900", &["14.5", "15.3"], 60),
    model(Platform::MacOs, "Macintosh; Intel Mac OS X 10_15_7", "1728x1117", &["14.5", "15.3"], 40),
    model(Platform::Linux, "X11; Linux x86_64", "1920x1080", &["UOS 20", "Kylin V10"], 30),
];

/// Versions of the rendering engine in the field, newest last.
const ENGINES: [&str; 6] = ["109.0.0.0", "116.0.0.0", "122.0.0.0", "126.0.0.0", "130.0.0.0", "138.0.0.0"];

/// One phone or computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    computer: bool,
    model: u8,
    os: u8,
    engine: u8,
    /// Days that its owner stays behind the newest app.
    lag_days: u16,
    /// 0 where the probe shows the model's own rendering; else what distorts it (an emulator's
    /// host, a privacy setting).
    pub distortion: u32,
    /// The client kit's stable id.
    pub fingerprint: u128,
    pub rooted: bool,
    pub emulator: bool,
    /// The client kit saw a driver.
    pub driven: bool,
    pub english: bool,
}

impl Device {
    /// A phone as the market has them.
    pub fn phone(source: &mut impl Source) -> Self {
        let mut weights = [0_u32; PHONES.len()];
        for (weight, model) in weights.iter_mut().zip(&PHONES) {
            *weight = model.weight;
        }
        let model = source.weighted(&weights) as u8;
        let versions = PHONES[usize::from(model)].os.len() as u64;
        let mut device = Self::with(source, false, model, versions);
        device.rooted = source.chance(0.012);
        if source.chance(0.006) {
            device.emulate(source);
        } else if source.chance(0.01) {
            device.distortion = source.bits() as u32 | 1;
        }
        device
    }

    /// A computer as homes and offices have them.
    pub fn computer(source: &mut impl Source) -> Self {
        let mut weights = [0_u32; COMPUTERS.len()];
        for (weight, model) in weights.iter_mut().zip(&COMPUTERS) {
            *weight = model.weight;
        }
        let model = source.weighted(&weights) as u8;
        let versions = COMPUTERS[usize::from(model)].os.len() as u64;
        let mut device = Self::with(source, true, model, versions);
        // Graphics cards and fonts: a few hundred renderings per kind of computer.
        let card = source.below(20);
        device.distortion = (card * card) as u32 + 1;
        // Remote-control and office software that looks like a driver to the kit.
        device.driven = source.chance(0.012);
        device
    }

    fn with(source: &mut impl Source, computer: bool, model: u8, versions: u64) -> Self {
        // Most phones run the newest system that they can.
        let os = (versions - 1).saturating_sub(source.below(3) * source.below(2)) as u8;
        Self {
            computer,
            model,
            os,
            engine: source.weighted(&[6, 10, 16, 24, 26, 18]) as u8,
            lag_days: source.along(&[(0.0, 0.0), (0.6, 12.0), (0.9, 60.0), (1.0, 500.0)]) as u16,
            distortion: 0,
            fingerprint: fresh_fingerprint(source),
            rooted: false,
            emulator: false,
            driven: false,
            english: source.chance(0.015),
        }
    }

    /// Makes it an emulator or cloud phone on one of the few dozen hosts that such services run.
    pub fn emulate(&mut self, source: &mut impl Source) {
        self.emulator = true;
        self.distortion = 1_000_000 + source.below(48) as u32;
    }

    /// Wipes the kit's id: a reset, a reinstallation, another clone of the app.
    pub fn wipe(&mut self, source: &mut impl Source) {
        self.fingerprint = fresh_fingerprint(source);
    }

    fn entry(&self) -> &'static Model {
        let table: &[Model] = if self.computer { &COMPUTERS } else { &PHONES };
        &table[usize::from(self.model)]
    }

    /// The platform.
    pub fn platform(&self) -> Platform {
        self.entry().platform
    }

    /// The model; computers have none.
    pub fn model(&self) -> Option<&'static str> {
        (!self.computer).then(|| self.entry().name)
    }

    /// The screen, in pixels.
    pub fn screen(&self) -> &'static str {
        self.entry().screen
    }

    /// The version of the operating system.
    pub fn os_version(&self) -> &'static str {
        self.entry().os[usize::from(self.os)]
    }

    /// The value of the rendering probe.
    pub fn canvas(&self) -> u64 {
        let hardware = if self.emulator { 0 } else { u64::from(self.model) + 1 };
        let software = (u64::from(self.os) << 8) | (u64::from(self.engine) / 2);
        Derived::new(
            u64::from(self.distortion),
            Purpose::Canvas,
            hardware << 32 | software << 1 | u64::from(self.computer),
        )
        .bits()
    }

    /// Writes the app's version at `at`: a release every 17 days, which the owner installs late.
    pub fn write_app_version(&self, out: &mut Vec<u8>, at: i64) {
        let release = ((local_day(at) - 17_000 - i64::from(self.lag_days)) / 17).max(0) as u64;
        out.extend_from_slice(b"7.");
        super::json::number(out, release / 8);
        out.push(b'.');
        super::json::number(out, release % 8);
    }

    /// Writes the user agent. `inside` names the app that shows the page, as it names itself.
    pub fn write_user_agent(&self, out: &mut Vec<u8>, inside: &str) {
        let entry = self.entry();
        let engine = ENGINES[usize::from(self.engine)];
        let parts: &[&str] = match entry.platform {
            Platform::Ios => {
                out.extend_from_slice(b"Mozilla/5.0 (iPhone; CPU iPhone OS ");
                out.extend(self.os_version().bytes().map(|b| if b == b'.' { b'_' } else { b }));
                &[" like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", inside]
            }
            Platform::HarmonyOs => &[
                "Mozilla/5.0 (Phone; OpenHarmony ",
                self.os_version(),
                "; ",
                entry.name,
                ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
                engine,
                " Safari/537.36 ArkWeb/4.1.6.1 Mobile",
                inside,
            ],
            Platform::Windows | Platform::MacOs | Platform::Linux => &[
                "Mozilla/5.0 (",
                entry.name,
                ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
                engine,
                " Safari/537.36",
                inside,
            ],
            _ => &[
                "Mozilla/5.0 (Linux; Android ",
                self.os_version(),
                "; ",
                entry.name,
                "; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/",
                engine,
                " Mobile Safari/537.36",
                inside,
            ],
        };
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

fn fresh_fingerprint(source: &mut impl Source) -> u128 {
    u128::from(source.bits()) << 64 | u128::from(source.bits())
}

/// The phone that the citizen with this number owns.
pub(super) fn phone_of(seed: u64, index: u64) -> Device {
    Device::phone(&mut Derived::new(seed, Purpose::Phone, index))
}

/// The computer of the household or workplace with this number.
pub(super) fn computer_of(seed: u64, index: u64) -> Device {
    Device::computer(&mut Derived::new(seed, Purpose::Computer, index))
}

#[cfg(test)]
mod tests {
    use super::super::random::Dice;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn many_phones_share_a_canvas_and_none_a_fingerprint() {
        let mut dice = Dice::new(1, Purpose::Phone, 0);
        let phones: Vec<Device> = (0..20_000).map(|_| Device::phone(&mut dice)).collect();
        let mut canvases: BTreeMap<u64, u32> = BTreeMap::new();
        for phone in &phones {
            *canvases.entry(phone.canvas()).or_default() += 1;
        }
        let shared = phones.iter().filter(|p| canvases[&p.canvas()] >= 5).count();
        assert!(shared > 18_000, "{shared}");
        let mut ids: Vec<u128> = phones.iter().map(|p| p.fingerprint).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), phones.len());
    }

    #[test]
    fn a_user_agent_names_the_platform_it_claims() {
        let mut dice = Dice::new(2, Purpose::Phone, 0);
        for _ in 0..2_000 {
            let device =
                if dice.chance(0.3) { Device::computer(&mut dice) } else { Device::phone(&mut dice) };
            let mut text = Vec::new();
            device.write_user_agent(&mut text, " MicroMessenger/8.0.47");
            let text = String::from_utf8(text).unwrap();
            let word = match device.platform() {
                Platform::Ios => "iPhone OS",
                Platform::HarmonyOs => "OpenHarmony",
                Platform::Windows => "Windows NT",
                Platform::MacOs => "Macintosh",
                Platform::Linux => "X11; Linux",
                _ => "Android",
            };
            assert!(text.contains(word), "{text}");
        }
    }
}

//! What is kept of a device: hashes by groups of like stability, contradictions, and whether the
//! client says itself that it is a script.

use crate::observation::{Contradiction, Device};
use crate::pseudonym::{Keyring, Pseudonym, narrowed};
use crate::rating::{self, Rating};
use crate::wire::{Channel, EntryPoint, Platform};

/// Observes the device of a rating.
pub(super) fn observe(
    keyring: &Keyring,
    rating: &Rating<'_>,
    fingerprint: Option<Pseudonym>,
    sent: u32,
    scratch: &mut Vec<u8>,
) -> Device {
    let device = &rating.device;
    let screen = device.screen.as_deref().and_then(Screen::parse);
    let agent = Words::of(device.user_agent.as_deref());
    let model = Words::of(device.model.as_deref());
    scratch.clear();
    let mut group = Group { keyring, form: scratch, known: 0 };
    Device {
        fingerprint,
        terminal: device.terminal.as_deref().map(|id| id.trim().into()),
        platform: device.platform,
        hardware: {
            group.add_bytes(device.platform.map(|platform| [platform as u8]));
            group.add(device.model.as_deref());
            group.add_bytes(screen.map(|screen| screen.folded()));
            group.add(device.canvas.as_deref());
            group.hash(2)
        },
        habitat: {
            group.add(device.language.as_deref());
            group.add(device.timezone.as_deref());
            group.add(device.os_version.as_deref().and_then(major));
            group.hash(2)
        },
        software: {
            group.add(device.app_version.as_deref());
            group.add(device.os_version.as_deref());
            group.add(device.user_agent.as_deref());
            group.hash(1)
        },
        app_version: {
            group.add(device.app_version.as_deref());
            group.hash(1)
        },
        contradictions: contradictions(rating, screen, agent, model),
        rooted: device.rooted,
        emulator: device.emulator,
        automation: device.automation,
        headless: agent.has(Words::SCRIPT) || model.has(Words::SCRIPT),
        sent,
    }
}

/// Collects fields in canonical form and hashes them together.
struct Group<'k> {
    keyring: &'k Keyring,
    form: &'k mut Vec<u8>,
    known: usize,
}

impl Group<'_> {
    /// Adds a text: trimmed, in ASCII width and lower case, `_` as `-`; blank is absent.
    fn add(&mut self, text: Option<&str>) {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        self.known += usize::from(text.is_some());
        let text = text.unwrap_or_default();
        let start = self.form.len();
        if text.is_ascii() {
            self.form.extend_from_slice(text.as_bytes());
        } else {
            for c in text.chars() {
                self.form.extend_from_slice(narrowed(c).encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        for byte in &mut self.form[start..] {
            *byte = if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        }
        self.form.push(0xFF);
    }

    fn add_bytes<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
        self.known += usize::from(bytes.is_some());
        self.form.extend_from_slice(bytes.as_ref().map_or(&[], |bytes| bytes));
        self.form.push(0xFF);
    }

    /// The hash, if at least so many fields are known. Begins the next group.
    fn hash(&mut self, at_least: usize) -> Option<u64> {
        let hash = (self.known >= at_least).then(|| self.keyring.profile(self.form));
        self.form.clear();
        self.known = 0;
        hash
    }
}

/// The first run of digits: `13` of `Android 13.0.1`.
fn major(version: &str) -> Option<&str> {
    let start = version.find(|c: char| c.is_ascii_digit())?;
    let digits = &version[start..];
    Some(&digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())])
}

/// Width and height of a screen as it was held.
#[derive(Clone, Copy)]
struct Screen {
    width: u16,
    height: u16,
}

impl Screen {
    fn parse(text: &str) -> Option<Self> {
        let (width, height) = text.trim().split_once(['x', 'X', '*', '×'])?;
        let side = |text: &str| text.trim().parse().ok().filter(|&pixels: &u16| pixels > 0);
        Some(Self { width: side(width)?, height: side(height)? })
    }

    /// The same however the device is held.
    fn folded(self) -> [u8; 4] {
        let [a, b] = self.width.min(self.height).to_le_bytes();
        let [c, d] = self.width.max(self.height).to_le_bytes();
        [a, b, c, d]
    }

    /// Upright and at least 1.9 times as high as wide: no monitor is (a turned one has 1.78 or 1.6),
    /// and all phones of recent years are.
    fn is_phone(self) -> bool {
        u32::from(self.height) * 10 >= u32::from(self.width) * 19 && self.width <= 1440
    }

    /// Wider than high as monitors are, 5:4 to 16:9, and at least 700 pixels high. A phone held
    /// sideways is longer; a tablet is not, and must be known by its model.
    fn is_desktop(self) -> bool {
        let (width, height) = (u32::from(self.width) * 100, u32::from(self.height));
        (height * 120..=height * 178).contains(&width) && height >= 700
    }
}

/// What the words of a user agent or a model name, as bits.
#[derive(Clone, Copy)]
struct Words(u16);

impl Words {
    const WINDOWS: u16 = 1 << 0;
    const ANDROID: u16 = 1 << 1;
    const IPHONE: u16 = 1 << 2;
    const IPAD: u16 = 1 << 3;
    const MAC: u16 = 1 << 4;
    const HARMONY: u16 = 1 << 5;
    /// A model of a maker that makes no Apple device.
    const OTHER_MAKER: u16 = 1 << 6;
    const TABLET: u16 = 1 << 7;
    /// A headless browser, an HTTP library or a driver. Not among them: `okhttp`, `CFNetwork` and
    /// `Java`, which honest apps and platforms send; `bot`, which is in the name of a phone maker;
    /// and every screen reader, switch control and voice control.
    const SCRIPT: u16 = 1 << 8;

    /// What each word means, in lower case.
    const MEANINGS: &[(u16, &[&str])] = &[
        (Self::WINDOWS, &["windows"]),
        (Self::ANDROID, &["android"]),
        (Self::IPHONE, &["iphone", "ipod"]),
        (Self::IPAD | Self::TABLET, &["ipad"]),
        (Self::MAC, &["macintosh", "macbook", "macbookpro", "macbookair", "imac"]),
        (Self::HARMONY, &["harmonyos", "openharmony", "arkweb"]),
        (
            Self::OTHER_MAKER,
            &[
                "sm", "samsung", "huawei", "honor", "xiaomi", "redmi", "vivo", "oppo", "oneplus", "pixel",
                "meizu", "realme",
            ],
        ),
        (Self::TABLET, &["tablet", "pad", "matepad", "mediapad", "tab"]),
        (
            Self::SCRIPT,
            &[
                "headless",
                "headlesschrome",
                "phantomjs",
                "slimerjs",
                "htmlunit",
                "jsdom",
                "selenium",
                "webdriver",
                "chromedriver",
                "geckodriver",
                "puppeteer",
                "playwright",
                "appium",
                "uiautomator",
                "python",
                "aiohttp",
                "httpx",
                "scrapy",
                "curl",
                "wget",
                "libwww",
                "mechanize",
                "axios",
                "postmanruntime",
                "jmeter",
            ],
        ),
    ];

    /// Letters of the longest of them.
    const LONGEST: usize = 14;

    /// First letters of the words of each length, one bit each: most words of a user agent mean nothing,
    /// and this tells.
    const FIRST_LETTERS: [u32; Self::LONGEST + 1] = {
        let mut letters = [0; Self::LONGEST + 1];
        let mut group = 0;
        while group < Self::MEANINGS.len() {
            let words = Self::MEANINGS[group].1;
            let mut at = 0;
            while at < words.len() {
                letters[words[at].len()] |= 1 << (words[at].as_bytes()[0] - b'a');
                at += 1;
            }
            group += 1;
        }
        letters
    };

    /// Reads the words: runs of ASCII letters.
    fn of(text: Option<&str>) -> Self {
        let words = text.unwrap_or_default().as_bytes().split(|byte| !byte.is_ascii_alphabetic());
        Self(words.fold(0, |found, word| found | Self::meaning(word)))
    }

    #[inline]
    fn meaning(word: &[u8]) -> u16 {
        let letters = Self::FIRST_LETTERS.get(word.len()).copied().unwrap_or(0);
        match word.first() {
            Some(first) if letters >> (first.to_ascii_lowercase() - b'a') & 1 == 1 => Self::look_up(word),
            _ => 0,
        }
    }

    fn look_up(word: &[u8]) -> u16 {
        let is_it = |known: &&str| known.as_bytes().eq_ignore_ascii_case(word);
        let found = Self::MEANINGS.iter().find(|(_, words)| words.iter().any(is_it));
        found.map_or(0, |&(meaning, _)| meaning)
    }

    fn has(self, any: u16) -> bool {
        self.0 & any != 0
    }
}

/// The bits of [`Contradiction`]. Each is a claim that no real device makes beside another; where
/// honest devices do (an iPad that calls itself a Mac, a Harmony phone that calls itself Android, a
/// window's pad that is an Android tablet), there is none.
fn contradictions(rating: &Rating<'_>, screen: Option<Screen>, agent: Words, model: Words) -> u8 {
    let device = &rating.device;
    let bit = |contradiction: Contradiction, holds: bool| u8::from(holds) << contradiction as u8;
    let mut bits = bit(
        Contradiction::TimezoneLanguage,
        timezone_contradicts(device.language.as_deref(), device.timezone.as_deref()),
    ) | bit(Contradiction::EntryChannel, cannot_enter(rating.entry, rating.channel))
        | bit(Contradiction::TerminalPlatform, is_personal_terminal(rating, screen, model));
    if let Some(platform) = device.platform {
        let is_tablet = agent.has(Words::TABLET) || model.has(Words::TABLET);
        bits |= bit(Contradiction::PlatformScreen, screen_contradicts(platform, screen, is_tablet));
        bits |= bit(Contradiction::PlatformUserAgent, agent_contradicts(platform, agent));
        bits |= bit(Contradiction::PlatformModel, model_contradicts(platform, model));
    }
    bits
}

fn screen_contradicts(platform: Platform, screen: Option<Screen>, is_tablet: bool) -> bool {
    let Some(screen) = screen else { return false };
    match platform {
        Platform::Android | Platform::Ios | Platform::HarmonyOs => screen.is_desktop() && !is_tablet,
        Platform::Windows | Platform::MacOs => screen.is_phone(),
        // Browsers on Android call their platform Linux.
        Platform::Linux | Platform::Terminal | Platform::Other => false,
    }
}

fn agent_contradicts(platform: Platform, agent: Words) -> bool {
    agent.has(match platform {
        Platform::Android | Platform::HarmonyOs => Words::WINDOWS | Words::IPHONE | Words::IPAD | Words::MAC,
        // An iPad asks for desktop sites as a Mac; a Mac runs iPad apps.
        Platform::Ios => Words::WINDOWS | Words::ANDROID | Words::HARMONY,
        Platform::MacOs => Words::WINDOWS | Words::ANDROID | Words::HARMONY,
        Platform::Windows => Words::ANDROID | Words::HARMONY | Words::IPHONE | Words::IPAD | Words::MAC,
        Platform::Linux => Words::WINDOWS | Words::IPHONE | Words::IPAD | Words::MAC,
        Platform::Terminal | Platform::Other => 0,
    })
}

fn model_contradicts(platform: Platform, model: Words) -> bool {
    model.has(match platform {
        Platform::Android | Platform::HarmonyOs => Words::IPHONE | Words::IPAD | Words::MAC,
        Platform::Windows | Platform::Linux => Words::IPHONE | Words::IPAD,
        Platform::Ios | Platform::MacOs => Words::OTHER_MAKER,
        Platform::Terminal | Platform::Other => 0,
    })
}

/// A device set to Chinese as written on the mainland, with a clock of another part of the world.
/// Travellers' devices do that too, hence weak.
fn timezone_contradicts(language: Option<&str>, timezone: Option<&str>) -> bool {
    let (Some(language), Some(timezone)) = (language.map(str::trim), timezone.map(str::trim)) else {
        return false;
    };
    let starts = |text: &str, prefix: &str| {
        text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_mainland = ["zh-cn", "zh_cn", "zh-hans"].iter().any(|prefix| starts(language, prefix));
    // Continents that names of time zones begin with; offsets and abbreviations are not judged.
    let is_far = ["america/", "europe/", "africa/", "atlantic/", "us/", "canada/", "brazil/"];
    is_mainland && is_far.iter().any(|prefix| starts(timezone, prefix))
}

fn cannot_enter(entry: Option<EntryPoint>, channel: Channel) -> bool {
    let Some(entry) = entry else { return false };
    match channel {
        Channel::HallWindow | Channel::Portal | Channel::DepartmentSite => entry == EntryPoint::PhoneCall,
        Channel::MobileApp => matches!(entry, EntryPoint::PhoneCall | EntryPoint::Terminal),
        Channel::Hotline => matches!(entry, EntryPoint::Pad | EntryPoint::Terminal),
        Channel::Kiosk => matches!(entry, EntryPoint::PhoneCall | EntryPoint::Sms),
        Channel::Other => false,
    }
}

/// A phone that says it is an official terminal. A citizen's phone that scanned a terminal's code
/// may well name that terminal, so this asks for an entry on the terminal itself.
fn is_personal_terminal(rating: &Rating<'_>, screen: Option<Screen>, model: Words) -> bool {
    let rating::Device { terminal, platform, .. } = &rating.device;
    let on_terminal = match rating.entry {
        Some(EntryPoint::Pad | EntryPoint::Terminal) => true,
        Some(_) => false,
        None => matches!(rating.channel, Channel::HallWindow | Channel::Kiosk),
    };
    let is_phone = match platform {
        Some(Platform::Ios) => !model.has(Words::IPAD) && (model.has(Words::IPHONE) || phone_shaped(screen)),
        Some(Platform::Android | Platform::HarmonyOs) => !model.has(Words::TABLET) && phone_shaped(screen),
        _ => false,
    };
    terminal.is_some() && on_terminal && is_phone
}

fn phone_shaped(screen: Option<Screen>) -> bool {
    screen.is_some_and(Screen::is_phone)
}

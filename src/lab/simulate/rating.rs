//! One simulated rating before it is written, and the truth about it.

use std::borrow::Cow;

use super::devices::Device;
use super::networks::Link;
use super::organisation::Office;
use super::people::Citizen;
use super::random::Source;
use crate::wire::{CaseMatch, Channel, EntryPoint, Label, Origin, Stage};

/// What is known about a simulated rating besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What it is.
    pub label: Label,
    /// The abuse or look-alike that it belongs to, or `ordinary`.
    pub scenario: &'static str,
    /// Number of the campaign (for look-alikes: of the occasion) that it belongs to.
    pub campaign: Option<u64>,
}

/// The way a rating takes: channel and entry point together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The pad at a window.
    Pad,
    /// The code at a window, scanned with the client's own phone.
    HallCode,
    /// A kiosk in a hall.
    Kiosk,
    /// The city's own app.
    App,
    Wechat,
    Alipay,
    Portal,
    /// A department's own site.
    Site,
    Hotline,
    /// A text message, answered.
    Message,
    /// Filled in by the platform when nobody rated.
    Default,
}

impl Way {
    pub fn channel(self) -> Channel {
        match self {
            Way::Pad | Way::HallCode => Channel::HallWindow,
            Way::Kiosk => Channel::Kiosk,
            Way::App | Way::Wechat | Way::Alipay => Channel::MobileApp,
            Way::Portal | Way::Default => Channel::Portal,
            Way::Site => Channel::DepartmentSite,
            Way::Hotline => Channel::Hotline,
            Way::Message => Channel::Other,
        }
    }

    pub fn entry(self) -> Option<EntryPoint> {
        Some(match self {
            Way::Pad => EntryPoint::Pad,
            Way::HallCode | Way::Wechat => EntryPoint::Wechat,
            Way::Kiosk => EntryPoint::Terminal,
            Way::App => EntryPoint::Suishenban,
            Way::Alipay => EntryPoint::Alipay,
            Way::Portal | Way::Site => EntryPoint::Browser,
            Way::Hotline => EntryPoint::PhoneCall,
            Way::Message => EntryPoint::Sms,
            Way::Default => return None,
        })
    }

    /// Whether it is given in a hall, at a window.
    pub fn in_hall(self) -> bool {
        matches!(self, Way::Pad | Way::HallCode | Way::Kiosk)
    }

    /// Whether the rater holds a device of their own.
    pub fn own_device(self) -> bool {
        matches!(self, Way::HallCode | Way::App | Way::Wechat | Way::Alipay | Way::Portal | Way::Site)
    }

    /// Whether it is opened on a computer.
    pub fn on_computer(self) -> bool {
        matches!(self, Way::Portal | Way::Site)
    }

    /// What the collecting platform calls itself.
    pub fn source(self) -> &'static str {
        match self {
            Way::Pad => "hall-queue",
            Way::HallCode => "hall-code",
            Way::Kiosk => "kiosk",
            Way::App => "app",
            Way::Wechat => "wechat-mini",
            Way::Alipay => "alipay-mini",
            Way::Portal => "portal",
            Way::Site => "department-site",
            Way::Hotline => "hotline",
            Way::Message => "sms-gateway",
            Way::Default => "rating-period",
        }
    }

    /// How the page's app names itself in the user agent.
    pub fn inside(self) -> &'static str {
        match self {
            Way::HallCode | Way::Wechat => " MicroMessenger/8.0.54 NetType/WIFI Language/zh_CN",
            Way::Alipay => " AlipayClient/10.6.80 Language/zh-Hans",
            Way::App => " CityApp",
            _ => "",
        }
    }
}

/// A service event, and the case behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub office: Office,
    pub matter: u8,
    pub stage: Stage,
    /// The case's number.
    pub case: Option<u64>,
    /// Whether the business system knows the case.
    pub real: bool,
    /// Whose case it is.
    pub applicant: Option<u64>,
    /// The queue ticket.
    pub ticket: Option<u16>,
    /// When the event ended.
    pub completed: i64,
}

/// One simulated rating.
#[derive(Clone, Debug)]
pub struct Simulated {
    pub(super) id: u64,
    pub(super) supersedes: Option<(u64, i64)>,
    pub(super) submitted: i64,
    pub(super) received: i64,
    pub(super) opened: Option<i64>,
    pub(super) way: Way,
    pub(super) stars: u8,
    pub(super) origin: Option<Origin>,
    pub(super) hall_stars: u8,
    pub(super) aspects: [u8; 6],
    pub(super) tags: u32,
    pub(super) comment: Option<Cow<'static, str>>,
    pub(super) event: Event,
    pub(super) case_match: Option<CaseMatch>,
    pub(super) completed: Option<i64>,
    pub(super) rater: RaterFields,
    pub(super) device: DeviceFields,
    pub(super) link: Option<Link>,
    pub(super) proxy_known: bool,
    pub(super) truth: Truth,
}

/// Which facts about the rater are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RaterFields {
    pub who: Option<Citizen>,
    pub account: Option<u64>,
    pub id_number: Option<[u8; 18]>,
    pub telephone: Option<u64>,
    pub verified: Option<bool>,
    pub registered: bool,
    pub is_applicant: Option<bool>,
}

/// Which facts about the device are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeviceFields {
    pub device: Option<Device>,
    pub terminal: Option<Terminal>,
    pub fingerprint: bool,
    pub app_version: bool,
    pub user_agent: bool,
    /// Model, system, screen, language and time zone.
    pub details: bool,
    pub canvas: bool,
    /// Rooted, emulator and driver.
    pub checks: bool,
}

/// A managed terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    pub kiosk: bool,
    pub district: u8,
    pub hall: u8,
    pub number: u8,
}

impl Simulated {
    /// When it arrives at intake, in milliseconds since 1970 UTC. The stream is ordered by it.
    pub fn received_ms(&self) -> i64 {
        self.received
    }

    /// When the rater submitted it, in milliseconds since 1970 UTC.
    pub fn submitted_ms(&self) -> i64 {
        self.submitted
    }

    /// The truth about it.
    pub fn truth(&self) -> Truth {
        self.truth
    }

    /// Stars, 1 to 5.
    pub fn stars(&self) -> u8 {
        self.stars
    }

    /// Whether `stars`, `hall_stars` or any aspect is 2 or less.
    pub fn is_bad(&self) -> bool {
        let low = |&s: &u8| (1..=2).contains(&s);
        low(&self.stars) || low(&self.hall_stars) || self.aspects.iter().any(low)
    }

    /// Gives it a comment, and the time that writing takes.
    pub(super) fn write(&mut self, dice: &mut impl Source, text: impl Into<Cow<'static, str>>) {
        let text = text.into();
        if let Some(opened) = &mut self.opened {
            let letters = text.chars().count().min(200) as f64;
            *opened -= (letters * dice.within(180.0, 700.0)) as i64;
        }
        self.comment = Some(text);
    }

    /// Gives it a comment that was copied: pasting takes seconds.
    pub(super) fn paste(&mut self, dice: &mut impl Source, text: impl Into<Cow<'static, str>>) {
        if let Some(opened) = &mut self.opened {
            *opened -= dice.between(1_500, 9_000);
        }
        self.comment = Some(text.into());
    }

    /// Moves it, with everything that happened before it, by `ms`.
    pub(super) fn shift(&mut self, ms: i64) {
        self.submitted += ms;
        self.received += ms;
        self.opened = self.opened.map(|t| t + ms);
    }

    /// The same submission once more, as intake sees it: a new id, a moment later.
    pub(super) fn again(&self, dice: &mut impl Source, after_ms: i64) -> Self {
        let mut copy = self.clone();
        copy.id = dice.bits();
        copy.submitted += after_ms;
        copy.received += after_ms;
        copy
    }
}

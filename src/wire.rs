//! The closed vocabularies of the contract (`docs/contract/*.schema.json`).

/// Declares an enum whose variants have fixed names on the wire.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* #[doc = concat!("`", $text, "`")] $variant),+ }

        impl $name {
            /// Names on the wire, in the order of the discriminants.
            pub const NAMES: &'static [&'static str] = &[$($text),+];
            /// All variants, in the order of the discriminants.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// Reads a wire name; `None` if it is none of [`Self::NAMES`].
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// The variant with this discriminant, as it stands in log records.
            pub fn from_index(index: u8) -> Option<Self> {
                Self::ALL.get(usize::from(index)).copied()
            }

            /// The name on the wire.
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}

wire_enum! {
    /// Where the rating was given.
    Channel {
        HallWindow = "hall_window", Portal = "portal", MobileApp = "mobile_app",
        Hotline = "hotline_12345", Kiosk = "kiosk", DepartmentSite = "department_site", Other = "other",
    }
}
wire_enum! {
    /// The way into the channel.
    EntryPoint {
        Suishenban = "suishenban", Wechat = "wechat", Alipay = "alipay", Browser = "browser",
        PhoneCall = "phone_call", Sms = "sms", Pad = "pad", Terminal = "terminal", Other = "other",
    }
}
wire_enum! {
    /// Who chose the stars: the rater, or the platform after the rating period ran out.
    Origin { Active = "active", Default = "default" }
}
wire_enum! {
    /// Whether intake found the case in the business system.
    CaseMatch { Matched = "matched", Unmatched = "unmatched", Unchecked = "unchecked" }
}
wire_enum! {
    /// The stage of the service event that is rated.
    Stage {
        Consult = "consult", Apply = "apply", Accept = "accept", Process = "process",
        Complete = "complete", Collect = "collect", Revisit = "revisit",
    }
}
wire_enum! {
    /// The platform that the client kit names.
    Platform {
        Android = "android", Ios = "ios", HarmonyOs = "harmonyos", Windows = "windows",
        MacOs = "macos", Linux = "linux", Terminal = "terminal", Other = "other",
    }
}
wire_enum! {
    /// The aspects that may be rated besides the stars.
    Aspect {
        MatterManagement = "matter_management", Procedure = "procedure", Efficiency = "efficiency",
        Competence = "competence", Attitude = "attitude", Convenience = "convenience",
    }
}
wire_enum! {
    /// What a verdict decides.
    Decision { Admit = "admit", Hold = "hold", Reject = "reject" }
}
wire_enum! {
    /// What a rating is suspected of.
    Suspicion {
        PaddedPraise = "padded_praise", MaliciousReview = "malicious_review",
        Automation = "automation", Duplicate = "duplicate",
    }
}
wire_enum! {
    /// Where a reason comes from.
    ReasonSource { Rule = "rule", Model = "model", Policy = "policy", Reviewer = "reviewer" }
}
wire_enum! {
    /// What a reviewer decides about a rating: it counts; it does not, since it is not genuine; it does not,
    /// since an honest person pressed the wrong star (误评).
    ReviewOutcome { Clear = "clear", Confirm = "confirm", Mistaken = "mistaken" }
}
wire_enum! {
    /// What a rating really is, in a file of labels. `genuine` is what a client experienced, `mistaken`
    /// the wrong star of an honest person; `unsure` is left out of every rate.
    Label {
        Genuine = "genuine", Mistaken = "mistaken", PaddedPraise = "padded_praise",
        MaliciousReview = "malicious_review", Automation = "automation", Duplicate = "duplicate",
        Unsure = "unsure",
    }
}

impl Label {
    /// Whether a person gave it in good faith, also where the wrong star was pressed.
    pub fn is_honest(self) -> bool {
        self.is_abusive() == Some(false)
    }

    /// Whether it should stay out of the figures; `None` where nobody knows.
    pub fn is_abusive(self) -> Option<bool> {
        match self {
            Self::Genuine | Self::Mistaken => Some(false),
            Self::PaddedPraise | Self::MaliciousReview | Self::Automation | Self::Duplicate => Some(true),
            Self::Unsure => None,
        }
    }
}

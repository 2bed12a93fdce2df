//! The closed vocabularies of rule files.

/// Declares an enum whose variants have fixed names in rule files.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Names in rule files, in the order of the discriminants.
            pub const NAMES: &'static [&'static str] = &[$($text),+];
            /// All variants, in the order of the discriminants.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// Reads a name; `None` if it is none of [`Self::NAMES`].
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// The name in rule files.
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}

vocabulary! {
    /// What kind of evidence a rule goes by. The summed weight of a family is capped, so that rules
    /// that see the same thing do not count twice; policy knows which families may hold what.
    Family {
        /// How often: counts per device, rater, network.
        Frequency = "frequency",
        /// Who shares a device, and what the device is.
        Device = "device",
        /// Addresses, subnets, proxies.
        Network = "network",
        /// The comment.
        Text = "text",
        /// The case: absent, unmatched, reused, contested.
        Case = "case",
        /// Dwell, lag, opening hours.
        Timing = "timing",
        /// Gaps too even for people.
        Evenness = "evenness",
        /// Drivers, headless browsers.
        Automation = "automation",
        /// The rater's history.
        Rater = "rater",
        /// The target against its own baseline.
        Target = "target",
        /// Fields that are normally sent and are missing.
        Missing = "missing",
        /// Staff who rate their own department.
        Staff = "staff",
        /// Raters of one target who share hardware or network beyond chance.
        Concentration = "concentration",
    }
}

vocabulary! {
    /// Whether a rule takes part.
    State {
        /// Checked, never evaluated.
        Draft = "draft",
        /// Evaluated and reported apart; decides nothing.
        Shadow = "shadow",
        /// Takes part in the decision.
        Active = "active",
    }
}

vocabulary! {
    /// What a rule does when its condition is true.
    Action {
        /// Rejects a good rating.
        Reject = "reject",
        /// Holds the rating for review.
        Hold = "hold",
        /// Mutes other rules.
        Allow = "allow",
        /// Adds its weight.
        Weigh = "weigh",
    }
}

impl Family {
    /// Number of families.
    pub const COUNT: usize = Self::ALL.len();

    /// Whether an allow rule may mute rules of this family.
    ///
    /// Never for evidence that no standing of a person or an office explains away: a case that is
    /// not the rater's, a machine, a rhythm that no person keeps.
    pub fn may_be_muted(self) -> bool {
        !matches!(self, Self::Case | Self::Automation | Self::Evenness)
    }
}

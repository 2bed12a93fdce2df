//! The fields of `docs/contract/rating.schema.json`, each with what it allows: the one list that
//! the parser, its errors and the test against the schema read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use super::error::{ErrorCode, Problem, Warning};
use super::object::{Field, Section, Texts};
use super::source::{Head, Source};
use super::spec::{
    Address, Choice, Code, Cut, Flag, LongText, Nested, RatingId, Reader, RequiredChannel, RequiredStars,
    RequiredTime, Spec, Stars, Text, Time, Whole,
};
use crate::time::Instant;
use crate::wire::{CaseMatch, Channel, EntryPoint, Origin, Platform, Stage};

/// Declares an object of the contract. A field's name is its key.
///
/// `Debug` shows no value: these types hold raw identifiers.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $name:ident $(<$own:lifetime>)? for $life:lifetime at $root:literal {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $spec:expr;)+
        }
        $(besides { $($(#[$extra_meta:meta])* $extra:ident: $extra_type:ty,)+ })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        pub struct $name $(<$own>)? {
            $($(#[$field_meta])* pub $field: $type,)+
            $($($(#[$extra_meta])* pub $extra: $extra_type,)+)?
        }

        impl<$life> Section<$life> for $name $(<$own>)? {
            fn empty() -> Self {
                Self {
                    $($field: Spec::absent($spec),)+
                    $($($extra: Default::default(),)+)?
                }
            }

            const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];
            const HEADS: &'static [Head] = &[$(Head::of(stringify!($field))),+];

            fn read_field<A: Source<$life>>(
                &mut self,
                index: u8,
                repeat: bool,
                map: &mut A,
                reader: &mut Reader,
            ) -> Result<(), A::Error> {
                #[allow(non_camel_case_types)]
                enum Key { $($field),+ }
                $(if index == Key::$field as u8 {
                    const PATH: &str = concat!($root, ".", stringify!($field));
                    return match repeat {
                        false => $spec.read(&mut self.$field, PATH, map, reader),
                        true => $spec.skip_repeat(&mut self.$field, PATH, map, reader),
                    };
                })+
                Ok(())
            }

            fn require(seen: u64, reader: &mut Reader) {
                #[allow(non_camel_case_types)]
                enum Key { $($field),+ }
                $(if is_required(&$spec) && seen & (1 << Key::$field as u8) == 0 {
                    let problem = Problem::new(ErrorCode::Missing, "nothing");
                    reader.set_aside(true, concat!($root, ".", stringify!($field)), problem, $spec.shape());
                })+
            }

            fn fields() -> Vec<Field> {
                let mut fields = Vec::new();
                $(
                    fields.push(Field {
                        path: concat!($root, ".", stringify!($field)),
                        required: is_required(&$spec),
                        shape: $spec.shape(),
                    });
                    fields.extend($spec.fields());
                )+
                fields
            }
        }

        impl $(<$own>)? fmt::Debug for $name $(<$own>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

fn is_required<'a, S: Spec<'a>>(_: &S) -> bool {
    S::REQUIRED
}

section! {
    /// One rating as intake sent it: validated, with raw identifiers. It borrows from the line.
    Rating<'a> for 'a at "$" {
        /// Unique per rating, and the idempotency key.
        rating_id: Cow<'a, str> = RatingId(128);
        /// The `rating_id` that this one revises.
        supersedes: Option<Cow<'a, str>> = Text(128);
        /// The platform that collected it.
        source: Option<Cow<'a, str>> = Text(64);
        /// When the rater submitted it.
        submitted_at: Instant = RequiredTime;
        /// Intake's clock when it arrived.
        received_at: Option<Instant> = Time;
        /// When the form was opened.
        opened_at: Option<Instant> = Time;
        /// Where it was given; an unknown one is [`Channel::Other`].
        channel: Channel = RequiredChannel;
        /// The way into the channel; an unknown one is [`EntryPoint::Other`].
        entry: Option<EntryPoint> = Choice::or(EntryPoint::Other);
        /// 1 to 5.
        stars: u8 = RequiredStars;
        /// Who chose the stars; the rater where it is absent.
        origin: Option<Origin> = Choice::<Origin>::OR_MISSING;
        /// Stars for the hall, 1 to 5.
        hall_stars: Option<u8> = Stars;
        /// Stars for aspects.
        aspects: Aspects = Nested::<Aspects, false>(PhantomData);
        /// What the rater ticked.
        tags: Option<Vec<Cow<'a, str>>> = Texts { max_items: 20, max_chars: 64 };
        /// What the rater wrote.
        comment: Option<Cut<'a>> = LongText(2000);
        /// The service event.
        service: Service<'a> = Nested::<Service<'a>, true>(PhantomData);
        /// Who rated.
        rater: Rater<'a> = Nested::<Rater<'a>, false>(PhantomData);
        /// The device.
        device: Device<'a> = Nested::<Device<'a>, false>(PhantomData);
        /// The network.
        network: Network = Nested::<Network, false>(PhantomData);
    }
    besides {
        /// Optional fields that were invalid (now missing), or cut.
        warnings: Vec<Warning>,
    }
}

section! {
    /// Stars for aspects of the service, 1 to 5 each.
    Aspects for 'a at "$.aspects" {
        /// Management of the matter.
        matter_management: Option<u8> = Stars;
        /// Procedure.
        procedure: Option<u8> = Stars;
        /// Efficiency.
        efficiency: Option<u8> = Stars;
        /// Competence.
        competence: Option<u8> = Stars;
        /// Attitude.
        attitude: Option<u8> = Stars;
        /// Convenience.
        convenience: Option<u8> = Stars;
    }
}

section! {
    /// The service event that is rated.
    Service<'a> for 'a at "$.service" {
        /// Code of the matter.
        matter: Cow<'a, str> = Code(64);
        /// The case.
        case_no: Option<Cow<'a, str>> = Text(64);
        /// Whether intake found the case.
        case_match: Option<CaseMatch> = Choice::<CaseMatch>::OR_MISSING;
        /// Stage of the event.
        stage: Option<Stage> = Choice::<Stage>::OR_MISSING;
        /// Number of the visit or queue ticket.
        visit: Option<Cow<'a, str>> = Text(64);
        /// Code of the department.
        department: Cow<'a, str> = Code(64);
        /// Code of the district.
        district: Option<Cow<'a, str>> = Text(64);
        /// Code of the hall.
        hall: Option<Cow<'a, str>> = Text(64);
        /// Code of the window.
        window: Option<Cow<'a, str>> = Text(64);
        /// Code of the clerk.
        clerk: Option<Cow<'a, str>> = Text(64);
        /// When the event ended.
        completed_at: Option<Instant> = Time;
    }
}

section! {
    /// Who rated.
    Rater<'a> for 'a at "$.rater" {
        /// The account.
        account: Option<Cow<'a, str>> = Text(128);
        /// The id number.
        id_number: Option<Cow<'a, str>> = Text(64);
        /// The phone number.
        phone: Option<Cow<'a, str>> = Text(32);
        /// Real-name verified.
        verified: Option<bool> = Flag;
        /// When the account was registered.
        registered_at: Option<Instant> = Time;
        /// Whether the rater is the case's applicant, or the agent on record.
        is_applicant: Option<bool> = Flag;
    }
}

section! {
    /// What the client kit says of the device.
    Device<'a> for 'a at "$.device" {
        /// The client kit's stable id.
        fingerprint: Option<Cow<'a, str>> = Text(256);
        /// Id of an official, managed terminal.
        terminal: Option<Cow<'a, str>> = Text(64);
        /// Platform.
        platform: Option<Platform> = Choice::<Platform>::OR_MISSING;
        /// Model.
        model: Option<Cow<'a, str>> = Text(64);
        /// Version of the operating system.
        os_version: Option<Cow<'a, str>> = Text(32);
        /// Version of the app.
        app_version: Option<Cow<'a, str>> = Text(32);
        /// User agent.
        user_agent: Option<Cow<'a, str>> = Text(512);
        /// `WIDTHxHEIGHT` in pixels.
        screen: Option<Cow<'a, str>> = Text(16);
        /// Language tag.
        language: Option<Cow<'a, str>> = Text(16);
        /// Time zone.
        timezone: Option<Cow<'a, str>> = Text(64);
        /// Hash of the rendering probe.
        canvas: Option<Cow<'a, str>> = Text(128);
        /// Rooted or jailbroken.
        rooted: Option<bool> = Flag;
        /// An emulator.
        emulator: Option<bool> = Flag;
        /// The client kit saw a driver.
        automation: Option<bool> = Flag;
    }
}

section! {
    /// The network that the rating came through.
    Network for 'a at "$.network" {
        /// The client's address; an IPv4 address mapped into IPv6 is read as IPv4.
        ip: Option<IpAddr> = Address(45);
        /// Autonomous system number.
        asn: Option<u32> = Whole;
        /// A proxy or VPN, by intake's own detection.
        proxy: Option<bool> = Flag;
    }
}

/// Every field of a rating that the parser knows, in the order of the contract.
pub fn fields() -> Vec<Field> {
    Rating::fields()
}

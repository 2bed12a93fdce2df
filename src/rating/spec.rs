//! What each kind of field allows, and how it is read: the strict side and the lenient side.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::IpAddr;

use compact_str::{CompactString, format_compact};
use serde::de::IgnoredAny;

use super::error::{ErrorCode, Problem, RatingError, Warning};
use super::scalar::{Any, Scalar, a_string};
use super::shape::Shape;
use super::source::Source;
use crate::time::Instant;
use crate::wire::{CaseMatch, Channel, EntryPoint, Origin, Platform, Stage};

/// Collects what is said about a rating while it is read.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) warnings: Vec<Warning>,
    /// The first refusal.
    pub(super) refusal: Option<RatingError>,
    /// Whether the text was mended, so that U+FFFD in it may stand for damage.
    pub(super) mended: bool,
}

impl Reader {
    pub(super) fn warn(&mut self, path: impl Into<CompactString>, text: impl Into<CompactString>) {
        self.warnings.push(Warning { path: path.into(), text: text.into() });
    }

    /// Sets a field aside: a required one refuses the rating, any other becomes missing.
    #[cold]
    pub(super) fn set_aside(&mut self, required: bool, path: &'static str, problem: Problem, shape: Shape) {
        let Problem { code, found } = problem;
        if !required {
            self.warn(path, format_compact!("found {found}; allowed is {shape}; read as missing"));
        } else if self.refusal.is_none() {
            self.refusal = Some(RatingError { code, path, found, allowed: shape.to_string().into() });
        }
    }

    pub(super) fn damaged(&self, text: &str) -> bool {
        self.mended && text.contains(char::REPLACEMENT_CHARACTER)
    }

    /// A string whose bytes alone say that it is within its limit, where none can be damaged.
    #[inline(always)]
    fn short<'a>(&self, text: &'a str, max: usize) -> Option<Cow<'a, str>> {
        (text.len() <= max && !self.mended).then_some(Cow::Borrowed(text))
    }

    /// A string within its limit, undamaged.
    fn text<'a>(&self, value: Scalar<'a>, max: usize) -> Result<Cow<'a, str>, Problem> {
        match value {
            Scalar::Text(text) if is_longer(&text, max) => {
                Err(Problem::new(ErrorCode::BadLength, a_string(text.chars().count())))
            }
            Scalar::Text(text) if self.damaged(&text) => {
                Err(Problem::new(ErrorCode::Damaged, "a string with damaged characters"))
            }
            Scalar::Text(text) => Ok(text),
            other => Err(other.wrong_type()),
        }
    }
}

/// Whether a string has more than `max` characters; bytes settle it for nearly all.
pub(super) fn is_longer(text: &str, max: usize) -> bool {
    text.len() > max && text.chars().count() > max
}

/// How one field of an object is read.
pub(super) trait Spec<'a>: Copy {
    /// What the field becomes.
    type Value;

    /// Whether its absence refuses the rating.
    const REQUIRED: bool = false;

    /// Its value where it is absent or set aside. For a required field a stand-in that no caller
    /// sees, because the rating is refused.
    fn absent(self) -> Self::Value;

    /// What it allows.
    fn shape(self) -> Shape;

    /// The table of the fields within it, where it is an object.
    fn fields(self) -> Vec<super::Field> {
        Vec::new()
    }

    /// Reads the value of the key that `map` stands at into its place.
    fn read<A: Source<'a>>(
        self,
        place: &mut Self::Value,
        path: &'static str,
        map: &mut A,
        reader: &mut Reader,
    ) -> Result<(), A::Error>;

    /// Skips a second occurrence: which of the two is meant, nobody knows.
    #[cold]
    fn skip_repeat<A: Source<'a>>(
        self,
        place: &mut Self::Value,
        path: &'static str,
        map: &mut A,
        reader: &mut Reader,
    ) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>()?;
        let problem = Problem::new(ErrorCode::DuplicateKey, "the field twice");
        reader.set_aside(Self::REQUIRED, path, problem, self.shape());
        *place = self.absent();
        Ok(())
    }
}

/// A field that is one scalar. `null` and, for optional strings, `""` are the same as absent:
/// platforms write both for "none".
pub(super) trait Leaf<'a>: Copy {
    type Value;
    const REQUIRED: bool = false;
    fn absent(self) -> Self::Value;
    fn shape(self) -> Shape;
    /// Takes a string that is in order, as nearly all are; `None` leaves it to [`Leaf::accept`].
    #[inline(always)]
    fn take(self, _: &'a str, _: &Reader) -> Option<Self::Value> {
        None
    }
    fn accept(
        self,
        value: Scalar<'a>,
        path: &'static str,
        reader: &mut Reader,
    ) -> Result<Self::Value, Problem>;
}

impl<'a, L: Leaf<'a>> Spec<'a> for L {
    type Value = L::Value;
    const REQUIRED: bool = L::REQUIRED;

    fn absent(self) -> Self::Value {
        Leaf::absent(self)
    }

    fn shape(self) -> Shape {
        Leaf::shape(self)
    }

    fn read<A: Source<'a>>(
        self,
        place: &mut Self::Value,
        path: &'static str,
        map: &mut A,
        reader: &mut Reader,
    ) -> Result<(), A::Error> {
        let value = match map.text() {
            Some("") if !L::REQUIRED => return Ok(()),
            Some(text) => match self.take(text, reader) {
                Some(value) => {
                    *place = value;
                    return Ok(());
                }
                None => Scalar::Text(Cow::Borrowed(text)),
            },
            None => map.next_value_seed(Any)?,
        };
        let problem = match value {
            Scalar::Null if L::REQUIRED => Problem::new(ErrorCode::Missing, "null"),
            Scalar::Null => return Ok(()),
            Scalar::Text(text) if text.is_empty() && !L::REQUIRED => return Ok(()),
            value => match self.accept(value, path, reader) {
                Ok(value) => {
                    *place = value;
                    return Ok(());
                }
                Err(problem) => problem,
            },
        };
        reader.set_aside(L::REQUIRED, path, problem, Leaf::shape(self));
        Ok(())
    }
}

/// An optional string of at most so many characters.
#[derive(Clone, Copy)]
pub(super) struct Text(pub(super) usize);

impl<'a> Leaf<'a> for Text {
    type Value = Option<Cow<'a, str>>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Text(self.0)
    }

    #[inline(always)]
    fn take(self, text: &'a str, reader: &Reader) -> Option<Self::Value> {
        reader.short(text, self.0).map(Some)
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, reader: &mut Reader) -> Result<Self::Value, Problem> {
        reader.text(value, self.0).map(Some)
    }
}

/// A required code of at most so many characters.
#[derive(Clone, Copy)]
pub(super) struct Code(pub(super) usize);

impl<'a> Leaf<'a> for Code {
    type Value = Cow<'a, str>;
    const REQUIRED: bool = true;

    fn absent(self) -> Self::Value {
        Cow::Borrowed("")
    }

    fn shape(self) -> Shape {
        Shape::Text(self.0)
    }

    #[inline(always)]
    fn take(self, text: &'a str, reader: &Reader) -> Option<Self::Value> {
        reader.short(text, self.0)
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, reader: &mut Reader) -> Result<Self::Value, Problem> {
        reader.text(value, self.0)
    }
}

/// The required rating id.
#[derive(Clone, Copy)]
pub(super) struct RatingId(pub(super) usize);

impl<'a> Leaf<'a> for RatingId {
    type Value = Cow<'a, str>;
    const REQUIRED: bool = true;

    fn absent(self) -> Self::Value {
        Cow::Borrowed("")
    }

    fn shape(self) -> Shape {
        Shape::Name(self.0)
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, reader: &mut Reader) -> Result<Self::Value, Problem> {
        let id = reader.text(value, self.0)?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        if id.is_empty() {
            Err(Problem::new(ErrorCode::BadLength, "an empty string"))
        } else if !id.bytes().all(is_allowed) {
            Err(Problem::new(ErrorCode::BadFormat, "a string with other characters"))
        } else {
            Ok(id)
        }
    }
}

/// The comment: cut rather than set aside, because it may be a complaint.
#[derive(Clone, Copy)]
pub(super) struct LongText(pub(super) usize);

/// A comment as it was sent, cut at the limit.
#[derive(Clone, PartialEq)]
pub struct Cut<'a> {
    /// The text, at most as long as the contract allows.
    pub text: Cow<'a, str>,
    /// Length in characters before it was cut.
    pub chars: u32,
}

impl<'a> Leaf<'a> for LongText {
    type Value = Option<Cut<'a>>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::LongText(self.0)
    }

    fn accept(
        self,
        value: Scalar<'a>,
        path: &'static str,
        reader: &mut Reader,
    ) -> Result<Self::Value, Problem> {
        let Scalar::Text(mut text) = value else { return Err(value.wrong_type()) };
        if reader.damaged(&text) {
            reader.warn(path, "found damaged characters; each is read as U+FFFD");
        }
        let chars = text.chars().count();
        if chars > self.0 {
            reader
                .warn(path, format_compact!("found {}; only the first {} are read", a_string(chars), self.0));
            let end = text.char_indices().nth(self.0).map_or(text.len(), |(end, _)| end);
            match &mut text {
                Cow::Borrowed(text) => *text = &text[..end],
                Cow::Owned(text) => text.truncate(end),
            }
        }
        // A line is at most 64 KiB, so the length fits.
        Ok(Some(Cut { text, chars: chars as u32 }))
    }
}

/// A vocabulary of the contract.
pub(super) trait Vocabulary: Copy + 'static {
    const NAMES: &'static [&'static str];
    fn from_name(name: &str) -> Option<Self>;
}

macro_rules! vocabularies {
    ($($name:ident),+) => {$(
        impl Vocabulary for $name {
            const NAMES: &'static [&'static str] = $name::NAMES;
            fn from_name(name: &str) -> Option<Self> {
                $name::from_name(name)
            }
        }
    )+};
}
vocabularies!(CaseMatch, Channel, EntryPoint, Origin, Platform, Stage);

/// An optional choice. An unknown name makes it missing, or `otherwise` where that is given.
#[derive(Clone, Copy)]
pub(super) struct Choice<T> {
    otherwise: Option<T>,
}

impl<T> Choice<T> {
    pub(super) const OR_MISSING: Self = Self { otherwise: None };

    pub(super) const fn or(otherwise: T) -> Self {
        Self { otherwise: Some(otherwise) }
    }
}

impl<'a, T: Vocabulary> Leaf<'a> for Choice<T> {
    type Value = Option<T>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Choice(T::NAMES)
    }

    #[inline(always)]
    fn take(self, text: &'a str, _: &Reader) -> Option<Self::Value> {
        T::from_name(text).map(Some)
    }

    fn accept(
        self,
        value: Scalar<'a>,
        path: &'static str,
        reader: &mut Reader,
    ) -> Result<Self::Value, Problem> {
        let Scalar::Text(name) = value else { return Err(value.wrong_type()) };
        match (T::from_name(&name), self.otherwise) {
            (Some(known), _) => Ok(Some(known)),
            (None, Some(other)) => Ok(Some(read_as_other(other, T::NAMES, path, reader))),
            (None, None) => Err(Problem::new(ErrorCode::BadFormat, "an unknown name")),
        }
    }
}

/// The required channel: an unknown name reads as `other`, so that a new channel need not wait
/// for a new contract.
#[derive(Clone, Copy)]
pub(super) struct RequiredChannel;

impl<'a> Leaf<'a> for RequiredChannel {
    type Value = Channel;
    const REQUIRED: bool = true;

    fn absent(self) -> Self::Value {
        Channel::Other
    }

    fn shape(self) -> Shape {
        Shape::Choice(Channel::NAMES)
    }

    #[inline(always)]
    fn take(self, text: &'a str, _: &Reader) -> Option<Self::Value> {
        Channel::from_name(text)
    }

    fn accept(
        self,
        value: Scalar<'a>,
        path: &'static str,
        reader: &mut Reader,
    ) -> Result<Self::Value, Problem> {
        let name = reader.text(value, usize::MAX)?;
        Ok(Channel::from_name(&name)
            .unwrap_or_else(|| read_as_other(Channel::Other, Channel::NAMES, path, reader)))
    }
}

#[cold]
fn read_as_other<T>(other: T, names: &'static [&'static str], path: &'static str, reader: &mut Reader) -> T {
    let shape = Shape::Choice(names);
    reader.warn(path, format_compact!("found an unknown name; allowed is {shape}; read as other"));
    other
}

fn time(value: Scalar<'_>) -> Result<Instant, Problem> {
    let Scalar::Text(text) = value else { return Err(value.wrong_type()) };
    Instant::parse_rfc3339(&text).ok_or_else(|| {
        let found = format!("{} that is no such date-time from 1970 to 2199", a_string(text.chars().count()));
        Problem::new(ErrorCode::BadFormat, found)
    })
}

/// An optional date-time.
#[derive(Clone, Copy)]
pub(super) struct Time;

impl<'a> Leaf<'a> for Time {
    type Value = Option<Instant>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Time
    }

    #[inline(always)]
    fn take(self, text: &'a str, _: &Reader) -> Option<Self::Value> {
        Instant::parse_rfc3339(text).map(Some)
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, _: &mut Reader) -> Result<Self::Value, Problem> {
        time(value).map(Some)
    }
}

/// A required date-time.
#[derive(Clone, Copy)]
pub(super) struct RequiredTime;

impl<'a> Leaf<'a> for RequiredTime {
    type Value = Instant;
    const REQUIRED: bool = true;

    fn absent(self) -> Self::Value {
        Instant(0)
    }

    fn shape(self) -> Shape {
        Shape::Time
    }

    #[inline(always)]
    fn take(self, text: &'a str, _: &Reader) -> Option<Self::Value> {
        Instant::parse_rfc3339(text)
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, _: &mut Reader) -> Result<Self::Value, Problem> {
        time(value)
    }
}

const STARS: Shape = Shape::Whole(1, 5);

/// Optional stars, 1 to 5.
#[derive(Clone, Copy)]
pub(super) struct Stars;

impl<'a> Leaf<'a> for Stars {
    type Value = Option<u8>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        STARS
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, _: &mut Reader) -> Result<Self::Value, Problem> {
        value.whole(1, 5).map(|stars| Some(stars as u8))
    }
}

/// Required stars, 1 to 5.
#[derive(Clone, Copy)]
pub(super) struct RequiredStars;

impl<'a> Leaf<'a> for RequiredStars {
    type Value = u8;
    const REQUIRED: bool = true;

    fn absent(self) -> Self::Value {
        1
    }

    fn shape(self) -> Shape {
        STARS
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, _: &mut Reader) -> Result<Self::Value, Problem> {
        value.whole(1, 5).map(|stars| stars as u8)
    }
}

/// An optional whole number of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Whole;

impl<'a> Leaf<'a> for Whole {
    type Value = Option<u32>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Whole(0, u32::MAX.into())
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, _: &mut Reader) -> Result<Self::Value, Problem> {
        value.whole(0, u32::MAX.into()).map(|number| Some(number as u32))
    }
}

/// An optional boolean.
#[derive(Clone, Copy)]
pub(super) struct Flag;

impl<'a> Leaf<'a> for Flag {
    type Value = Option<bool>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Flag
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, _: &mut Reader) -> Result<Self::Value, Problem> {
        match value {
            Scalar::Bool(flag) => Ok(Some(flag)),
            other => Err(other.wrong_type()),
        }
    }
}

/// An optional IP address of a client.
#[derive(Clone, Copy)]
pub(super) struct Address(pub(super) usize);

impl<'a> Leaf<'a> for Address {
    type Value = Option<IpAddr>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Address(self.0)
    }

    fn accept(self, value: Scalar<'a>, _: &'static str, reader: &mut Reader) -> Result<Self::Value, Problem> {
        let text = reader.text(value, self.0)?;
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            return Err(Problem::new(ErrorCode::BadFormat, "a string that is no IP address"));
        };
        let address = address.to_canonical();
        // What a misconfigured proxy fills in for everyone would link everyone with everyone.
        if address.is_unspecified() || address.is_loopback() {
            return Err(Problem::new(ErrorCode::OutOfRange, "an unspecified or loopback address"));
        }
        Ok(Some(address))
    }
}

/// An object with fields of its own.
pub(super) struct Nested<T, const REQUIRED: bool>(pub(super) PhantomData<T>);

impl<T, const REQUIRED: bool> Clone for Nested<T, REQUIRED> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const REQUIRED: bool> Copy for Nested<T, REQUIRED> {}

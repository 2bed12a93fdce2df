//! The values of one rating's features.

use super::FeatureId;

/// Most features a catalogue can hold.
pub const MAX_FEATURES: usize = 256;

const WORDS: usize = MAX_FEATURES / 64;

/// One slot per feature and a bitmap that says which are present. Missing is not zero.
///
/// A slot's 64 bits are an `i64` (`Int`, `Bool`, `Enum`), an `f64` that was rounded to `f32`
/// (`Float`) or a hash (`Code`); the catalogue knows which.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureVector {
    slots: Box<[u64]>,
    present: [u64; WORDS],
}

impl FeatureVector {
    /// A vector of `len` features, all missing.
    pub fn new(len: usize) -> Self {
        debug_assert!(len <= MAX_FEATURES);
        Self { slots: vec![0; len].into_boxed_slice(), present: [0; WORDS] }
    }

    /// Makes room for `len` features; new ones are missing.
    pub fn resize(&mut self, len: usize) {
        if len != self.slots.len() {
            debug_assert!(len <= MAX_FEATURES);
            let mut slots = std::mem::take(&mut self.slots).into_vec();
            slots.resize(len, 0);
            self.slots = slots.into_boxed_slice();
        }
    }

    /// Makes it a vector of `len` features, all missing, in the memory that it has.
    pub fn reset(&mut self, len: usize) {
        self.resize(len);
        self.slots.fill(0);
        self.present = [0; WORDS];
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether the feature has a value.
    #[inline]
    pub fn is_present(&self, id: FeatureId) -> bool {
        self.present[id.index() / 64] >> (id.index() % 64) & 1 == 1
    }

    /// The bitmap of present features, 64 to a word.
    pub fn presence(&self) -> &[u64; WORDS] {
        &self.present
    }

    /// The raw slot, whether present or not.
    #[inline]
    pub fn raw(&self, id: FeatureId) -> u64 {
        self.slots[id.index()]
    }

    /// Sets the raw slot.
    #[inline]
    pub fn set_raw(&mut self, id: FeatureId, bits: u64) {
        self.slots[id.index()] = bits;
        self.present[id.index() / 64] |= 1 << (id.index() % 64);
    }

    /// Makes the feature missing.
    #[inline]
    pub fn clear(&mut self, id: FeatureId) {
        self.slots[id.index()] = 0;
        self.present[id.index() / 64] &= !(1 << (id.index() % 64));
    }

    /// Sets a whole number.
    #[inline]
    pub fn set_int(&mut self, id: FeatureId, value: i64) {
        self.set_raw(id, value as u64);
    }

    /// Sets a truth value.
    #[inline]
    pub fn set_bool(&mut self, id: FeatureId, value: bool) {
        self.set_raw(id, u64::from(value));
    }

    /// Sets a number, rounded to `f32` so that live values equal those read back from the log.
    /// A value that is not finite is missing.
    #[inline]
    pub fn set_float(&mut self, id: FeatureId, value: f64) {
        let rounded = value as f32;
        if rounded.is_finite() {
            self.set_raw(id, f64::from(rounded).to_bits());
        } else {
            self.clear(id);
        }
    }

    /// A whole number, truth value (0, 1) or position in an enum's names.
    #[inline]
    pub fn int(&self, id: FeatureId) -> Option<i64> {
        self.is_present(id).then(|| self.raw(id) as i64)
    }

    /// A number.
    #[inline]
    pub fn float(&self, id: FeatureId) -> Option<f64> {
        self.is_present(id).then(|| f64::from_bits(self.raw(id)))
    }
}

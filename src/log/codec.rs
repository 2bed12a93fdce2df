//! The primitives that records are made of: little-endian integers, varints and length-prefixed text.
//! The byte layout is described in `docs/log-format.md`.

use compact_str::CompactString;

/// Why bytes are not what they should be. It quotes no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field that could not be read.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "field `{}` of the record {}", self.field, self.problem)
    }
}

impl std::error::Error for DecodeError {}

/// Appends an unsigned LEB128 number: 7 bits to a byte, lowest first.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number: zigzag (0, −1, 1, −2, … become 0, 1, 2, 3, …), then varint.
#[inline]
pub fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a length as a varint and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads fields from the front of a slice. No read allocates more than the slice holds.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(DecodeError { field, problem: "ends too early" });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    /// One byte.
    pub fn byte(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(field)?[0])
    }

    /// A byte that names a variant.
    pub fn variant<T>(
        &mut self,
        field: &'static str,
        from_index: impl Fn(u8) -> Option<T>,
    ) -> Result<T, DecodeError> {
        from_index(self.byte(field)?).ok_or(DecodeError { field, problem: "has an unknown number" })
    }

    /// A `u32`, four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    /// A `u64`, eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// An `f32`, four bytes.
    pub fn f32(&mut self, field: &'static str) -> Result<f32, DecodeError> {
        Ok(f32::from_le_bytes(self.array(field)?))
    }

    /// An unsigned varint.
    pub fn varint(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(field)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError { field, problem: "is a number of more than 64 bits" })
    }

    /// A varint that fits 32 bits.
    pub fn varint32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let value = self.varint(field)?;
        u32::try_from(value).map_err(|_| DecodeError { field, problem: "is a number of more than 32 bits" })
    }

    /// A signed varint.
    pub fn zigzag(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        let value = self.varint(field)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A length and that many bytes.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = self.varint(field)?;
        // A length beyond `usize` is beyond the slice as well.
        self.take(usize::try_from(len).unwrap_or(usize::MAX), field)
    }

    /// A length and that many bytes of UTF-8.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| DecodeError { field, problem: "is not UTF-8" })
    }

    /// Text, owned.
    pub fn compact(&mut self, field: &'static str) -> Result<CompactString, DecodeError> {
        self.text(field).map(CompactString::from)
    }

    /// A number of items, each of which takes at least a byte.
    pub fn count(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint(field)?).unwrap_or(usize::MAX);
        if count > self.rest.len() {
            return Err(DecodeError { field, problem: "counts more items than there are bytes" });
        }
        Ok(count)
    }

    /// Checks that nothing is left.
    pub fn end(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError { field, problem: "is followed by more bytes" })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_bytes_come_back(unsigned: u64, signed: i64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, unsigned);
            put_zigzag(&mut out, signed);
            put_bytes(&mut out, &bytes);
            let mut fields = Fields::new(&out);
            prop_assert_eq!(fields.varint("a").unwrap(), unsigned);
            prop_assert_eq!(fields.zigzag("b").unwrap(), signed);
            prop_assert_eq!(fields.bytes("c").unwrap(), &bytes[..]);
            prop_assert!(fields.end("d").is_ok());
        }
    }

    #[test]
    fn a_number_that_overflows_and_a_length_beyond_the_end_are_errors() {
        assert!(Fields::new(&[0xff; 10]).varint("x").is_err());
        assert!(Fields::new(&[0xff; 11]).varint("x").is_err());
        assert!(Fields::new(&[5, 1, 2]).bytes("x").is_err());
        assert!(Fields::new(&[200, 1, 2]).count("x").is_err());
        assert!(Fields::new(&[1, 0xff]).text("x").is_err());
    }
}

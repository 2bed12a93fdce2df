//! Writing JSON by hand, where every rating needs it. The bytes are those that `serde_json` writes.

/// Appends a string with its quotes.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        start = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

/// Appends a text that needs no escapes, with quotes: a name of ours.
pub fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    debug_assert!(!name.iter().any(|&b| b < 0x20 || b == b'"' || b == b'\\'), "a name without escapes");
    out.push(b'"');
    out.extend_from_slice(name);
    out.push(b'"');
}

/// Appends a whole number.
pub fn put_whole(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Appends a number of at most four decimal digits ([`crate::verdict::rounded`]); others are written
/// as exactly, and slower.
pub fn put_rounded(out: &mut Vec<u8>, value: f64) {
    let scaled = value * 1e4;
    let whole = scaled.round();
    // Below 2⁴⁰ the nearest double to n / 10⁴ has no shorter decimal than its own.
    if !(0.0..1e12).contains(&whole) || whole / 1e4 != value || value.is_sign_negative() {
        // Writing to memory does not fail; what is not finite is `null`.
        let _ = serde_json::to_writer(out, &value);
        return;
    }
    let number = whole as u64;
    put_whole(out, number / 10_000);
    let mut rest = number % 10_000;
    out.push(b'.');
    loop {
        out.push(b'0' + (rest / 1_000) as u8);
        rest = rest % 1_000 * 10;
        if rest == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_rounded_probability_is_written_as_serde_json_writes_it() {
        for n in 0..=20_000 {
            let value = f64::from(n) / 1e4;
            let text = written(|out| put_rounded(out, value));
            assert_eq!(text, serde_json::to_string(&value).unwrap());
        }
    }

    proptest! {
        #[test]
        fn texts_are_written_as_serde_json_writes_them(text in any::<String>(), ascii in "[\\x00-\\x7f]{0,20}") {
            for text in [text, ascii] {
                prop_assert_eq!(written(|out| put_text(out, &text)), serde_json::to_string(&text).unwrap());
            }
        }

        #[test]
        fn numbers_are_written_as_serde_json_writes_them(whole: u64, value: f64, weight in -300_000_i32..300_000) {
            prop_assert_eq!(written(|out| put_whole(out, whole)), whole.to_string());
            for value in [value, f64::from(weight) / 1e4, f64::from(weight) / 1e5, whole as f64] {
                prop_assert_eq!(written(|out| put_rounded(out, value)), serde_json::to_string(&value).unwrap());
            }
        }
    }
}

//! Runs: where plain characters and white space end.

/// The first byte at or after `at` that ends a run of plain characters in a
/// JSON string: a quote, a backslash or a control character; the length of
/// `bytes` where there is none.
#[inline(always)]
pub(super) fn end_of_plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(eight.try_into().expect("a slice of eight"));
        let ends = ends_of_plain(word);
        if ends != 0 {
            return at + ends.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// The first byte at or after `at` that is not JSON's white space; the length of
/// `bytes` where there is none.
#[inline(never)]
pub(super) fn end_of_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The same, where there is hardly ever any.
#[inline]
pub(crate) fn skip_space(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(byte) if *byte > b' ' => at,
        Some(_) | None => end_of_space(bytes, at),
    }
}

/// Eight bytes at once, the high bit set in each that ends a run. Only the
/// lowest one set is certain: a subtraction may borrow from the bytes above.
#[inline(always)]
fn ends_of_plain(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // Flipping bit 1 puts the quote, 0x22, right above the control characters,
    // at 0x20, so that one comparison finds both.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & (ONES * 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=255 {
            for length in 0..40 {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let ends = matches!(byte, b'"' | b'\\' | 0..0x20);
                    let expected = if ends { place } else { length };
                    assert_eq!(end_of_plain(&bytes, 0), expected, "{byte} at {place}/{length}");
                }
            }
        }
        assert_eq!(end_of_plain(b"", 0), 0);
    }
}

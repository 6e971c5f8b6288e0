//! Tokens: where each token of a payload begins, found sixteen bytes at a time.
//!
//! White space and strings of any length cost the same, without a branch that
//! depends on them: on payloads with random spacing such branches, guessed wrong
//! half of the time, took most of a scanner's time. What is found is where quotes
//! stand (both of a string), brackets, braces, colons and commas outside of
//! strings, and where numbers and words begin. Whether they stand in an order
//! that makes sense is the cursor's to say ([`super::token_cursor`]).
//!
//! The method is that of stage 1 of simdjson: G. Langdale, D. Lemire, "Parsing
//! Gigabytes of JSON per Second", The VLDB Journal 28 (2019), section 3.1.

use wide::u8x16;

/// Longer payloads are left to the scanner, so that the list stays small.
const MAX_BYTES: usize = 16 * 1024;

/// Bytes that are looked at together, as bits of a word.
pub(super) const BLOCK: usize = 64;

/// Where the tokens of one payload begin; its buffer is kept for the next.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// A bit for each byte, the lowest first.
    blocks: Vec<u64>,
    has_escapes: bool,
}

/// What a block has to know of those before it.
#[derive(Debug, Default)]
struct Before {
    /// All ones within a string.
    in_string: u64,
    /// 1 where the last byte escapes the next one.
    escapes_next: u64,
    /// 1 where the last byte belonged to a number or a word.
    in_scalar: u64,
    /// Control characters within strings.
    faults: u64,
    /// Backslashes.
    backslashes: u64,
}

/// Which bytes of a block are what: the lowest bit is the first byte.
#[derive(Debug, Default)]
struct Classes {
    quotes: u64,
    backslashes: u64,
    /// Brackets, braces, colons and commas.
    operators: u64,
    spaces: u64,
    controls: u64,
}

impl Tokens {
    /// Finds the tokens of `payload`. False where a scanner has to read it: it is
    /// long, or something is wrong with its strings.
    #[inline(always)]
    pub(super) fn find(&mut self, payload: &str) -> bool {
        if payload.len() > MAX_BYTES {
            return false;
        }
        self.blocks.clear();
        let mut before = Before::default();
        let (blocks, rest) = payload.as_bytes().as_chunks::<BLOCK>();
        self.blocks.extend(blocks.iter().map(|block| before.tokens(block)));
        if !rest.is_empty() {
            let mut last = [b' '; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            self.blocks.push(before.tokens(&last));
        }
        self.has_escapes = before.backslashes != 0;
        before.in_string == 0 && before.faults == 0
    }

    /// A bit for each byte, the lowest first, in which a token begins.
    #[inline(always)]
    pub(super) fn blocks(&self) -> &[u64] {
        &self.blocks
    }

    /// Whether there is a backslash in the payload.
    #[inline(always)]
    pub(super) fn has_escapes(&self) -> bool {
        self.has_escapes
    }
}

impl Before {
    /// The tokens of the block that follows.
    #[inline(always)]
    fn tokens(&mut self, block: &[u8; BLOCK]) -> u64 {
        let classes = Classes::of(block);
        self.backslashes |= classes.backslashes;
        let quotes = classes.quotes & !escaped(classes.backslashes, &mut self.escapes_next);
        // From each opening quote to the byte before the closing one.
        let in_string = running_parity(quotes) ^ self.in_string;
        self.in_string = ((in_string as i64) >> 63) as u64;
        self.faults |= classes.controls & in_string;
        let scalars = !(classes.operators | classes.spaces | in_string | quotes);
        let begins = scalars & !(scalars << 1 | self.in_scalar);
        self.in_scalar = scalars >> 63;
        classes.operators & !in_string | quotes | begins
    }
}

impl Classes {
    #[inline(always)]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut classes = Self::default();
        for (number, sixteen) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = u8x16::new(*sixteen);
            let is = |byte: u8| bytes.cmp_eq(u8x16::splat(byte));
            // Brackets differ from braces in this bit alone.
            let braces = bytes | u8x16::splat(0x20);
            let is_brace = |byte: u8| braces.cmp_eq(u8x16::splat(byte));
            let bits = |lanes: u8x16| (lanes.move_mask() as u32 as u64) << (number * 16);
            classes.quotes |= bits(is(b'"'));
            classes.backslashes |= bits(is(b'\\'));
            classes.operators |= bits(is_brace(b'{') | is_brace(b'}') | is(b':') | is(b','));
            classes.spaces |= bits(is(b' ') | is(b'\n') | is(b'\r') | is(b'\t'));
            classes.controls |= bits(bytes.min(u8x16::splat(0x1f)).cmp_eq(bytes));
        }
        classes
    }
}

/// The bytes that a backslash before them escapes: those behind an odd number of
/// backslashes. `carry` is 1 where the first byte is one, and then whether the
/// one after the last is.
#[inline(always)]
fn escaped(backslashes: u64, carry: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    if backslashes == 0 {
        return std::mem::take(carry);
    }
    let backslashes = backslashes & !*carry;
    let follow = backslashes << 1 | *carry;
    // Adding a run to its start carries to the bit behind it: from there it can
    // be told whether the run had begun at an odd place and at which it ends.
    let odd_starts = backslashes & !EVEN & !follow;
    let (ends, overflows) = odd_starts.overflowing_add(backslashes);
    *carry = u64::from(overflows);
    (EVEN ^ (ends << 1)) & follow
}

/// Each bit is the parity of those up to and with it.
#[inline(always)]
fn running_parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where tokens begin, found byte after byte; none where a string does not
    /// end, or holds a control character.
    fn simple(payload: &str) -> Option<Vec<usize>> {
        let (mut places, mut in_string, mut in_scalar, mut is_escaped) =
            (Vec::new(), false, false, false);
        for (at, byte) in payload.bytes().enumerate() {
            let was_escaped = is_escaped;
            is_escaped = byte == b'\\' && !was_escaped;
            let is_quote = byte == b'"' && !was_escaped;
            if in_string && !is_quote {
                if byte < 0x20 {
                    return None;
                }
                continue;
            }
            let is_scalar = !is_quote && !b"{}[]:, \n\r\t".contains(&byte);
            let begins = is_scalar && !in_scalar;
            if is_quote || begins || b"{}[]:,".contains(&byte) {
                places.push(at);
            }
            in_string ^= is_quote;
            in_scalar = is_scalar;
        }
        (!in_string).then_some(places)
    }

    fn found(payload: &str) -> Option<Vec<usize>> {
        let mut tokens = Tokens::default();
        if !tokens.find(payload) {
            return None;
        }
        let is_set = |at: &usize| tokens.blocks()[at / BLOCK] >> (at % BLOCK) & 1 == 1;
        assert_eq!(tokens.has_escapes(), payload.contains('\\'));
        Some((0..tokens.blocks().len() * BLOCK).filter(is_set).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn as_found_byte_after_byte(payload in r#"[{}\[\]:, \n\ta1é\x01]{0,20}("[a \\]{0,90}"[{}:,\\]{0,9}){0,3}["\\ \x01a]{0,70}"#) {
            prop_assert_eq!(found(&payload), simple(&payload), "{:?}", payload);
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..0x80_u8 {
            for at in 0..130 {
                let mut payload = vec![b' '; at];
                payload.push(byte);
                let payload = String::from_utf8(payload).expect("ASCII");
                assert_eq!(found(&payload), simple(&payload), "{payload:?}");
            }
        }
    }
}

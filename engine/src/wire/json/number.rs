//! Numbers: the JSON grammar, and the nearest `f64`.
//!
//! Most numbers in samples have few digits and a small exponent; for these one
//! multiplication or division of two exact `f64` gives the correctly rounded
//! result (W. D. Clinger, "How to read floating point numbers accurately",
//! PLDI 1990). The others go to `str::parse`, which always rounds correctly.

/// Parses the JSON number (RFC 8259 section 6) at the start of `bytes` and
/// returns its value and its length in bytes.
///
/// The value is the nearest `f64`: infinite where the number overflows, a zero
/// of the same sign where it underflows. `None` where `bytes` does not begin
/// with a number, or what begins as one goes on amiss (`01`, `1.`, `1e`). What
/// follows the number is not looked at.
#[inline]
pub fn parse_json_number(bytes: &[u8]) -> Option<(f64, usize)> {
    let number = ScannedNumber::scan(bytes)?;
    let value = match number.exact() {
        Some(value) => value,
        None => rounded(&bytes[..number.length])?,
    };
    Some((value, number.length))
}

/// The length of the JSON number at the start of `bytes`, as
/// [`parse_json_number`] finds it.
pub(super) fn number_length(bytes: &[u8]) -> Option<usize> {
    ScannedNumber::scan(bytes).map(|number| number.length)
}

/// The powers of ten that `f64` holds exactly.
static POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// This many decimal digits always fit in a `u64`.
const DIGITS_OF_U64: usize = 19;

/// Up to here every integer is an `f64`.
const EXACT_INTEGERS: u64 = 1 << 53;

/// Far beyond what an `f64` can reach; larger exponents count as this one.
const LARGE_EXPONENT: i32 = 1_000_000;

/// ±`mantissa` × 10^`exponent`, the mantissa wrapped where `digits` are many.
struct ScannedNumber {
    negative: bool,
    mantissa: u64,
    digits: usize,
    exponent: i32,
    length: usize,
}

impl ScannedNumber {
    #[inline(always)]
    fn scan(bytes: &[u8]) -> Option<Self> {
        let negative = bytes.first() == Some(&b'-');
        let start = usize::from(negative);
        let (mut mantissa, mut end) = scan_digits(bytes, start, 0);
        let mut digits = end - start;
        if digits == 0 || (digits > 1 && bytes[start] == b'0') {
            return None;
        }
        let mut exponent = 0;
        if bytes.get(end) == Some(&b'.') {
            let point = end + 1;
            (mantissa, end) = scan_digits(bytes, point, mantissa);
            let decimals = end - point;
            if decimals == 0 {
                return None;
            }
            digits += decimals;
            // More decimals than an i32 counts are far more digits than are exact.
            exponent = -(decimals as i32);
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            let (power, after) = scan_exponent(bytes, end + 1)?;
            exponent = exponent.saturating_add(power);
            end = after;
        }
        Some(Self { negative, mantissa, digits, exponent, length: end })
    }

    /// The value, where one exact operation gives it.
    #[inline(always)]
    fn exact(&self) -> Option<f64> {
        if self.digits > DIGITS_OF_U64 || self.mantissa > EXACT_INTEGERS {
            return None;
        }
        let power = *POWERS_OF_TEN.get(self.exponent.unsigned_abs() as usize)?;
        let mantissa = self.mantissa as f64;
        let magnitude = if self.exponent < 0 { mantissa / power } else { mantissa * power };
        Some(if self.negative { -magnitude } else { magnitude })
    }
}

/// Appends the digits at `at` to `mantissa`; also returns where they end.
#[inline(always)]
fn scan_digits(bytes: &[u8], mut at: usize, mut mantissa: u64) -> (u64, usize) {
    while let Some(digit) = digit_at(bytes, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (mantissa, at)
}

#[inline]
fn scan_exponent(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    let sign = bytes.get(at);
    let start = at + usize::from(matches!(sign, Some(b'+' | b'-')));
    let mut power = 0;
    let mut end = start;
    while let Some(digit) = digit_at(bytes, end) {
        power = (power * 10 + i32::from(digit)).min(LARGE_EXPONENT);
        end += 1;
    }
    let signed = if sign == Some(&b'-') { -power } else { power };
    (end > start).then_some((signed, end))
}

#[inline(always)]
fn digit_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
}

#[cold]
fn rounded(number: &[u8]) -> Option<f64> {
    std::str::from_utf8(number).ok()?.parse().ok()
}

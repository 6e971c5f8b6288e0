//! Numbers as the reference writes them: the shortest digits that round-trip,
//! plain for 1e-4 ≤ |v| < 1e17, else with a signed exponent of two digits or
//! more.
//!
//! Prometheus stores the text of `le` and `quantile`, so a fleet that moves
//! here keeps its series only if each of these texts stays the same.

/// How a number is written that need not be an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// By its digits alone: 3 is `3`.
    Plain,
    /// With a point or an exponent in any case: 3 is `3.0`.
    Pointed,
}

/// Where plain notation begins, and where it ends.
const PLAIN_FROM: f64 = 1e-4;
const PLAIN_BELOW: f64 = 1e17;

/// Below this every integer is an `f64`, so its digits are its shortest ones.
const EXACT_INTEGERS_BELOW: f64 = 9_007_199_254_740_992.0;

/// Appends a sample's value.
pub fn write_value(out: &mut Vec<u8>, value: f64, notation: Notation) {
    if let Some(integer) = exact_integer(value) {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        write_integer_ending(out, notation);
    } else if value.is_finite() {
        write_finite(out, value, notation);
    } else {
        out.extend_from_slice(non_finite(value));
    }
}

/// Appends a count: an integer in any notation.
pub fn write_count(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
}

/// A number as a text: the value of a `le` or `quantile` label.
pub fn text_of(value: f64, notation: Notation) -> Box<str> {
    let mut text = Vec::new();
    write_value(&mut text, value, notation);
    String::from_utf8(text).expect("numbers are written in ASCII").into()
}

/// `value` where it is an integer that its own digits name best; minus zero is 0.
fn exact_integer(value: f64) -> Option<i64> {
    let integer = value as i64;
    (value.abs() < EXACT_INTEGERS_BELOW && integer as f64 == value).then_some(integer)
}

fn non_finite(value: f64) -> &'static [u8] {
    if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    }
}

/// Appends a finite value that is no exact integer.
fn write_finite(out: &mut Vec<u8>, value: f64, notation: Notation) {
    let mut buffer = zmij::Buffer::new();
    let printed = buffer.format_finite(value);
    let magnitude = value.abs();
    if (PLAIN_FROM..EXACT_INTEGERS_BELOW).contains(&magnitude) {
        // A fraction of everyday size is printed plainly already.
        out.extend_from_slice(printed.as_bytes());
        return;
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let decimal = Decimal::read(printed.trim_start_matches('-'));
    if (PLAIN_FROM..PLAIN_BELOW).contains(&magnitude) {
        decimal.write_integer(out);
        write_integer_ending(out, notation);
    } else {
        decimal.write_scientific(out);
    }
}

fn write_integer_ending(out: &mut Vec<u8>, notation: Notation) {
    match notation {
        Notation::Plain => {}
        Notation::Pointed => out.extend_from_slice(b".0"),
    }
}

/// A positive number's digits, and the power of ten of the first.
struct Decimal {
    digits: [u8; Decimal::MAX_DIGITS],
    length: usize,
    exponent: i32,
}

impl Decimal {
    /// zmij writes 17 digits at most, and zeros around them in 24 bytes in all.
    const MAX_DIGITS: usize = 24;

    /// Reads what zmij printed, whichever of its notations it took.
    fn read(printed: &str) -> Self {
        let (mantissa, exponent) = printed.split_once('e').unwrap_or((printed, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i32 = exponent.parse().expect("an exponent is a small integer");
        let mut digits = [b'0'; Self::MAX_DIGITS];
        let significant = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
        let mut length = 0;
        for (position, digit) in significant.enumerate() {
            digits[position] = digit;
            if digit != b'0' {
                length = position + 1;
            }
        }
        let leading = mantissa.bytes().take_while(|byte| matches!(byte, b'0' | b'.')).count();
        let first = match leading {
            0 => whole.len() as i32 - 1,
            zeros_and_point => 1 - zeros_and_point as i32,
        };
        Self { digits, length, exponent: exponent + first }
    }

    /// Appends the digits of a number that is an integer, with zeros up to the point.
    fn write_integer(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.digits[..=self.exponent as usize]);
    }

    fn write_scientific(&self, out: &mut Vec<u8>) {
        out.push(self.digits[0]);
        if self.length > 1 {
            out.push(b'.');
            out.extend_from_slice(&self.digits[1..self.length]);
        }
        out.extend_from_slice(if self.exponent < 0 { b"e-" } else { b"e+" });
        let exponent = self.exponent.unsigned_abs();
        if exponent < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the reference printed: the text of a number in both formats.
    const GOLDEN: &str = include_str!("../../tests/golden/numbers.tsv");

    fn written(value: f64, notation: Notation) -> String {
        text_of(value, notation).into()
    }

    fn check(value: f64, text: &str, openmetrics: &str) {
        assert_eq!(written(value, Notation::Plain), text, "{value:?} in text");
        assert_eq!(written(value, Notation::Pointed), openmetrics, "{value:?} in OpenMetrics");
    }

    /// The same rules, from the standard library's digits.
    fn expected(value: f64) -> String {
        let scientific = shortest(value.abs());
        let (mantissa, exponent) = scientific.split_once('e').expect("LowerExp has an exponent");
        let exponent: i32 = exponent.parse().expect("an integer");
        let sign = if value < 0.0 { "-" } else { "" };
        if value != 0.0 && !(1e-4..1e17).contains(&value.abs()) {
            let exponent_sign = if exponent < 0 { '-' } else { '+' };
            return format!("{sign}{mantissa}e{exponent_sign}{:02}", exponent.abs());
        }
        let digits = mantissa.replace('.', "");
        if exponent < 0 {
            return format!(
                "{sign}0.{digits:0>width$}",
                width = digits.len() - 1 + exponent.unsigned_abs() as usize
            );
        }
        let whole = exponent as usize + 1;
        let digits = format!("{digits:0<whole$}");
        let (whole, fraction) = digits.split_at(whole);
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    /// The shortest digits that round-trip, of those the nearest, of two as near
    /// the even ones. `{:e}` alone takes the upper of two as near, where .NET,
    /// Go and Python take the even one: 768380524012040.25 is `…040.2`.
    fn shortest(magnitude: f64) -> String {
        let scientific = format!("{magnitude:e}");
        let digits = scientific.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit);
        let nearest = format!("{magnitude:.*e}", digits.count() - 1);
        if nearest.parse() == Ok(magnitude) { nearest } else { scientific }
    }

    #[test]
    fn numbers_are_those_of_the_reference() {
        for line in GOLDEN.lines() {
            let (text, openmetrics) = line.split_once('\t').expect("two columns");
            check(text.parse().expect("a number"), text, openmetrics);
        }
    }

    #[test]
    fn notation_changes_where_it_should() {
        check(-0.0, "0", "0.0");
        check(1e-4, "0.0001", "0.0001");
        check(1e-4f64.next_down(), "9.999999999999999e-05", "9.999999999999999e-05");
        check(-0.00012, "-0.00012", "-0.00012");
        check(1e-100, "1e-100", "1e-100");
        check(-1.5e-100, "-1.5e-100", "-1.5e-100");
        check(9_007_199_254_740_991.0, "9007199254740991", "9007199254740991.0");
        check(9_007_199_254_740_992.0, "9007199254740992", "9007199254740992.0");
        check(-9_007_199_254_740_994.0, "-9007199254740994", "-9007199254740994.0");
        check(9_999_999_999_999_998.0, "9999999999999998", "9999999999999998.0");
        check(1e16, "10000000000000000", "10000000000000000.0");
        check(-90_000_000_000_000_000.0, "-90000000000000000", "-90000000000000000.0");
        // 2^56 has 17 digits; 16 of them and a zero already round-trip.
        check(72_057_594_037_927_936.0, "72057594037927940", "72057594037927940.0");
        check(1e17f64.next_down(), "99999999999999980", "99999999999999980.0");
        check(768_380_524_012_040.2, "768380524012040.2", "768380524012040.2");
        check(-1e17, "-1e+17", "-1e+17");
        check(f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308");
        check(f64::MIN_POSITIVE, "2.2250738585072014e-308", "2.2250738585072014e-308");
        check(f64::INFINITY, "+Inf", "+Inf");
        check(f64::NEG_INFINITY, "-Inf", "-Inf");
        check(-f64::NAN, "NaN", "NaN");
    }

    #[test]
    fn counts_are_integers() {
        for (count, expected) in [(0, "0"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            let mut out = b"x ".to_vec();
            write_count(&mut out, count);
            assert_eq!(out, format!("x {expected}").into_bytes());
        }
    }

    /// Numbers of every size, and those that metrics are made of.
    fn finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
            any::<i64>().prop_map(|integer| integer as f64),
            (-1_000_000_000i64..1_000_000_000, 0i32..20)
                .prop_map(|(digits, places)| digits as f64 / 10f64.powi(places)),
            (-324i32..308, 1u64..100_000_000_000_000_000)
                .prop_map(|(exponent, digits)| {
                    format!("{digits}e{exponent}").parse().expect("a number")
                })
                .prop_filter("finite", |value: &f64| value.is_finite()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn every_number_round_trips(value in finite()) {
            for notation in [Notation::Plain, Notation::Pointed] {
                let parsed: f64 = written(value, notation).parse().expect("a number");
                prop_assert_eq!(parsed, value);
            }
        }

        #[test]
        fn every_number_is_the_shortest(value in finite()) {
            let text = written(value, Notation::Plain);
            prop_assert_eq!(&text, &expected(value));
            let pointed = text.contains(['.', 'e']);
            let openmetrics = if pointed { text } else { text + ".0" };
            prop_assert_eq!(written(value, Notation::Pointed), openmetrics);
        }
    }
}

//! Numbers: the grammar is JSON's and the value is the nearest double.

use proptest::prelude::*;
use psg_engine::wire::json::number::parse_json_number;
use serde_json::value::RawValue;

use crate::support::cases;

/// Compares with serde_json's grammar and the standard library's rounding.
fn check(token: &str) {
    let is_number = token.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && !token.ends_with(|last: char| last.is_ascii_whitespace())
        && serde_json::from_str::<&RawValue>(token).is_ok();
    let parsed = parse_json_number(token.as_bytes()).filter(|(_, length)| *length == token.len());
    let expected = is_number.then(|| token.parse::<f64>().expect("a double").to_bits());
    assert_eq!(parsed.map(|(value, _)| value.to_bits()), expected, "{token}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn forms() {
    for token in [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "0e0",
        "0e999999999999",
        "0.0e-9",
        "1",
        "-1",
        "10",
        "1.0",
        "1e0",
        "1E0",
        "1e+2",
        "1E-2",
        "9007199254740992",
        "9007199254740993",
        "9007199254740992e22",
        "9007199254740993e-1",
        "9999999999999999999",
        "18446744073709551616",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "123456789012345678901234567890",
        "0.1",
        "0.30000000000000004",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "4.9e-324",
        "2e-324",
        "1e-400",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e309",
        "-1e999",
        "1e99999999999999",
        "1e-99999999999999",
        "0.00000000000000000000000000000000001",
        "179769313486231580793e289",
    ] {
        check(token);
    }
    for token in [
        "",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        ".5",
        "-.5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "1e-",
        "1E",
        "e1",
        "1e1.5",
        "0x1",
        "1_0",
        "Infinity",
        "NaN",
        "-Infinity",
        "inf",
        "nan",
        "--1",
        "1-",
        "1 ",
        " 1",
        "١",
        "1.5.2",
        "1e5e5",
    ] {
        check(token);
    }
}

#[test]
fn what_follows_is_not_looked_at() {
    for (bytes, length) in [("1,2", 1), ("1.5}", 3), ("-2e3]", 4), ("0 ", 1), ("1.5.2", 3)] {
        let parsed = parse_json_number(bytes.as_bytes());
        assert_eq!(parsed.map(|(_, length)| length), Some(length), "{bytes}");
    }
}

#[test]
fn very_long_numbers() {
    for length in [19, 20, 800, 100_000] {
        check(&"9".repeat(length));
        check(&format!("0.{}1", "0".repeat(length)));
        check(&format!("1{}e-{length}", "0".repeat(length)));
        check(&format!("0.{}", "1".repeat(length)));
    }
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn number_like_tokens(token in "-?[0-9]{1,22}(\\.[0-9]{0,22})?([eE][+-]?[0-9]{0,3})?") {
        check(&token);
    }

    #[test]
    fn soup(token in "[-+.eE0-9 ]{0,12}") {
        check(&token);
    }

    #[test]
    fn doubles(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        check(&format!("{value:?}"));
        check(&format!("{value:e}"));
        check(&format!("{value:.17e}"));
    }

    #[test]
    fn halfway_and_beside(mantissa in 1u64 << 53..1 << 54, power in -30i32..30, digit in 0..10) {
        check(&format!("{mantissa}e{power}"));
        check(&format!("{mantissa}.{digit}e{power}"));
    }
}

//! Durations as Go writes them: `1m30s`, `100ms`, `1.5h`.

use std::time::Duration;

/// The units, in nanoseconds; a longer one before what it begins with.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// The duration; nothing and `0` are none at all, and a negative one is no
/// duration here.
pub fn parse(text: &str) -> Option<Duration> {
    if text.is_empty() || text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut nanoseconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        nanoseconds += number * length;
        rest = &rest[unit.len()..];
    }
    Duration::try_from_secs_f64(nanoseconds / 1e9).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text, milliseconds| {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        };
        check("", 0);
        check("0", 0);
        check("0s", 0);
        check("100ms", 100);
        check("1s", 1000);
        check("1m30s", 90_000);
        check("1.5h", 5_400_000);
        check("1000us", 1);
        for text in ["1", "s", "-1s", "1 s", "1x", ".", "1s1", "1e400s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

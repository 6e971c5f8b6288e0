//! Numbers for the eye.

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: whole from ten on, else with one decimal, and 0 as `0`.
pub fn rate(number: f64) -> String {
    if number > 0.0 && number < 9.95 {
        return format!("{number:.1}");
    }
    grouped(number.round() as u64)
}

/// `3.4 MiB`
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut scaled = number as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// How long something took: `0.4 ms`, `1.2 s`.
pub fn span(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

/// How long something has been going on: `42 s`, `3 min 07 s`, `2 h 05 min`,
/// `3 d 4 h`.
pub fn age(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {:02} s", seconds % 60),
        (0, _, _) => format!("{hours} h {:02} min", minutes % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

/// A part of one: `12 %`, `0.3 %`.
pub fn share(part: f64) -> String {
    format!("{} %", rate(part * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let check = |shown: String, expected: &str| assert_eq!(shown, expected);
        check(grouped(0), "0");
        check(grouped(999), "999");
        check(grouped(1000), "1,000");
        check(grouped(1_234_567), "1,234,567");
        check(rate(0.0), "0");
        check(rate(0.3), "0.3");
        check(rate(9.94), "9.9");
        check(rate(9.96), "10");
        check(rate(1999.6), "2,000");
        check(bytes(17), "17 B");
        check(bytes(3_565_158), "3.4 MiB");
        check(bytes(1 << 20), "1.0 MiB");
        check(bytes((1 << 20) - 1), "1.0 MiB");
        check(bytes(u64::MAX), "16777216.0 TiB");
        check(span(0.0004), "0.4 ms");
        check(span(1.25), "1.2 s");
        check(age(42.9), "42 s");
        check(age(187.0), "3 min 07 s");
        check(age(7500.0), "2 h 05 min");
        check(age(277_200.0), "3 d 5 h");
        check(share(0.123), "12 %");
        check(share(0.0031), "0.3 %");
        check(share(0.0), "0 %");
    }
}

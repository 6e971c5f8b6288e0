//! Just enough JSON to write a payload, compact or shuffled. Its texts come
//! from the corpus itself and hold nothing that needs an escape.

use std::io::Write;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The spaces that a shuffled object has between its tokens, each as often as
/// it stands here.
const SPACES: [&str; 8] = ["", "", "", "", " ", "  ", "\n", "\t"];

/// A key and its value.
pub(super) type Member = (&'static str, Json);

/// A value.
pub(super) enum Json {
    /// A string.
    Text(&'static str),
    /// A string with a number in it: what stands before, the number, what
    /// stands after.
    Numbered(&'static str, u64, &'static str),
    /// A string of sixteen hexadecimal digits.
    Hex(u64),
    /// A number, in thousandths.
    Thousandths(i64),
    /// JSON text as it is.
    Raw(&'static str),
    /// An object.
    Object(Vec<Member>),
}

/// How the parts of an object stand.
pub(super) enum Layout<'r> {
    /// As a .NET serializer writes them: in declared order, without spaces.
    Compact,
    /// In random order, with random spaces between.
    Shuffled(&'r mut ChaCha8Rng),
}

/// Appends an object of `members`.
pub(super) fn write_object(mut members: Vec<Member>, layout: &mut Layout<'_>, out: &mut Vec<u8>) {
    layout.reorder(&mut members);
    let mut before = b'{';
    for (key, value) in members {
        out.push(before);
        layout.space(out);
        put(out, format_args!("\"{key}\""));
        layout.space(out);
        out.push(b':');
        layout.space(out);
        write_value(value, layout, out);
        layout.space(out);
        before = b',';
    }
    out.push(b'}');
}

impl Layout<'_> {
    fn reorder(&mut self, members: &mut [Member]) {
        match self {
            Layout::Compact => {}
            Layout::Shuffled(rng) => members.shuffle(rng),
        }
    }

    fn space(&mut self, out: &mut Vec<u8>) {
        match self {
            Layout::Compact => {}
            Layout::Shuffled(rng) => {
                let space = SPACES[rng.random_range(0..SPACES.len() as u32) as usize];
                out.extend_from_slice(space.as_bytes());
            }
        }
    }
}

fn write_value(value: Json, layout: &mut Layout<'_>, out: &mut Vec<u8>) {
    match value {
        Json::Text(text) => put(out, format_args!("\"{text}\"")),
        Json::Numbered(before, number, after) => {
            put(out, format_args!("\"{before}{number}{after}\""));
        }
        Json::Hex(number) => put(out, format_args!("\"{number:016x}\"")),
        Json::Thousandths(thousandths) => write_thousandths(thousandths, out),
        Json::Raw(text) => out.extend_from_slice(text.as_bytes()),
        Json::Object(members) => write_object(members, layout, out),
    }
}

/// The shortest text, as a serializer writes it: 12.5, not 12.500.
fn write_thousandths(thousandths: i64, out: &mut Vec<u8>) {
    let sign = if thousandths < 0 { "-" } else { "" };
    let (whole, rest) = (thousandths.unsigned_abs() / 1000, thousandths.unsigned_abs() % 1000);
    match (rest % 10, rest % 100) {
        _ if rest == 0 => put(out, format_args!("{sign}{whole}")),
        (_, 0) => put(out, format_args!("{sign}{whole}.{}", rest / 100)),
        (0, _) => put(out, format_args!("{sign}{whole}.{:02}", rest / 10)),
        _ => put(out, format_args!("{sign}{whole}.{rest:03}")),
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_written_shortest() {
        let check = |thousandths: i64, expected: &str| {
            let mut out = Vec::new();
            write_thousandths(thousandths, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(0, "0");
        check(1, "0.001");
        check(10, "0.01");
        check(120, "0.12");
        check(500, "0.5");
        check(12_000, "12");
        check(99_999, "99.999");
        check(100_000, "100");
        check(-50, "-0.05");
        check(-10_001, "-10.001");
    }
}

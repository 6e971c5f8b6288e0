//! Just enough JSON to write a payload as a serializer does. Its texts come from
//! the corpus itself and hold nothing that needs an escape.

use std::io::Write;

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) type JsonMember = (&'static str, JsonValue);

/// A value, as far as samples need them.
pub(super) enum JsonValue {
    Text(&'static str),
    /// A string with a number in it: what stands before, the number, what
    /// stands after.
    Numbered(&'static str, u64, &'static str),
    /// A string of sixteen hexadecimal digits.
    Hex(u64),
    /// A number, in thousandths.
    Thousandths(i64),
    /// An array of these numbers.
    Numbers(&'static [&'static str]),
    /// An array of numbers, in thousandths.
    Many(Vec<i64>),
    Object(Vec<JsonMember>),
}

/// How a program writes its payloads.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonStyle {
    spacing: Spacing,
    /// Where in which program: the members of objects have an order of its own.
    /// Where it is not said, they have the declared one.
    call_site: Option<u64>,
}

/// What a serializer puts between tokens; none of the usual ones puts anything
/// before a colon.
#[derive(Debug, Clone, Copy)]
enum Spacing {
    /// Nothing: Go, Node, PHP, .NET, Java, Python with `separators`.
    Compact,
    /// A space after colons and commas: Python by default.
    Spaced,
    /// A line for each member: PHP's `JSON_PRETTY_PRINT`.
    Indented,
}

/// The programs that report the same metrics, by how their serializers write; each
/// has a call site for each metric.
const PROGRAMS: [Spacing; 8] = [
    Spacing::Compact,
    Spacing::Spaced,
    Spacing::Compact,
    Spacing::Compact,
    Spacing::Spaced,
    Spacing::Compact,
    Spacing::Indented,
    Spacing::Compact,
];

impl JsonStyle {
    /// How many programs there are.
    pub(super) const PROGRAMS: usize = PROGRAMS.len();

    /// As a .NET serializer writes it: in declared order, without spaces.
    pub(super) const COMPACT: JsonStyle = JsonStyle { spacing: Spacing::Compact, call_site: None };

    /// As the program of that number writes the metric of that number.
    pub(super) fn of_program(program: usize, metric: u64) -> Self {
        let spacing = PROGRAMS[program];
        let call_site = metric * PROGRAMS.len() as u64 + program as u64;
        JsonStyle { spacing, call_site: Some(call_site) }
    }
}

/// Appends an object of `members`.
pub(super) fn write_object(members: Vec<JsonMember>, style: JsonStyle, out: &mut Vec<u8>) {
    write_object_at(1, members, style, out);
}

fn write_object_at(
    depth: usize,
    mut members: Vec<JsonMember>,
    style: JsonStyle,
    out: &mut Vec<u8>,
) {
    if let Some(call_site) = style.call_site {
        members.sort_by_key(|(key, _)| xxh3_64_with_seed(key.as_bytes(), call_site));
    }
    let colon = match style.spacing {
        Spacing::Compact => ":",
        Spacing::Spaced | Spacing::Indented => ": ",
    };
    out.push(b'{');
    for (number, (key, value)) in members.into_iter().enumerate() {
        begin_item(number, depth, style.spacing, out);
        put(out, format_args!("\"{key}\"{colon}"));
        write_value(depth, value, style, out);
    }
    end_items(depth, style.spacing, out);
    out.push(b'}');
}

/// What stands before an item of an object or array, `depth` levels deep.
fn begin_item(number: usize, depth: usize, spacing: Spacing, out: &mut Vec<u8>) {
    match (number, spacing) {
        (0, Spacing::Compact | Spacing::Spaced) => {}
        (_, Spacing::Compact) => out.push(b','),
        (_, Spacing::Spaced) => out.extend(b", "),
        (_, Spacing::Indented) => {
            put(out, format_args!("{}", if number == 0 { "" } else { "," }));
            begin_line(depth, out);
        }
    }
}

fn end_items(depth: usize, spacing: Spacing, out: &mut Vec<u8>) {
    match spacing {
        Spacing::Compact | Spacing::Spaced => {}
        Spacing::Indented => begin_line(depth - 1, out),
    }
}

fn begin_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 4 * depth, b' ');
}

fn write_value(depth: usize, value: JsonValue, style: JsonStyle, out: &mut Vec<u8>) {
    match value {
        JsonValue::Text(text) => put(out, format_args!("\"{text}\"")),
        JsonValue::Numbered(before, number, after) => {
            put(out, format_args!("\"{before}{number}{after}\""));
        }
        JsonValue::Hex(number) => put(out, format_args!("\"{number:016x}\"")),
        JsonValue::Thousandths(thousandths) => write_thousandths(thousandths, out),
        JsonValue::Numbers(numbers) => {
            write_array(depth + 1, numbers, style, out, |number, out| {
                out.extend_from_slice(number.as_bytes());
            })
        }
        JsonValue::Many(numbers) => write_array(depth + 1, &numbers, style, out, |number, out| {
            write_thousandths(*number, out);
        }),
        JsonValue::Object(members) => write_object_at(depth + 1, members, style, out),
    }
}

fn write_array<T>(
    depth: usize,
    items: &[T],
    style: JsonStyle,
    out: &mut Vec<u8>,
    write: fn(&T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        begin_item(index, depth, style.spacing, out);
        write(item, out);
    }
    end_items(depth, style.spacing, out);
    out.push(b']');
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

    /// An object, as the program of that number writes it.
    fn written(program: usize, members: Vec<JsonMember>) -> String {
        let mut out = Vec::new();
        write_object(members, JsonStyle::of_program(program, 0), &mut out);
        String::from_utf8(out).unwrap()
    }

    /// As these serializers were seen to write: `json.dumps`, `JSON.stringify`,
    /// and `json_encode` with `JSON_PRETTY_PRINT`.
    #[test]
    fn spaces_stand_where_serializers_put_them() {
        let array = || vec![("a", JsonValue::Numbers(&["0.1", "1"]))];
        assert_eq!(written(1, array()), r#"{"a": [0.1, 1]}"#);
        assert_eq!(written(0, array()), r#"{"a":[0.1,1]}"#);
        let many = vec![("a", JsonValue::Many(vec![100, 1000]))];
        assert_eq!(written(1, many), r#"{"a": [0.1, 1]}"#);
        let nested = vec![("l", JsonValue::Object(array()))];
        let expected = "{\n    \"l\": {\n        \"a\": [\n            0.1,\n            1\n        ]\n    }\n}";
        assert_eq!(written(6, nested), expected);
    }

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

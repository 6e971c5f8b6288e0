//! Escaping of label values and help texts.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

use crate::format::Format;

/// Appends a label value as it stands between its quotes, in either format.
pub fn append_label_value(out: &mut String, value: &str) {
    append_escaped(out, value, |rest| memchr3(b'\\', b'"', b'\n', rest));
}

/// Appends a help text. OpenMetrics escapes a quote there too: its grammar
/// demands that, and a parser that looks for quoted names stumbles without it.
pub fn append_help(out: &mut String, help: &str, format: Format) {
    match format {
        Format::Text => append_escaped(out, help, |rest| memchr2(b'\\', b'\n', rest)),
        Format::OpenMetrics => append_label_value(out, help),
    }
}

/// The label value that is written so between its quotes.
pub fn label_value_of(escaped: &str) -> Cow<'_, str> {
    let Some(first) = escaped.find('\\') else { return Cow::Borrowed(escaped) };
    let mut value = escaped[..first].to_owned();
    let mut rest = escaped[first..].chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => value.extend(rest.next().map(|next| if next == 'n' { '\n' } else { next })),
            plain => value.push(plain),
        }
    }
    Cow::Owned(value)
}

/// Whether what stands between quotes is a value that is not empty, escaped as
/// it is here and in no other way.
pub(super) fn is_label_value(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => return false,
            b'\\' if !matches!(bytes.next(), Some(b'\\' | b'"' | b'n')) => return false,
            _ => {}
        }
    }
    !value.is_empty()
}

/// Appends `text` with a backslash before each byte that `find` stops at.
fn append_escaped(out: &mut String, text: &str, find: impl Fn(&[u8]) -> Option<usize>) {
    let mut rest = text;
    while let Some(position) = find(rest.as_bytes()) {
        let (plain, special) = rest.split_at(position);
        let (special, after) = special.split_at(1);
        out.push_str(plain);
        out.push('\\');
        out.push_str(if special == "\n" { "n" } else { special });
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, label: &str, help_text: &str, help_openmetrics: &str) {
        let mut out = String::new();
        append_label_value(&mut out, input);
        assert_eq!(out, label, "label value of {input:?}");
        assert_eq!(label_value_of(&out), input, "and back");
        for (format, expected) in
            [(Format::Text, help_text), (Format::OpenMetrics, help_openmetrics)]
        {
            out.clear();
            append_help(&mut out, input, format);
            assert_eq!(out, expected, "help of {input:?} in {format:?}");
        }
    }

    #[test]
    fn special_characters_get_a_backslash() {
        check("", "", "", "");
        check(
            "plain, {} = é 日本",
            "plain, {} = é 日本",
            "plain, {} = é 日本",
            "plain, {} = é 日本",
        );
        check("a\"b", "a\\\"b", "a\"b", "a\\\"b");
        check("c\\d", "c\\\\d", "c\\\\d", "c\\\\d");
        check("e\nf", "e\\nf", "e\\nf", "e\\nf");
        check("\n\n", "\\n\\n", "\\n\\n", "\\n\\n");
        check("\\n", "\\\\n", "\\\\n", "\\\\n");
        check("\"日\"\\", "\\\"日\\\"\\\\", "\"日\"\\\\", "\\\"日\\\"\\\\");
        check("tab\tand\rreturn", "tab\tand\rreturn", "tab\tand\rreturn", "tab\tand\rreturn");
    }

    #[test]
    fn what_stands_before_stays() {
        let mut out = String::from("a=\"");
        append_label_value(&mut out, "1\n2");
        assert_eq!(out, "a=\"1\\n2");
    }
}

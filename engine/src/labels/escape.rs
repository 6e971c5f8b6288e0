//! Escaping, as the text formats do it.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

use crate::name::is_legacy_label;

/// Appends a label value as it stands between its quotes.
pub fn append_label_value(out: &mut String, value: &str) {
    append_escaped(out, value, |rest| memchr3(b'\\', b'"', b'\n', rest));
}

/// Appends a text that takes up the rest of a line, where a quote is no end.
pub fn append_line(out: &mut String, text: &str) {
    append_escaped(out, text, |rest| memchr2(b'\\', b'\n', rest));
}

/// Appends a name as it stands in a label text: between quotes where it is no legacy
/// name.
pub(super) fn append_label_name(out: &mut String, name: &str) {
    if is_legacy_label(name) {
        out.push_str(name);
    } else {
        out.push('"');
        append_label_value(out, name);
        out.push('"');
    }
}

/// The name that stands so in a label text.
pub(super) fn label_name_of(written: &str) -> Cow<'_, str> {
    match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => Cow::Borrowed(written),
        Some(quoted) => label_value_of(quoted),
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

    fn check(input: &str, label: &str, line: &str) {
        let mut out = String::new();
        append_label_value(&mut out, input);
        assert_eq!(out, label, "label value of {input:?}");
        assert_eq!(label_value_of(&out), input, "and back");
        out.clear();
        append_line(&mut out, input);
        assert_eq!(out, line, "line of {input:?}");
    }

    #[test]
    fn special_characters_get_a_backslash() {
        check("", "", "");
        check("plain, {} = é 日本", "plain, {} = é 日本", "plain, {} = é 日本");
        check("a\"b", "a\\\"b", "a\"b");
        check("c\\d", "c\\\\d", "c\\\\d");
        check("e\nf", "e\\nf", "e\\nf");
        check("\n\n", "\\n\\n", "\\n\\n");
        check("\\n", "\\\\n", "\\\\n");
        check("\"日\"\\", "\\\"日\\\"\\\\", "\"日\"\\\\");
        check("tab\tand\rreturn", "tab\tand\rreturn", "tab\tand\rreturn");
    }

    #[test]
    fn what_stands_before_stays() {
        let mut out = String::from("a=\"");
        append_label_value(&mut out, "1\n2");
        assert_eq!(out, "a=\"1\\n2");
    }
}

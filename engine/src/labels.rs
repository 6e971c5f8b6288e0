//! Labels: the one text that is both a series' identity and what is printed.
//!
//! The *label text* is `a="1",b="2"`: sorted by name (bytewise), values
//! escaped for the exposition formats, without braces. Escaping is injective,
//! so two label sets are equal exactly where their texts are; it is rendered
//! once per series and never again.

use std::sync::Arc;

use memchr::{memchr, memchr2, memchr2_iter};

use crate::format::escape;
use crate::metric::Kind;
use crate::name::is_label_name;
use crate::sample::Labels;

/// The names of labels that are taken off every sample before it is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropLabels {
    /// Sorted.
    names: Arc<[Box<str>]>,
}

impl DropLabels {
    /// Drops labels of these names.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        names.sort_unstable();
        Self { names: names.into() }
    }

    /// Whether it drops none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a label of this name is dropped.
    pub fn contains(&self, name: &str) -> bool {
        self.names.binary_search_by(|dropped| (**dropped).cmp(name)).is_ok()
    }
}

/// Renders label texts; keeps its buffers from one sample to the next.
#[derive(Debug, Default)]
pub struct LabelRenderer {
    order: Vec<Place>,
    canonical: String,
    as_sent: String,
}

/// A label on its way to its place: how its name begins, and which it is.
type Place = (u64, u16);

impl LabelRenderer {
    /// The canonical text of `labels`.
    pub fn canonical(&mut self, labels: Labels<'_>) -> &str {
        let Self { order, canonical, .. } = self;
        order.clear();
        let places = labels.iter().enumerate();
        order.extend(places.map(|(index, label)| (beginning(label.name), index as u16)));
        let name = |place: &Place| labels.at(usize::from(place.1)).name;
        let compare = |left: &Place, right: &Place| {
            left.0.cmp(&right.0).then_with(|| name(left).cmp(name(right)))
        };
        if !order.is_sorted_by(|left, right| compare(left, right).is_lt()) {
            order.sort_unstable_by(compare);
        }
        canonical.clear();
        order.iter().for_each(|(_, index)| append(canonical, labels, usize::from(*index)));
        canonical
    }

    /// The text with the labels in the order in which they were sent.
    pub fn as_sent(&mut self, labels: Labels<'_>) -> &str {
        self.as_sent.clear();
        (0..labels.len()).for_each(|index| append(&mut self.as_sent, labels, index));
        &self.as_sent
    }
}

/// The first eight bytes, as a number that orders as they do; fewer are as if
/// zeros followed, which no name has.
fn beginning(name: &str) -> u64 {
    let name = name.as_bytes();
    match name.first_chunk() {
        Some(eight) => u64::from_be_bytes(*eight),
        None => name.iter().rfold(0, |number, byte| number >> 8 | u64::from(*byte) << 56),
    }
}

/// The labels of a label text: their names, and their values as they are
/// printed.
pub fn parts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, value, behind) = first(rest)?;
        rest = behind.strip_prefix(',').unwrap_or(behind);
        Some((name, value))
    })
}

/// Whether `text` is the canonical one of some labels that a sample of that
/// type can have: for texts that were stored, since all else is made here.
pub fn is_canonical(text: &str, kind: Kind) -> bool {
    let mut last = "";
    every_part(text, |name, value| {
        let is_next = last < name;
        last = name;
        is_next && is_label_name(name) && kind.own_label() != Some(name) && is_escaped(value)
    })
}

/// Whether `text` has the labels of the canonical one in another order.
pub fn is_reordered(text: &str, canonical: &str) -> bool {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let is_whole = every_part(text, |name, value| {
        found.push((name, value));
        true
    });
    found.sort_unstable();
    is_whole && found.into_iter().eq(parts(canonical))
}

/// Whether `text` is nothing but labels with a comma between them, and each is
/// such a one.
fn every_part<'a>(text: &'a str, mut is_one: impl FnMut(&'a str, &'a str) -> bool) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((name, value, behind)) = first(rest) else { return false };
        let next = behind.strip_prefix(',').filter(|next| !next.is_empty());
        if !is_one(name, value) || (next.is_none() && !behind.is_empty()) {
            return false;
        }
        rest = next.unwrap_or_default();
    }
    true
}

/// The first label of a text, and what is behind it.
fn first(text: &str) -> Option<(&str, &str, &str)> {
    // A name has no `=` in it, and a quote behind.
    let (name, behind) = text.split_at_checked(memchr(b'=', text.as_bytes())?)?;
    let quoted = behind.strip_prefix("=\"")?;
    let (value, behind) = quoted.split_at_checked(end_of_value(quoted)?)?;
    Some((name, value, behind.strip_prefix('"')?))
}

/// Whether a label text contains `wanted`, in any letter case of ASCII.
pub fn contains(text: &str, wanted: &str) -> bool {
    contains_ignoring_case(text.as_bytes(), wanted.as_bytes())
}

/// Whether `text` contains `wanted`, in any letter case of ASCII.
pub(crate) fn contains_ignoring_case(text: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let cases = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr2_iter(cases.0, cases.1, text).any(|at| {
        let part = text[at..].get(..wanted.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(wanted))
    })
}

/// Where the first quote stands that is not escaped.
fn end_of_value(quoted: &str) -> Option<usize> {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        // A backslash, and what it escapes.
        at += 2;
    }
}

/// Whether what stands between quotes is a value that is not empty, escaped as
/// it is here and in no other way.
fn is_escaped(value: &str) -> bool {
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

fn append(out: &mut String, labels: Labels<'_>, index: usize) {
    let label = labels.at(index);
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(label.name);
    out.push_str("=\"");
    match labels.is_plain(index) {
        true => out.push_str(label.value),
        false => escape::append_label_value(out, label.value),
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Label;

    fn check(labels: &[(&str, &str)], canonical: &str, as_sent: &str) {
        let labels: Vec<Label<'_>> =
            labels.iter().map(|(name, value)| Label { name, value }).collect();
        let mut renderer = LabelRenderer::default();
        assert_eq!(renderer.canonical(Labels::from(&labels[..])), canonical);
        assert_eq!(renderer.as_sent(Labels::from(&labels[..])), as_sent);
    }

    #[test]
    fn texts() {
        check(&[], "", "");
        check(&[("a", "1"), ("b", "2")], r#"a="1",b="2""#, r#"a="1",b="2""#);
        check(&[("b", "2"), ("a", "1")], r#"a="1",b="2""#, r#"b="2",a="1""#);
        check(
            &[("b", "2"), ("_x", "1"), ("A", "3")],
            r#"A="3",_x="1",b="2""#,
            r#"b="2",_x="1",A="3""#,
        );
        check(&[("a", "\"\\\n")], r#"a="\"\\\n""#, r#"a="\"\\\n""#);
        check(
            &[("long_name_2", "1"), ("long_nam", "2"), ("long_name_1", "3"), ("long_na", "4")],
            r#"long_na="4",long_nam="2",long_name_1="3",long_name_2="1""#,
            r#"long_name_2="1",long_nam="2",long_name_1="3",long_na="4""#,
        );
    }

    #[test]
    fn a_part_is_found_in_any_letter_case() {
        for (wanted, is_in) in [
            ("", true),
            ("web-3", true),
            ("HOST=\"WEB-3", true),
            ("é", true),
            ("É", false),
            ("web-33", false),
            ("\"x", false),
        ] {
            assert_eq!(contains(r#"host="web-3é",z="q""#, wanted), is_in, "{wanted}");
        }
        assert!(contains("", "") && !contains("", "a") && !contains("a", "ab"));
    }

    #[test]
    fn only_texts_that_are_made_here_are_canonical() {
        let check = |text: &str, expected: bool| {
            assert_eq!(is_canonical(text, Kind::Histogram), expected, "{text}");
        };
        check("", true);
        check(r#"a="1""#, true);
        check(r#"a="\\\"\n,=é",b="2",quantile="3""#, true);
        for damaged in [
            "a",
            "a=",
            "=",
            "a=\"",
            "a=\"x",
            "a=\"x\\",
            "a=é",
            "a=x",
            r#"a="""#,
            r#"="x""#,
            r#"a="x","#,
            r#"a="x"b="y""#,
            r#"a="x"b="y","#,
            r#"a="x",,b="y""#,
            r#"a="x"",b="y""#,
            r#","#,
            r#" a="x""#,
            r#"a="x" "#,
            r#"a="x"}"#,
            "a=\"x\ny\"",
            r#"a="\t""#,
            r#"a="\é""#,
            r#"b="1",a="2""#,
            r#"a="1",a="2""#,
            r#"le="1""#,
            r#"__a="1""#,
            r#"1a="1""#,
            r#"é="1""#,
            "x=\"1\"} 1\nforged_total{y=\"2\"",
        ] {
            check(damaged, false);
            assert!(parts(damaged).count() <= 2, "whatever it is, it comes to an end: {damaged}");
        }
        let canonical = r#"a="1",b="\"""#;
        for (text, expected) in [
            (r#"b="\"",a="1""#, true),
            (canonical, true),
            (r#"b="\"""#, false),
            (r#"b="\"",a="1","#, false),
            (r#"b="\"",a="1",a="1""#, false),
            (r#"b="\"",a="2""#, false),
            ("x=\"1\"} 1\nforged", false),
        ] {
            assert_eq!(is_reordered(text, canonical), expected, "{text}");
        }
    }

    #[test]
    fn texts_come_apart_again() {
        let of = |text| parts(text).collect::<Vec<_>>();
        assert_eq!(of(""), []);
        assert_eq!(of(r#"a="1",b="""#), [("a", "1"), ("b", "")]);
        assert_eq!(
            of(r#"a="\\",b="\",=\\\"",c="x""#),
            [("a", r"\\"), ("b", r#"\",=\\\""#), ("c", "x")]
        );
    }
}

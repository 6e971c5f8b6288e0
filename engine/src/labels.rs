//! Labels: the one text that is both a series' identity and what is printed.
//!
//! The *label text* is `a="1",b="2"`: sorted by name (bytewise), values
//! escaped for the exposition formats, without braces. Escaping is injective,
//! so two label sets are equal exactly where their texts are; it is rendered
//! once per series and never again.

use std::sync::Arc;

use memchr::{memchr, memchr2, memchr2_iter};

use crate::format::escape;
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
        // A name has no `=` in it, and a quote behind.
        let (name, quoted) = rest.split_at(memchr(b'=', rest.as_bytes())?);
        let quoted = &quoted["=\"".len()..];
        let end = end_of_value(quoted);
        rest = quoted[end..].trim_start_matches('"').trim_start_matches(',');
        Some((name, &quoted[..end]))
    })
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
fn end_of_value(quoted: &str) -> usize {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        // A backslash, and what it escapes.
        at += 2;
    }
    bytes.len()
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

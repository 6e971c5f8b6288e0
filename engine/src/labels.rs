//! Labels: the one text that is both a series' identity and what is printed.
//!
//! The *label text* is `a="1",b="2"`: sorted by name (bytewise), values
//! escaped for the exposition formats, without braces. Escaping is injective,
//! so two label sets are equal exactly where their texts are; it is rendered
//! once per series and never again.

use std::sync::Arc;

use memchr::{memchr, memchr2};

use crate::exposition::escape;
use crate::sample::{Label, Labels};

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
    order: Vec<u16>,
    canonical: String,
    as_sent: String,
}

impl LabelRenderer {
    /// The canonical text of `labels`.
    pub fn canonical(&mut self, labels: Labels<'_>) -> &str {
        self.canonical.clear();
        if labels.iter().is_sorted_by(|left, right| left.name < right.name) {
            labels.iter().for_each(|label| append(&mut self.canonical, label));
            return &self.canonical;
        }
        self.order.clear();
        self.order.extend(0..labels.len() as u16);
        self.order.sort_unstable_by_key(|index| labels.at(usize::from(*index)).name);
        for index in &self.order {
            append(&mut self.canonical, labels.at(usize::from(*index)));
        }
        &self.canonical
    }

    /// The text with the labels in the order in which they were sent.
    pub fn as_sent(&mut self, labels: Labels<'_>) -> &str {
        self.as_sent.clear();
        labels.iter().for_each(|label| append(&mut self.as_sent, label));
        &self.as_sent
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

fn append(out: &mut String, label: Label<'_>) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(label.name);
    out.push_str("=\"");
    escape::append_label_value(out, label.value);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! From the labels of a sample to the form in which a series keeps them.

use super::escape;
use super::pairs::LabelPairs;
use crate::name::{NameRules, is_legacy_label};
use crate::sample::Labels;

/// Brings the labels of samples into the form in which series keep them; keeps
/// its buffers from one sample to the next.
#[derive(Debug, Default)]
pub struct LabelRenderer {
    names: NameRules,
    order: Vec<Position>,
    canonical: String,
    as_sent: String,
}

/// A label to be sorted: how its name begins, and which one it is.
type Position = (u64, u16);

impl LabelRenderer {
    /// One for names that keep to these rules; the default is for legacy names.
    pub fn new(names: NameRules) -> Self {
        Self { names, ..Self::default() }
    }

    /// `labels` in canonical form.
    pub fn canonical(&mut self, labels: Labels<'_>) -> LabelPairs<'_> {
        let Self { names, order, canonical, .. } = self;
        order.clear();
        let positions = labels.iter().enumerate();
        let beginning = |name| match names {
            NameRules::Legacy => beginning(name),
            NameRules::Utf8 => beginning_with_quote(name),
        };
        order.extend(positions.map(|(index, label)| (beginning(label.name), index as u16)));
        let name = |position: &Position| labels.at(usize::from(position.1)).name;
        let compare = |left: &Position, right: &Position| {
            left.0.cmp(&right.0).then_with(|| name(left).cmp(name(right)))
        };
        if !order.is_sorted_by(|left, right| compare(left, right).is_lt()) {
            order.sort_unstable_by(compare);
        }
        canonical.clear();
        order.iter().for_each(|(_, index)| append(canonical, labels, usize::from(*index), *names));
        LabelPairs::from_text(canonical)
    }

    /// `labels` in the order in which they were sent, those with quoted names first.
    pub fn as_sent(&mut self, labels: Labels<'_>) -> LabelPairs<'_> {
        let Self { names, as_sent, .. } = self;
        as_sent.clear();
        let is_quoted = |index: &usize| !is_legacy_label(labels.at(*index).name);
        if *names == NameRules::Utf8 {
            let quoted = (0..labels.len()).filter(is_quoted);
            quoted.for_each(|index| append(as_sent, labels, index, *names));
        }
        let others = (0..labels.len()).filter(|at| *names == NameRules::Legacy || !is_quoted(at));
        others.for_each(|index| append(as_sent, labels, index, *names));
        LabelPairs::from_text(as_sent)
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

/// That of a name with the quote before it, where it needs one.
fn beginning_with_quote(name: &str) -> u64 {
    match is_legacy_label(name) {
        true => beginning(name),
        false => beginning(name) >> 8 | u64::from(b'"') << 56,
    }
}

fn append(out: &mut String, labels: Labels<'_>, index: usize, names: NameRules) {
    let label = labels.at(index);
    if !out.is_empty() {
        out.push(',');
    }
    match names {
        NameRules::Legacy => out.push_str(label.name),
        NameRules::Utf8 => escape::append_label_name(out, label.name),
    }
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
        for names in NameRules::ALL {
            if labels.iter().all(|label| names.takes_label(label.name)) {
                let mut renderer = LabelRenderer::new(names);
                assert_eq!(renderer.canonical(Labels::from(&labels[..])).to_string(), canonical);
                assert_eq!(renderer.as_sent(Labels::from(&labels[..])).to_string(), as_sent);
            }
        }
    }

    #[test]
    fn quoted_names_stand_first() {
        check(
            &[("b", "2"), ("é", "3"), ("a.b", "1"), ("A", "4")],
            r#""a.b"="1","é"="3",A="4",b="2""#,
            r#""é"="3","a.b"="1",b="2",A="4""#,
        );
        check(
            &[("a.long.name.2", "1"), ("a.long.name.1", "2"), ("~\"\\\n", "3"), ("z", "4")],
            r#""a.long.name.1"="2","a.long.name.2"="1","~\"\\\n"="3",z="4""#,
            r#""a.long.name.2"="1","a.long.name.1"="2","~\"\\\n"="3",z="4""#,
        );
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
}

//! From the labels of a sample to the form in which a series keeps them.

use super::escape;
use super::pairs::LabelPairs;
use crate::name::{Script, is_legacy_label};
use crate::sample::Labels;

/// Brings the labels of samples into the form in which series keep them; keeps
/// its buffers from one sample to the next.
#[derive(Debug, Default)]
pub struct LabelRenderer {
    order: Vec<Position>,
    canonical: String,
    as_sent: String,
}

/// A label to be sorted: how its name begins, and which one it is.
type Position = (u64, u16);

impl LabelRenderer {
    /// `labels` in canonical form.
    pub fn canonical(&mut self, labels: Labels<'_>) -> LabelPairs<'_> {
        let Self { order, canonical, .. } = self;
        let script = labels.script();
        order.clear();
        let positions = labels.iter().enumerate();
        let beginning = |name| match script {
            Script::Legacy => beginning(name),
            Script::Any => beginning_with_quote(name),
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
        order.iter().for_each(|(_, index)| append(canonical, labels, usize::from(*index), script));
        LabelPairs::from_text(canonical)
    }

    /// `labels` in the order in which they were sent, those with quoted names first.
    pub fn as_sent(&mut self, labels: Labels<'_>) -> LabelPairs<'_> {
        let Self { as_sent, .. } = self;
        let script = labels.script();
        let is_quoted = |at: &usize| script == Script::Any && !is_legacy_label(labels.at(*at).name);
        as_sent.clear();
        let quoted = (0..labels.len()).filter(is_quoted);
        let others = (0..labels.len()).filter(|at| !is_quoted(at));
        quoted.chain(others).for_each(|index| append(as_sent, labels, index, script));
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

fn append(out: &mut String, labels: Labels<'_>, index: usize, script: Script) {
    let label = labels.at(index);
    if !out.is_empty() {
        out.push(',');
    }
    match script {
        Script::Legacy => out.push_str(label.name),
        Script::Any => escape::append_label_name(out, label.name),
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
        let mut renderer = LabelRenderer::default();
        assert_eq!(renderer.canonical(Labels::from(&labels[..])).to_string(), canonical);
        assert_eq!(renderer.as_sent(Labels::from(&labels[..])).to_string(), as_sent);
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

//! Labels as series keep them, and the view of them that everything else uses.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{escape, text};
use crate::metric::Kind;
use crate::name::is_label_name;

/// The labels that a series is identified by. One allocation; clones share it.
/// Ordered and compared as their canonical form is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesLabels(Arc<str>);

/// The labels of a series in the order in which a producer sent them, where they
/// are shown in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelsAsSent(Box<str>);

/// A view of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LabelPairs<'a>(&'a str);

impl SeriesLabels {
    /// Its names and values.
    #[inline]
    pub fn pairs(&self) -> LabelPairs<'_> {
        LabelPairs(&self.0)
    }
}

impl From<LabelPairs<'_>> for SeriesLabels {
    fn from(canonical: LabelPairs<'_>) -> Self {
        Self(canonical.0.into())
    }
}

impl LabelsAsSent {
    /// Its names and values.
    #[inline]
    pub fn pairs(&self) -> LabelPairs<'_> {
        LabelPairs(&self.0)
    }
}

impl From<LabelPairs<'_>> for LabelsAsSent {
    fn from(as_sent: LabelPairs<'_>) -> Self {
        Self(as_sent.0.into())
    }
}

impl<'a> LabelPairs<'a> {
    /// Labels from their text: one that was made here, or one from a state, which
    /// may be anything until [`LabelPairs::is_canonical`] says that it is not.
    pub fn from_text(text: &'a str) -> Self {
        Self(text)
    }

    /// Their text, as states have it.
    pub(crate) fn as_text(self) -> &'a str {
        self.0
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Names, and values as they were sent.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        text::parts(self.0).map(|(name, value)| (name, escape::label_value_of(value)))
    }

    /// What they are identified, hashed and charged by.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// Appends them as the text formats write them between braces.
    #[inline]
    pub(crate) fn write_text(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }

    /// Whether what the text formats write of them contains `wanted`, in any
    /// letter case of ASCII.
    pub fn contains(self, wanted: &str) -> bool {
        text::contains_ignoring_case(self.0.as_bytes(), wanted.as_bytes())
    }

    /// Whether these are the labels of some series of that type, in canonical
    /// form: to be asked of what was stored, since all else is made here.
    pub(crate) fn is_canonical(self, kind: Kind) -> bool {
        let mut last = "";
        text::every_part(self.0, |name, value| {
            let is_next = last < name;
            last = name;
            is_next
                && is_label_name(name)
                && kind.own_label() != Some(name)
                && escape::is_label_value(value)
        })
    }

    /// Whether these are the canonical ones, in whatever order.
    pub(crate) fn is_reordered(self, canonical: Self) -> bool {
        let mut found: Vec<(&str, &str)> = Vec::new();
        let is_whole = text::every_part(self.0, |name, value| {
            found.push((name, value));
            true
        });
        found.sort_unstable();
        is_whole && found.into_iter().eq(text::parts(canonical.0))
    }
}

impl fmt::Display for LabelPairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_in_any_letter_case() {
        let contains = |text, wanted| LabelPairs(text).contains(wanted);
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
            assert_eq!(LabelPairs(text).is_canonical(Kind::Histogram), expected, "{text}");
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
            assert!(
                LabelPairs(damaged).iter().count() <= 2,
                "whatever it is, it comes to an end: {damaged}"
            );
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
            assert_eq!(LabelPairs(text).is_reordered(LabelPairs(canonical)), expected, "{text}");
        }
    }

    #[test]
    fn pairs_are_those_that_were_sent() {
        let pairs: Vec<_> = LabelPairs(r#"a="1",b="\\\"\n""#).iter().collect();
        assert_eq!(pairs, [("a", Cow::Borrowed("1")), ("b", Cow::Owned("\\\"\n".to_owned()))]);
    }
}

//! Labels as series keep them, and the view of them that everything else uses.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::{escape, text};
use crate::metric::Kind;
use crate::name::escaping::Escaping;
use crate::name::{NameRules, is_legacy_label};

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

    /// Names and values as they were sent.
    pub fn iter(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let as_sent = |(name, value)| (escape::label_name_of(name), escape::label_value_of(value));
        text::parts(self.0).map(as_sent)
    }

    /// The same, where all of them stand in the text as they were sent, as nearly always.
    #[inline]
    pub(crate) fn verbatim(self) -> Option<impl Iterator<Item = (&'a [u8], &'a [u8])>> {
        text::verbatim_parts(self.0)
    }

    /// Whether some names are no legacy ones, and so stand between quotes.
    #[inline]
    pub(crate) fn has_quoted_names(self) -> bool {
        self.0.as_bytes().first() == Some(&b'"')
    }

    /// Whether they are printed in another way under that escaping.
    #[inline]
    pub(crate) fn are_escaped(self, escaping: Escaping) -> bool {
        match escaping {
            Escaping::AllowUtf8 => false,
            Escaping::Underscores | Escaping::Values => self.has_quoted_names(),
            Escaping::Dots => true,
        }
    }

    /// Appends what is printed of them under that escaping, in the same order.
    pub(crate) fn append_escaped(self, out: &mut String, escaping: Escaping) {
        let before = out.len();
        for (name, value) in text::parts(self.0) {
            if out.len() > before {
                out.push(',');
            }
            let name = escape::label_name_of(name);
            escape::append_label_name(out, &escaping.label(&name));
            out.push_str("=\"");
            out.push_str(value);
            out.push('"');
        }
    }

    /// By what they collide with those of another series, see
    /// [`escaping`](crate::name::escaping): these labels, sorted, under
    /// [`Escaping::Underscores`].
    pub(crate) fn print(self) -> Cow<'a, str> {
        if !self.has_quoted_names() {
            return Cow::Borrowed(self.0);
        }
        let name = |name| Escaping::Underscores.label(&escape::label_name_of(name)).into_owned();
        let mut parts: Vec<(String, &str)> =
            text::parts(self.0).map(|(written, value)| (name(written), value)).collect();
        parts.sort_unstable();
        let part = |(name, value): &(String, &str)| format!("{name}=\"{value}\"");
        Cow::Owned(parts.iter().map(part).collect::<Vec<_>>().join(","))
    }

    /// Whether a series with these labels and one with the others are printed alike
    /// under some escaping.
    #[inline]
    pub(crate) fn is_printed_as(self, other: LabelPairs<'_>) -> bool {
        let is_quoted = self.has_quoted_names() || other.has_quoted_names();
        self.0 == other.0 || (is_quoted && self.print() == other.print())
    }

    /// What they are identified and charged by.
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
    pub(crate) fn is_canonical(self, kind: Kind, names: NameRules) -> bool {
        let mut last = None;
        let mut written_again = String::new();
        let is_whole = text::every_part(self.0, |written, value| {
            let name = escape::label_name_of(written);
            written_again.clear();
            escape::append_label_name(&mut written_again, &name);
            let is_valid = written_again == written
                && names.takes_label(&name)
                && kind.own_label() != Some(&*name)
                && escape::is_label_value(value);
            let this = Some((is_legacy_label(&name), name));
            let is_next = last < this;
            last = this;
            is_next && is_valid
        });
        is_whole && !(self.has_quoted_names() && self.prints_a_name_twice())
    }

    fn prints_a_name_twice(self) -> bool {
        let mut seen = HashSet::new();
        self.iter().any(|(name, _)| !seen.insert(Escaping::Underscores.label(&name).into_owned()))
    }

    /// Whether these are the canonical ones, in whatever order; those with quoted names
    /// before the others.
    pub(crate) fn is_reordered(self, canonical: Self) -> bool {
        let mut found: Vec<(&str, &str)> = Vec::new();
        let is_whole = text::every_part(self.0, |name, value| {
            found.push((name, value));
            true
        });
        let quoted_first = found.is_sorted_by_key(|(name, _)| !name.starts_with('"'));
        found.sort_unstable();
        let mut expected: Vec<(&str, &str)> = text::parts(canonical.0).collect();
        expected.sort_unstable();
        is_whole && quoted_first && found == expected
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

    /// Texts that no labels of legacy names have.
    const DAMAGED: [&str; 29] = [
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
    ];

    #[test]
    fn only_texts_that_are_made_here_are_canonical() {
        let check = |text: &str, expected: bool| {
            let is_canonical = |names| LabelPairs(text).is_canonical(Kind::Histogram, names);
            assert_eq!(NameRules::ALL.map(is_canonical), [expected; 2], "{text}");
        };
        check("", true);
        check(r#"a="1""#, true);
        check(r#"a="\\\"\n,=é",b="2",quantile="3""#, true);
        for damaged in DAMAGED {
            check(damaged, false);
            assert!(
                LabelPairs(damaged).iter().count() <= 2,
                "whatever it is, it comes to an end: {damaged}"
            );
        }
        let of_any_script = |text: &str| {
            let is_canonical = |names| LabelPairs(text).is_canonical(Kind::Histogram, names);
            NameRules::ALL.map(is_canonical)
        };
        for text in [r#""a.b"="1""#, r#""a.b"="1","é"="2",a="3""#, r#""~\"\\"="1""#] {
            assert_eq!(of_any_script(text), [true, false], "{text}");
        }
        for damaged in [
            r#"a="3","a.b"="1""#,
            r#""é"="2","a.b"="1""#,
            r#""a.b"="1","a.b"="2""#,
            r#""a.b"="1","a-b"="2""#,
            r#""a.b"="1",a_b="2""#,
            r#""ab"="1""#,
            r#""__é"="1""#,
            r#"".-name.."="1""#,
            "\"\"=\"1\"",
            r#""a.b"=1"#,
            r#""a.b"#,
            r#""a\.b"="1""#,
            "\"a\nb\"=\"1\"",
        ] {
            assert_eq!(of_any_script(damaged), [false; 2], "{damaged}");
        }
    }

    #[test]
    fn labels_are_reordered_where_they_are_the_same() {
        let canonical = r#""a.b"="1","a-c"="1",b="2""#;
        let is_reordered = |text| LabelPairs(text).is_reordered(LabelPairs(canonical));
        assert!(is_reordered(r#""a-c"="1","a.b"="1",b="2""#));
        assert!(!is_reordered(r#""a-c"="1",b="2","a.b"="1""#), "those with quotes stand first");
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
        let pair = |name: &'static str, value: &'static str| (Cow::from(name), Cow::from(value));
        assert_eq!(pairs, [pair("a", "1"), pair("b", "\\\"\n")]);
        let pairs: Vec<_> = LabelPairs(r#""a\".b"="1",b="2""#).iter().collect();
        assert_eq!(pairs, [pair("a\".b", "1"), pair("b", "2")]);
    }
}

//! Escaping: how names of any script are printed to scrapers that read fewer.
//!
//! These are Prometheus' schemes, as its own libraries have them
//! (`EscapeName` in prometheus/common). A scraper names the one that it wants; one
//! that names none gets [`Escaping::Underscores`].
//!
//! Only under that one two names may come to look the same (`a.b`, `a_b`), or under
//! [`Escaping::Values`] a legacy name that is written as another one is escaped:
//! [`Escaping::Dots`] and the rest of [`Escaping::Values`] can be undone from the
//! left, each escape by itself, and what follows a name (`_sum`) is none of these.
//! So who compares what is printed under these two has compared all of it.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{LABEL_LETTER, METRIC_LETTER, is_made_of, is_part};

/// What becomes of names that are not legacy ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escaping {
    /// Nothing: they stand between quotes.
    AllowUtf8,
    /// Other characters become `_`.
    #[default]
    Underscores,
    /// A dot becomes `_dot_`, `_` and other characters `__`; in legacy names too.
    Dots,
    /// After `U__` each of them is its code point, as in `_2e_`, and `_` is `__`.
    Values,
}

impl Escaping {
    /// Every one of them.
    pub const ALL: [Escaping; 4] =
        [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];

    /// What the parameter `escaping` of a media type calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }

    /// The name of a metric as it is printed.
    pub fn metric(self, name: &str) -> Cow<'_, str> {
        self.escape(name, METRIC_LETTER)
    }

    /// The name of a label as it is printed. A colon is part of metric names only.
    pub fn label(self, name: &str) -> Cow<'_, str> {
        self.escape(name, LABEL_LETTER)
    }

    fn escape(self, name: &str, letter: u8) -> Cow<'_, str> {
        let is_legacy = is_made_of(name, letter);
        let stays = match self {
            Escaping::AllowUtf8 => true,
            Escaping::Underscores | Escaping::Values => is_legacy,
            Escaping::Dots => is_legacy && !name.contains('_'),
        };
        if stays {
            return Cow::Borrowed(name);
        }
        let mut escaped = String::with_capacity(2 * name.len());
        if self == Escaping::Values {
            escaped.push_str("U__");
        }
        for (at, character) in name.char_indices() {
            self.append(&mut escaped, character, is_part(character, at, letter));
        }
        Cow::Owned(escaped)
    }

    /// Appends a character of a name that does not stay as it is.
    fn append(self, out: &mut String, character: char, is_legacy: bool) {
        match (self, character) {
            (Escaping::Dots | Escaping::Values, '_') => out.push_str("__"),
            (Escaping::Dots, '.') => out.push_str("_dot_"),
            _ if is_legacy => out.push(character),
            (Escaping::Underscores, _) => out.push('_'),
            (Escaping::Dots, _) => out.push_str("__"),
            (Escaping::Values, _) => {
                write!(out, "_{:x}_", u32::from(character)).expect("a string takes all");
            }
            (Escaping::AllowUtf8, _) => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `EscapeName` of prometheus/common 0.70 has it, with its own examples.
    #[test]
    fn names_as_prometheus_escapes_them() {
        for (name, underscores, dots, values) in [
            (
                "no:escaping_required",
                "no:escaping_required",
                "no:escaping__required",
                "no:escaping_required",
            ),
            (
                "mysystem.prod.west.cpu.load",
                "mysystem_prod_west_cpu_load",
                "mysystem_dot_prod_dot_west_dot_cpu_dot_load",
                "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load",
            ),
            (
                "mysystem.prod.west.cpu.load_total",
                "mysystem_prod_west_cpu_load_total",
                "mysystem_dot_prod_dot_west_dot_cpu_dot_load__total",
                "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total",
            ),
            ("http.status:sum", "http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"),
            ("label with 😱", "label_with__", "label__with____", "U__label_20_with_20__1f631_"),
            ("花火", "__", "____", "U___82b1__706b_"),
            ("1a", "_a", "__a", "U___31_a"),
            ("label with Ā", "label_with__", "label__with____", "U__label_20_with_20__100_"),
        ] {
            assert_eq!(Escaping::AllowUtf8.metric(name), name);
            assert_eq!(Escaping::Underscores.metric(name), underscores);
            assert_eq!(Escaping::Dots.metric(name), dots);
            assert_eq!(Escaping::Values.metric(name), values);
        }
        assert_eq!(Escaping::Underscores.label("a:b"), "a_b", "no part of label names");
        assert_eq!(Escaping::Values.label("a:b"), "U__a_3a_b");
    }

    /// Undoes `values`, as `UnescapeName` of prometheus/common does.
    fn unescaped(escaped: &str) -> Option<String> {
        let mut rest = escaped.strip_prefix("U__")?;
        let mut name = String::new();
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            if first != '_' {
                name.push(first);
            } else if let Some(after) = rest.strip_prefix('_') {
                name.push('_');
                rest = after;
            } else {
                let (code, after) = rest.split_once('_')?;
                name.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
                rest = after;
            }
        }
        Some(name)
    }

    /// Names in which what matters here is frequent.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "([a-c_.:0é日-]|_dot_|dot|_2e_|U__|__|_sum|_total){1,6}",
            1 => any::<String>().prop_filter("a name", |name| !name.is_empty()),
        ]
    }

    proptest! {
        #[test]
        fn values_come_back(name in name()) {
            for escaped in [Escaping::Values.metric(&name), Escaping::Values.label(&name)] {
                match escaped {
                    Cow::Borrowed(same) => prop_assert_eq!(same, name.as_str()),
                    Cow::Owned(escaped) => prop_assert_eq!(unescaped(&escaped), Some(name.clone())),
                }
            }
        }

        #[test]
        fn what_is_escaped_is_a_legacy_name(name in name()) {
            for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                prop_assert!(is_made_of(&escaping.metric(&name), METRIC_LETTER));
                prop_assert!(is_made_of(&escaping.label(&name), LABEL_LETTER));
            }
        }

        /// What the catalog and the shards rely on.
        #[test]
        fn underscores_and_values_tell_what_collides(one in name(), other in name()) {
            let collides = |escaping: Escaping, suffixes: (&str, &str)| {
                let printed = (escaping.metric(&one), escaping.metric(&other));
                format!("{}{}", printed.0, suffixes.0) == format!("{}{}", printed.1, suffixes.1)
            };
            let suffixes = ["", "_sum", "_count", "_bucket", "_created"];
            for suffixes in suffixes.iter().flat_map(|one| suffixes.map(|other| (*one, other))) {
                let is_told = collides(Escaping::Underscores, suffixes)
                    || collides(Escaping::Values, suffixes);
                prop_assert!(is_told || !collides(Escaping::Dots, suffixes));
                let are_legacy =
                    [&one, &other].map(|name| is_made_of(name, METRIC_LETTER));
                if are_legacy == [false, false] && one != other {
                    prop_assert!(!collides(Escaping::Values, suffixes), "values can be undone");
                }
            }
        }
    }
}

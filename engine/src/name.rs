//! Names: what a metric or a label may be called.
//!
//! Prometheus' own rules: a metric name is `[a-zA-Z_:][a-zA-Z0-9_:]*`, a label
//! name `[a-zA-Z_][a-zA-Z0-9_]*`, where `__` begins names that are Prometheus'
//! own and where `le` and `quantile` belong to the types that print them. These are
//! the *legacy* names. Where an operator allows for it, all of UTF-8 is ([`NameRules`]);
//! such names are printed escaped, to scrapers that do not read them ([`escaping`]).

pub mod escaping;
pub mod pattern;

use escaping::Escaping;

/// Which names producers may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameRules {
    /// Those of any script.
    #[default]
    Utf8,
    /// Those that every Prometheus knows.
    Legacy,
}

impl NameRules {
    /// Both, the default first.
    pub const ALL: [NameRules; 2] = [NameRules::Utf8, NameRules::Legacy];

    /// What a setting calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            NameRules::Legacy => "legacy",
            NameRules::Utf8 => "utf8",
        }
    }

    /// Whether a metric may be called so.
    #[inline]
    pub fn takes_metric(self, name: &str) -> bool {
        is_metric_name(name) || (self == NameRules::Utf8 && !name.trim().is_empty())
    }

    /// Whether a label may be called so.
    #[inline]
    pub fn takes_label(self, name: &str) -> bool {
        self.script_of_label(name).is_some()
    }

    /// What the name of a label is made of; `None` where none may be called so.
    #[inline]
    pub(crate) fn script_of_label(self, name: &str) -> Option<Script> {
        let script = if is_legacy_label(name) { Script::Legacy } else { Script::Any };
        // Nearly all names begin with a letter, which stays; but one may look escaped.
        let begins_well = matches!(name.as_bytes(), [b'a'..=b'z' | b'A'..=b'T' | b'V'..=b'Z', ..]);
        match (self, script) {
            (NameRules::Utf8, _) if begins_well => Some(script),
            (NameRules::Utf8, _) => is_unlike_own(name, script).then_some(script),
            (NameRules::Legacy, Script::Legacy) => (!name.starts_with("__")).then_some(script),
            (NameRules::Legacy, Script::Any) => None,
        }
    }
}

/// What a name, or all of several, is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// A legacy name, which is printed as it is to every scraper.
    Legacy,
    /// It may be no legacy name.
    Any,
}

/// Whether a label may be called so among names of any script: it is printed as none
/// that Prometheus gives a meaning of its own, nor, being a legacy name, as what another
/// one is escaped to.
#[cold]
fn is_unlike_own(name: &str, script: Script) -> bool {
    let is_own =
        |escaping: Escaping| matches!(&*escaping.label(name), "__name__" | "__type__" | "__unit__");
    let is_escape = script == Script::Legacy && name.starts_with("U__");
    let is_reserved = name.is_empty() || name.starts_with("__");
    let is_own = || is_own(Escaping::Underscores) || is_own(Escaping::Dots);
    !is_reserved && !is_escape && !is_own()
}

/// Names that begin so are the gateway's own; producers can't write them.
pub const RESERVED_PREFIX: &str = "prom_stream_gateway_";

/// Whether Prometheus gives this name to what it finds out itself: of targets
/// and of alerts. Under `honor_labels` a series of that name with the labels of a
/// target would be taken for what Prometheus says of that target.
pub(crate) fn is_of_prometheus(name: &str) -> bool {
    matches!(name, "up" | "ALERTS" | "ALERTS_FOR_STATE") || name.starts_with("scrape_")
}

/// Whether all of `name` matches `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_metric_name(name: &str) -> bool {
    is_made_of(name, METRIC_LETTER)
}

/// Whether all of `name` matches `[a-zA-Z_][a-zA-Z0-9_]*` and it does not
/// begin with `__`.
pub fn is_label_name(name: &str) -> bool {
    is_made_of(name, LABEL_LETTER) && !name.starts_with("__")
}

/// Whether a label of this name is printed as it is to every scraper.
pub(crate) fn is_legacy_label(name: &str) -> bool {
    is_made_of(name, LABEL_LETTER)
}

/// Whether all of `unit` matches `[a-zA-Z0-9_:]+`, as units do in OpenMetrics.
pub fn is_unit(unit: &str) -> bool {
    let is_letter = |byte: &u8| CLASSES[usize::from(*byte)] != 0;
    !unit.is_empty() && unit.as_bytes().iter().all(is_letter)
}

/// Whether a metric of this name, without a counter's `_total`, can be of this unit:
/// the name ends in it, after an underscore.
pub(crate) fn is_of_unit(stem: &str, unit: &str) -> bool {
    is_unit(unit) && stem.strip_suffix(unit).is_some_and(|before| before.ends_with('_'))
}

const DIGIT: u8 = 1;
const LABEL_LETTER: u8 = 2;
const METRIC_LETTER: u8 = 4;

/// What each byte may be part of, as a set of the bits above.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LABEL_LETTER | METRIC_LETTER,
            b':' => METRIC_LETTER,
            b'0'..=b'9' => DIGIT,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Whether a character at that byte of a name is a `letter` or, but for the first, a
/// digit.
fn is_part(character: char, at: usize, letter: u8) -> bool {
    let class = u8::try_from(character).map_or(0, |byte| CLASSES[usize::from(byte)]);
    class & letter != 0 || (at > 0 && class & DIGIT != 0)
}

/// Whether `name` is one `letter` and then letters and digits.
fn is_made_of(name: &str, letter: u8) -> bool {
    let class = |byte: &u8| CLASSES[usize::from(*byte)];
    let begins_well = name.as_bytes().first().is_some_and(|first| class(first) & letter != 0);
    begins_well && name.as_bytes().iter().all(|byte| class(byte) & (letter | DIGIT) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names() {
        for name in ["a", "_", ":", "a:b_1", "Z9", "__x", "prom_stream_gateway_x"] {
            assert!(is_metric_name(name), "{name}");
        }
        for name in ["", "1a", "a-b", "a.b", "a ", " a", "a\n", "é", "aé", "a\0", "a{", "a/", "a["]
        {
            assert!(!is_metric_name(name), "{name:?}");
        }
    }

    #[test]
    fn units() {
        for (stem, unit) in [
            ("x_seconds", "seconds"),
            ("_s", "s"),
            ("a_b_c", "b_c"),
            ("a_b:1", "b:1"),
            ("a_1", "1"),
        ] {
            assert!(is_of_unit(stem, unit), "{stem} {unit}");
        }
        for (stem, unit) in [
            ("x_seconds", ""),
            ("x_", ""),
            ("seconds", "seconds"),
            ("xseconds", "seconds"),
            ("x_Seconds", "seconds"),
            ("x_seconds_total", "seconds"),
            ("x_é", "é"),
            ("x_m/s", "m/s"),
        ] {
            assert!(!is_of_unit(stem, unit), "{stem} {unit}");
        }
    }

    #[test]
    fn names_of_prometheus() {
        for name in ["up", "ALERTS", "ALERTS_FOR_STATE", "scrape_duration_seconds", "scrape_"] {
            assert!(is_of_prometheus(name), "{name}");
        }
        for name in ["up_total", "Up", "alerts", "ALERTS_", "scrape", "scraped", "my_scrape_x"] {
            assert!(!is_of_prometheus(name), "{name}");
        }
    }

    #[test]
    fn names_of_any_script() {
        for name in ["a.b", "größe", "温度", "a b", "1", "\"", "U__a", "a\n", "\u{fffd}"] {
            assert!(NameRules::Utf8.takes_metric(name), "{name:?}");
        }
        assert!(!NameRules::Utf8.takes_metric("") && !NameRules::Utf8.takes_metric(" \u{2003}"));
        for name in
            ["a.b", "größe", "温度", " ", "a:b", "le", "1", ".name", "name_", "U__é", "a__b"]
        {
            assert!(NameRules::Utf8.takes_label(name), "{name:?}");
            assert_eq!(NameRules::Legacy.takes_label(name), is_label_name(name), "{name:?}");
        }
        for name in
            ["", "__", "__a", "__é", "U__a_2e_b", ".-name..", "_name_", "..type__", "é_unit--"]
        {
            assert!(!NameRules::Utf8.takes_label(name), "{name:?}");
        }
    }

    #[test]
    fn label_names() {
        for name in ["a", "_", "_a", "a__b", "Z9", "le", "quantile"] {
            assert!(is_label_name(name), "{name}");
        }
        for name in ["", "1a", "a:b", ":", "__", "__name__", "a-b", "a\n", "é"] {
            assert!(!is_label_name(name), "{name:?}");
        }
    }
}

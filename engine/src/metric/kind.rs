//! The metric types, and all that follows from a type alone. Whoever asks what
//! a type does asks here: a new one answers each question once.

/// A metric type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Only rises; samples add.
    Counter,
    /// Samples replace, or do what their operation says.
    Gauge,
    /// Samples are counted into buckets.
    Histogram,
    /// Samples are condensed into quantiles over a sliding window.
    Summary,
}

/// The endings of all names that some type prints besides the family's own, in
/// alphabetical order.
const SUFFIXES: [&str; 4] = ["_bucket", "_count", "_created", "_sum"];

impl Kind {
    /// Every type; `kind as usize` indexes it.
    pub const ALL: [Kind; 4] = [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary];

    /// Its word in payloads and in the TYPE lines of both text formats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        }
    }

    /// The number that stands for it in payloads, where .NET writes an enum.
    pub const fn as_number(self) -> &'static str {
        match self {
            Kind::Counter => "0",
            Kind::Gauge => "1",
            Kind::Summary => "2",
            Kind::Histogram => "3",
        }
    }

    /// The type with this word, in any letter case.
    #[inline]
    pub fn from_word(word: &str) -> Option<Self> {
        // As nearly all producers write it.
        let exact = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
        exact
            .or_else(|| Kind::ALL.into_iter().find(|kind| word.eq_ignore_ascii_case(kind.as_str())))
    }

    /// The type with this number, in digits.
    pub fn from_number(digits: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.as_number() == digits)
    }

    /// Whether samples add to a total that only rises. Scrapers are shown where such
    /// a total starts, since `increase` is asked of it; and samples of several series
    /// can be added up in one.
    #[inline]
    pub const fn accumulates(self) -> bool {
        match self {
            Kind::Counter | Kind::Histogram => true,
            // A summary's sum does, but its quantiles can't be added.
            Kind::Gauge | Kind::Summary => false,
        }
    }

    /// Whether its value holds for a moment: the sample that was measured last
    /// decides, and an old value misleads.
    #[inline]
    pub const fn is_momentary(self) -> bool {
        match self {
            Kind::Gauge => true,
            Kind::Counter | Kind::Histogram | Kind::Summary => false,
        }
    }

    /// Whether OpenMetrics announces a family of it without the `_total` at the end
    /// of its name.
    pub const fn drops_total(self) -> bool {
        match self {
            Kind::Counter => true,
            Kind::Gauge | Kind::Histogram | Kind::Summary => false,
        }
    }

    /// What OpenMetrics calls a family of it that has this name: without `_total`,
    /// where it drops that and something else is left.
    pub fn stem(self, name: &str) -> &str {
        let stem = self.drops_total().then(|| name.strip_suffix("_total")).flatten();
        stem.filter(|stem| !stem.is_empty()).unwrap_or(name)
    }

    /// Whether a sample's value may be below zero.
    #[inline]
    pub const fn takes_negative(self) -> bool {
        match self {
            Kind::Counter => false,
            Kind::Gauge | Kind::Histogram | Kind::Summary => true,
        }
    }

    /// What stands after the family's name in the lines of its series, besides
    /// nothing. A counter's `_created` is not here: it follows the name without
    /// `_total`.
    pub fn suffixes(self) -> &'static [&'static str] {
        match self {
            Kind::Counter | Kind::Gauge => &[],
            Kind::Histogram => &SUFFIXES,
            Kind::Summary => SUFFIXES.get(1..).unwrap_or_default(),
        }
    }

    /// The endings of the names that no other family can have beside it: what it
    /// prints, and of a summary what it would print as a histogram.
    pub fn reserved_suffixes(self) -> &'static [&'static str] {
        match self {
            Kind::Counter | Kind::Gauge => &[],
            Kind::Histogram | Kind::Summary => &SUFFIXES,
        }
    }

    /// The label name that it prints itself, so that its samples can't carry it.
    pub const fn own_label(self) -> Option<&'static str> {
        match self {
            Kind::Counter | Kind::Gauge => None,
            Kind::Histogram => Some("le"),
            Kind::Summary => Some("quantile"),
        }
    }
}

/// Each name that `name` is one of a family's reserved names for: the family's
/// name, and the ending.
pub(crate) fn reserving(name: &str) -> impl Iterator<Item = (&str, &'static str)> {
    SUFFIXES.iter().filter_map(move |suffix| Some((name.strip_suffix(suffix)?, *suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one after it: a new type has to be put into this row.
    fn next(kind: Kind) -> Option<Kind> {
        match kind {
            Kind::Counter => Some(Kind::Gauge),
            Kind::Gauge => Some(Kind::Histogram),
            Kind::Histogram => Some(Kind::Summary),
            Kind::Summary => None,
        }
    }

    #[test]
    fn every_type_is_listed_at_its_number() {
        let all: Vec<Kind> =
            std::iter::successors(Some(Kind::Counter), |kind| next(*kind)).collect();
        assert_eq!(Kind::ALL.to_vec(), all);
        assert!(all.iter().enumerate().all(|(index, kind)| *kind as usize == index));
    }

    #[test]
    fn words_and_numbers_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
            assert_eq!(Kind::from_word(&kind.as_str().to_uppercase()), Some(kind));
            assert_eq!(Kind::from_number(kind.as_number()), Some(kind));
        }
        for other in ["", "count", "counter ", "4", "00", "-0"] {
            assert_eq!(Kind::from_word(other).or(Kind::from_number(other)), None, "{other:?}");
        }
    }

    #[test]
    fn own_labels() {
        let own = Kind::ALL.map(Kind::own_label);
        assert_eq!(own, [None, None, Some("le"), Some("quantile")]);
    }

    #[test]
    fn what_is_printed_is_reserved() {
        for kind in Kind::ALL {
            let is_reserved = |suffix: &&str| kind.reserved_suffixes().contains(suffix);
            assert!(kind.suffixes().iter().all(is_reserved), "{kind:?}");
            for suffix in kind.reserved_suffixes() {
                let name = format!("x{suffix}");
                assert!(reserving(&name).any(|found| found == ("x", suffix)), "{name}");
            }
        }
    }
}

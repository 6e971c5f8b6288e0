//! Kinds of values: how a setting's text is read, and what is said to be
//! expected where it can't be.

use psg_actors::http::hosts::is_pattern;
use psg_engine::metric::histogram::BucketLayout;
use psg_engine::metric::native::NativeMode;
use psg_engine::metric::summary::Estimator;
use psg_engine::name::NameRules;
use tracing::level_filters::LevelFilter;

use super::{connection, listen};

/// What the values of a setting may be. Outer spaces never matter but in
/// [`ValueKind::Text`] and [`ValueKind::Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    /// Any text but the empty one.
    Key,
    /// Label names, comma-separated; may be none.
    LabelNames,
    /// Host names, comma-separated, each perhaps with `*.` before it; may be none.
    HostNames,
    /// Upper bounds of buckets, comma-separated; may be none.
    Buckets,
    /// The same for patterns of metric names, separated by semicolons; may be none.
    BucketsByName,
    /// Patterns of metric names, comma-separated; may be none.
    NamePatterns,
    /// How many times the one before it a bound may be: a number above 1.
    Factor,
    /// A number that is not negative.
    Magnitude,
    /// Where Redis is; holds secrets.
    Connection,
    /// Path of a PEM file of certificates; empty is none.
    CaFile,
    Listen(listen::ListenSyntax),
    /// Where to listen, or the path of a Unix socket.
    ListenOrSocket,
    /// Where to listen for StatsD, comma-separated, each with its protocol; may be none.
    StatsdAddresses,
    /// `true` or `false` in any letter case.
    Flag,
    /// A whole number within bounds, both included.
    Whole {
        least: i64,
        most: i64,
    },
    /// Bytes, as a number or with the suffix KiB, MiB or GiB; bounds included.
    Size {
        least: i64,
        most: i64,
    },
    /// One of these words in any letter case.
    Choice(&'static [&'static str]),
    /// One of .NET's log levels in any letter case.
    DotnetLevel,
}

const DOTNET_LEVELS: [(&str, LevelFilter); 7] = [
    ("Trace", LevelFilter::TRACE),
    ("Debug", LevelFilter::DEBUG),
    ("Information", LevelFilter::INFO),
    ("Warning", LevelFilter::WARN),
    ("Error", LevelFilter::ERROR),
    ("Critical", LevelFilter::ERROR),
    ("None", LevelFilter::OFF),
];

/// That of the coarsest native histograms.
const MOST_FACTOR: f64 = 65536.0;

/// The words for what histograms are.
pub const NATIVE_MODES: [&str; NativeMode::ALL.len()] = {
    let [off, both, only] = NativeMode::ALL;
    [off.as_str(), both.as_str(), only.as_str()]
};

const ESTIMATORS: [Estimator; 2] = [Estimator::CkmsBiased, Estimator::CkmsTargeted];

impl ValueKind {
    /// Whether `text` is a value of this kind. Files are not looked at.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            ValueKind::Text | ValueKind::CaFile => true,
            ValueKind::Key => !text.is_empty(),
            ValueKind::LabelNames => self.label_names(text).is_some(),
            ValueKind::HostNames => self.host_names(text).is_some(),
            ValueKind::Buckets => self.buckets(text).is_some(),
            ValueKind::BucketsByName => self.buckets_by_name(text).is_some(),
            ValueKind::NamePatterns => self.name_patterns(text).is_some(),
            ValueKind::Factor | ValueKind::Magnitude => self.decimal(text).is_some(),
            ValueKind::Connection => connection::parse_string(text).is_ok(),
            ValueKind::Listen(form) => listen::parse(form, text).is_ok(),
            ValueKind::ListenOrSocket => listen::parse_with_socket(text).is_some(),
            ValueKind::StatsdAddresses => listen::parse_statsd(text).is_some(),
            ValueKind::Flag => self.flag(text).is_some(),
            ValueKind::Whole { .. } | ValueKind::Size { .. } => self.whole(text).is_some(),
            ValueKind::Choice(_) => self.choice(text).is_some(),
            ValueKind::DotnetLevel => self.level(text).is_some(),
        }
    }

    /// What a value should have been, for an error message.
    pub fn expected(self) -> String {
        match self {
            ValueKind::Text => "a text".into(),
            ValueKind::Key => "a text that is not empty".into(),
            ValueKind::LabelNames => {
                "label names without white space, separated by commas".into()
            }
            ValueKind::HostNames => {
                "host names without a port, such as gateway.example.com or *.example.com, separated \
                 by commas"
                    .into()
            }
            ValueKind::Buckets => {
                "upper bounds that strictly increase, separated by commas, such as 0.1,0.5,1".into()
            }
            ValueKind::BucketsByName => {
                "patterns of metric names, each with upper bounds that strictly increase, such as \
                 *_seconds:0.1,0.5,1;*_bytes:1024,65536"
                    .into()
            }
            ValueKind::NamePatterns => {
                "patterns of metric names, separated by commas, such as *_seconds,api_*".into()
            }
            ValueKind::Factor => format!("a number above 1 and up to {MOST_FACTOR}, such as 1.1"),
            ValueKind::Magnitude => "a number that is not negative, such as 0.001".into(),
            ValueKind::Connection => connection::EXPECTED.into(),
            ValueKind::CaFile => "a readable PEM file with at least one certificate".into(),
            ValueKind::Listen(form) => form.expected().into(),
            ValueKind::ListenOrSocket => listen::EXPECTED_WITH_SOCKET.into(),
            ValueKind::StatsdAddresses => listen::EXPECTED_STATSD.into(),
            ValueKind::Flag => "true or false".into(),
            ValueKind::Whole { least, most } => format!("a whole number from {least} to {most}"),
            ValueKind::Size { least, most } => {
                format!("a size from {least} to {most} bytes, such as 65536, 64 KiB or 2 MiB")
            }
            ValueKind::Choice(words) => one_of(words),
            ValueKind::DotnetLevel => one_of(&DOTNET_LEVELS.map(|(name, _)| name)),
        }
    }

    pub fn label_names(self, text: &str) -> Option<Vec<&str>> {
        let is_name =
            |name: &str| !name.contains(char::is_whitespace) && NameRules::Utf8.takes_label(name);
        listed(text, is_name)
    }

    pub fn host_names(self, text: &str) -> Option<Vec<&str>> {
        listed(text, is_pattern)
    }

    /// The finite bounds of a [`ValueKind::Buckets`].
    pub fn buckets(self, text: &str) -> Option<Vec<f64>> {
        if text.trim().is_empty() { Some(Vec::new()) } else { bounds(text) }
    }

    /// The patterns of a [`ValueKind::BucketsByName`], and the finite bounds of each.
    pub fn buckets_by_name(self, text: &str) -> Option<Vec<(&str, Vec<f64>)>> {
        if text.trim().is_empty() {
            return Some(Vec::new());
        }
        let of_one = |one| {
            // A name may have colons.
            let (pattern, listed) = str::rsplit_once(one, ':')?;
            let pattern = Some(pattern.trim()).filter(|pattern| !pattern.is_empty())?;
            Some((pattern, bounds(listed)?))
        };
        text.split(';').map(of_one).collect()
    }

    pub fn name_patterns(self, text: &str) -> Option<Vec<&str>> {
        listed(text, |pattern| !pattern.is_empty() && !pattern.contains(char::is_whitespace))
    }

    /// The number of a [`ValueKind::Factor`] or [`ValueKind::Magnitude`].
    pub fn decimal(self, text: &str) -> Option<f64> {
        let number: f64 = text.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
        let fits = if self == ValueKind::Factor {
            number > 1.0 && number <= MOST_FACTOR
        } else {
            number >= 0.0
        };
        fits.then_some(number)
    }

    /// The truth value of a [`ValueKind::Flag`].
    pub fn flag(self, text: &str) -> Option<bool> {
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        if is("true") {
            Some(true)
        } else if is("false") {
            Some(false)
        } else {
            None
        }
    }

    /// The number of a [`ValueKind::Whole`] or [`ValueKind::Size`], within its bounds.
    pub fn whole(self, text: &str) -> Option<i64> {
        let text = text.trim();
        if let ValueKind::Whole { least, most } = self {
            return text.parse().ok().filter(|number| (least..=most).contains(number));
        }
        if let ValueKind::Size { least, most } = self {
            return parse_size(text).filter(|bytes| (least..=most).contains(bytes));
        }
        None
    }

    /// The word of a [`ValueKind::Choice`], in the table's letter case.
    pub fn choice(self, text: &str) -> Option<&'static str> {
        let ValueKind::Choice(words) = self else { return None };
        words.iter().copied().find(|word| word.eq_ignore_ascii_case(text.trim()))
    }

    /// The log level that a word of this kind stands for.
    pub fn level(self, text: &str) -> Option<LevelFilter> {
        if self == ValueKind::DotnetLevel {
            let mut levels = DOTNET_LEVELS.into_iter();
            return levels
                .find(|(name, _)| name.eq_ignore_ascii_case(text.trim()))
                .map(|(_, level)| level);
        }
        self.choice(text)?.parse().ok()
    }
}

/// How an estimator is written in a setting.
pub fn estimator_name(estimator: Estimator) -> &'static str {
    match estimator {
        Estimator::CkmsBiased => "ckms-biased",
        Estimator::CkmsTargeted => "ckms-targeted",
    }
}

pub fn estimator(name: &str) -> Option<Estimator> {
    ESTIMATORS.into_iter().find(|estimator| estimator_name(*estimator) == name)
}

/// What histograms are by such a word.
pub fn native_mode(word: &str) -> Option<NativeMode> {
    NativeMode::ALL.into_iter().find(|mode| mode.as_str() == word)
}

/// What stands between commas, without blanks around it; nothing is none.
fn listed(text: &str, fits: fn(&str) -> bool) -> Option<Vec<&str>> {
    let all: Vec<&str> = text.split(',').map(str::trim).collect();
    if all == [""] {
        return Some(Vec::new());
    }
    all.iter().all(|one| fits(one)).then_some(all)
}

/// Upper bounds of buckets between commas, at least one of them finite.
fn bounds(text: &str) -> Option<Vec<f64>> {
    let parsed: Result<Vec<f64>, _> = text.split(',').map(|one| one.trim().parse()).collect();
    let mut bounds = parsed.ok()?;
    BucketLayout::normalize(&mut bounds).ok()?;
    (!bounds.is_empty()).then_some(bounds)
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

/// Bytes: digits, then nothing or one of the binary suffixes.
fn parse_size(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = text.split_at(digits);
    let shift = match suffix.trim_start().to_ascii_lowercase().as_str() {
        "" => 0,
        "kib" => 10,
        "mib" => 20,
        "gib" => 30,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_SIZE: ValueKind = ValueKind::Size { least: 0, most: i64::MAX };

    #[test]
    fn sizes() {
        let check = |text, expected| assert_eq!(ANY_SIZE.whole(text), expected, "{text:?}");
        check("0", Some(0));
        check("65536", Some(65_536));
        check(" 64KiB ", Some(65_536));
        check("64 kib", Some(65_536));
        check("2 MiB", Some(2_097_152));
        check("1GIB", Some(1_073_741_824));
        check("2M", None);
        check("2 MB", None);
        check("1.5 MiB", None);
        check("-1", None);
        check("MiB", None);
        check("", None);
        check("9223372036854775807", Some(i64::MAX));
        check("9223372036854775807 KiB", None);
        check("99999999999999999999", None);
        check("1 MiB MiB", None);
    }

    #[test]
    fn whole_numbers_keep_their_bounds() {
        let kind = ValueKind::Whole { least: -1, most: 64 };
        let check = |text, expected| assert_eq!(kind.whole(text), expected, "{text:?}");
        check("-1", Some(-1));
        check("-2", None);
        check("64", Some(64));
        check("65", None);
        check(" 7 ", Some(7));
        check("7.0", None);
        check("0x7", None);
        check("", None);
        check("99999999999999999999", None);
    }

    #[test]
    fn flags_and_choices_ignore_letter_case_and_outer_spaces() {
        assert_eq!(ValueKind::Flag.flag(" True "), Some(true));
        assert_eq!(ValueKind::Flag.flag("FALSE"), Some(false));
        assert_eq!(ValueKind::Flag.flag("1"), None);
        assert_eq!(ValueKind::Flag.flag(""), None);
        let kind = ValueKind::Choice(&["json", "text"]);
        assert_eq!(kind.choice("JSON "), Some("json"));
        assert_eq!(kind.choice("xml"), None);
    }

    #[test]
    fn levels_of_both_kinds() {
        let ours = super::super::settings::LOG_LEVEL.kind;
        assert_eq!(ours.level("Warn"), Some(LevelFilter::WARN));
        assert_eq!(ours.level("off"), Some(LevelFilter::OFF));
        assert_eq!(ours.level("Information"), None);
        assert_eq!(ours.level("3"), None, "a word, not tracing's own numbers");
        assert_eq!(ValueKind::DotnetLevel.level("information"), Some(LevelFilter::INFO));
        assert_eq!(ValueKind::DotnetLevel.level("CRITICAL"), Some(LevelFilter::ERROR));
        assert_eq!(ValueKind::DotnetLevel.level("None"), Some(LevelFilter::OFF));
        assert_eq!(ValueKind::DotnetLevel.level("info"), None);
    }

    #[test]
    fn label_names_are_separated_by_commas() {
        let check = |text, expected: Option<&[&str]>| {
            assert_eq!(ValueKind::LabelNames.label_names(text).as_deref(), expected, "{text:?}");
        };
        check("", Some(&[]));
        check(" ", Some(&[]));
        check("request_id", Some(&["request_id"]));
        check(" a, B_2 ,c", Some(&["a", "B_2", "c"]));
        check("a,,b", None);
        check("a b", None);
        check("a,", None);
        check("request-id,größe.x", Some(&["request-id", "größe.x"]));
        check("__name__", None);
    }

    #[test]
    fn buckets_strictly_increase() {
        let check = |text, expected: Option<&[f64]>| {
            assert_eq!(ValueKind::Buckets.buckets(text).as_deref(), expected, "{text:?}");
        };
        check(" ", Some(&[]));
        check("1", Some(&[1.0]));
        check("-1, 0.5 ,1e3,+Inf", Some(&[-1.0, 0.5, 1000.0]));
        for text in ["1,1", "2,1", "1,,2", "1,", "a", "NaN", "+Inf", "+Inf,1", "-Inf,1", "1;2"] {
            check(text, None);
        }
    }

    #[test]
    fn patterns_of_names_are_separated_by_commas() {
        let check = |text, expected: Option<&[&str]>| {
            assert_eq!(
                ValueKind::NamePatterns.name_patterns(text).as_deref(),
                expected,
                "{text:?}"
            );
        };
        check(" ", Some(&[]));
        check("*_seconds , api:*", Some(&["*_seconds", "api:*"]));
        check("a,", None);
        check("a b", None);
    }

    #[test]
    fn factors_and_magnitudes() {
        let check = |text, factor, magnitude| {
            let found = [ValueKind::Factor, ValueKind::Magnitude].map(|kind| kind.decimal(text));
            assert_eq!(found, [factor, magnitude], "{text:?}");
        };
        check(" 1.1 ", Some(1.1), Some(1.1));
        check("65536", Some(65536.0), Some(65536.0));
        check("65537", None, Some(65537.0));
        check("1", None, Some(1.0));
        check("0", None, Some(0.0));
        for text in ["-1", "NaN", "inf", "1e999", "1,1", ""] {
            check(text, None, None);
        }
    }

    #[test]
    fn patterns_have_buckets_of_their_own() {
        let check = |text, expected: Option<&[(&str, &[f64])]>| {
            let found = ValueKind::BucketsByName.buckets_by_name(text);
            let expected = expected.map(|all| all.iter().map(|(of, it)| (*of, it.to_vec())));
            assert_eq!(found, expected.map(Iterator::collect), "{text:?}");
        };
        check("", Some(&[]));
        check("a:1", Some(&[("a", &[1.0])]));
        check(
            "*_seconds:0.1,1; job:b*y : 2,+Inf ",
            Some(&[("*_seconds", &[0.1, 1.0]), ("job:b*y", &[2.0])]),
        );
        for text in ["a", "a:", ":1", "a:1;", ";", "a:2,1", "a:1;b", "a:1:"] {
            check(text, None);
        }
    }

    #[test]
    fn every_native_mode_can_be_chosen() {
        let kind = super::super::settings::METRICS_NATIVE_HISTOGRAMS.kind;
        for one in NativeMode::ALL {
            assert_eq!(kind.choice(one.as_str()).and_then(native_mode), Some(one));
        }
    }

    #[test]
    fn every_estimator_can_be_chosen() {
        let kind = super::super::settings::METRICS_SUMMARY_ESTIMATOR.kind;
        for one in ESTIMATORS {
            let name = kind.choice(estimator_name(one)).expect("in the table");
            assert_eq!(estimator(name), Some(one));
        }
    }
}

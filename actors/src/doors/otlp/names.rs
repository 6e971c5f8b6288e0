//! Names of metrics, units and labels, by OpenTelemetry's rules for Prometheus: the
//! same that Prometheus gives to what its own OTLP receiver takes.

use std::borrow::Cow;

use psg_engine::name::is_unit;

use crate::settings::OtlpNames;

/// What the suffixes of a name depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedKind {
    /// A sum that only rises: `_total`.
    Counter,
    /// A gauge, of which `1` is a ratio.
    Gauge,
    /// Anything else.
    Other,
}

/// The name of a metric in Prometheus, and the unit that it ends in.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricName {
    pub name: String,
    pub unit: Option<String>,
}

impl MetricName {
    /// The name is empty where nothing of that of the metric can be shown.
    pub fn new(name: &str, unit: &str, kind: NamedKind, names: OtlpNames) -> Self {
        let unit = Unit::new(unit, kind, names);
        let name = match names {
            OtlpNames::Underscores => with_underscores(name, &unit, kind),
            OtlpNames::Utf8 => with_suffixes(name, &unit, kind),
        };
        let suffix = joined([&*unit.main, &*unit.per].into_iter().filter(|part| !part.is_empty()));
        let stem = if kind == NamedKind::Counter { name.strip_suffix("_total") } else { None };
        let before = stem.unwrap_or(&name).strip_suffix(&*suffix);
        let ends_in_it = before.is_some_and(|before| before.ends_with('_'));
        let unit = (ends_in_it && is_unit(&suffix)).then_some(suffix);
        Self { name, unit }
    }
}

/// The words for a unit: `bytes` and `per_second` of `By/s`.
struct Unit {
    main: String,
    per: String,
}

impl Unit {
    fn new(unit: &str, kind: NamedKind, names: OtlpNames) -> Self {
        let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
        let is_ratio = unit == "1" && kind == NamedKind::Gauge;
        let main = if is_ratio { RATIO } else { word(main.trim(), &WORDS) };
        let per = word(per.trim(), &PER_WORDS);
        let clean = |word: &str| match names {
            OtlpNames::Underscores => joined(parts(word)),
            OtlpNames::Utf8 => word.to_owned(),
        };
        let (main, per) = (clean(main), clean(per));
        let per = if per.is_empty() { per } else { format!("per_{per}") };
        Self { main, per }
    }
}

const RATIO: &str = "ratio";
const TOTAL: &str = "total";

/// Units as OpenTelemetry abbreviates them, with the words that Prometheus has.
const WORDS: [(&str, &str); 27] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tebibytes"),
    ("kBy", "kilobytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("1", ""),
];

/// The same after a slash.
const PER_WORDS: [(&str, &str); 8] = [
    ("s", "second"),
    ("m", "minute"),
    ("min", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// The word for a part of a unit; none for what counts things, such as `{request}`.
fn word<'a>(part: &'a str, words: &[(&str, &'static str)]) -> &'a str {
    if part.contains(['{', '}']) {
        return "";
    }
    let known = words.iter().find(|(unit, _)| *unit == part);
    known.map_or(part, |(_, word)| word)
}

/// A name of letters, digits, `:` and `_`, which names its unit and type once.
fn with_underscores(name: &str, unit: &Unit, kind: NamedKind) -> String {
    let mut parts: Vec<&str> = parts(name).collect();
    if parts.is_empty() {
        return String::new();
    }
    if unit.main == RATIO {
        parts.retain(|part| *part != RATIO);
    }
    for part in [&*unit.main, &*unit.per] {
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    if kind == NamedKind::Counter {
        parts.retain(|part| *part != TOTAL);
        parts.push(TOTAL);
    }
    let name = joined(parts.into_iter());
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// What stands between characters that a metric can't have in its name, and underscores.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |letter: char| !letter.is_ascii_alphanumeric() && letter != ':';
    text.split(is_between).filter(|part| !part.is_empty())
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join("_")
}

/// A name as it is, but for its end: unit and type come after an underscore.
fn with_suffixes(name: &str, unit: &Unit, kind: NamedKind) -> String {
    if name.is_empty() {
        return String::new();
    }
    let total = if kind == NamedKind::Counter { TOTAL } else { "" };
    let mut stem = without(without(name, total), &unit.per);
    if unit.main == RATIO {
        stem = without(stem, RATIO);
    }
    let main = if stem.ends_with(&*unit.main) { "" } else { &*unit.main };
    let suffixes = [main, &*unit.per, total].into_iter().filter(|suffix| !suffix.is_empty());
    suffixes.fold(stem.to_owned(), |name, suffix| format!("{name}_{suffix}"))
}

/// Without a suffix and the character before it.
fn without<'a>(name: &'a str, suffix: &str) -> &'a str {
    let stem = if suffix.is_empty() { None } else { name.strip_suffix(suffix) };
    let stem = stem.and_then(|stem| Some(&stem[..stem.char_indices().next_back()?.0]));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name)
}

/// The name of a label for an attribute.
pub fn label_name(key: &str, names: OtlpNames) -> Cow<'_, str> {
    if names == OtlpNames::Utf8 || is_plain(key) {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len() + "key_".len());
    if key.starts_with(|first: char| first.is_ascii_digit()) {
        name.push_str("key_");
    }
    for letter in key.chars() {
        let letter = if letter.is_ascii_alphanumeric() { letter } else { '_' };
        if letter != '_' || !name.ends_with('_') {
            name.push(letter);
        }
    }
    Cow::Owned(name)
}

/// Whether a label may be called so, with no two underscores in a row.
fn is_plain(key: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let begins_well = key.as_bytes().first().is_none_or(|first| !first.is_ascii_digit());
    begins_well && key.as_bytes().iter().all(is_letter) && !key.contains("__")
}

#[cfg(test)]
mod tests {
    use super::NamedKind::{Counter, Gauge, Other};
    use super::*;

    fn name(name: &str, unit: &str, kind: NamedKind, names: OtlpNames) -> (String, String) {
        let MetricName { name, unit } = MetricName::new(name, unit, kind, names);
        (name, unit.unwrap_or_default())
    }

    #[test]
    fn names_end_in_their_unit_and_type() {
        for (given, unit, kind, expected, expected_unit) in [
            (
                "http.server.request.duration",
                "s",
                Other,
                "http_server_request_duration_seconds",
                "seconds",
            ),
            ("requests", "", Counter, "requests_total", ""),
            ("requests", "{request}", Counter, "requests_total", ""),
            ("requests_total", "1", Counter, "requests_total", ""),
            ("total.requests", "", Counter, "requests_total", ""),
            ("cpu.usage", "1", Gauge, "cpu_usage_ratio", "ratio"),
            ("cpu.usage.ratio", "1", Gauge, "cpu_usage_ratio", "ratio"),
            ("cpu.usage", "1", Other, "cpu_usage", ""),
            ("disk.io", "By", Counter, "disk_io_bytes_total", "bytes"),
            ("disk_io_bytes", "By", Counter, "disk_io_bytes_total", "bytes"),
            ("throughput", "By/s", Gauge, "throughput_bytes_per_second", "bytes_per_second"),
            ("requests", "1/s", Gauge, "requests_per_second", "per_second"),
            ("requests", "{request}/min", Gauge, "requests_per_minute", "per_minute"),
            ("room", "Cel", Gauge, "room_celsius", "celsius"),
            ("fill", "%", Gauge, "fill_percent", "percent"),
            ("custom", "fruit & nuts", Gauge, "custom_fruit_nuts", "fruit_nuts"),
            ("speed", "m/", Gauge, "speed_meters", "meters"),
            ("seconds.of.life", "s", Other, "seconds_of_life", ""),
            ("(lambda).function.executions(#)", "", Other, "lambda_function_executions", ""),
            ("a__b..c", "", Gauge, "a_b_c", ""),
            ("5xx", "", Counter, "_5xx_total", ""),
            ("größe", "By", Gauge, "gr_e_bytes", "bytes"),
            ("ns:jobs", "", Counter, "ns:jobs_total", ""),
            ("", "s", Other, "", ""),
            ("¤", "", Gauge, "", ""),
        ] {
            let found = name(given, unit, kind, OtlpNames::Underscores);
            assert_eq!(found, (expected.into(), expected_unit.into()), "{given} {unit:?}");
        }
    }

    #[test]
    fn names_of_utf_8_stay_but_for_their_suffixes() {
        for (given, unit, kind, expected, expected_unit) in [
            (
                "http.server.request.duration",
                "s",
                Other,
                "http.server.request.duration_seconds",
                "seconds",
            ),
            ("requêsts", "{request}", Counter, "requêsts_total", ""),
            ("requests.total", "", Counter, "requests_total", ""),
            ("cpu_seconds_total", "s", Counter, "cpu_seconds_total", "seconds"),
            ("cpu.usage", "1", Gauge, "cpu.usage_ratio", "ratio"),
            ("throughput", "By/s", Gauge, "throughput_bytes_per_second", "bytes_per_second"),
            ("process.seconds", "s", Gauge, "process.seconds", ""),
            ("total", "", Counter, "total_total", ""),
            ("ätotal", "", Counter, "ätotal_total", ""),
            ("a__b", "", Gauge, "a__b", ""),
        ] {
            let found = name(given, unit, kind, OtlpNames::Utf8);
            assert_eq!(found, (expected.into(), expected_unit.into()), "{given} {unit:?}");
        }
    }

    #[test]
    fn labels_have_names_that_every_prometheus_reads() {
        for (key, expected) in [
            ("http.request.method", "http_request_method"),
            ("a:b", "a_b"),
            ("a..b__c", "a_b_c"),
            ("__name__", "_name_"),
            ("5xx", "key_5xx"),
            ("字符", "_"),
            ("fine", "fine"),
            ("", ""),
        ] {
            assert_eq!(label_name(key, OtlpNames::Underscores), expected);
            assert_eq!(label_name(key, OtlpNames::Utf8), key);
        }
    }
}

//! Validation: what an encoding has read becomes a sample, or the one reason why
//! not. The order of the checks is the one that [`super`] documents.

mod buckets;
mod exemplar;
mod labels;
mod native;
mod observed;
mod rare;
mod unit;

use crate::labels::DropLabels;
use crate::limits::{PayloadLimits, SMALLEST_EPSILON};
use crate::metric::Kind;
use crate::metric::default_buckets::DefaultBuckets;
use crate::metric::native::{NativeCounts, NativeSettings};
use crate::name::NameRules;
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};
use crate::sample::{Labels, Sample};
use crate::text::{JsonType, LabelText, Texts};
use crate::timestamp::{Ttl, UnixTime};
use buckets::SentLayout;
use exemplar::OfSample;
use observed::Observed;
use rare::Said;

pub(crate) use buckets::take_known_counts;
pub(super) use exemplar::RawExemplar;
pub(super) use native::{RawNative, RawSide};
pub(super) use rare::RawRare;

#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) limits: PayloadLimits,
    pub(super) drop_labels: DropLabels,
    pub(super) names: NameRules,
    pub(super) default_buckets: DefaultBuckets,
    /// Whether names get the units that they don't end in.
    pub(super) append_units: bool,
    pub(super) exemplars: bool,
    pub(super) native: NativeSettings,
}

/// A sample as an encoding has read it: each part has the type that it must have,
/// and nothing else was checked.
pub(super) struct RawSample<'a, 'r> {
    pub(super) kind: Kind,
    /// Empty where absent, as is `help`.
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    /// Infinite where it overflows, as other numbers are too.
    pub(super) value: Option<f64>,
    pub(super) rare: Option<&'r RawRare<'a>>,
    /// How many labels were sent, duplicates included. Of all lists no more than the
    /// limit need be in `lists`.
    pub(super) labels_sent: usize,
    pub(super) buckets_sent: usize,
    pub(super) quantiles_sent: usize,
    pub(super) epsilons_sent: usize,
    /// Its labels and arrays. Of those of which nothing was sent, something may
    /// be left from another sample.
    pub(super) lists: &'a mut SampleLists,
    /// Where the labels point to.
    pub(super) texts: Texts<'a>,
    /// Since 1970, in seconds or milliseconds.
    pub(super) timestamp: RawTime<'a>,
    /// In seconds, maybe below 0.
    pub(super) ttl: RawTime<'a>,
}

/// A number that may be absent, or something that is none, as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) enum RawTime<'a> {
    Absent,
    Given(f64),
    Wrong(JsonType, &'a str),
}

/// Where the labels and arrays of a sample are kept; reused from one to the next.
#[derive(Debug, Default)]
pub(super) struct SampleLists {
    pub(super) labels: Vec<LabelText>,
    pub(super) buckets: Vec<f64>,
    pub(super) quantiles: Vec<f64>,
    pub(super) epsilons: Vec<f64>,
    pub(super) values: Vec<f64>,
    pub(super) counts_sent: Vec<f64>,
    pub(super) exemplar: RawExemplar,
    pub(super) exemplar_labels: Vec<LabelText>,
    pub(super) native_sent: RawNative,
    /// A name with the unit that it did not end in.
    name: String,
    /// The former, once they are validated.
    counts: Vec<u64>,
    native: NativeCounts,
    /// Pairs of the former two, once they are validated.
    objectives: Vec<(f64, f64)>,
}

/// What `made` makes of the sample that `raw` is, taken at `now`. A sample is large: so
/// it is not moved from here to where it belongs.
#[inline(always)]
pub(super) fn sample<'a, T>(
    raw: RawSample<'a, '_>,
    rules: &Rules,
    now: UnixTime,
    made: impl FnOnce(Sample<'a>) -> T,
) -> Result<T, Reject> {
    let RawSample { kind, name, rare, texts, lists, .. } = raw;
    let limits = &rules.limits;
    check_metric_name(name, rules)?;
    let Said { is_named, op, observed } = match rare {
        None => Said::by_value(raw.value),
        Some(rare) => Said::by_rare(rare, raw.value, (name, kind), &mut lists.name, rules)?,
    };
    let value = observed.value(lists, kind, limits)?;
    check_help(raw.help, limits)?;
    let script = labels::normalize(&mut lists.labels, raw.labels_sent, texts, kind, rules)?;
    lists.objectives.clear();
    let mut layout = SentLayout::default();
    match kind {
        Kind::Counter | Kind::Gauge => lists.buckets.clear(),
        Kind::Histogram => {
            let sent = (raw.buckets_sent, rare.and_then(|rare| rare.factor));
            layout = SentLayout::of(lists, sent, observed, (name, is_named), rules)?;
        }
        Kind::Summary => {
            lists.buckets.clear();
            if let Observed::Counts { sent, .. } = observed {
                buckets::normalize_count(lists, sent)?;
            }
            normalize_objectives(lists, raw.quantiles_sent, raw.epsilons_sent, limits)?;
        }
    }
    let timestamp = check_timestamp(raw.timestamp, now)?;
    let ttl = check_ttl(raw.ttl)?;
    let exemplar = rare.filter(|rare| rare.has_exemplar).map(|_| {
        let of_sample = OfSample { name, kind, observed, value, timestamp, now };
        exemplar::check(lists, texts, rules, &of_sample)
    });
    Ok(made(Sample {
        kind,
        name: if is_named { &lists.name } else { name },
        help: raw.help,
        unit: rare.map_or("", |rare| rare.unit),
        value,
        observations: observed.observations(kind, value, lists),
        op,
        labels: Labels::decoded(&lists.labels, texts, script),
        buckets: &lists.buckets,
        buckets_by_default: layout.is_by_default,
        schema: layout.schema,
        timestamp,
        ttl,
        objectives: &lists.objectives,
        exemplar: exemplar.map(|said| Ok(said?.with(&lists.exemplar_labels, texts))),
        samples: 1,
        is_counted_values: false,
    }))
}

fn check_metric_name(name: &str, rules: &Rules) -> Result<(), Reject> {
    if name.len() <= rules.limits.max_name_bytes && rules.names.takes_metric(name) {
        return Ok(());
    }
    Err(bad_metric_name(name, &rules.limits))
}

#[cold]
fn bad_metric_name(name: &str, limits: &PayloadLimits) -> Reject {
    if name.trim().is_empty() {
        return Reject::new(Reason::MissingName, "expected a name, got none or a blank one");
    }
    if name.len() > limits.max_name_bytes {
        return name_too_long(name.len(), limits);
    }
    let detail =
        format!("expected a name like [a-zA-Z_:][a-zA-Z0-9_:]*, got {}", printable(name, SHORT));
    Reject::new(Reason::InvalidName, detail)
}

#[cold]
fn name_too_long(length: usize, limits: &PayloadLimits) -> Reject {
    Reject::new(Reason::NameTooLong, too_much("bytes in a name", limits.max_name_bytes, length))
}

fn too_much(what: &str, limit: usize, got: usize) -> String {
    format!("expected at most {limit} {what}, got {got}")
}

/// Minus zero is a counter's zero.
fn normalize_value(value: f64, kind: Kind) -> Result<f64, Reject> {
    if !value.is_finite() {
        return Err(Reject::new(
            Reason::NonFinite,
            "expected a value that a double holds, got one that overflows",
        ));
    }
    if kind.takes_negative() {
        return Ok(value);
    }
    if value < 0.0 {
        return Err(Reject::new(
            Reason::NegativeCounter,
            "expected a counter's value of at least 0, got a negative one",
        ));
    }
    Ok(without_minus_zero(value))
}

fn without_minus_zero(value: f64) -> f64 {
    value + 0.0
}

fn check_help(help: &str, limits: &PayloadLimits) -> Result<(), Reject> {
    if help.len() > limits.max_help_bytes {
        let detail = too_much("bytes of help", limits.max_help_bytes, help.len());
        return Err(Reject::new(Reason::HelpTooLong, detail));
    }
    Ok(())
}

/// Leaves in `objectives` each quantile once, ascending, with the smallest of
/// its epsilons.
fn normalize_objectives(
    lists: &mut SampleLists,
    quantiles: usize,
    epsilons: usize,
    limits: &PayloadLimits,
) -> Result<(), Reject> {
    let objectives = &mut lists.objectives;
    if quantiles != epsilons {
        let got = format!("got {quantiles} and {epsilons}");
        return Err(bad_quantiles(format!("expected as many quantiles as epsilons, {got}")));
    }
    if quantiles > limits.max_quantiles {
        return Err(bad_quantiles(too_much("quantiles", limits.max_quantiles, quantiles)));
    }
    if quantiles == 0 {
        return Ok(());
    }
    let pairs = lists.quantiles.iter().zip(&lists.epsilons);
    if !pairs.clone().all(|(quantile, epsilon)| is_share(*quantile) && is_share(*epsilon)) {
        return Err(bad_quantiles(
            "expected quantiles and epsilons from 0 to 1, got one beyond".into(),
        ));
    }
    objectives.extend(
        pairs.map(|(quantile, epsilon)| {
            (without_minus_zero(*quantile), epsilon.max(SMALLEST_EPSILON))
        }),
    );
    // The smallest epsilon of a quantile comes first, and is the one that stays.
    objectives.sort_unstable_by(|left, right| {
        left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1))
    });
    objectives.dedup_by_key(|(quantile, _)| *quantile);
    Ok(())
}

fn is_share(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

#[cold]
fn bad_quantiles(detail: String) -> Reject {
    Reject::new(Reason::BadQuantiles, detail)
}

#[inline(always)]
fn check_timestamp(sent: RawTime<'_>, now: UnixTime) -> Result<Option<UnixTime>, Reject> {
    let number = match sent {
        RawTime::Absent => return Ok(None),
        RawTime::Given(number) => number,
        RawTime::Wrong(found, text) => {
            return Err(no_number(Reason::BadTimestamp, "timestamp", found, text));
        }
    };
    accepted_timestamp(number, now).map(Some).ok_or_else(|| bad_timestamp(number, now))
}

/// The time that a sample which is taken at `now` means by a number; `None` where it is
/// none that a sample can have.
pub(crate) fn accepted_timestamp(number: f64, now: UnixTime) -> Option<UnixTime> {
    let timestamp = UnixTime::from_sample(number);
    (!number.is_nan() && !timestamp.is_too_far_ahead_of(now)).then_some(timestamp)
}

#[inline(always)]
fn check_ttl(sent: RawTime<'_>) -> Result<Option<Ttl>, Reject> {
    match sent {
        RawTime::Absent => Ok(None),
        RawTime::Given(seconds) if seconds < 0.0 || seconds.is_nan() => Err(bad_ttl(seconds)),
        RawTime::Given(seconds) => Ok(Some(Ttl::from_sample(seconds))),
        RawTime::Wrong(found, text) => Err(no_number(Reason::BadTtl, "ttl", found, text)),
    }
}

#[cold]
fn no_number(reason: Reason, field: &str, got: JsonType, text: &str) -> Reject {
    let text = if got == JsonType::String { printable(text, SHORT) } else { String::new() };
    let detail = format!("expected a number as {field}, got {} {text}", got.as_str());
    Reject::new(reason, detail.trim_ascii_end().to_owned())
}

#[cold]
fn bad_timestamp(got: f64, now: UnixTime) -> Reject {
    let expected = "expected a timestamp at most ten minutes ahead of the clock";
    let detail = format!("{expected}, which is at {now}, got {}", shown(got));
    Reject::new(Reason::BadTimestamp, detail)
}

#[cold]
fn bad_ttl(got: f64) -> Reject {
    Reject::new(Reason::BadTtl, format!("expected a ttl of at least 0 seconds, got {}", shown(got)))
}

/// A number for a message: with an exponent where it would be long.
fn shown(number: f64) -> String {
    let digits = format!("{number:?}");
    digits.strip_suffix(".0").unwrap_or(&digits).to_owned()
}

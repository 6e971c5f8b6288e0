//! A slow and simple decoder on serde_json: a second opinion on every payload.

use psg_engine::limits::PayloadLimits;
use psg_engine::metric::native::{NativeCounts, Schema};
use psg_engine::metric::{GaugeOp, Kind, Observations};
use psg_engine::reject::{DroppedExemplar, Reason};
use psg_engine::sample::{Exemplar, Label, Sample};
use psg_engine::timestamp::{Ttl, UnixTime};
use psg_engine::wire::{JsonSample, Place, Places};
use serde_json::value::RawValue;

use super::payload_tree::{Payload, Tree, depth_of, without_halves};
use super::show::{NOW, show};

/// What the decoder must make of `payload`: the sample as a line, or the reason.
pub fn decode(payload: &[u8], limits: &PayloadLimits) -> Result<String, Reason> {
    if payload.len() > limits.max_payload_bytes {
        return Err(Reason::PayloadTooLarge);
    }
    let text = std::str::from_utf8(payload).map_err(|_| Reason::InvalidJson)?;
    let text = &without_halves(text);
    let tree = Tree::parse(text).filter(|tree| tree.depth() <= 64).ok_or(Reason::InvalidJson)?;
    let Tree::Object(members) = tree else { return Err(Reason::NotASample) };
    judge(text, &Payload(members), limits)
}

/// What the decoder must make of each element of `payload`, where that is an
/// array; else the reason why not.
pub fn decode_array(
    payload: &[u8],
    limits: &PayloadLimits,
) -> Result<Vec<Result<String, Reason>>, Reason> {
    if payload.len() > limits.max_payload_bytes {
        return Err(Reason::PayloadTooLarge);
    }
    let text = std::str::from_utf8(payload).map_err(|_| Reason::InvalidJson)?;
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Reason::InvalidJson)?;
    refuse_if(depth_of(text) > 65, Reason::InvalidJson)?;
    if elements.is_empty() {
        return Err(Reason::NotASample);
    }
    Ok(elements.into_iter().map(|element| decode(element.get().as_bytes(), limits)).collect())
}

fn judge(text: &str, payload: &Payload<'_>, limits: &PayloadLimits) -> Result<String, Reason> {
    payload.check_types()?;
    let (name, help, unit) = (payload.text("name")?, payload.text("help")?, payload.text("unit")?);
    let op = payload.optional_text("op")?;
    let exemplar = payload.exemplar()?;
    let kind = payload.kind()?;
    let stem = stem(name, kind);
    judge_name(name, stem, unit, limits)?;
    let op = operation(op, kind)?;
    let observed = Observed::of(payload, kind, limits)?;
    refuse_if(help.len() > limits.max_help_bytes, Reason::HelpTooLong)?;
    let labels = labels(payload.labels()?, kind, limits)?;
    let labels: Vec<Label<'_>> = labels.iter().map(|(name, value)| Label { name, value }).collect();
    let value_at = payload.number("value")?.map(|digits| place(text, digits));
    let schema = payload.optional_number("factor")?.map(schema).transpose()?;
    let has_buckets = !payload.list("buckets")?.is_empty();
    let needs_none = schema.is_some() || observed.counts.is_some() || observed.is_native;
    let buckets = buckets(payload, kind, needs_none, limits)?;
    let takes_one = kind == Kind::Summary || !has_buckets;
    let counts = observed.counts.as_deref();
    let counts = counts.map(|counts| whole_counts(counts, buckets.len(), takes_one)).transpose()?;
    let native = payload.native_counts(has_buckets)?;
    let observations =
        observations(observed.several.as_deref(), counts.as_deref(), native.as_ref());
    let sample = Sample {
        kind,
        name,
        help,
        unit,
        op,
        observations,
        value: observed.value,
        labels: labels.as_slice().into(),
        buckets: &buckets,
        buckets_by_default: kind == Kind::Histogram && !has_buckets && counts.is_none(),
        schema,
        objectives: &if kind == Kind::Summary {
            objectives(&payload.list("quantiles")?, &payload.list("epsilons")?, limits)?
        } else {
            Vec::new()
        },
        ..Sample::of(kind, name)
    };
    let timestamp = payload.time("timestamp", Reason::BadTimestamp)?;
    refuse_if(timestamp.is_some_and(ahead_of_now), Reason::BadTimestamp)?;
    let ttl = payload.time("ttl", Reason::BadTtl)?;
    refuse_if(ttl.is_some_and(|ttl| ttl < 0.0), Reason::BadTtl)?;
    let sample = Sample {
        timestamp: timestamp.map(UnixTime::from_sample),
        ttl: ttl.map(Ttl::from_sample),
        ..sample
    };
    let shows_exemplars = stem != name || kind == Kind::Histogram;
    let of_sample = matches!(observations, Observations::One).then_some(sample.value);
    let judged = exemplar.map(|exemplar| match shows_exemplars {
        true => exemplar.judge(of_sample, timestamp.unwrap_or(NOW.into()), ahead_of_now),
        false => Err(DroppedExemplar::Type),
    });
    Ok(show_with(judged, sample, value_at))
}

fn judge_name(name: &str, stem: &str, unit: &str, limits: &PayloadLimits) -> Result<(), Reason> {
    refuse_if(name.trim().is_empty(), Reason::MissingName)?;
    refuse_if(name.len() > limits.max_name_bytes, Reason::NameTooLong)?;
    refuse_if(!is_name(name, "_:"), Reason::InvalidName)?;
    refuse_if(!unit.is_empty() && !stem.ends_with(&format!("_{unit}")), Reason::InvalidUnit)
}

fn observations<'a>(
    values: Option<&'a [f64]>,
    counts: Option<&'a [u64]>,
    native: Option<&'a NativeCounts>,
) -> Observations<'a> {
    let counted = counts.map(Observations::Counts).or(native.map(Observations::Native));
    values.map(Observations::Values).or(counted).unwrap_or(Observations::One)
}

/// What a sample observed.
struct Observed {
    value: f64,
    /// Its values, where they are more than their sum.
    several: Option<Vec<f64>>,
    counts: Option<Vec<f64>>,
    is_native: bool,
}

impl Observed {
    fn of(payload: &Payload<'_>, kind: Kind, limits: &PayloadLimits) -> Result<Self, Reason> {
        let digits = payload.number("value")?;
        let values = payload.optional_list("values")?;
        let counts = payload.optional_list("counts")?;
        let sum = payload.optional_number("sum")?;
        let has_factor = payload.optional_number("factor")?.is_some();
        let native = payload.native()?;
        let is_whole = counts.is_some() || native.is_some();
        let forms = [digits.is_some(), values.is_some(), counts.is_some(), native.is_some()];
        refuse_if(forms.iter().filter(|given| **given).count() > 1, Reason::InvalidField)?;
        refuse_if(values.is_some() && kind == Kind::Gauge, Reason::InvalidField)?;
        let may_be_counted = matches!(kind, Kind::Histogram | Kind::Summary);
        refuse_if(counts.is_some() && !may_be_counted, Reason::InvalidField)?;
        refuse_if(native.is_some() && kind != Kind::Histogram, Reason::InvalidField)?;
        refuse_if(is_whole != sum.is_some(), Reason::InvalidField)?;
        let takes_factor = kind == Kind::Histogram && !is_whole;
        refuse_if(has_factor && !takes_factor, Reason::InvalidField)?;
        let value: f64 = digits.map_or(0.0, |digits| digits.parse().expect("a double"));
        let all = values.clone().unwrap_or_else(|| vec![sum.unwrap_or(value)]);
        refuse_if(all.is_empty(), Reason::InvalidField)?;
        refuse_if(all.len() > limits.max_values && values.is_some(), Reason::TooManyValues)?;
        for side in
            native.iter().flat_map(|native| [native.side("positive"), native.side("negative")])
        {
            let side = side?;
            let sent = side.list("indexes")?.len().max(side.list("counts")?.len());
            refuse_if(sent > limits.max_values, Reason::TooManyValues)?;
        }
        for value in &all {
            refuse_if(value.is_infinite(), Reason::NonFinite)?;
            refuse_if(kind == Kind::Counter && *value < 0.0, Reason::NegativeCounter)?;
        }
        let sum = exact_sum(&all);
        refuse_if(sum.is_infinite(), Reason::NonFinite)?;
        let is_several = kind != Kind::Counter || sum >= 9_007_199_254_740_992.0;
        let value = match kind {
            Kind::Counter => sum.abs(),
            Kind::Gauge | Kind::Histogram | Kind::Summary if values.is_some() => 0.0,
            Kind::Gauge | Kind::Histogram | Kind::Summary => sum,
        };
        let is_native = native.is_some();
        Ok(Self { value, several: values.filter(|_| is_several), counts, is_native })
    }
}

/// The sum with what its steps leave out (Neumaier), and without overflowing halfway.
fn exact_sum(values: &[f64]) -> f64 {
    const SCALE: f64 = 1024.0;
    if let [value] = values {
        return *value;
    }
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let scale = if largest > f64::MAX / SCALE { SCALE } else { 1.0 };
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for value in values.iter().map(|value| value / scale) {
        let next = sum + value;
        rest += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    (if sum < 9_007_199_254_740_992.0 { sum } else { sum + rest }) * scale
}

/// The sample as a line, with what became of its exemplar.
fn show_with(
    judged: Option<Result<JudgedExemplar, DroppedExemplar>>,
    sample: Sample<'_>,
    value_at: Option<Place>,
) -> String {
    let labels = judged.iter().flatten().flat_map(|(labels, ..)| labels);
    let labels: Vec<Label<'_>> = labels.map(|(name, value)| Label { name, value }).collect();
    let exemplar = judged.as_ref().map(|judged| match judged {
        Ok((_, value, timestamp)) => {
            let timestamp = UnixTime::from_sample(*timestamp);
            Ok(Exemplar { labels: labels.as_slice().into(), value: *value, timestamp })
        }
        Err(dropped) => Err(*dropped),
    });
    let places = Places { value: value_at, ..Places::default() };
    show(&JsonSample { sample: Sample { exemplar, ..sample }, places })
}

/// A counter's name without the `_total` behind something else.
fn stem(name: &str, kind: Kind) -> &str {
    let stem = if kind == Kind::Counter { name.strip_suffix("_total") } else { None };
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name)
}

fn operation(op: Option<&str>, kind: Kind) -> Result<GaugeOp, Reason> {
    match (op, kind) {
        (None | Some("set"), Kind::Gauge) | (None | Some("add"), Kind::Counter) => Ok(GaugeOp::Set),
        (None, Kind::Histogram | Kind::Summary) => Ok(GaugeOp::Set),
        (Some("add"), Kind::Gauge) => Ok(GaugeOp::Add),
        (Some("max"), Kind::Gauge) => Ok(GaugeOp::Max),
        (Some("min"), Kind::Gauge) => Ok(GaugeOp::Min),
        (Some(_), _) => Err(Reason::InvalidField),
    }
}

/// Labels, value and timestamp.
type JudgedExemplar = (Vec<(String, String)>, f64, f64);

impl Payload<'_> {
    /// What must become of an exemplar with these members.
    fn judge(
        &self,
        value_of_sample: Option<f64>,
        time_of_sample: f64,
        is_ahead: impl Fn(f64) -> bool,
    ) -> Result<JudgedExemplar, DroppedExemplar> {
        let malformed = |_: Reason| DroppedExemplar::Malformed;
        let members = self.labels().map_err(malformed)?;
        let value = self.optional_number("value").map_err(malformed)?;
        let timestamp = self.optional_number("timestamp").map_err(malformed)?;
        let drop_if = |fault: bool, dropped| if fault { Err(dropped) } else { Ok(()) };
        let nests = |value: &Tree<'_>| matches!(value, Tree::Array(_) | Tree::Object(_));
        drop_if(members.iter().any(|(_, value)| nests(value)), DroppedExemplar::Malformed)?;
        let is_label_name = |name: &str| is_name(name, "_") && !name.starts_with("__");
        let all_named = members.iter().all(|(name, _)| is_label_name(name));
        drop_if(!all_named, DroppedExemplar::LabelName)?;
        let unbounded = PayloadLimits {
            max_labels: usize::MAX,
            max_name_bytes: usize::MAX,
            max_label_value_bytes: usize::MAX,
            ..PayloadLimits::default()
        };
        let labels = labels(members, Kind::Counter, &unbounded).expect("they are judged");
        let both = |(name, value): &(String, String)| name.chars().chain(value.chars()).count();
        drop_if(labels.iter().map(both).sum::<usize>() > 128, DroppedExemplar::TooLong)?;
        let value = value.or(value_of_sample).filter(|value| value.is_finite());
        let value = value.ok_or(DroppedExemplar::Value)?;
        let timestamp = timestamp.unwrap_or(time_of_sample);
        drop_if(is_ahead(timestamp), DroppedExemplar::Timestamp)?;
        Ok((labels, value, timestamp))
    }
}

fn ahead_of_now(timestamp: f64) -> bool {
    let seconds = if timestamp > 1e11 { timestamp / 1000.0 } else { timestamp };
    // A double of this size tells microseconds apart only just.
    ((seconds - f64::from(NOW) - 600.0) * 1e6).round() > 0.0
}

fn refuse_if(fault: bool, reason: Reason) -> Result<(), Reason> {
    if fault { Err(reason) } else { Ok(()) }
}

fn is_name(name: &str, marks: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || marks.contains(c);
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn place(text: &str, part: &str) -> Place {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    (start as u32, (start + part.len()) as u32)
}

fn labels(
    members: &[(String, Tree<'_>)],
    kind: Kind,
    limits: &PayloadLimits,
) -> Result<Vec<(String, String)>, Reason> {
    refuse_if(members.len() > limits.max_labels, Reason::TooManyLabels)?;
    let mut labels = Vec::new();
    for (index, (name, value)) in members.iter().enumerate() {
        refuse_if(name.len() > limits.max_name_bytes, Reason::NameTooLong)?;
        let own = (kind == Kind::Histogram && name == "le")
            || (kind == Kind::Summary && name == "quantile");
        let invalid = !is_name(name, "_") || name.starts_with("__") || own;
        refuse_if(invalid, Reason::InvalidLabelName)?;
        if members[index + 1..].iter().any(|(later, _)| later == name) {
            continue;
        }
        let value = match value {
            Tree::Null => continue,
            Tree::Text(text) => text.clone(),
            Tree::Boolean(text) | Tree::Number(text) => (*text).to_owned(),
            Tree::Array(_) | Tree::Object(_) => return Err(Reason::InvalidLabelValue),
        };
        refuse_if(value.len() > limits.max_label_value_bytes, Reason::LabelTooLong)?;
        if !value.is_empty() {
            labels.push((name.clone(), value));
        }
    }
    Ok(labels)
}

/// Upper bounds; none where a histogram `needs_none` and has none.
fn buckets(
    payload: &Payload<'_>,
    kind: Kind,
    needs_none: bool,
    limits: &PayloadLimits,
) -> Result<Vec<f64>, Reason> {
    let sent = payload.list("buckets")?;
    match kind {
        Kind::Histogram if sent.is_empty() && needs_none => Ok(Vec::new()),
        Kind::Histogram => bounds(sent, limits),
        Kind::Counter | Kind::Gauge | Kind::Summary => Ok(Vec::new()),
    }
}

fn bounds(mut sent: Vec<f64>, limits: &PayloadLimits) -> Result<Vec<f64>, Reason> {
    refuse_if(sent.is_empty() || sent.len() > limits.max_buckets, Reason::BadBuckets)?;
    if sent.ends_with(&[f64::INFINITY]) {
        sent.pop();
    }
    let increases = sent.windows(2).all(|pair| pair[0] < pair[1]);
    let finite = sent.iter().all(|bound| bound.is_finite());
    refuse_if(!increases || !finite, Reason::BadBuckets)?;
    Ok(sent.into_iter().map(no_minus_zero).collect())
}

/// The coarsest whose factor is no greater, by trying all.
fn schema(factor: f64) -> Result<Schema, Reason> {
    refuse_if(factor <= 1.0 || factor.is_infinite(), Reason::BadBuckets)?;
    let all = (-4..=8).filter_map(Schema::new);
    let fine_enough = all.clone().find(|schema| schema.factor() <= factor);
    Ok(fine_enough.unwrap_or(Schema::FINEST))
}

fn whole_counts(sent: &[f64], bounds: usize, takes_one: bool) -> Result<Vec<u64>, Reason> {
    refuse_if(takes_one && sent.len() != 1, Reason::BadBuckets)?;
    refuse_if(sent.len() != bounds && sent.len() != bounds + 1, Reason::BadBuckets)?;
    let whole =
        |count: &f64| *count >= 0.0 && *count <= 9_007_199_254_740_992.0 && *count % 1.0 == 0.0;
    refuse_if(!sent.iter().all(whole), Reason::BadBuckets)?;
    let all: u128 = sent.iter().map(|count| *count as u128).sum();
    refuse_if(all > 1 << 53, Reason::BadBuckets)?;
    let beyond = if sent.len() == bounds { Some(0) } else { None };
    Ok(sent.iter().map(|count| *count as u64).chain(beyond).collect())
}

impl Payload<'_> {
    /// What its native histogram has counted.
    fn native_counts(&self, has_buckets: bool) -> Result<Option<NativeCounts>, Reason> {
        let Some(native) = self.native()? else { return Ok(None) };
        refuse_if(has_buckets, Reason::BadBuckets)?;
        native.counts_of_members().map(Some)
    }

    /// What these members of a native histogram have counted.
    fn counts_of_members(&self) -> Result<NativeCounts, Reason> {
        let schema = self.optional_number("schema")?.ok_or(Reason::BadBuckets)?;
        let schema =
            (-4..=8).filter_map(Schema::new).find(|known| f64::from(known.number()) == schema);
        let schema = schema.ok_or(Reason::BadBuckets)?;
        let zero_threshold = no_minus_zero(self.optional_number("zero_threshold")?.unwrap_or(0.0));
        refuse_if(!(0.0..=f64::MAX).contains(&zero_threshold), Reason::BadBuckets)?;
        let zero = self.optional_number("zero_count")?.unwrap_or(0.0);
        let counts = NativeCounts {
            schema,
            zero_threshold,
            zero_count: whole_counts(&[zero], 1, false)?[0],
            positive: self.side("positive")?.buckets_of_side(schema)?,
            negative: self.side("negative")?.buckets_of_side(schema)?,
        };
        refuse_if(counts.count() > 1 << 53, Reason::BadBuckets)?;
        Ok(counts)
    }

    /// Each bucket that has counts. The first one that there is begins at the least
    /// number above 0, and the last one ends at the greatest.
    fn buckets_of_side(&self, schema: Schema) -> Result<Vec<(i32, u64)>, Reason> {
        let indexes = self.list("indexes")?;
        let counts = self.list("counts")?;
        refuse_if(indexes.len() != counts.len(), Reason::BadBuckets)?;
        let least = (-1074.0 * f64::from(schema.number()).exp2()).ceil();
        let most = 1024.0 * f64::from(schema.number()).exp2();
        let is_one = |index: &f64| *index >= least && *index <= most && *index % 1.0 == 0.0;
        refuse_if(!indexes.iter().all(is_one), Reason::BadBuckets)?;
        refuse_if(indexes.windows(2).any(|pair| pair[0] >= pair[1]), Reason::BadBuckets)?;
        let counts = whole_counts(&counts, counts.len(), false)?;
        let buckets = indexes.iter().map(|index| *index as i32).zip(counts);
        Ok(buckets.filter(|(_, count)| *count > 0).collect())
    }
}

fn objectives(
    quantiles: &[f64],
    epsilons: &[f64],
    limits: &PayloadLimits,
) -> Result<Vec<(f64, f64)>, Reason> {
    let bad = quantiles.len() != epsilons.len()
        || quantiles.len() > limits.max_quantiles
        || quantiles.iter().chain(epsilons).any(|share| *share < 0.0 || *share > 1.0);
    refuse_if(bad, Reason::BadQuantiles)?;
    let mut objectives: Vec<(f64, f64)> = Vec::new();
    for (quantile, epsilon) in quantiles.iter().zip(epsilons) {
        let epsilon = if *epsilon < 0.0001 { 0.0001 } else { *epsilon };
        match objectives.iter_mut().find(|(known, _)| known == quantile) {
            Some((_, smallest)) => *smallest = smallest.min(epsilon),
            None => objectives.push((no_minus_zero(*quantile), epsilon)),
        }
    }
    objectives.sort_by(|left, right| left.0.total_cmp(&right.0));
    Ok(objectives)
}

fn no_minus_zero(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

//! A reader of the protobuf exposition: the families that its text would have.

use prost::Message;
use psg_engine::exposition::number::{Notation, text_of};
use psg_engine::protobuf::{Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::exposition_parser::{ParsedFamily, ParsedSample};

/// The messages of a body.
pub fn messages(mut body: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !body.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut body).expect("a family");
        families.push(family);
    }
    families
}

/// The same as families of the text format, which has no units and no exemplars.
pub fn parse(body: &[u8]) -> Vec<ParsedFamily> {
    messages(body).iter().map(family).collect()
}

/// The same as lines: each family begins with two that say what it is.
pub fn lines(body: &[u8]) -> String {
    let mut lines = String::new();
    for message in messages(body) {
        let ParsedFamily { name, help, type_word, samples, .. } = family(&message);
        lines.push_str(&format!("# HELP {name} {help:?}\n# TYPE {name} {type_word}\n"));
        lines.push_str(&format!("unit {:?}\n", message.unit()));
        samples.iter().for_each(|sample| lines.push_str(&format!("{sample:?}\n")));
        for Metric { label, counter, histogram, .. } in &message.metric {
            let of_counter = counter.iter().filter_map(|it| it.exemplar.as_ref());
            let buckets = histogram.iter().flat_map(|it| &it.bucket);
            let exemplars = of_counter.chain(buckets.filter_map(|it| it.exemplar.as_ref()));
            exemplars.for_each(|it| lines.push_str(&format!("{label:?} {it:?}\n")));
            let native = histogram.iter().filter(|it| it.schema.is_some());
            native.for_each(|it| lines.push_str(&native_line(label, it)));
        }
    }
    lines
}

/// What the native side of a histogram has.
fn native_line(labels: &[LabelPair], it: &Histogram) -> String {
    let zero = (it.zero_threshold(), it.zero_count());
    let (above, below) =
        ((&it.positive_span, &it.positive_delta), (&it.negative_span, &it.negative_delta));
    let exemplars = &it.exemplars;
    format!("{labels:?} {} {zero:?} {above:?} {below:?} {exemplars:?}\n", it.schema())
}

fn family(message: &MetricFamily) -> ParsedFamily {
    let type_word = match message.r#type() {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Histogram => "histogram",
        MetricType::Summary => "summary",
        other @ (MetricType::Untyped | MetricType::GaugeHistogram) => {
            panic!("no type of ours: {other:?}")
        }
    };
    ParsedFamily {
        name: message.name().to_owned(),
        help: message.help().to_owned(),
        type_word: type_word.to_owned(),
        unit: String::new(),
        samples: message.metric.iter().flat_map(|metric| samples(message.name(), metric)).collect(),
    }
}

fn samples(name: &str, metric: &Metric) -> Vec<ParsedSample> {
    let text = |number| text_of(number, Notation::Plain).into_string();
    let sample = |suffix: &str, own: Option<(&str, f64)>, value: f64, value_text: String| {
        let pair = |label: &LabelPair| (label.name().to_owned(), label.value().to_owned());
        let own = own.map(|(name, bound)| (name.to_owned(), text(bound)));
        let labels = metric.label.iter().map(pair).chain(own).collect();
        ParsedSample { name: format!("{name}{suffix}"), labels, value, value_text, exemplar: None }
    };
    let value = |suffix, own, value| sample(suffix, own, value, text(value));
    let count = |suffix, own, count: u64| sample(suffix, own, count as f64, count.to_string());
    let Metric { counter, gauge, histogram, summary, .. } = metric;
    let mut samples = Vec::new();
    samples.extend(counter.iter().map(|it| value("", None, it.value())));
    samples.extend(gauge.iter().map(|it| value("", None, it.value())));
    if let Some(it) = histogram {
        samples.push(value("_sum", None, it.sample_sum()));
        samples.push(count("_count", None, it.sample_count()));
        let bucket = |it: &psg_engine::protobuf::Bucket| (it.upper_bound(), it.cumulative_count());
        let buckets = it.bucket.iter().map(bucket);
        samples.extend(buckets.map(|(bound, below)| count("_bucket", Some(("le", bound)), below)));
    }
    if let Some(it) = summary {
        samples.push(value("_sum", None, it.sample_sum()));
        samples.push(count("_count", None, it.sample_count()));
        let quantiles = it.quantile.iter().map(|it| (it.quantile(), it.value()));
        samples.extend(quantiles.map(|(rank, at)| value("", Some(("quantile", rank)), at)));
    }
    samples
}

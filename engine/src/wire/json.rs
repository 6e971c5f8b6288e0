//! JSON payloads: a sample, or an array of them.
//!
//! A payload is read once, from front to back, into notes of where its parts
//! stand ([`fields`], on the cursor of [`scanner`]); they are judged after that,
//! because a later member may replace an earlier one and because a syntax error
//! anywhere outweighs everything else. Nothing is copied but strings with escapes,
//! and for a sample nothing is allocated once the buffers have grown.
//!
//! A payload may also be an array of samples ([`JsonDecoder::elements`]). All of
//! it must be JSON by its grammar; then each element is a payload of its own, with
//! a verdict of its own, and none of them may be an array again.

mod field_types;
mod fields;
pub mod number;
mod runs;
mod scanner;

use std::ops::Range;

use super::unknown_fields::UnknownFields;
use super::validate::{self, RawRare, RawSample, RawTime, Rules, SampleLists};
use crate::labels::DropLabels;
use crate::limits::PayloadLimits;
use crate::metric::default_buckets::DefaultBuckets;
use crate::metric::native::NativeSettings;
use crate::name::NameRules;
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};
use crate::sample::Sample;
use crate::text::{JsonType, Text, Texts};
use crate::timestamp::UnixTime;
use fields::{Document, Field, Fields, List, Number, RareFields, UnknownKind, UnknownNames};
pub use fields::{FIELDS, NATIVE_FIELDS};
pub(crate) use runs::skip_space;
use scanner::{Scanner, SyntaxError};

/// Decodes payloads; keeps its buffers from one to the next.
#[derive(Debug)]
pub struct JsonDecoder {
    rules: Rules,
    unescaped: String,
    lists: SampleLists,
    /// Those of the document that is read.
    unknown: UnknownNames,
    unknown_fields: UnknownFields,
}

/// A sample, and where its numbers stand.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonSample<'a> {
    /// What it says, validated.
    pub sample: Sample<'a>,
    /// Where it says it.
    pub places: Places,
}

/// Where in the payload the top-level fields stand in which the samples of one series
/// differ; `None` where a field is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    /// The number of `value`, which is 0 where that is absent.
    pub value: Option<Place>,
    /// The number of `timestamp`, or the text with it.
    pub timestamp: Option<Place>,
    /// The array of `values`.
    pub values: Option<Place>,
    /// The array of `counts`.
    pub counts: Option<Place>,
    /// The number of `sum`.
    pub sum: Option<Place>,
}

/// The first byte of something, and the one behind its last.
pub type Place = (u32, u32);

/// Unescaped bytes that are kept room for: ordinary payloads fit, and a hostile
/// one leaves no large buffer behind. The lists grow no further than the limits.
const KEPT_BYTES: usize = 16 * 1024;

impl JsonDecoder {
    /// A decoder that refuses what passes `limits`.
    pub fn new(limits: PayloadLimits) -> Self {
        Self {
            rules: Rules { limits, ..Rules::default() },
            unescaped: String::new(),
            lists: SampleLists::default(),
            unknown: UnknownNames::default(),
            unknown_fields: UnknownFields::default(),
        }
    }

    /// The same, but labels of these names are taken off every sample: they
    /// count against the limit on labels, and are not validated otherwise.
    pub fn dropping(mut self, labels: DropLabels) -> Self {
        self.rules.drop_labels = labels;
        self
    }

    /// The same, but histograms that come without buckets get these, where there are
    /// some for their names.
    pub fn defaulting(mut self, buckets: DefaultBuckets) -> Self {
        self.rules.default_buckets = buckets;
        self
    }

    /// The same, but a unit that a name does not end in is put there; else it refuses
    /// the sample.
    pub fn appending_units(mut self, appends: bool) -> Self {
        self.rules.append_units = appends;
        self
    }

    /// The same, but exemplars are taken; else they are dropped.
    pub fn with_exemplars(mut self, takes_some: bool) -> Self {
        self.rules.exemplars = takes_some;
        self
    }

    /// The same that takes names by these rules.
    pub fn naming(mut self, names: NameRules) -> Self {
        self.rules.names = names;
        self
    }

    /// The same, but histograms whose names these settings make native need no buckets.
    pub fn native(mut self, settings: NativeSettings) -> Self {
        self.rules.native = settings;
        self
    }

    /// The sample in `payload`, taken at `now`, or why it is refused.
    pub fn decode<'a>(
        &'a mut self,
        payload: &'a [u8],
        now: UnixTime,
    ) -> Result<JsonSample<'a>, Reject> {
        let Self { rules, unescaped, lists, unknown, unknown_fields } = self;
        let payload = check_bytes(payload, rules.limits.max_payload_bytes)?;
        unescaped.clear();
        unescaped.shrink_to(KEPT_BYTES);
        let mut scanner = Scanner::new(payload, unescaped);
        let (mut fields, mut rare) = (Fields::NONE, None);
        let limits = &rules.limits;
        match fields::read(&mut scanner, &mut fields, &mut rare, lists, unknown, limits) {
            Ok(Document::Object) => {
                let texts = Texts::new(payload, unescaped);
                if !unknown.first.is_empty() {
                    note_unknown(unknown, texts, unknown_fields);
                }
                field_types::check_types(&fields, rare.as_ref(), texts)?;
                let places = places(&fields, rare.as_ref());
                let rare = rare.as_ref().map(|rare| raw_rare(rare, texts));
                let raw = raw_sample(&fields, rare.as_ref(), texts, lists)?;
                validate::sample(raw, rules, now, |sample| JsonSample { sample, places })
            }
            Ok(Document::Other(found)) => Err(not_a_sample(found)),
            Err(error) => Err(invalid_json(payload, error)),
        }
    }

    /// The unknown fields of the objects that were decoded since the last call,
    /// refused ones included.
    pub fn take_unknown_fields(&mut self) -> UnknownFields {
        std::mem::take(&mut self.unknown_fields)
    }

    /// Where the element of an array ends that begins at `start`, if it is JSON.
    pub(crate) fn end_of_element(&mut self, payload: &str, start: usize) -> Option<usize> {
        let mut scanner = Scanner::from(payload, start, &mut self.unescaped);
        let end = fields::element(&mut scanner).ok().map(|place| place.end);
        self.unescaped.clear();
        self.unescaped.shrink_to(KEPT_BYTES);
        end
    }

    /// Where the elements of `payload`, which is an array, stand in it: each a
    /// payload of its own. None of them where all of it is not JSON.
    pub fn elements(&mut self, payload: &[u8], out: &mut Vec<Range<usize>>) -> Result<(), Reject> {
        let payload = check_bytes(payload, self.rules.limits.max_payload_bytes)?;
        self.unescaped.clear();
        let mut scanner = Scanner::new(payload, &mut self.unescaped);
        let read = fields::elements(&mut scanner, out);
        self.unescaped.clear();
        self.unescaped.shrink_to(KEPT_BYTES);
        match read {
            Ok(()) if out.is_empty() => {
                Err(Reject::new(Reason::NotASample, "expected samples in an array, got none"))
            }
            Ok(()) => Ok(()),
            Err(error) => {
                out.clear();
                Err(invalid_json(payload, error))
            }
        }
    }
}

#[cold]
fn note_unknown(names: &UnknownNames, texts: Texts<'_>, fields: &mut UnknownFields) {
    names.first.iter().for_each(|name| fields.note(texts.get(*name)));
    fields.note_others(names.more);
}

#[inline(always)]
fn places(fields: &Fields, rare: Option<&RareFields>) -> Places {
    let number = |field: Field<Number>| field.given().map(|number| number.place);
    let mut places = Places {
        value: number(fields.value),
        timestamp: number(fields.timestamp),
        ..Places::default()
    };
    if let Some(RareFields { values, counts, sum, .. }) = rare {
        let list = |field: &Field<List>| field.given().map(|list| list.place);
        (places.values, places.counts, places.sum) = (list(values), list(counts), number(*sum));
    }
    places
}

/// What an object says whose fields have types that they can have.
#[inline(always)]
fn raw_sample<'a, 'r>(
    fields: &Fields,
    rare: Option<&'r RawRare<'a>>,
    texts: Texts<'a>,
    lists: &'a mut SampleLists,
) -> Result<RawSample<'a, 'r>, Reject> {
    let Fields { kind, name, help, value, labels, buckets, quantiles, epsilons, timestamp, ttl } =
        *fields;
    let sent = |field| sent(field).unwrap_or(0);
    Ok(RawSample {
        kind: kind.map_err(|unknown| unknown_type(unknown, texts))?,
        name: text(name, texts),
        help: text(help, texts),
        value: value.given().map(|number| number.value),
        rare,
        labels_sent: labels.given().unwrap_or(0),
        buckets_sent: sent(buckets),
        quantiles_sent: sent(quantiles),
        epsilons_sent: sent(epsilons),
        lists,
        texts,
        timestamp: time(timestamp, texts),
        ttl: time(ttl, texts),
    })
}

#[inline(never)]
fn raw_rare<'a>(fields: &RareFields, texts: Texts<'a>) -> RawRare<'a> {
    let RareFields { op, values, counts, sum, unit, exemplar, factor, native } = *fields;
    RawRare {
        unit: text(unit, texts),
        op: op.given().map(|op| texts.get(op)),
        values_sent: sent(values),
        counts_sent: sent(counts),
        sum: sum.given().map(|number| number.value),
        factor: factor.given().map(|number| number.value),
        has_exemplar: exemplar.given().is_some(),
        has_native: native.given().is_some(),
    }
}

#[inline(always)]
fn text(field: Field<Text>, texts: Texts<'_>) -> &str {
    field.given().map_or("", |text| texts.get(text))
}

#[inline(always)]
fn sent(field: Field<List>) -> Option<usize> {
    field.given().map(|list| list.sent as usize)
}

#[inline(always)]
fn time(field: Field<Number>, texts: Texts<'_>) -> RawTime<'_> {
    match field {
        Field::Absent => RawTime::Absent,
        Field::Given(number) => RawTime::Given(number.value),
        Field::Wrong(found, span) => RawTime::Wrong(found, texts.get(span.into())),
    }
}

#[cold]
fn unknown_type(unknown: UnknownKind, texts: Texts<'_>) -> Reject {
    const EXPECTED: &str = "expected counter, gauge, histogram, summary or 0 to 3 as type";
    let detail = match unknown {
        UnknownKind::Text(text) => {
            format!("{EXPECTED}, got {}", printable(texts.get(text), SHORT))
        }
        UnknownKind::Other(found) => format!("{EXPECTED}, got {}", found.as_str()),
    };
    Reject::new(Reason::UnknownType, detail)
}

fn check_bytes(payload: &[u8], limit: usize) -> Result<&str, Reject> {
    if payload.len() > limit {
        let detail = format!("expected at most {limit} bytes, got {}", payload.len());
        return Err(Reject::new(Reason::PayloadTooLarge, detail));
    }
    let not_utf8 = |_| Reject::new(Reason::InvalidJson, "expected UTF-8, got other bytes");
    simdutf8::basic::from_utf8(payload).map_err(not_utf8)
}

/// The metric name that a payload gives itself, as far as its beginning tells:
/// for people who look for a payload that was refused, cut or damaged.
pub fn metric_name_in(beginning: &[u8]) -> Option<String> {
    text_in("name", beginning)
}

/// How a payload says that it came, if it does: the gateway's own doors say so, and
/// whoever else can push may say it too.
pub fn door_in(beginning: &[u8]) -> Option<String> {
    text_in("door", beginning)
}

fn text_in(field: &str, beginning: &[u8]) -> Option<String> {
    let valid = beginning.utf8_chunks().next()?.valid();
    let mut unescaped = String::new();
    fields::text_of(field, &mut Scanner::new(valid, &mut unescaped))
}

/// Whether `payload`, if it is JSON at all, is an array.
#[inline]
pub(super) fn begins_array(payload: &[u8]) -> bool {
    payload.get(runs::end_of_space(payload, 0)) == Some(&b'[')
}

#[cold]
fn not_a_sample(got: JsonType) -> Reject {
    let detail = match got {
        JsonType::Null => "expected an object, got null",
        JsonType::Boolean => "expected an object, got a boolean",
        JsonType::Number => "expected an object, got a number",
        JsonType::String => "expected an object, got a string",
        JsonType::Array => "expected an object, got an array",
        JsonType::Object => unreachable!("an object is what was expected"),
    };
    Reject::new(Reason::NotASample, detail)
}

#[cold]
fn invalid_json(payload: &str, SyntaxError { expected, at }: SyntaxError) -> Reject {
    let got = match payload[at..].chars().next() {
        Some(character) => printable(character.encode_utf8(&mut [0; 4]), SHORT),
        None => "the end".to_owned(),
    };
    Reject::new(Reason::InvalidJson, format!("expected {expected} at byte {at}, got {got}"))
}

#[cfg(test)]
mod tests {
    use super::super::MAX_UNKNOWN_FIELDS;
    use super::*;

    /// What is listed is read: nothing of it can be an array in an array.
    #[test]
    fn every_field_listed_is_read() {
        // Nothing follows from `door`, so it may be anything.
        for field in FIELDS.into_iter().filter(|field| *field != "door") {
            let payload = format!(r#"{{"name":"m","{field}":[[]]}}"#);
            let refused = JsonDecoder::new(PayloadLimits::default())
                .decode(payload.as_bytes(), UnixTime::MIN)
                .map(drop)
                .map_err(|refused| refused.reason);
            let reason = match field {
                "type" => Reason::UnknownType,
                "timestamp" => Reason::BadTimestamp,
                "ttl" => Reason::BadTtl,
                _ => Reason::InvalidField,
            };
            assert_eq!(refused, Err(reason), "{field}");
        }
    }

    #[test]
    fn hostile_payloads_leave_no_large_buffers() {
        let limits = PayloadLimits::default();
        let text = |members: &str| format!(r#"{{"name":"m",{members}"x":0}}"#);
        let many = |member: &str| member.repeat(1_000_000 / member.len());
        let mut decoder = JsonDecoder::new(limits.clone());
        for hostile in [
            text(&format!(r#""help":"{}","#, many(r"\n"))),
            text(&many(r#""name":"\u006d","#)),
            text(&many(r#""\u006e":0,"#)),
            text(&many(r#""unknown":0,"#)),
            text(&format!(r#""labels":{{{}"a":"b"}},"#, many(r#""\u0061":"\n","#))),
            text(&format!(
                r#""buckets":[{}0],"quantiles":[{}0],"#,
                many("1,")[..400_000].to_owned(),
                &many("1,")[..400_000]
            )),
            text(&format!(
                r#""native":{{"schema":3,"positive":{{"indexes":[{0}0],"counts":[{0}0]}},{1}"a":0}},"#,
                &many("1,")[..200_000],
                &many(r#""a":0,"#)[..300_000]
            )),
        ] {
            let refused = decoder
                .decode(hostile.as_bytes(), UnixTime::MIN)
                .map(|decoded| decoded.sample.kind);
            assert_ne!(refused.map_err(|refused| refused.reason), Err(Reason::PayloadTooLarge));
        }
        decoder.decode(br#"{"name":"m"}"#, UnixTime::MIN).expect("a sample");
        assert!(decoder.unescaped.capacity() <= 2 * KEPT_BYTES);
        assert!(decoder.unknown.first.capacity() <= 2 * MAX_UNKNOWN_FIELDS);
        assert!(decoder.lists.labels.capacity() <= 2 * limits.max_labels);
        assert!(decoder.lists.buckets.capacity() <= 2 * limits.max_buckets);
        assert!(decoder.lists.quantiles.capacity() <= 2 * limits.max_quantiles);
        let side = &decoder.lists.native_sent.positive;
        assert!(side.indexes.capacity() >= limits.max_values, "it was read");
        assert!(side.indexes.capacity() <= 2 * limits.max_values);
        assert!(side.counts.capacity() <= 2 * limits.max_values);
    }
}

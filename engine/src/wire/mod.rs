//! Wire: a JSON payload becomes a [`Sample`].
//!
//! A *payload* is one queue element. It is read once, from front to back, into
//! notes of where its parts stand ([`fields`], on a cursor of [`json`]: that of
//! [`scanner`], or where white space is anywhere that of [`token_cursor`]); then
//! the notes are judged ([`judge`]), because a later member may replace an
//! earlier one and because a syntax error anywhere outweighs everything else.
//! Nothing is copied but strings with escapes, and for a sample nothing is
//! allocated once the buffers have grown.
//!
//! A payload may also be an array of samples ([`Decoder::elements`]). All of it
//! must be JSON by its grammar; then each element is a payload of its own, with a
//! verdict of its own (half a surrogate pair, which the grammar allows, is for
//! that to judge), and none of them may be an array again.
//!
//! A payload with several faults is refused for the first of these:
//!
//! 1. `payload_too_large`
//! 2. `invalid_json`, then `not_a_sample`
//! 3. `invalid_field`: name, value, help, labels, buckets, quantiles, epsilons,
//!    timestamp, ttl
//! 4. `unknown_type`
//! 5. `missing_name`, then `name_too_long`, then `invalid_name`
//! 6. `non_finite`, then `negative_counter`
//! 7. `help_too_long`
//! 8. `too_many_labels`; then for each label in turn `name_too_long`,
//!    `invalid_label_name`, `invalid_label_value`, `label_too_long`
//! 9. `bad_buckets` of a histogram, `bad_quantiles` of a summary
//! 10. `bad_timestamp`, then `bad_ttl`
//!
//! Reserved names are the catalog's to refuse, since a family may print names
//! besides its own.

mod field_types;
mod fields;
mod json;
mod judge;
pub mod number;
mod scanner;
mod runs;
mod token_cursor;
mod tokens;

use std::ops::Range;

use crate::labels::DropLabels;
use crate::limits::PayloadLimits;
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};
use crate::sample::Sample;
use crate::text::{Json, Texts};
use crate::timestamp::UnixTime;
pub use fields::FIELDS;
use fields::{Document, Lists};
use json::{Cursor, Expected};
use scanner::Scanner;
use token_cursor::TokenCursor;
use tokens::Tokens;

/// Decodes payloads; keeps its buffers from one to the next.
#[derive(Debug)]
pub struct Decoder {
    rules: Rules,
    ways: Ways,
    unescaped: String,
    lists: Lists,
    objectives: Vec<(f64, f64)>,
}

/// What payloads are held to.
#[derive(Debug, Default)]
struct Rules {
    limits: PayloadLimits,
    drop_labels: DropLabels,
}

/// How payloads are read.
#[derive(Debug, Default)]
struct Ways {
    tokens: Tokens,
    /// Whether the last payload had white space where nobody expects it.
    is_ragged: bool,
}

/// Unescaped bytes that are kept room for: ordinary payloads fit, and a hostile
/// one leaves no large buffer behind. The lists grow no further than the limits.
const KEPT_BYTES: usize = 16 * 1024;

impl Decoder {
    /// A decoder that refuses what passes `limits`.
    pub fn new(limits: PayloadLimits) -> Self {
        Self {
            rules: Rules { limits, drop_labels: DropLabels::default() },
            ways: Ways::default(),
            unescaped: String::new(),
            lists: Lists::default(),
            objectives: Vec::new(),
        }
    }

    /// The same, but labels of these names are taken off every sample: they
    /// count against the limit on labels, and are not judged otherwise.
    pub fn dropping(mut self, labels: DropLabels) -> Self {
        self.rules.drop_labels = labels;
        self
    }

    /// The sample in `payload`, taken at `now`, or why it is refused.
    pub fn decode<'a>(
        &'a mut self,
        payload: &'a [u8],
        now: UnixTime,
    ) -> Result<Sample<'a>, Reject> {
        let Self { rules, ways, unescaped, lists, objectives } = self;
        let payload = check_bytes(payload, rules.limits.max_payload_bytes)?;
        match read(payload, ways, unescaped, lists, &rules.limits) {
            Ok(Document::Object(fields)) => {
                let texts = Texts::new(payload, unescaped);
                judge::sample(&fields, texts, lists, objectives, rules, now)
            }
            Ok(Document::Other(json)) => Err(not_a_sample(json)),
            Err(expected) => Err(syntax_error(payload, expected)),
        }
    }

    /// Where the elements of `payload`, which is an array, stand in it: each a
    /// payload of its own. None of them where all of it is not JSON.
    pub fn elements(&mut self, payload: &[u8], out: &mut Vec<Range<usize>>) -> Result<(), Reject> {
        let payload = check_bytes(payload, self.rules.limits.max_payload_bytes)?;
        self.unescaped.clear();
        let mut scanner = Scanner::<true>::new(payload, &mut self.unescaped);
        let read = fields::elements(&mut scanner, out);
        self.unescaped.clear();
        self.unescaped.shrink_to(KEPT_BYTES);
        match read {
            Ok(()) if out.is_empty() => {
                Err(Reject::new(Reason::NotASample, "expected samples in an array, got none"))
            }
            Ok(()) => Ok(()),
            Err(expected) => {
                out.clear();
                Err(syntax_error(payload, expected))
            }
        }
    }
}

/// Reads the whole document: by its tokens where the last one was ragged, else,
/// and where that does not do, byte after byte.
///
/// Finding the tokens takes a quarter more time than scanning what serializers
/// write, where each branch is foreseen, and a third less where white space is
/// anywhere.
#[inline(always)]
fn read(
    payload: &str,
    ways: &mut Ways,
    unescaped: &mut String,
    lists: &mut Lists,
    limits: &PayloadLimits,
) -> Result<Document, Expected> {
    unescaped.clear();
    unescaped.shrink_to(KEPT_BYTES);
    if ways.is_ragged && ways.tokens.find(payload) {
        let mut cursor = TokenCursor::new(payload, &ways.tokens, unescaped);
        let document = fields::read(&mut cursor, lists, limits);
        ways.is_ragged = cursor.is_ragged();
        if let Ok(document) = document {
            return Ok(document);
        }
        unescaped.clear();
    }
    let mut scanner = Scanner::<false>::new(payload, unescaped);
    let document = fields::read(&mut scanner, lists, limits);
    ways.is_ragged = scanner.is_ragged();
    document
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
    let valid = beginning.utf8_chunks().next()?.valid();
    let mut unescaped = String::new();
    fields::name(&mut Scanner::<false>::new(valid, &mut unescaped))
}

/// Whether `payload`, if it is JSON at all, is an array.
#[inline]
pub fn begins_array(payload: &[u8]) -> bool {
    payload.get(runs::end_of_space(payload, 0)) == Some(&b'[')
}

#[cold]
fn not_a_sample(got: Json) -> Reject {
    let detail = match got {
        Json::Null => "expected an object, got null",
        Json::Boolean => "expected an object, got a boolean",
        Json::Number => "expected an object, got a number",
        Json::String => "expected an object, got a string",
        Json::Array => "expected an object, got an array",
        Json::Object => unreachable!("an object is what was expected"),
    };
    Reject::new(Reason::NotASample, detail)
}

#[cold]
fn syntax_error(payload: &str, Expected { what, at }: Expected) -> Reject {
    let got = match payload[at..].chars().next() {
        Some(character) => printable(character.encode_utf8(&mut [0; 4]), SHORT),
        None => "the end".to_owned(),
    };
    Reject::new(Reason::InvalidJson, format!("expected {what} at byte {at}, got {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Escapes, strings and numbers over every border between blocks: what the
    /// scanner finds, the tokens must lead to, since a payload that they do not
    /// do for is read twice.
    #[test]
    fn tokens_lead_to_what_a_scanner_finds() {
        const PAYLOADS: [&str; 4] = [
            r#"{"type":"gauge","name":"m","value":-1.5e3,"labels":{"a":"\\\"é\\","b":null}}"#,
            r#"{ "x" : [ [ { "y" : "\u00e9" } , [ ] , true ] ] , "name" : "m" , "buckets":[1, 2]}"#,
            r#"[{"name":"a"}, 12 , false,"\\"]"#,
            "\"\"",
        ];
        let (limits, mut tokens) = (PayloadLimits::default(), Tokens::default());
        for payload in PAYLOADS {
            for shift in 0..130 {
                let payload = format!("{}{payload}{}", " ".repeat(shift), "\n".repeat(shift % 3));
                let (mut scanned, mut by_tokens) = Default::default();
                let (mut scan_lists, mut token_lists) = (Lists::default(), Lists::default());
                let mut scanner = Scanner::<false>::new(&payload, &mut scanned);
                let expected = fields::read(&mut scanner, &mut scan_lists, &limits);
                assert!(tokens.find(&payload), "{payload}");
                let mut cursor = TokenCursor::new(&payload, &tokens, &mut by_tokens);
                let found = fields::read(&mut cursor, &mut token_lists, &limits);
                assert!(expected.is_ok(), "{payload}");
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{payload}");
                assert_eq!(format!("{token_lists:?}"), format!("{scan_lists:?}"), "{payload}");
                assert_eq!(scanned, by_tokens, "{payload}");
            }
        }
    }

    #[test]
    fn hostile_payloads_leave_no_large_buffers() {
        let limits = PayloadLimits::default();
        let text = |members: &str| format!(r#"{{"name":"m",{members}"x":0}}"#);
        let many = |member: &str| member.repeat(1_000_000 / member.len());
        let mut decoder = Decoder::new(limits.clone());
        for hostile in [
            text(&format!(r#""help":"{}","#, many(r"\n"))),
            text(&many(r#""name":"\u006d","#)),
            text(&many(r#""\u006e":0,"#)),
            text(&format!(r#""labels":{{{}"a":"b"}},"#, many(r#""\u0061":"\n","#))),
            text(&format!(
                r#""buckets":[{}0],"quantiles":[{}0],"#,
                many("1,")[..400_000].to_owned(),
                &many("1,")[..400_000]
            )),
        ] {
            let refused =
                decoder.decode(hostile.as_bytes(), UnixTime::MIN).map(|sample| sample.kind);
            assert_ne!(refused.map_err(|refused| refused.reason), Err(Reason::PayloadTooLarge));
        }
        decoder.decode(br#"{"name":"m"}"#, UnixTime::MIN).expect("a sample");
        assert!(decoder.unescaped.capacity() <= 2 * KEPT_BYTES);
        assert!(decoder.lists.labels.capacity() <= 2 * limits.max_labels);
        assert!(decoder.lists.buckets.capacity() <= 2 * limits.max_buckets);
        assert!(decoder.lists.quantiles.capacity() <= 2 * limits.max_quantiles);
    }
}

//! What `lint --strict` reports though the gateway takes it: fields that nobody
//! reads, and metrics without what their later readers will miss.

use std::collections::HashSet;
use std::ops::Range;

use psg_engine::intake::IntakeSettings;
use psg_engine::metric::Kind;
use psg_engine::printable::{SHORT, printable};
use psg_engine::reject::DroppedExemplar;
use psg_engine::sample::Sample;
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::{FIELDS, JsonDecoder, NATIVE_FIELDS, PayloadForm};

/// A name with up to this many slips is meant to be that of a field.
const MAX_SLIPS: usize = 2;

/// Looks at samples as the gateway reads them; each metric's name is reported once.
#[derive(Debug)]
pub struct Strict {
    decoder: JsonDecoder,
    unnamed: HashSet<String>,
    unhelped: HashSet<String>,
}

/// What is odd about a sample.
#[derive(Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The byte of the payload where the sample begins.
    pub at: usize,
    pub reason: &'static str,
    pub detail: String,
}

impl Strict {
    /// For the payloads of an intake with these settings.
    pub fn new(settings: &IntakeSettings) -> Self {
        Self { decoder: settings.decoder(), unnamed: HashSet::new(), unhelped: HashSet::new() }
    }

    /// What is odd about the samples of a payload that is taken at `now`. Of those
    /// that are refused, by where they begin, unknown fields alone: they may be why.
    pub fn look(&mut self, payload: &[u8], refused: &[usize], now: UnixTime) -> Vec<Oddity> {
        let mut odd = Vec::new();
        for place in self.places(payload) {
            let at = place.start;
            let Self { decoder, unnamed, unhelped } = self;
            let mut found = Vec::new();
            if let Ok(decoded) = decoder.decode(&payload[place], now)
                && !refused.contains(&at)
            {
                found = of_sample(&decoded.sample, unnamed, unhelped);
            }
            let fields = decoder.take_unknown_fields();
            let unknown = fields.iter().map(|(name, _)| ("unknown_field", unknown(name)));
            let all = unknown.chain(found);
            odd.extend(all.map(|(reason, detail)| Oddity { at, reason, detail }));
        }
        odd
    }

    /// Where the samples of a payload stand in it.
    fn places(&mut self, payload: &[u8]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        match PayloadForm::of(payload) {
            PayloadForm::JsonSample => places.push(0..payload.len()),
            // Where it can't be read it has no samples.
            PayloadForm::JsonArray => drop(self.decoder.elements(payload, &mut places)),
        }
        places
    }
}

/// What those who read the metric later will miss.
fn of_sample(
    sample: &Sample<'_>,
    unnamed: &mut HashSet<String>,
    unhelped: &mut HashSet<String>,
) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let (name, shown) = (sample.name, printable(sample.name, SHORT));
    if sample.kind == Kind::Counter && !name.ends_with("_total") && unnamed.insert(name.to_owned())
    {
        let detail = format!("expected a counter's name to end in _total, got {shown}");
        found.push(("counter_without_total", detail));
    }
    if sample.help.is_empty() && unhelped.insert(name.to_owned()) {
        found.push(("no_help", format!("expected a help text for {shown}, got none")));
    }
    match sample.exemplar {
        // Where they are off, that is the operator's wish.
        None | Some(Ok(_) | Err(DroppedExemplar::Off)) => {}
        Some(Err(dropped)) => {
            let detail = format!("expected an exemplar that can be shown, got {}", dropped.fault());
            found.push(("dropped_exemplar", detail));
        }
    }
    found
}

fn unknown(name: &str) -> String {
    let slips = |field: &&str| strsim::damerau_levenshtein(field, &name.to_lowercase());
    let all = FIELDS.into_iter().chain(NATIVE_FIELDS);
    let nearest = all.min_by_key(slips).filter(|field| slips(field) <= MAX_SLIPS);
    let expected = nearest.map_or_else(|| format!("one of {}", FIELDS.join(", ")), str::to_owned);
    format!("expected {expected}, got {}", printable(name, SHORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(payload: &[u8], refused: &[usize]) -> Vec<Oddity> {
        let outcome = crate::config::from_settings(&[]);
        let settings = outcome.config.expect("sound settings").gateway.pipeline.intake;
        Strict::new(&settings).look(payload, refused, UnixTime::MIN)
    }

    #[track_caller]
    fn check(payload: &str, expected: &[(usize, &'static str, &str)]) {
        let found = look(payload.as_bytes(), &[]);
        let expected: Vec<Oddity> = expected
            .iter()
            .map(|(at, reason, detail)| Oddity { at: *at, reason, detail: (*detail).to_owned() })
            .collect();
        assert_eq!(found, expected, "{payload}");
    }

    #[test]
    fn misspelt_fields_are_named_with_what_was_meant() {
        check(
            r#"{"tpye":"gauge","name":"h_total","help":"h","valeu":1}"#,
            &[
                (0, "unknown_field", "expected type, got tpye"),
                (0, "unknown_field", "expected value, got valeu"),
            ],
        );
        check(
            r#"{"type":3,"name":"h","help":"h","native":{"schema":3,"zero_cuont":1},"sum":0}"#,
            &[(0, "unknown_field", "expected zero_count, got zero_cuont")],
        );
        let all = format!("expected one of {}, got operation", FIELDS.join(", "));
        check(r#"{"name":"h_total","help":"h","operation":1}"#, &[(0, "unknown_field", &all)]);
    }

    /// Which other readers of JSON refuse.
    #[test]
    fn a_sample_with_half_a_surrogate_pair_is_looked_at() {
        let payload = r#"[{"name":"h_total","help":"\ud83d","lang":"js"}]"#;
        let found = look(payload.as_bytes(), &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].at, found[0].reason), (1, "unknown_field"));
    }

    #[test]
    fn what_nobody_reads_later_is_told_once_for_each_name() {
        check(
            r#"[{"name":"jobs"}, {"name":"jobs"}, {"type":"GAUGE","name":"g","help":"what"}]"#,
            &[
                (
                    1,
                    "counter_without_total",
                    "expected a counter's name to end in _total, got jobs",
                ),
                (1, "no_help", "expected a help text for jobs, got none"),
            ],
        );
    }

    #[test]
    fn an_exemplar_that_would_be_dropped_is_told_where_exemplars_are_taken() {
        let payload = r#"{"name":"a_total","help":"h","exemplar":{"labels":{"a-b":"c"}}}"#;
        check(payload, &[]);
        let outcome = crate::config::from_settings(&[("Metrics__Exemplars", "true")]);
        let settings = outcome.config.expect("sound settings").gateway.pipeline.intake;
        let found = Strict::new(&settings).look(payload.as_bytes(), &[], UnixTime::MIN);
        let expected =
            "expected an exemplar that can be shown, got a label name that none may have";
        assert_eq!((found.len(), found[0].reason), (1, "dropped_exemplar"));
        assert_eq!(found[0].detail, expected);
    }

    #[test]
    fn of_refused_samples_unknown_fields_alone_are_told() {
        let payload = br#"[{"name":"a","vale":-1}]"#;
        let found = look(payload, &[1]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].reason, "unknown_field");
    }

    #[test]
    fn every_field_of_the_wire_is_known() {
        let fields = FIELDS.map(|name| format!("\"{name}\":null")).join(",");
        let found = look(format!("{{{fields}}}").as_bytes(), &[0]);
        assert_eq!(found, []);
    }
}

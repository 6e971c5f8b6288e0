//! Properties: any bytes get a verdict, and it is the second opinion's.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use psg_engine::limits::PayloadLimits;
use psg_engine::metric::{GaugeOp, Observations};
use psg_engine::reject::{DroppedExemplar, Reason};
use psg_engine::wire::JsonSample;

use super::payloads::{damaged_payload, payload, token_soup};
use super::show::{decode, decoder, now, show, small_limits};
use super::{oracle, payload_tree, payloads};
use crate::support::cases;

fn check(payload: &[u8]) -> Result<String, Reason> {
    let limits = small_limits();
    let decoded = decode(payload, limits.clone());
    if let Err(refused) = &decoded {
        let detail = &refused.detail;
        assert!(detail.len() <= 200, "a long detail: {detail}");
        assert!(!detail.chars().any(char::is_control), "not escaped: {detail:?}");
    }
    let verdict = decoded.map_err(|refused| refused.reason);
    let shown = String::from_utf8_lossy(payload);
    assert_eq!(verdict, oracle::decode(payload, &limits), "{shown}");
    verdict
}

/// serde_json's own verdict on the syntax, where it looks at nothing else: it
/// nests deeper than we do and refuses numbers beyond a double, and half surrogate
/// pairs, of which there are none here.
fn check_syntax(payload: &[u8]) {
    let refused = decode(payload, PayloadLimits::default()).map_err(|refused| refused.reason);
    let is_json = refused.as_ref().err() != Some(&Reason::InvalidJson);
    let shown = String::from_utf8_lossy(payload);
    let mended = str::from_utf8(payload).map(payload_tree::without_halves);
    let document = mended.as_ref().map_or(payload, String::as_bytes);
    match serde_json::from_slice::<serde_json::Value>(document) {
        Ok(_) => assert_eq!(is_json, depth(payload) <= 64, "{shown}"),
        Err(error) if error.to_string().contains("out of range") => {}
        Err(error) => assert!(!is_json, "{error}: {shown}"),
    }
}

/// How deep a valid document nests, duplicates included.
fn depth(document: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0, 0, false, false);
    for byte in document {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        escaped = *byte == b'\\' && !escaped;
        deepest = deepest.max(depth);
    }
    deepest
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn whole_payloads(payload in payload()) {
        let _ = check(payload.as_bytes());
        check_syntax(payload.as_bytes());
    }

    #[test]
    fn damaged_payloads(payload in damaged_payload()) {
        let _ = check(&payload);
        check_syntax(&payload);
    }

    #[test]
    fn tokens_in_any_order(payload in token_soup()) {
        let _ = check(payload.as_bytes());
        check_syntax(payload.as_bytes());
    }

    #[test]
    fn any_bytes(payload: Vec<u8>) {
        let _ = check(&payload);
        check_syntax(&payload);
    }

    #[test]
    fn any_text_in_a_string(text: String) {
        let quoted = format!("{{\"help\":\"{text}\",\"name\":\"m\"}}");
        let _ = check(quoted.as_bytes());
        check_syntax(quoted.as_bytes());
    }

    #[test]
    fn a_decoder_forgets_the_payload_before(
        payloads in proptest::collection::vec(payloads::payload(), 1..6),
    ) {
        let mut used = decoder(small_limits());
        for payload in payloads {
            let again = used.decode(payload.as_bytes(), now()).map(|sample| show(&sample));
            prop_assert_eq!(again, decode(payload.as_bytes(), small_limits()));
        }
    }
}

/// The properties above prove little if the generator makes nothing valid, or
/// nothing of one type. Reasons that other parts give, or that tables cover, are
/// not asked for.
#[test]
fn generated_payloads_meet_every_verdict() {
    let counts: [Cell<u32>; Reason::COUNT] = std::array::from_fn(|_| Cell::new(0));
    let kinds: Cell<[u32; 4]> = Cell::default();
    let [several, counted, native, ops, units, factors]: [Cell<u32>; 6] = Default::default();
    let exemplars: [Cell<u32>; DroppedExemplar::ALL.len() + 1] = Default::default();
    let config = Config { cases: 8192, failure_persistence: None, ..Config::default() };
    // Always the same cases, since a rare verdict may be missing from others.
    let seeded = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, seeded);
    let run = runner.run(&payloads::payload(), |payload| {
        match decoder(small_limits()).decode(payload.as_bytes(), now()) {
            Ok(JsonSample { sample, .. }) => {
                let mut seen = kinds.get();
                seen[sample.kind as usize] += 1;
                kinds.set(seen);
                match sample.observations {
                    Observations::One => {}
                    Observations::Values(_) => several.set(several.get() + 1),
                    Observations::Counts(_) => counted.set(counted.get() + 1),
                    Observations::Native(_) => native.set(native.get() + 1),
                }
                ops.set(ops.get() + u32::from(sample.op != GaugeOp::Set));
                factors.set(factors.get() + u32::from(sample.schema.is_some()));
                units.set(units.get() + u32::from(!sample.unit.is_empty()));
                if let Some(exemplar) = sample.exemplar {
                    let taken = DroppedExemplar::ALL.len();
                    let count = &exemplars[exemplar.map_or_else(|it| it as usize, |_| taken)];
                    count.set(count.get() + 1);
                }
            }
            Err(refused) => {
                let count = &counts[refused.reason as usize];
                count.set(count.get() + 1);
            }
        }
        Ok(())
    });
    run.expect("every case passes");
    assert!(kinds.get().iter().all(|count| *count > 100), "{kinds:?}");
    let rare = [several, counted, native, ops, units, factors];
    assert!(rare.iter().all(|count| count.get() > 5), "{rare:?}");
    // But for those that are turned off.
    assert!(exemplars[1..].iter().all(|count| count.get() > 0), "{exemplars:?}");
    for reason in Reason::ALL {
        let elsewhere = matches!(
            reason,
            Reason::NotASample
                | Reason::PayloadTooLarge
                | Reason::ReservedName
                | Reason::TypeConflict
                | Reason::SuffixConflict
                | Reason::LabelConflict
                | Reason::InvalidFrame
                | Reason::SeriesLimit
                | Reason::MetricSeriesLimit
                | Reason::SeriesBytesLimit
        );
        assert!(elsewhere || counts[*reason as usize].get() > 0, "never {}", reason.as_str());
    }
}

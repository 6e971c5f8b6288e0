//! Arrays of samples: each element is a payload of its own.

use proptest::collection::vec;
use proptest::prelude::*;
use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;
use psg_engine::wire::PayloadForm;

use super::oracle;
use super::payloads::{damaged_payload, payload, token_soup};
use super::show::{decoder, now, show, small_limits};
use crate::support::cases;

/// The verdicts on the elements of an array, in order; or that on all of it.
fn decode_array(
    payload: &[u8],
    limits: PayloadLimits,
) -> Result<Vec<Result<String, Reason>>, Reason> {
    let mut decoder = decoder(limits);
    let mut places = Vec::new();
    decoder.elements(payload, &mut places).map_err(|refused| refused.reason)?;
    let verdict = |place| {
        let sample = decoder.decode(&payload[place], now());
        sample.map(|sample| show(&sample)).map_err(|refused| refused.reason)
    };
    Ok(places.into_iter().map(verdict).collect())
}

fn limits() -> PayloadLimits {
    PayloadLimits { max_payload_bytes: 2000, ..small_limits() }
}

/// As [`decode_array`], but for whether the document is one for it.
fn check(payload: &[u8]) {
    let shown = String::from_utf8_lossy(payload);
    let first = payload.iter().find(|byte| !b" \t\n\r".contains(byte));
    let is_array = PayloadForm::of(payload) == PayloadForm::JsonArray;
    assert_eq!(is_array, first == Some(&b'['), "{shown}");
    if is_array {
        let expected = oracle::decode_array(payload, &limits());
        assert_eq!(decode_array(payload, limits()), expected, "{shown}");
    }
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn whole_arrays(payloads in vec(payload(), 0..6), space in "[ \n\t\r]{0,3}") {
        check(format!("{space}[{}]{space}", payloads.join(",")).as_bytes());
    }

    #[test]
    fn damaged_arrays(payloads in vec(damaged_payload(), 1..4)) {
        check(&[b"[".as_slice(), &payloads.join(&b','), b"]"].concat());
    }

    #[test]
    fn tokens_in_arrays(tokens in token_soup()) {
        check(format!("[{tokens}]").as_bytes());
        check(format!("[{tokens}").as_bytes());
    }
}

/// The reason for which each element of an array is refused, or none.
fn reasons(payload: &str) -> Result<Vec<Option<Reason>>, Reason> {
    let verdicts = decode_array(payload.as_bytes(), PayloadLimits::default())?;
    Ok(verdicts.into_iter().map(Result::err).collect())
}

#[test]
fn a_bad_sample_refuses_none_but_itself() {
    let verdicts = reasons(r#"[{"name":"a"}, {"name":"b","value":-1}, 7, {"name":"c"}, [], null]"#);
    let not_a_sample = Some(Reason::NotASample);
    let expected =
        [None, Some(Reason::NegativeCounter), not_a_sample, None, not_a_sample, not_a_sample];
    assert_eq!(verdicts, Ok(expected.to_vec()));
}

#[test]
fn arrays_in_arrays_and_empty_ones_are_no_samples() {
    assert_eq!(reasons("[]"), Err(Reason::NotASample));
    assert_eq!(reasons(" [ ] "), Err(Reason::NotASample));
    assert_eq!(reasons(r#"[[{"name":"a"}]]"#), Ok(vec![Some(Reason::NotASample)]));
}

#[test]
fn half_a_surrogate_pair_in_one_sample_refuses_none() {
    let half = r#"[{"name":"a"},{"name":"b","labels":{"x":"\ud83d"}},{"name":"\ude00"}]"#;
    assert_eq!(reasons(half), Ok(vec![None, None, Some(Reason::InvalidName)]));
    // What the grammar does not have is the fault of the whole.
    for broken in [r"\ud83", r"\ud83d\u", r"\ud83d\x", r"\ud83d\u004"] {
        let payload = format!(r#"[{{"name":"a","x":"{broken}"}}]"#);
        assert_eq!(reasons(&payload), Err(Reason::InvalidJson), "{broken}");
    }
}

#[test]
fn an_array_that_is_not_json_is_refused_as_a_whole() {
    for payload in [r#"[{"name":"a"}"#, r#"[{"name":"a"},]"#, r#"[{"name":"a"}] 1"#, "["] {
        assert_eq!(reasons(payload), Err(Reason::InvalidJson), "{payload}");
    }
    let nested = |depth: usize| {
        format!(r#"[{{"name":"a","x":{}1{}}}]"#, "[".repeat(depth), "]".repeat(depth))
    };
    assert_eq!(reasons(&nested(63)), Ok(vec![None]));
    assert_eq!(reasons(&nested(64)), Err(Reason::InvalidJson));
}

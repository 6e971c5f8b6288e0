//! One payload: any bytes get a verdict, and it is the oracle's; so does each
//! sample of an array.

use std::cell::RefCell;

use psg_engine::limits::PayloadLimits;
use psg_engine::reject::{Reason, Reject};
use psg_engine::wire::{JsonDecoder, metric_name_in};

use super::show::{decoder, now, show, small_limits};
use super::{begins_as_array, oracle};

thread_local! {
    /// Used again and again, so that what a payload leaves behind is seen.
    static DECODERS: RefCell<[(PayloadLimits, JsonDecoder); 2]> =
        RefCell::new([small_limits(), PayloadLimits::default()].map(with_decoder));
}

fn with_decoder(limits: PayloadLimits) -> (PayloadLimits, JsonDecoder) {
    (limits.clone(), decoder(limits))
}

/// Decodes `payload` under limits that are soon reached, and under the usual.
pub fn check(payload: &[u8]) {
    DECODERS.with_borrow_mut(|decoders| {
        for (limits, decoder) in decoders {
            let verdict = decode(payload, decoder);
            assert_eq!(verdict, oracle::decode(payload, limits), "left: the decoder's verdict");
            if begins_as_array(payload) {
                let verdicts = decode_array(payload, decoder);
                let expected = oracle::decode_array(payload, limits);
                assert_eq!(verdicts, expected, "left: the decoder's verdicts");
            }
            if let Ok(sample) = verdict {
                let name = metric_name_in(payload).expect("a sample has a name");
                let (_, named) = sample.split_once(' ').expect("the type stands before");
                assert!(named.starts_with(&format!("{name}{{")), "{name} in {sample}");
            }
        }
    });
    // It is meant for what is cut, too.
    let _ = metric_name_in(&payload[..payload.len() / 2]);
}

fn decode(payload: &[u8], decoder: &mut JsonDecoder) -> Result<String, Reason> {
    let decoded = decoder.decode(payload, now()).map(|sample| show(&sample));
    decoded.map_err(checked)
}

fn decode_array(
    payload: &[u8],
    decoder: &mut JsonDecoder,
) -> Result<Vec<Result<String, Reason>>, Reason> {
    let mut elements = Vec::new();
    decoder.elements(payload, &mut elements).map_err(checked)?;
    let decoded = elements.into_iter().map(|element| decode(&payload[element], decoder));
    Ok(decoded.collect())
}

fn checked(refused: Reject) -> Reason {
    let detail = &refused.detail;
    assert!(detail.len() <= 200, "a long detail: {detail}");
    assert!(!detail.chars().any(char::is_control), "not escaped: {detail:?}");
    refused.reason
}

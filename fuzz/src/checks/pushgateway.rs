//! What is pushed to the Pushgateway's door: whatever comes is read or refused; the
//! engine refuses of what was read only what is against its limits and names; and what
//! it then prints is read to the same again.

use prost::Message;
use psg_actors::doors::pushgateway::{BodyFormat, PushOptions, Weight, parse};
use psg_actors::doors::sample::{ElementLimits, Elements};
use psg_actors::self_metrics::doors::Door;
use psg_engine::exposition::Format;
use psg_engine::reject::Reason;

use super::pipeline::{Pipeline, PipelineSettings};

const LIMITS: ElementLimits = ElementLimits { max_payload_bytes: 1 << 20, max_bytes: 64 << 20 };

/// What a body can't tell of itself.
const JUDGED_BY_THE_ENGINE: [Reason; 13] = [
    Reason::BadBuckets,
    Reason::HelpTooLong,
    Reason::InvalidLabelName,
    Reason::InvalidName,
    Reason::InvalidUnit,
    Reason::LabelConflict,
    Reason::LabelTooLong,
    Reason::MissingName,
    Reason::NameTooLong,
    Reason::ReservedName,
    Reason::SuffixConflict,
    Reason::TooManyLabels,
    Reason::TypeConflict,
];

/// The first byte says which format the rest is in: `o`, `p`, or else text.
pub fn check(data: &[u8]) {
    let [format, body @ ..] = data else { return };
    let format = match format {
        b'o' => BodyFormat::OpenMetrics,
        b'p' => BodyFormat::Protobuf,
        _ => BodyFormat::Text,
    };
    let Some(mut first) = pushed(body, format) else { return };
    let text = first.exposition(Format::Text);
    let mut again = pushed(text.as_bytes(), BodyFormat::Text).expect("what we print is read");
    assert_eq!(as_read(again.lines(Format::Text)), as_read(first.lines(Format::Text)));

    let messages = first.messages();
    let body: Vec<u8> = messages.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
    let again = pushed(&body, BodyFormat::Protobuf).expect("what we print is read");
    assert_eq!({ again }.messages(), messages);
}

/// Lines of text as their readers have them: blanks before a help are none of it, and one
/// of blanks alone is none.
fn as_read(lines: Vec<String>) -> Vec<String> {
    let read = lines.into_iter().filter_map(|line| {
        let Some(help) = line.strip_prefix("# HELP ") else { return Some(line) };
        let (name, help) = help.split_once(' ')?;
        let help = help.trim_start_matches([' ', '\t']);
        (!help.is_empty()).then(|| format!("# HELP {name} {help}"))
    });
    read.collect()
}

/// The engine with all samples of a body, if it is one.
fn pushed(body: &[u8], format: BodyFormat) -> Option<Pipeline> {
    let options = PushOptions { grouping: &[], gauge_op: None, keep_exemplars: false };
    let mut elements = Elements::new(Door::Pushgateway, LIMITS);
    parse(body, format, &options, &mut elements).ok()?;
    let Weight { elements: weight, reading: _ } = Weight::of(body, format, &options);
    assert!(elements.bytes() <= weight + LIMITS.max_payload_bytes, "{}", elements.bytes());
    let elements: Vec<&[u8]> = elements.iter().collect();
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    for (_, sample, reason) in pipeline.batch_of_arrays(&elements) {
        let sample = sample.escape_ascii();
        assert!(JUDGED_BY_THE_ENGINE.contains(&reason), "{} of {sample}", reason.as_str());
    }
    Some(pipeline)
}

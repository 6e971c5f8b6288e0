//! Packets of StatsD: whatever comes is read or counted as left out, each line by
//! itself, and the engine refuses of what was read only what a line can't know.

use psg_actors::doors::sample::{ElementLimits, Elements};
use psg_actors::doors::statsd::lines::{self, LineOptions};
use psg_actors::self_metrics::doors::Door;
use psg_engine::reject::Reason;

use super::pipeline::{Pipeline, PipelineSettings};

const LIMITS: ElementLimits = ElementLimits { max_payload_bytes: 1 << 20, max_bytes: 8 << 20 };

/// What a line can't tell of itself.
const JUDGED_BY_THE_ENGINE: [Reason; 11] = [
    Reason::BadTimestamp,
    Reason::InvalidLabelName,
    Reason::LabelConflict,
    Reason::LabelTooLong,
    Reason::NameTooLong,
    Reason::NegativeCounter,
    Reason::NonFinite,
    Reason::ReservedName,
    Reason::SuffixConflict,
    Reason::TooManyLabels,
    Reason::TypeConflict,
];

/// The bytes are a packet.
pub fn check(packet: &[u8]) {
    let whole = read([packet]);
    let by_line = read(packet.split(|byte| *byte == b'\n'));
    assert_eq!(whole.samples(), by_line.samples());
    assert_eq!(whole.left_out(), by_line.left_out());
    let elements: Vec<&[u8]> = whole.iter().collect();
    assert_eq!(elements.concat(), by_line.iter().collect::<Vec<_>>().concat());
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    for (_, sample, reason) in pipeline.batch_of_arrays(&elements) {
        let sample = String::from_utf8_lossy(&sample).into_owned();
        assert!(JUDGED_BY_THE_ENGINE.contains(&reason), "{reason:?}: {sample}");
    }
}

fn read<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> Elements {
    let options = LineOptions { buckets: vec![0.1, 1.0], max_values: 100 };
    let mut elements = Elements::new(Door::Statsd, LIMITS);
    packets.into_iter().for_each(|packet| lines::read(packet, &options, &mut elements));
    elements
}

//! Frames at a home: whatever one holds, though its checksum be right, it is refused or
//! it is samples; a router that has it in its state sends it on as it is.

use psg_engine::forwarder::{Forwarder, ForwarderSettings};
use psg_engine::name::NameRules;
use psg_engine::partition::{Chunk, Lane, Partitions};
use psg_engine::reject::Reason;

use super::exposition;
use super::pipeline::{Pipeline, PipelineSettings};
use super::state::framed;

/// The first byte chooses which names the home takes; the rest is what the frame holds.
/// All of it is read as an element and as a stored chunk too.
pub fn check(data: &[u8]) {
    let _ = Chunk::decode(data);
    let _ = Chunk::decode(&framed(*b"PSGC", 1, data));
    let [choice, content @ ..] = data else { return };
    let settings = PipelineSettings {
        shards: 1,
        names: NameRules::ALL[usize::from(choice % 2)],
        ..PipelineSettings::default()
    };
    let frame = framed(*b"PSGF", 1, content);
    let mut home = Pipeline::new(&settings);
    let _ = home.batch_at_home(&[data]);
    let refused = home.batch_at_home(std::slice::from_ref(&frame)).expect("it is not newer");
    let is_invalid = refused.iter().any(|reject| reject.reason == Reason::InvalidFrame);
    assert!(refused.iter().all(|reject| reject.samples > 0));
    exposition::check(&mut home);
    // What is added to nothing changes no type, so all of it can be taken again.
    let _ = home.batch_at_home(std::slice::from_ref(&frame));
    exposition::check(&mut home);
    pass_on(&settings, frame, is_invalid);
}

/// A router reads its state as strictly, and changes nothing of it.
fn pass_on(settings: &PipelineSettings, frame: Vec<u8>, is_invalid: bool) {
    let partitions = Partitions::new(1).expect("a number of partitions");
    let mut forwarder = Forwarder::new(ForwarderSettings { intake: settings.intake(), partitions });
    let lane = Lane::from_number(0).expect("the first one");
    let chunk = Chunk { frames: vec![frame], samples: 0 };
    let restored = forwarder.restore(lane, &chunk.encode());
    assert_eq!(restored.is_err(), is_invalid, "left: of a state");
    if restored.is_ok() {
        let samples = forwarder.samples(lane);
        let flushed = forwarder.flush(lane).expect("there is a frame");
        assert_eq!(flushed, Chunk { samples, ..chunk });
    }
}

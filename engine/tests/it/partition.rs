//! What routers add up, and what their homes make of it.

mod forwarding;
mod frames;
mod meaning;

use psg_engine::forwarder::{Forwarder, ForwarderSettings};
use psg_engine::partition::{Lane, LaneSet, Partitions};
use psg_engine::reject::{Reason, Reject};
use psg_engine::timestamp::{Moment, UnixTime};

use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

/// A router, with what it has refused.
pub struct Router {
    pub forwarder: Forwarder,
    pub partitions: Partitions,
    /// When its batches are claimed, in Unix seconds.
    pub claimed_at: f64,
    pub now: Moment,
    pub refused: Vec<Reason>,
    pub taken: u64,
    pub passed_over: u64,
}

impl Router {
    pub fn new(settings: &PipelineSettings, partitions: usize) -> Self {
        let partitions = Partitions::new(partitions).expect("a number of partitions");
        let forwarder = Forwarder::new(ForwarderSettings { intake: settings.intake(), partitions });
        Self {
            forwarder,
            partitions,
            claimed_at: f64::from(NOW),
            now: Moment(0),
            refused: Vec::new(),
            taken: 0,
            passed_over: 0,
        }
    }

    /// Takes a batch into all lanes.
    pub fn batch<P: AsRef<[u8]>>(&mut self, payloads: &[P]) {
        self.batch_into(payloads, &LaneSet::all(self.partitions));
    }

    pub fn batch_into<P: AsRef<[u8]>>(&mut self, payloads: &[P], open: &LaneSet) {
        let Self { forwarder, refused, claimed_at, now, .. } = self;
        let elements = payloads.iter().map(AsRef::as_ref);
        let refuse = |_: &[u8], reject: Reject| refused.push(reject.reason);
        let claimed_at = UnixTime::from_sample(*claimed_at);
        let batch = forwarder.take_batch(elements, claimed_at, *now, open, refuse);
        self.taken += batch.taken;
        self.passed_over += batch.passed_over;
    }

    /// Takes everything off all lanes; the frames.
    pub fn flush(&mut self) -> Vec<Vec<u8>> {
        self.partitions.lanes().flat_map(|lane| self.flush_lane(lane)).collect()
    }

    pub fn flush_lane(&mut self, lane: Lane) -> Vec<Vec<u8>> {
        let samples = self.forwarder.samples(lane);
        let chunk = self.forwarder.flush(lane);
        assert_eq!(chunk.as_ref().map_or(0, |chunk| chunk.samples), samples);
        assert_eq!((self.forwarder.samples(lane), self.forwarder.bytes(lane)), (0, 0));
        chunk.map_or(Vec::new(), |chunk| chunk.frames)
    }
}

/// A home that has taken these frames.
pub fn home(settings: &PipelineSettings, frames: &[Vec<u8>]) -> (Pipeline, Vec<Reject>) {
    let mut home = Pipeline::new(settings);
    let refused = home.batch_at_home(frames).expect("frames of this version");
    (home, refused)
}

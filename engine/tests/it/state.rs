//! State as bytes: what comes back is what was there, and whatever bytes come
//! are either that or an error.

mod created;
mod damage;
mod hostile;
mod newer;
mod regroup;
mod round_trip;
mod snapshots;
use psg_engine::catalog::Catalog;
use psg_engine::exposition::Format;
use psg_engine::sharding::ShardCount;
use psg_engine::state::{Head, Instants, Loading, RunTime, StoredSegment};
use psg_engine::store::{ExposeJob, Snapshot, SnapshotOrder, Store, SurveyJob, TombstoneKey};
use psg_engine::timestamp::Moment;

use crate::support::pipeline::{Pipeline, PipelineSettings};

/// Where the clocks of these tests begin; state may be older than that.
pub const START: Moment = Moment(20_000);

/// A pipeline whose clock stands at the start.
pub fn pipeline(settings: &PipelineSettings) -> Pipeline {
    let mut pipeline = Pipeline::new(settings);
    pipeline.now = START;
    pipeline
}

/// What the clocks say when the first of its gateways runs with a state.
pub fn instants(pipeline: &Pipeline) -> Instants {
    Instants { now: pipeline.now, run_time: RunTime(pipeline.now.0 - START.0) }
}

/// Begins a snapshot in every store.
pub fn begin(pipeline: &mut Pipeline, number: u64, all: bool) {
    let order = SnapshotOrder { number, all, taken: instants(pipeline) };
    let shards = ShardCount::new(pipeline.stores.len());
    for store in &mut pipeline.stores {
        store.begin_snapshot(order, shards);
    }
}

/// Ends the snapshots under way.
pub fn finish(pipeline: &mut Pipeline) -> Vec<StoredSegment> {
    let mut stored = Vec::new();
    for store in &mut pipeline.stores {
        stored.extend(loop {
            match store.snapshot_some(7) {
                Snapshot::UnderWay => {}
                Snapshot::Done(segments) => break segments,
                Snapshot::None => panic!("a snapshot was begun"),
            }
        });
    }
    stored
}

/// All of a pipeline's state.
pub fn snapshot(pipeline: &mut Pipeline, number: u64, all: bool) -> Vec<StoredSegment> {
    begin(pipeline, number, all);
    finish(pipeline)
}

/// Does with what was read all that the gateway does.
pub fn use_all_of(store: &mut Store) {
    for format in Format::ALL {
        let mut job = ExposeJob::new(format, &Catalog::default());
        while !store.expose_some(&mut job, 100, START) {}
    }
    let mut survey = SurveyJob::default();
    while !store.survey_some(&mut survey, 100) {}
    survey.finish().most(10);
}

/// A new pipeline with the state that another had when its run time was `at`.
pub fn restored(settings: &PipelineSettings, stored: &[StoredSegment], at: RunTime) -> Pipeline {
    let head = Head { run_time: at, tombstone_key: [7; 16], time: None };
    let head = Head::decode(&head.encode()).expect("it was just written");
    let mut pipeline = pipeline(settings);
    let shards = ShardCount::new(settings.shards);
    let loading = Loading::new(stored, &pipeline.catalog, shards).expect("it was just written");
    assert_eq!(loading.left_out, []);
    let at = Instants { now: pipeline.now, run_time: head.run_time };
    for (store, segments) in pipeline.stores.iter_mut().zip(&loading.shards) {
        let key = TombstoneKey(head.tombstone_key);
        store.restore(segments, at, key).expect("it was just written");
    }
    pipeline
}

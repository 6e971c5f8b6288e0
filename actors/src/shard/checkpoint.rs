//! What a shard does for a checkpoint: snapshots, written in slices between
//! messages, and the way back.

use std::time::{Duration, Instant};

use psg_engine::sharding::{ShardCount, ShardIndex};
use psg_engine::state::{Claimed, Instants, StateError, StoredSegment};
use psg_engine::store::{Restored, Snapshot, SnapshotOrder, TombstoneKey};
use tokio::sync::mpsc::Sender;

use super::Shard;

/// Visits of a series that a snapshot makes before messages have their turn:
/// well below a millisecond's worth.
const SLICE_VISITS: usize = 1024;

/// What became of the segments that a shard was given.
#[derive(Debug)]
pub struct RestoredPart {
    /// Whose part it is.
    pub shard: ShardIndex,
    /// How many series came back, unless a segment makes no sense.
    pub outcome: Result<Restored, StateError>,
}

#[derive(Debug)]
pub(super) struct SnapshotUnderWay {
    reply: Sender<Vec<StoredSegment>>,
    /// The longest time in a row that it has taken so far.
    pause: Duration,
}

impl Shard {
    /// Begins a snapshot; one that is still under way is finished first.
    pub(super) fn begin_snapshot(
        &mut self,
        order: SnapshotOrder,
        shards: ShardCount,
        reply: Sender<Vec<StoredSegment>>,
    ) {
        while self.snapshot_slice() {}
        let before = Instant::now();
        self.store.begin_snapshot(order, shards);
        let pause = before.elapsed();
        self.snapshot = Some(SnapshotUnderWay { reply, pause });
    }

    /// Writes a slice of the snapshot; false where there is none.
    pub(super) fn snapshot_slice(&mut self) -> bool {
        let Some(mut under_way) = self.snapshot.take() else { return false };
        let before = Instant::now();
        let progress = self.store.snapshot_some(SLICE_VISITS);
        under_way.pause = under_way.pause.max(before.elapsed());
        match progress {
            Snapshot::UnderWay => self.snapshot = Some(under_way),
            Snapshot::Done(segments) => {
                self.checkpoints.pause.observe(under_way.pause);
                // There is room for it; who has given the snapshot up needs none.
                let _ = under_way.reply.try_send(segments);
            }
            Snapshot::None => {}
        }
        true
    }

    pub(super) fn clear(&mut self, reply: &Sender<ShardIndex>) {
        self.snapshot = None;
        self.expiry_held = true;
        self.store.clear();
        self.publish_live();
        let _ = reply.try_send(self.index);
    }

    /// Takes series back in.
    pub(super) fn restore(
        &mut self,
        segments: &[Claimed],
        at: Instants,
        key: TombstoneKey,
        reply: &Sender<RestoredPart>,
    ) {
        let outcome = self.store.restore(segments, at, key);
        self.publish_live();
        let _ = reply.try_send(RestoredPart { shard: self.index, outcome });
    }
}

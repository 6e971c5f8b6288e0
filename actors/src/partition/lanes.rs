//! The lanes of a router: how much of the partition's stream each lane of each home
//! has, what is on its way there, and what each answer of a home means. Pure: it says
//! what to ask a home for and is told the answer; it sends nothing itself.
//!
//! A *place* in the partition's stream is a number: so many elements were ever claimed
//! before it. A home keeps one for each lane of each partition, with the epoch and
//! token of who may move it: it has all before that place, and nothing behind it. To
//! *enter* a home is to write one's epoch there and to learn the places; a *chunk* is
//! what is delivered to one lane at once, and moves its place from where it was to the
//! chunk's end. As a chunk never changes, any owner that finds its end knows that it is
//! there.

use std::rc::Rc;

use psg_engine::partition::{Chunk, LANES_PER_HOME, Lane, LaneSet, Partitions};

use super::stored_lanes::{StoredLane, StoredLanes};
use crate::source::redis::homes::{
    DeliverAnswer, DeliverRequest, EnterAnswer, EnterRequest, EnteredLane, LaneBounds, Place,
};
use crate::source::redis::once::Line;

/// Under what the partition is held, since its epoch was raised last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The number of the partition that is read.
    pub partition: usize,
    pub epoch: u64,
    pub token: String,
    pub line: Line,
    /// Behind the last list that was claimed.
    pub end: Place,
}

/// What a home is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    Enter(EnterRequest),
    Deliver(DeliverRequest),
}

/// What the router can't go on without: all of it ends in another load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// An epoch above this one, noted as a line: a home has seen it, so the own history
    /// was lost.
    EpochAbove(u64),
    /// An epoch with which the record notes this place as the line.
    NewLine(Place),
    /// To be loaded again, and why.
    Reload(String),
}

/// What of a checkpoint a lane goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub chunk: bool,
    pub deltas: bool,
}

/// What homes were found to have lost, and to have too much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// Lanes whose home has less than can be sent again.
    pub raised: u64,
    /// Lanes whose home has more than the partition's lists prove.
    pub set_back: u64,
}

/// All lanes of a router.
#[derive(Debug)]
pub struct Lanes {
    partitions: Partitions,
    tenure: Option<Tenure>,
    /// Whether the memory holds what follows the lanes' places; while it does not,
    /// homes are entered to learn them.
    is_loaded: bool,
    /// Homes that were entered under the present epoch, by number.
    is_entered: Vec<bool>,
    lanes: Vec<LaneState>,
    stored: StoredLanes,
    /// All before it is routed.
    routed: Place,
    /// No lane's place is beyond it: from here on all lanes take.
    replayed: Place,
    need: Option<Need>,
    findings: Findings,
}

#[derive(Debug, Clone, Default)]
struct LaneState {
    /// The home has all before it. Nothing where this process was never told.
    confirmed: Option<Place>,
    /// What is on its way; it begins at `confirmed`.
    chunk: Option<ChunkOnItsWay>,
}

#[derive(Debug, Clone)]
struct ChunkOnItsWay {
    end: Place,
    chunk: Rc<Chunk>,
}

impl Lanes {
    /// Lanes of which nothing is known.
    pub fn new(partitions: Partitions) -> Self {
        Self {
            partitions,
            tenure: None,
            is_loaded: false,
            is_entered: vec![false; partitions.get()],
            lanes: vec![LaneState::default(); partitions.lanes().len()],
            stored: StoredLanes::none(partitions),
            routed: 0,
            replayed: 0,
            need: None,
            findings: Findings::default(),
        }
    }

    /// Before a load: all homes have to be entered. What is on its way is forgotten,
    /// the places are not: a home that has lost one is told it. One beyond what was
    /// claimed is of elements that the partition's node has lost.
    pub fn begin_to_load(&mut self, tenure: Tenure, stored: StoredLanes, at: Place) {
        self.need = None;
        for lane in &mut self.lanes {
            lane.chunk = None;
            lane.confirmed = lane.confirmed.map(|place| place.min(tenure.end));
        }
        self.is_loaded = false;
        self.is_entered.fill(false);
        self.stored = stored;
        self.routed = at;
        self.tenure = Some(tenure);
    }

    /// What of the checkpoint a lane goes on with, once its home is entered: what
    /// begins at its place or behind it.
    pub fn kept(&self, lane: Lane) -> Kept {
        let StoredLane { from, chunk_end } = self.stored.of(lane);
        let place = self.place(lane);
        Kept {
            chunk: chunk_end.is_some() && from >= place,
            deltas: chunk_end.unwrap_or(from) >= place,
        }
    }

    /// A chunk of the checkpoint goes on its way again.
    pub fn restore_chunk(&mut self, lane: Lane, chunk: Chunk) {
        let end = self.stored.of(lane).chunk_end;
        self.lanes[lane.get()].chunk = end.map(|end| ChunkOnItsWay { end, chunk: Rc::new(chunk) });
    }

    /// The memory holds what follows the lanes' places.
    pub fn loaded(&mut self) {
        self.is_loaded = true;
        self.replayed = self.lanes.iter().filter_map(|lane| lane.confirmed).max().unwrap_or(0);
    }

    /// The epoch was raised, and the memory is what it was: no list is claimed before
    /// all homes are entered again. `is_new` says that the record has no checkpoint
    /// yet, so that nothing from before the lanes' places can be sent again.
    pub fn resume(&mut self, tenure: Tenure, is_new: bool) {
        if is_new {
            let lanes = self.partitions.lanes();
            let places = lanes.map(|lane| StoredLane { from: self.place(lane), chunk_end: None });
            self.stored = StoredLanes::new(places.collect());
        }
        self.is_entered.fill(false);
        self.tenure = Some(tenure);
    }

    // -- homes

    /// The lanes of a home.
    pub fn lanes_of(&self, home: usize) -> impl Iterator<Item = Lane> + use<> {
        let each = usize::from(LANES_PER_HOME);
        self.partitions.lanes().skip(home * each).take(each)
    }

    /// What to ask a home for next, if anything.
    pub fn next_request(&self, home: usize) -> Option<Request> {
        let tenure = self.tenure.as_ref()?;
        if self.need.is_some() {
            return None;
        }
        if !self.is_entered[home] {
            return Some(Request::Enter(self.enter(tenure, home)));
        }
        let mut lanes = self.lanes_of(home).filter(|_| self.is_loaded);
        lanes.find_map(|lane| self.deliver(tenure, lane)).map(Request::Deliver)
    }

    fn enter(&self, tenure: &Tenure, home: usize) -> EnterRequest {
        let bounds = |lane: Lane| LaneBounds {
            least: self.stored.of(lane).from,
            known: self.lanes[lane.get()].confirmed,
        };
        EnterRequest {
            partition: tenure.partition,
            epoch: tenure.epoch,
            token: tenure.token.clone(),
            line: tenure.line,
            lanes: self.lanes_of(home).map(bounds).collect(),
        }
    }

    fn deliver(&self, tenure: &Tenure, lane: Lane) -> Option<DeliverRequest> {
        let ChunkOnItsWay { end, chunk } = self.lanes[lane.get()].chunk.as_ref()?;
        Some(DeliverRequest {
            partition: tenure.partition,
            lane,
            epoch: tenure.epoch,
            token: tenure.token.clone(),
            from: self.place(lane),
            to: *end,
            chunk: Rc::clone(chunk),
        })
    }

    /// A home has answered that it was entered, or why not.
    pub fn entered(&mut self, home: usize, request: &EnterRequest, answer: EnterAnswer) {
        if !self.is_of_now(request.epoch) || self.need.is_some() {
            return;
        }
        match answer {
            EnterAnswer::Newer(epoch) => self.need = Some(Need::EpochAbove(epoch)),
            EnterAnswer::Entered(places) => {
                for (lane, place) in self.lanes_of(home).zip(places) {
                    if self.is_loaded { self.verify(lane, place) } else { self.learn(lane, place) }
                }
                self.is_entered[home] = true;
            }
        }
    }

    /// Before a load the place that is found is where the lane begins.
    fn learn(&mut self, lane: Lane, EnteredLane { was, is }: EnteredLane) {
        self.findings.raised += u64::from(was.is_some_and(|was| was < is));
        self.findings.set_back += u64::from(was.is_some_and(|was| was > is));
        self.lanes[lane.get()].confirmed = Some(is);
        let end = self.tenure.as_ref().map_or(0, |tenure| tenure.end);
        if is > end {
            // The partition's node went back: what lies behind is of lists that are no
            // more.
            self.need = Some(Need::NewLine(end));
        }
    }

    /// Beside a memory that goes on, a place must be where it was, or where the chunk
    /// on its way leads.
    fn verify(&mut self, lane: Lane, EnteredLane { was, is }: EnteredLane) {
        let place = self.place(lane);
        let chunk_end = self.lanes[lane.get()].chunk.as_ref().map(|chunk| chunk.end);
        let is_known = |found: Place| found == place || Some(found) == chunk_end;
        if !is_known(is) || !was.is_none_or(is_known) {
            let was = was.unwrap_or(is);
            let why = format!(
                "lane {} of home {} was at place {was} of the partition, expected {place}",
                lane.within_home(),
                lane.home()
            );
            self.need = Some(Need::Reload(why));
        } else if Some(is) == chunk_end {
            self.confirm(lane);
        }
    }

    /// A home has answered to a chunk; the samples that it has now taken.
    pub fn delivered(&mut self, request: &DeliverRequest, answer: &DeliverAnswer) -> u64 {
        let lane = request.lane;
        let chunk = self.lanes[lane.get()].chunk.as_ref();
        let is_on_its_way = chunk.is_some_and(|chunk| chunk.end == request.to);
        if !self.is_of_now(request.epoch) || !is_on_its_way {
            return 0;
        }
        let is_there = match answer {
            DeliverAnswer::Done => true,
            // It was delivered before, and that answer did not come.
            DeliverAnswer::Other(seen) => *seen == request.then(),
        };
        if is_there {
            return self.confirm(lane);
        }
        // Not what was expected there: the home says on being entered what to make of it.
        self.is_entered[lane.home()] = false;
        0
    }

    /// The home has the chunk; its samples.
    fn confirm(&mut self, lane: Lane) -> u64 {
        let state = &mut self.lanes[lane.get()];
        let Some(ChunkOnItsWay { end, chunk }) = state.chunk.take() else { return 0 };
        state.confirmed = Some(end);
        chunk.samples
    }

    /// Answers under an epoch from before say nothing any more: the homes are entered
    /// again.
    fn is_of_now(&self, epoch: u64) -> bool {
        self.tenure.as_ref().is_some_and(|tenure| tenure.epoch == epoch)
    }

    // -- the stream

    /// The lanes that take an element at this place, and up to which place these are
    /// the same: a replay drops what a lane has.
    pub fn open_at(&self, place: Place) -> (LaneSet, Place) {
        let mut open = LaneSet::all(self.partitions);
        let mut until = Place::MAX;
        if place < self.replayed {
            for lane in self.partitions.lanes() {
                let begins = self.place(lane);
                if begins > place {
                    open.remove(lane);
                    until = until.min(begins);
                }
            }
        }
        (open, until)
    }

    /// All before that place is routed.
    pub fn routed_up_to(&mut self, place: Place) {
        self.routed = place;
    }

    /// Whether the deltas of a lane may become its chunk, which ends at what is routed.
    /// In a replay a lane may be beyond that: its place never goes back.
    pub fn may_flush(&self, lane: Lane) -> bool {
        let is_free = self.lanes[lane.get()].chunk.is_none();
        self.is_loaded && is_free && self.routed > self.place(lane)
    }

    /// The deltas of a lane became its chunk.
    pub fn flushed(&mut self, lane: Lane, chunk: Chunk) {
        debug_assert!(self.may_flush(lane));
        let chunk = ChunkOnItsWay { end: self.routed, chunk: Rc::new(chunk) };
        self.lanes[lane.get()].chunk = Some(chunk);
    }

    // -- checkpoints

    /// The chunk that is on its way.
    pub fn chunk(&self, lane: Lane) -> Option<&Rc<Chunk>> {
        self.lanes[lane.get()].chunk.as_ref().map(|chunk| &chunk.chunk)
    }

    /// What a checkpoint says of the lanes.
    pub fn snapshot(&self) -> StoredLanes {
        let lanes = self.partitions.lanes().map(|lane| StoredLane {
            from: self.place(lane),
            chunk_end: self.lanes[lane.get()].chunk.as_ref().map(|chunk| chunk.end),
        });
        StoredLanes::new(lanes.collect())
    }

    /// The checkpoint that says this is safe: from before it nothing can be sent again.
    pub fn committed(&mut self, stored: StoredLanes) {
        self.stored = stored;
    }

    // -- questions

    /// Whether lists may be claimed: all homes are entered under the present epoch.
    pub fn may_claim(&self) -> bool {
        self.is_loaded && self.are_all_entered()
    }

    /// Whether every home is entered and nothing speaks against going on.
    pub fn are_all_entered(&self) -> bool {
        self.need.is_none() && self.is_entered.iter().all(|entered| *entered)
    }

    /// Whether that home is entered under the present epoch.
    pub fn is_entered(&self, home: usize) -> bool {
        self.is_entered[home]
    }

    /// Whether nothing is on its way.
    pub fn are_all_delivered(&self) -> bool {
        self.lanes.iter().all(|lane| lane.chunk.is_none())
    }

    /// What the router can't go on without.
    pub fn need(&self) -> Option<&Need> {
        self.need.as_ref()
    }

    /// What was found since the last call.
    pub fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }

    fn place(&self, lane: Lane) -> Place {
        self.lanes[lane.get()].confirmed.unwrap_or(0)
    }
}

#[cfg(test)]
mod rules;
#[cfg(test)]
mod simulation;

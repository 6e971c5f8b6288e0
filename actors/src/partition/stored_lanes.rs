//! What a router's checkpoint says of the lanes: the head of its state. Each lane's
//! deltas are a segment, and its chunk on its way is another; the head says where in the
//! partition's stream these begin and end.

use psg_engine::partition::{LANES_PER_HOME, Lane, MAX_PARTITIONS, Partitions};
use psg_engine::sharding::Segment;
use xxhash_rust::xxh3::xxh3_64;

use crate::source::redis::homes::Place;

/// What the bytes begin with; the last one is the version.
const MAGIC: [u8; 8] = *b"psglane\x01";
/// Bytes of the checksum at the end, and of a lane.
const CHECKSUM: usize = 8;
const LANE: usize = 16;
/// No place is as high.
const BEYOND: Place = 1 << 52;

/// Where the deltas and the chunk of a lane stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredLane {
    /// The home had all before it. The chunk begins there, or else the deltas do.
    pub from: Place,
    /// Where the chunk that was on its way ends, if there was one; the deltas begin
    /// there.
    pub chunk_end: Option<Place>,
}

/// One for each lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLanes(Vec<StoredLane>);

impl StoredLanes {
    /// In order of the lanes' numbers.
    pub fn new(lanes: Vec<StoredLane>) -> Self {
        Self(lanes)
    }

    /// Before the first checkpoint.
    pub fn none(partitions: Partitions) -> Self {
        Self(vec![StoredLane::default(); partitions.lanes().len()])
    }

    pub fn of(&self, lane: Lane) -> StoredLane {
        self.0[lane.get()]
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for StoredLane { from, chunk_end } in &self.0 {
            bytes.extend_from_slice(&from.to_le_bytes());
            // A chunk ends behind where it begins, so never at 0.
            bytes.extend_from_slice(&chunk_end.unwrap_or(0).to_le_bytes());
        }
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads what was stored, of any number of homes. No bytes are no checkpoint.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let odd = || "the lanes of the router's state are damaged".to_owned();
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(odd)?;
        let lanes = body.strip_prefix(&MAGIC[..7]).ok_or_else(odd)?;
        let (version, lanes) = lanes.split_first().ok_or_else(odd)?;
        if *version > MAGIC[7] {
            return Err(format!("the router's state has version {version}, of a newer gateway"));
        }
        let homes = lanes.len() / LANE / usize::from(LANES_PER_HOME);
        let is_whole = lanes.len() == homes * LANE * usize::from(LANES_PER_HOME);
        if xxh3_64(body) != u64::from_le_bytes(*checksum)
            || !is_whole
            || !(1..=MAX_PARTITIONS).contains(&homes)
        {
            return Err(odd());
        }
        lanes.chunks_exact(LANE).map(stored_lane).collect::<Option<_>>().map(Self).ok_or_else(odd)
    }

    /// As stored, where that is of so many homes and of what was claimed before `end`: in a
    /// replay a home may be ahead of what is routed again.
    pub fn load(bytes: &[u8], partitions: Partitions, end: Place) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self::none(partitions));
        }
        let stored = Self::decode(bytes)?;
        let expected = partitions.lanes().len();
        if stored.0.len() != expected {
            let lanes = stored.0.len();
            return Err(format!("expected a state of {expected} lanes, got {lanes}"));
        }
        let is_claimed = |lane: &StoredLane| lane.from.max(lane.chunk_end.unwrap_or(0)) <= end;
        if !stored.0.iter().all(is_claimed) {
            return Err(format!("a lane of the router's state is beyond what was claimed, {end}"));
        }
        Ok(stored)
    }
}

/// The segment of a lane's deltas.
pub fn deltas_segment(lane: Lane) -> Segment {
    segment(2 * lane.number())
}

/// The segment of the chunk that is on its way to a lane.
pub fn chunk_segment(lane: Lane) -> Segment {
    segment(2 * lane.number() + 1)
}

fn segment(number: u16) -> Segment {
    Segment::from_number(number).expect("there are two segments for each lane")
}

fn stored_lane(bytes: &[u8]) -> Option<StoredLane> {
    let (from, chunk_end) = bytes.split_first_chunk::<8>()?;
    let from = Place::from_le_bytes(*from);
    let chunk_end = match Place::from_le_bytes(chunk_end.try_into().ok()?) {
        0 => None,
        end => Some(end),
    };
    let is_sound = from.max(chunk_end.unwrap_or(0)) < BEYOND;
    let is_forward = chunk_end.is_none_or(|end| from < end);
    (is_sound && is_forward).then_some(StoredLane { from, chunk_end })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lanes(homes: usize) -> impl Strategy<Value = StoredLanes> {
        let lane = (0..BEYOND - 10, prop::option::of(1_u64..10)).prop_map(|(from, length)| {
            StoredLane { from, chunk_end: length.map(|length| from + length) }
        });
        proptest::collection::vec(lane, homes * usize::from(LANES_PER_HOME))
            .prop_map(StoredLanes::new)
    }

    proptest! {
        #[test]
        fn what_is_stored_is_loaded(stored in lanes(3)) {
            let partitions = Partitions::new(3).unwrap();
            prop_assert_eq!(StoredLanes::load(&stored.encode(), partitions, BEYOND), Ok(stored));
        }

        #[test]
        fn changed_bytes_are_refused(
            stored in lanes(2), at: prop::sample::Index, bit in 0_u8..8, length: prop::sample::Index,
        ) {
            let mut bytes = stored.encode();
            prop_assert!(StoredLanes::decode(&bytes[..length.index(bytes.len())]).is_err());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(StoredLanes::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>) {
            prop_assert!(StoredLanes::decode(&bytes).is_err());
        }
    }

    #[test]
    fn a_state_of_other_lanes_is_told() {
        let two = Partitions::new(2).unwrap();
        let bytes = StoredLanes::none(Partitions::new(3).unwrap()).encode();
        let cause = StoredLanes::load(&bytes, two, 0).unwrap_err();
        assert_eq!(cause, "expected a state of 16 lanes, got 24");
        let mut newer = bytes.clone();
        newer[7] = 2;
        let cause = StoredLanes::decode(&newer).unwrap_err();
        assert_eq!(cause, "the router's state has version 2, of a newer gateway");
        assert_eq!(StoredLanes::load(&[], two, 0), Ok(StoredLanes::none(two)));
    }

    #[test]
    fn a_lane_is_not_beyond_what_was_claimed() {
        let two = Partitions::new(2).unwrap();
        let mut lanes = vec![StoredLane::default(); 16];
        lanes[3] = StoredLane { from: 4, chunk_end: Some(9) };
        let bytes = StoredLanes::new(lanes).encode();
        assert!(StoredLanes::load(&bytes, two, 9).is_ok());
        assert!(StoredLanes::load(&bytes, two, 8).is_err());
    }

    #[test]
    fn each_lane_has_two_segments_of_its_own() {
        let all = Partitions::new(MAX_PARTITIONS).unwrap();
        let both = |lane| [deltas_segment(lane).get(), chunk_segment(lane).get()];
        let numbers: Vec<usize> = all.lanes().flat_map(both).collect();
        assert!(numbers.is_sorted() && numbers.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

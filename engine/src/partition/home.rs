//! Homes and lanes: where the samples of a metric go. Both follow from its name and
//! from the number of partitions alone, so that any two processes agree, and so that
//! one home decides all that is decided once for each name.

use crate::sharding::name_hash;

/// As many partitions as there may be.
pub const MAX_PARTITIONS: usize = 64;

/// Each home has so many lanes. What is sent to it is delivered lane by lane, so that
/// one delivery is no longer than a script may be.
pub const LANES_PER_HOME: u16 = 8;

/// The number of partitions, from 1 to [`MAX_PARTITIONS`]; there are as many homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(u16);

/// A lane of a home; those of all homes are numbered through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(u16);

/// A set of lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneSet([u64; MOST_LANES / 64]);

const MOST_LANES: usize = MAX_PARTITIONS * LANES_PER_HOME as usize;

impl Partitions {
    /// The queue is not split.
    pub const ONE: Self = Self(1);

    /// That many, where there may be.
    pub fn new(count: usize) -> Option<Self> {
        (1..=MAX_PARTITIONS).contains(&count).then_some(Self(count as u16))
    }

    /// The number itself.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// The lanes of all homes.
    pub fn lanes(self) -> impl ExactSizeIterator<Item = Lane> + Clone {
        (0..self.0 * LANES_PER_HOME).map(Lane)
    }

    /// The home of the metric with this name.
    pub fn home_of(self, name: &str) -> usize {
        self.lane_of(name).home()
    }

    /// The lane in which samples of the metric with this name go to its home.
    pub fn lane_of(self, name: &str) -> Lane {
        let (hash, partitions) = (name_hash(name), u64::from(self.0));
        let within = hash / partitions % u64::from(LANES_PER_HOME);
        Lane((hash % partitions) as u16 * LANES_PER_HOME + within as u16)
    }
}

impl Lane {
    /// The lane with this number, where there can be one.
    pub fn from_number(number: u16) -> Option<Self> {
        (usize::from(number) < MOST_LANES).then_some(Self(number))
    }

    /// Its number among those of all homes.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The same, for indexing a table with one entry for each lane.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// The home that it leads to.
    pub fn home(self) -> usize {
        usize::from(self.0 / LANES_PER_HOME)
    }

    /// Its number among the lanes of its home.
    pub fn within_home(self) -> u16 {
        self.0 % LANES_PER_HOME
    }
}

impl LaneSet {
    /// Those of all homes.
    pub fn all(partitions: Partitions) -> Self {
        partitions.lanes().collect()
    }

    /// Whether a lane is in it.
    #[inline]
    pub fn contains(&self, lane: Lane) -> bool {
        self.0[lane.get() / 64] >> (lane.get() % 64) & 1 == 1
    }

    /// Takes a lane in.
    pub fn insert(&mut self, lane: Lane) {
        self.0[lane.get() / 64] |= 1 << (lane.get() % 64);
    }

    /// Takes a lane out.
    pub fn remove(&mut self, lane: Lane) {
        self.0[lane.get() / 64] &= !(1 << (lane.get() % 64));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The lanes in it, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Lane> + use<> {
        let set = *self;
        (0..MOST_LANES as u16).map(Lane).filter(move |lane| set.contains(*lane))
    }
}

impl FromIterator<Lane> for LaneSet {
    fn from_iter<I: IntoIterator<Item = Lane>>(lanes: I) -> Self {
        let mut set = Self::default();
        lanes.into_iter().for_each(|lane| set.insert(lane));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(count: usize) -> Partitions {
        Partitions::new(count).expect("a number of partitions")
    }

    /// Two versions that disagree would show one series twice.
    #[test]
    fn lanes_are_fixed() {
        let lane = |count, name| partitions(count).lane_of(name).number();
        let names = ["http_requests_total", "up", "a.b"];
        let lanes = [1, 3, 64].map(|count| names.map(|name| lane(count, name)));
        assert_eq!(lanes, [[2, 4, 6], [6, 22, 20], [17, 293, 435]]);
    }

    #[test]
    fn names_spread_over_all_lanes() {
        for count in [1, 2, 3, 4, 7, 64] {
            let partitions = partitions(count);
            let names = 500 * partitions.lanes().len();
            let mut names_of = vec![0_usize; partitions.lanes().len()];
            for number in 0..names {
                let name = format!("metric_{number}_total");
                let lane = partitions.lane_of(&name);
                assert_eq!(partitions.home_of(&name), lane.home());
                assert!(lane.home() < count && lane.within_home() < LANES_PER_HOME);
                names_of[lane.get()] += 1;
            }
            assert!(names_of.iter().all(|names| (350..650).contains(names)), "{names_of:?}");
        }
    }

    #[test]
    fn numbers_are_bounded() {
        assert!(Partitions::new(0).is_none() && Partitions::new(65).is_none());
        let last = partitions(64).lanes().last().expect("there are some");
        assert_eq!(Lane::from_number(511), Some(last));
        assert_eq!(Lane::from_number(512), None);
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let mut set = LaneSet::all(partitions(64));
        assert_eq!(set.iter().count(), 512);
        let lanes = [0, 63, 64, 511].map(Lane);
        lanes.iter().for_each(|lane| set.remove(*lane));
        assert!(lanes.iter().all(|lane| !set.contains(*lane)));
        assert_eq!(set.iter().count(), 508);
        set = lanes.into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), lanes);
        assert!(!set.is_empty() && LaneSet::default().is_empty());
    }
}

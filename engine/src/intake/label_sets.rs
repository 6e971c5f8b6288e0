//! Label sets: series that are recognised by their labels in whatever order
//! and spelling these came.
//!
//! A producer whose language shuffles its maps, or who sends a timestamp, never
//! sends the same bytes twice, so no template fits. But its labels are, name
//! and value together, *pairs* that thousands of series share. Each pair has a
//! number; the family and the sorted numbers of a valid sample's pairs say
//! which series it is of, without sorting names, escaping values, or touching
//! the series' own label text, which is hardly ever in the processor's cache.
//!
//! Equal numbers are equal labels, byte for byte. A set is kept once its series
//! was found by its label text, and leaves with it.
//!
//! A set is kept only for series whose payloads do not repeat, at most one for
//! each series of the reader's cache. Samples with more than eight labels go by
//! the text.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::bypass::AdaptiveBypass;
use super::entry_id::EntryId;
use super::family_cache::FamilyId;
use super::interner::{InternKey, InternedId, Interner};
use crate::sample::{Label, Labels};

/// A series with more labels is found by its label text.
const MOST_PAIRS: usize = 8;

/// What stands where a set has no further pair.
const NO_PAIR: InternedId = InternedId(u32::MAX);

#[derive(Debug, Default)]
pub struct LabelSets {
    pairs: Interner,
    sets: HashTable<Set>,
    hasher: RandomState,
    bypass: AdaptiveBypass,
}

/// A label set: its family, and its pairs, sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelSet {
    family: FamilyId,
    pairs: [InternedId; MOST_PAIRS],
}

#[derive(Debug)]
struct Set {
    labels: LabelSet,
    entry: EntryId,
}

impl LabelSets {
    /// The series with these labels of the family that `family` finds, if its
    /// set is kept. The labels are those of a valid sample.
    #[inline]
    pub fn find(
        &mut self,
        labels: Labels<'_>,
        family: impl FnOnce() -> Option<FamilyId>,
    ) -> Option<(EntryId, FamilyId)> {
        if labels.len() > MOST_PAIRS || self.sets.is_empty() || !self.bypass.should_look() {
            return None;
        }
        let mut pairs = [NO_PAIR; MOST_PAIRS];
        for (pair, label) in pairs.iter_mut().zip(labels.iter()) {
            *pair = self.pairs.find(label)?;
        }
        pairs[..labels.len()].sort_unstable();
        let labels = LabelSet { family: family()?, pairs };
        let set = self.sets.find(self.hash(&labels), |set| set.labels == labels)?;
        self.bypass.record_hit();
        Some((set.entry, labels.family))
    }

    /// Keeps the label set of a series that was found by its label text; `None`
    /// where it has too many labels. The caller must forget it
    /// with its series.
    pub fn keep(
        &mut self,
        labels: Labels<'_>,
        family: FamilyId,
        entry: EntryId,
    ) -> Option<LabelSet> {
        if labels.len() > MOST_PAIRS {
            return None;
        }
        let mut pairs = [NO_PAIR; MOST_PAIRS];
        for (pair, label) in pairs.iter_mut().zip(labels.iter()) {
            *pair = self.pairs.hold(label);
        }
        pairs[..labels.len()].sort_unstable();
        let labels = LabelSet { family, pairs };
        let hasher = &self.hasher;
        let hash_of = |set: &Set| hash(hasher, &set.labels);
        self.sets.insert_unique(hash(hasher, &labels), Set { labels, entry }, hash_of);
        self.bypass.record_hit();
        Some(labels)
    }

    /// Forgets the set of a series that leaves.
    pub fn forget(&mut self, labels: &LabelSet) {
        if let Ok(found) = self.sets.find_entry(self.hash(labels), |set| set.labels == *labels) {
            found.remove();
            let held = labels.pairs.iter().take_while(|pair| **pair != NO_PAIR);
            held.for_each(|pair| self.pairs.release(*pair));
        }
    }

    fn hash(&self, labels: &LabelSet) -> u64 {
        hash(&self.hasher, labels)
    }
}

#[inline]
fn hash(hasher: &RandomState, labels: &LabelSet) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u32(labels.family.0);
    for two in labels.pairs.chunks_exact(2) {
        if two[0] == NO_PAIR {
            break;
        }
        hasher.write_u64(u64::from(two[0].0) << 32 | u64::from(two[1].0));
    }
    hasher.finish()
}

/// What stands between the name and the value: no valid name has it.
const BETWEEN: u8 = 0;

impl InternKey for Label<'_> {
    #[inline]
    fn hash(self, hasher: &mut impl Hasher) {
        hasher.write(self.name.as_bytes());
        hasher.write_u8(BETWEEN);
        hasher.write(self.value.as_bytes());
    }

    #[inline]
    fn equals(self, kept: &[u8]) -> bool {
        let (name, value) = (self.name.as_bytes(), self.value.as_bytes());
        kept.len() == name.len() + 1 + value.len()
            && kept[..name.len()] == *name
            && kept[name.len()] == BETWEEN
            && kept[name.len() + 1..] == *value
    }

    fn to_boxed(self) -> Box<[u8]> {
        [self.name.as_bytes(), &[BETWEEN], self.value.as_bytes()].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: FamilyId = FamilyId(7);

    fn label<'a>(name: &'a str, value: &'a str) -> Label<'a> {
        Label { name, value }
    }

    fn find(sets: &mut LabelSets, labels: &[Label<'_>], family: FamilyId) -> Option<EntryId> {
        sets.find(Labels::from(labels), || Some(family)).map(|(entry, _)| entry)
    }

    #[test]
    fn a_set_is_found_in_any_order_until_it_is_forgotten() {
        let mut sets = LabelSets::default();
        let labels = [label("a", "1"), label("b", "2"), label("c", "1")];
        let entry = EntryId(3);
        let kept = sets.keep(Labels::from(&labels[..]), FAMILY, entry).expect("few labels");
        let [a, b, c] = labels;
        for order in [[a, b, c], [c, a, b], [b, c, a]] {
            assert_eq!(find(&mut sets, &order, FAMILY), Some(entry));
        }
        assert_eq!(find(&mut sets, &[a, b], FAMILY), None);
        assert_eq!(find(&mut sets, &[a, b, label("c", "2")], FAMILY), None);
        assert_eq!(find(&mut sets, &[a, b, label("c1", "")], FAMILY), None);
        assert_eq!(find(&mut sets, &labels, FamilyId(8)), None);
        sets.forget(&kept);
        assert_eq!(find(&mut sets, &labels, FAMILY), None);
        assert_eq!(sets.pairs.bytes(), 0, "nothing is left behind");
    }

    #[test]
    fn pairs_that_run_together_are_told_apart() {
        let mut sets = LabelSets::default();
        sets.keep(Labels::from(&[label("a", "bc")][..]), FAMILY, EntryId(1));
        sets.keep(Labels::from(&[label("ab", "c")][..]), FAMILY, EntryId(2));
        assert_eq!(find(&mut sets, &[label("a", "bc")], FAMILY), Some(EntryId(1)));
        assert_eq!(find(&mut sets, &[label("ab", "c")], FAMILY), Some(EntryId(2)));
    }

    #[test]
    fn too_many_labels_and_none() {
        let mut sets = LabelSets::default();
        let names: Vec<String> = (0..=MOST_PAIRS).map(|number| format!("l{number}")).collect();
        let labels: Vec<Label<'_>> = names.iter().map(|name| label(name, "v")).collect();
        assert_eq!(sets.keep(Labels::from(&labels[..]), FAMILY, EntryId(1)), None);
        assert!(sets.keep(Labels::from(&labels[1..]), FAMILY, EntryId(2)).is_some());
        assert!(sets.keep(Labels::NONE, FAMILY, EntryId(3)).is_some());
        assert_eq!(find(&mut sets, &labels, FAMILY), None);
        assert_eq!(find(&mut sets, &labels[1..], FAMILY), Some(EntryId(2)));
        assert_eq!(find(&mut sets, &[], FAMILY), Some(EntryId(3)));
    }
}

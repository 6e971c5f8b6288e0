//! Overflow: where a limit refuses a new series of a counter or a histogram,
//! its samples may go to one series of the family that is there for all of
//! them. It has no place in the counts, and no family has it that has no other
//! series.
//!
//! A reader that is refused a counter or a histogram asks once more, for the
//! family's overflow series. That one has no place in the counts, and its shard
//! refuses it where the family has no live series. The refused entry leads
//! there until the end of the batch, before any value is sent.

use super::super::entry_id::EntryId;
use super::super::series_cache::SeriesState;
use super::Resolver;
use crate::catalog::{Admission, FamilyRef};
use crate::labels::SeriesLabels;
use crate::sample::{Label, Labels};
use crate::series::SeriesKey;

/// The label of every family's overflow series.
const OVERFLOW: Label<'static> = Label { name: "otel_metric_overflow", value: "true" };

/// What an intake folds: entries that a limit refused, and where their samples
/// go instead.
#[derive(Debug, Default)]
pub struct Overflow {
    refused: Vec<EntryId>,
    folded: Vec<(EntryId, EntryId)>,
}

impl Overflow {
    pub fn note(&mut self, entry: EntryId) {
        self.refused.push(entry);
    }
}

impl Resolver {
    /// Finds the overflow series for what was refused; there may be some then
    /// that no shard has been asked for yet, see [`Resolver::unknown`].
    pub fn fold_refused(&mut self) {
        for entry in std::mem::take(&mut self.overflow.refused) {
            let overflow = self.overflow_entry(entry);
            if let Some(overflow) = overflow.filter(|overflow| *overflow != entry) {
                self.overflow.folded.push((entry, overflow));
            }
        }
    }

    /// Sends samples of folded series to where they go, now that it is known.
    pub fn apply_folds(&mut self) {
        self.overflow.refused.clear();
        for (entry, overflow) in self.overflow.folded.drain(..) {
            if let SeriesState::Known { shard, slot, .. } = self.series.state(overflow) {
                self.series.fold(entry, shard, slot);
            }
        }
    }

    /// The entry of the overflow series; one that was refused itself, because
    /// a sample had its labels, is asked for again, as the overflow series.
    fn overflow_entry(&mut self, refused: EntryId) -> Option<EntryId> {
        let id = self.series.family(refused)?;
        let family = self.families.get(id)?;
        if !family.kind().accumulates() {
            return None;
        }
        let labels = self.renderer.canonical(Labels::from(&[OVERFLOW][..]));
        let hash = self.series.hash(family.name(), labels);
        let found = self.series.find(hash, labels, |found| found == id);
        if let Some((entry, _)) = found
            && !matches!(self.series.state(entry), SeriesState::Refused(_))
        {
            self.series.touch(entry);
            return Some(entry);
        }
        let family = FamilyRef::from_cached(family)?;
        let labels = SeriesLabels::from(labels);
        let entry = match found {
            Some((entry, _)) => entry,
            None => self.series.insert(hash, id, labels.clone()),
        };
        self.series.ask_again(entry);
        let key = SeriesKey::new(family, labels, None, Admission::Overflow);
        self.unknown.push((entry, key));
        Some(entry)
    }
}

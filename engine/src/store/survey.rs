//! A survey: which label names have how many distinct values, over the live
//! series of one shard, in slices. Nothing is kept between two surveys, so
//! samples pay nothing for it.

use super::Store;
use crate::cardinality::LabelValues;

/// A survey under way in one shard.
#[derive(Debug, Default)]
pub struct SurveyJob {
    next: usize,
    labels: LabelValues,
}

impl SurveyJob {
    /// What was found.
    pub fn finish(self) -> LabelValues {
        self.labels
    }
}

impl Store {
    /// Looks at `budget` more slots; true when none is left.
    pub fn survey_some(&mut self, job: &mut SurveyJob, budget: usize) -> bool {
        let end = self.slots.len().min(job.next + budget);
        let slots = self.slots.get(job.next..end).unwrap_or_default();
        for series in slots.iter().flatten().filter(|series| series.is_live()) {
            job.labels.add(series.labels.pairs());
        }
        job.next = end;
        end == self.slots.len()
    }
}

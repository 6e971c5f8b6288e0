//! Windows as they are stored, and back.

use std::borrow::Cow;

use super::{AgeBucket, EXACT, Window};
use crate::metric::quantile::{QuantilePlan, Sketch};
use crate::record::{AgeRecord, Since, StateError, WindowRecord};
use crate::timestamp::Moment;

impl Window {
    /// What is stored of it at `now`; nothing where its sketches can't be.
    pub(crate) fn record(&self, now: Moment) -> Option<WindowRecord<'_>> {
        // Slots end within an age of the monotonic clock, far from the ends of
        // what a number can hold; one that never ends is as good as late.
        let ends_in = i128::from(self.slot_ends) - i128::from(now.0);
        Some(WindowRecord {
            slot: self.slot,
            ends_in: i64::try_from(ends_in).unwrap_or(i64::MAX),
            ages: self.ages.iter().map(AgeBucket::record).collect::<Option<_>>()?,
            waiting: Cow::Borrowed(&self.waiting),
        })
    }

    /// What was stored of a window that was cut as `plan` says.
    pub(crate) fn from_record(
        record: WindowRecord<'_>,
        plan: &QuantilePlan,
        since: Since,
    ) -> Result<Self, StateError> {
        check(&record)?;
        let waiting = record.waiting.into_owned();
        let restore = |age: AgeRecord<'_>| {
            let sketch = Sketch::from_record(age.sketch)?;
            Ok(AgeBucket { slot: age.slot, waiting_from: age.waiting_from as usize, sketch })
        };
        let ages: Vec<AgeBucket> =
            record.ages.into_iter().map(restore).collect::<Result<_, StateError>>()?;
        let ends = since.milliseconds(record.ends_in);
        // Slots that ended before the process' clock began are over.
        let over = u64::try_from((-ends).max(0)).unwrap_or(u64::MAX).div_ceil(plan.slot_ms());
        let slot_ends = ends + i128::from(over) * i128::from(plan.slot_ms());
        let mut window = Self {
            slot: record.slot.saturating_add(over),
            slot_ends: u64::try_from(slot_ends).unwrap_or(u64::MAX),
            ages,
            waiting,
        };
        window.expire(plan);
        Ok(window)
    }
}

impl AgeBucket {
    fn record(&self) -> Option<AgeRecord<'_>> {
        Some(AgeRecord {
            slot: self.slot,
            waiting_from: self.waiting_from as u64,
            sketch: self.sketch.record()?,
        })
    }
}

/// Whether the window's own code could have made it.
fn check(record: &WindowRecord<'_>) -> Result<(), StateError> {
    let ages = &record.ages;
    let slots_rise = ages.is_sorted_by(|older, newer| older.slot < newer.slot);
    // The greatest is left to the slots that follow.
    let slots_passed =
        record.slot < u64::MAX / 2 && ages.last().is_none_or(|newest| newest.slot <= record.slot);
    let waiting_rises = ages.is_sorted_by_key(|age| age.waiting_from)
        && ages.first().is_none_or(|oldest| oldest.waiting_from == 0)
        && ages.last().is_none_or(|newest| newest.waiting_from <= record.waiting.len() as u64);
    let waiting_is_sound = record.waiting.len() <= EXACT
        && (record.waiting.is_empty() || !ages.is_empty())
        && !record.waiting.iter().any(|value| value.is_nan());
    if slots_rise && slots_passed && waiting_rises && waiting_is_sound {
        return Ok(());
    }
    Err(StateError::malformed("a summary's window"))
}

//! Created times: when the totals of series began, by their slots.
//!
//! Each shard has a column beside its slots of the Unix time at which a total
//! began: when the batch with its first sample was taken. A returning series
//! takes that of its tombstone. What is applied again after a reload has none:
//! when it was first applied is not known, and a later time would be a reset to
//! Prometheus. Where such times are not shown there is no column, and a scrape
//! costs one comparison for each series.

use super::pages::Pages;
use crate::timestamp::UnixTime;

/// Stands for a time that is not known.
const UNKNOWN: UnixTime = UnixTime::MIN;

/// Created times by slot; `None` where none are kept.
#[derive(Debug, Default)]
pub(super) struct Created(Option<Pages<UnixTime>>);

impl Created {
    pub fn new(is_kept: bool) -> Self {
        Self(is_kept.then(Pages::default))
    }

    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub fn get(&self, slot: u32) -> Option<UnixTime> {
        self.0.as_ref()?.get(slot).copied().filter(|time| *time != UNKNOWN)
    }

    pub fn set(&mut self, slot: u32, time: Option<UnixTime>) {
        let Some(times) = &mut self.0 else { return };
        while times.len() <= slot {
            times.push(UNKNOWN);
        }
        if let Some(known) = times.get_mut(slot) {
            *known = time.unwrap_or(UNKNOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_where_they_are_asked_for() {
        let time = UnixTime::from_micros;
        let mut none = Created::new(false);
        none.set(0, Some(time(1)));
        assert_eq!((none.get(0), none.is_kept()), (None, false));

        let mut created = Created::new(true);
        let far = 20_000;
        created.set(far, Some(time(5)));
        created.set(0, Some(time(-7)));
        assert_eq!(
            [0, 1, far, far + 1].map(|number| created.get(number)),
            [Some(time(-7)), None, Some(time(5)), None]
        );
        assert_eq!(created.get(u32::MAX), None);
        created.set(far, None);
        assert_eq!(created.get(far), None);
    }
}

//! A shard's part of a scrape, written in slices so that samples are applied
//! between them.

use std::sync::Arc;

use bytes::Bytes;

use super::expire::deadline;
use super::listing::FamilyKey;
use super::wheel::Tick;
use super::{Series, Store};
use crate::catalog::Family;
use crate::exposition::Format;
use crate::exposition::instance::Completed;
use crate::exposition::series::write_series;
use crate::merge::Fragment;
use crate::metric::Moment;
use crate::series::Slot;

/// Size at which the text at hand becomes a chunk.
const CHUNK_BYTES: usize = 64 * 1024;
/// Room beyond it for the series that passes it, so that it seldom reallocates.
const CHUNK_SLACK: usize = 4 * 1024;

/// Series whose label texts are fetched into the processor's cache together.
const FETCHED_TOGETHER: usize = 32;

/// A scrape under way in one shard.
#[derive(Debug)]
pub struct ExposeJob {
    format: Format,
    /// The family in hand and how many of its series are written.
    cursor: Option<(FamilyKey, usize)>,
    buffer: Vec<u8>,
    /// Where in the buffer the lines of each family begin.
    parts: Vec<(Arc<Family>, usize)>,
    fragments: Vec<Fragment>,
    completed: Completed,
}

impl ExposeJob {
    /// A scrape from the first family on.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            cursor: None,
            buffer: Vec::new(),
            parts: Vec::new(),
            fragments: Vec::new(),
            completed: Completed::default(),
        }
    }

    /// The finished part: a fragment for each family with shown series, sorted
    /// by name.
    pub fn finish(mut self) -> Vec<Fragment> {
        self.flush();
        self.fragments
    }

    fn begin_family(&mut self, family: &Arc<Family>) {
        self.parts.push((family.clone(), self.buffer.len()));
    }

    fn flush_if_full(&mut self) {
        if self.buffer.len() < CHUNK_BYTES {
            return;
        }
        let in_hand = self.parts.last().map(|(family, _)| family.clone());
        self.flush();
        // The family goes on in the next chunk.
        self.parts.extend(in_hand.map(|family| (family, 0)));
    }

    fn flush(&mut self) {
        let text = Bytes::from(std::mem::take(&mut self.buffer));
        let mut end = text.len();
        let mut slices = Vec::with_capacity(self.parts.len());
        for (family, start) in self.parts.drain(..).rev() {
            slices.push((family, text.slice(start..end)));
            end = start;
        }
        for (family, chunk) in slices.into_iter().rev().filter(|(_, chunk)| !chunk.is_empty()) {
            match self.fragments.last_mut() {
                Some(last) if Arc::ptr_eq(&last.family, &family) => last.chunks.push(chunk),
                _ => self.fragments.push(Fragment { family, chunks: vec![chunk] }),
            }
        }
    }
}

impl Store {
    /// Writes about `budget` more series; true when nothing is left. Series
    /// that have been idle for too long by `now` are passed over.
    pub fn expose_some(&mut self, job: &mut ExposeJob, budget: usize, now: Moment) -> bool {
        let mut left = budget;
        while left > 0 {
            let Some((key, written)) = self.in_hand(job) else { return true };
            let end = self.write_some(job, &key, written, left, now);
            left -= end - written;
            job.cursor = Some((key, end));
        }
        false
    }

    /// The family that the job is at and how many of its series are written;
    /// moves on to the next family where all are.
    fn in_hand(&self, job: &mut ExposeJob) -> Option<(FamilyKey, usize)> {
        if let Some((key, written)) = &job.cursor
            && self.listings.get(key).is_some_and(|listing| *written < listing.len())
        {
            return job.cursor.take();
        }
        let key = self.listings.next(job.cursor.as_ref().map(|(key, _)| key))?;
        job.begin_family(&key.0);
        Some((key.clone(), 0))
    }

    /// Writes series of one family from position `from` on, at most `budget`;
    /// returns the position behind the last one.
    fn write_some(
        &mut self,
        job: &mut ExposeJob,
        key: &FamilyKey,
        from: usize,
        budget: usize,
        now: Moment,
    ) -> usize {
        let Self { listings, slots, display, expiry, own_ttl, empty_instance, .. } = self;
        let Some(listing) = listings.get(key) else { return from };
        let end = listing.len().min(from + budget);
        let tick = Tick::at(now);
        for group in listing.slots(from..end).chunks(FETCHED_TOGETHER) {
            fetch(slots, group);
            for slot in group {
                let Some(series) = listed(slots, *slot) else { continue };
                let deadline = deadline(series, *slot, expiry, own_ttl);
                if deadline.is_some_and(|deadline| deadline <= tick) {
                    continue;
                }
                let (labels, is_sorted) = match display.get(slot) {
                    Some(as_sent) => (&**as_sent, false),
                    None => (&*series.labels, true),
                };
                let labels = match empty_instance {
                    true => job.completed.of(labels, is_sorted),
                    false => labels,
                };
                if job.buffer.capacity() == 0 {
                    job.buffer.reserve_exact(CHUNK_BYTES + CHUNK_SLACK);
                }
                write_series(&mut job.buffer, job.format, &key.0, labels, &mut series.value, now);
                job.flush_if_full();
            }
        }
        end
    }
}

/// Touches what writing the series will read. Of many series hardly any are in
/// the processor's cache; here it waits for all of the group at once, where
/// writing one after the other it would wait for each.
fn fetch(slots: &mut [Option<Series>], group: &[Slot]) {
    let mut touched = 0;
    for slot in group {
        let labels = listed(slots, *slot).map_or(&[][..], |series| series.labels.as_bytes());
        touched ^= labels.first().unwrap_or(&0) ^ labels.last().unwrap_or(&0);
    }
    std::hint::black_box(touched);
}

/// The series in a slot of a listing; `None` for a hole.
fn listed(slots: &mut [Option<Series>], slot: Slot) -> Option<&mut Series> {
    slots.get_mut(slot.0 as usize)?.as_mut()
}

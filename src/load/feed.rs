//! The feed: hands the corpus out in turns, to all connections from one place,
//! so that together they push the payloads that the seed stands for, once each.

use std::time::Duration;

use parking_lot::Mutex;

use super::corpus::Corpus;
use super::pacer::{Pacer, PacerTurn};

/// What one round trip pushes.
#[derive(Debug, Default)]
pub struct Batches {
    bytes: Vec<u8>,
    /// Where each payload ends in `bytes`.
    ends: Vec<usize>,
    per_batch: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum FeedStep {
    /// Push the batches that were filled in.
    Push,
    /// Wait until then, counted from the start.
    WaitUntil(Duration),
    /// Nothing is left to push.
    Over,
}

/// Where all connections get their payloads from.
#[derive(Debug)]
pub struct Feed(Mutex<Source>);

#[derive(Debug)]
struct Source {
    corpus: Corpus,
    pacer: Pacer,
    left: Option<u64>,
}

impl Feed {
    /// The payloads of `corpus`, as `pacer` says, at most `count`.
    pub fn new(corpus: Corpus, pacer: Pacer, count: Option<u64>) -> Self {
        Feed(Mutex::new(Source { corpus, pacer, left: count }))
    }

    /// What is to be done at `now`; where that is a push, `batches` holds it.
    pub fn next(&self, now: Duration, batches: &mut Batches) -> FeedStep {
        let mut source = self.0.lock();
        if source.left == Some(0) {
            return FeedStep::Over;
        }
        match source.pacer.turn(now) {
            PacerTurn::Push(count) => {
                source.fill(count, batches);
                FeedStep::Push
            }
            PacerTurn::WaitUntil(then) => FeedStep::WaitUntil(then),
            PacerTurn::Over => FeedStep::Over,
        }
    }
}

impl Source {
    fn fill(&mut self, count: u32, batches: &mut Batches) {
        batches.bytes.clear();
        batches.ends.clear();
        batches.per_batch = self.pacer.batch() as usize;
        let due = u64::from(count) * u64::from(self.pacer.batch());
        let samples = self.left.map_or(due, |left| left.min(due));
        self.left = self.left.map(|left| left - samples);
        for _ in 0..samples {
            self.corpus.next(&mut batches.bytes);
            batches.ends.push(batches.bytes.len());
        }
    }
}

impl Batches {
    /// How many payloads they hold together.
    pub fn samples(&self) -> usize {
        self.ends.len()
    }

    /// Each batch as its payloads, in order.
    pub fn iter(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        let mut start = 0;
        self.ends.chunks(self.per_batch).map(move |ends| {
            ends.iter().map(|end| &self.bytes[std::mem::replace(&mut start, *end)..*end]).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::corpus::REFERENCE_MIX;

    fn corpus() -> Corpus {
        Corpus::new(9, REFERENCE_MIX.parse().unwrap())
    }

    #[test]
    fn every_payload_is_handed_out_once_and_in_order() {
        let feed = Feed::new(corpus(), Pacer::new(0, 20, None), Some(1007));
        let (mut handed_out, mut batches) = (Vec::new(), Batches::default());
        while feed.next(Duration::ZERO, &mut batches) == FeedStep::Push {
            let sizes: Vec<usize> = batches.iter().map(|batch| batch.len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), batches.samples());
            assert!(sizes[..sizes.len() - 1].iter().all(|size| *size == 20), "{sizes:?}");
            handed_out.extend(batches.iter().flatten().map(<[u8]>::to_vec));
        }
        let mut corpus = corpus();
        let expected: Vec<Vec<u8>> = (0..1007)
            .map(|_| {
                let mut payload = Vec::new();
                corpus.next(&mut payload);
                payload
            })
            .collect();
        assert!(handed_out == expected);
    }

    #[test]
    fn a_feed_is_over_with_its_time_or_its_count() {
        let mut batches = Batches::default();
        let feed = Feed::new(corpus(), Pacer::new(1000, 20, None), Some(30));
        assert_eq!(feed.next(Duration::ZERO, &mut batches), FeedStep::Push);
        let due = Duration::from_millis(20);
        assert_eq!(feed.next(Duration::ZERO, &mut batches), FeedStep::WaitUntil(due));
        assert_eq!(feed.next(due, &mut batches), FeedStep::Push);
        assert_eq!(batches.samples(), 10);
        assert_eq!(feed.next(due, &mut batches), FeedStep::Over);

        let feed = Feed::new(corpus(), Pacer::new(1000, 20, Some(due)), None);
        assert_eq!(feed.next(Duration::ZERO, &mut batches), FeedStep::Push);
        assert_eq!(feed.next(due, &mut batches), FeedStep::Over);
    }
}

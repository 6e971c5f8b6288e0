//! The history: the snapshots of the last minutes, and the rates between them.

use std::collections::VecDeque;

use psg_engine::timestamp::Moment;

use super::model;
use super::snapshot::CounterSnapshot;

/// Points that are kept, one a second: five minutes.
pub const POINTS: usize = 300;

/// The last snapshots, oldest first; never empty.
#[derive(Debug)]
pub struct History {
    snapshots: VecDeque<CounterSnapshot>,
    last_scrape: Option<Moment>,
}

impl History {
    /// A history that begins with `first`.
    pub(super) fn new(first: CounterSnapshot) -> Self {
        Self { snapshots: VecDeque::from([first]), last_scrape: None }
    }

    /// Adds a snapshot; the oldest makes room.
    pub(super) fn push(&mut self, snapshot: CounterSnapshot) {
        if self.has_scraped_until(&snapshot) {
            self.last_scrape = Some(snapshot.at);
        }
        // One more than points, since a rate lies between two snapshots.
        if self.snapshots.len() > POINTS {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back(snapshot);
    }

    /// When the last scrape up to `now` was, to the second.
    pub(super) fn last_scrape(&self, now: &CounterSnapshot) -> Option<Moment> {
        if self.has_scraped_until(now) { Some(now.at) } else { self.last_scrape }
    }

    /// What lies between `now` and `seconds` before it, or the beginning of
    /// the history where that is later.
    pub(super) fn last_seconds<'a>(&'a self, seconds: u64, now: &'a CounterSnapshot) -> Span<'a> {
        // Ticks come a little late: half a second decides between two.
        let earliest = now.at.0.saturating_sub(seconds * 1000 + 500);
        let is_within = |snapshot: &&CounterSnapshot| snapshot.at.0 >= earliest;
        let before = self.snapshots.iter().find(is_within).unwrap_or(self.newest());
        Span { before, after: now }
    }

    pub(super) fn whole<'a>(&'a self, now: &'a CounterSnapshot) -> Span<'a> {
        Span { before: &self.snapshots[0], after: now }
    }

    /// A point for each second, as the model has them.
    pub(super) fn points(&self) -> model::StatusHistory {
        let mut points = model::StatusHistory::default();
        for (before, after) in self.snapshots.iter().zip(self.snapshots.iter().skip(1)) {
            let rates = Span { before, after }.rates();
            points.received.push(rates.received);
            points.processed.push(rates.processed);
            points.rejected.push(rates.rejected);
            points.pending.push(after.pending);
            points.series.push(after.series);
        }
        points
    }

    fn newest(&self) -> &CounterSnapshot {
        self.snapshots.back().expect("a history is never empty")
    }

    fn has_scraped_until(&self, snapshot: &CounterSnapshot) -> bool {
        snapshot.scrapes > self.newest().scrapes
    }
}

/// Two snapshots and what happened between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    pub before: &'a CounterSnapshot,
    pub after: &'a CounterSnapshot,
}

impl Span<'_> {
    /// `amount` per second; 0 where no time lies between.
    pub fn per_second(&self, amount: f64) -> f64 {
        let milliseconds = self.after.at.0.saturating_sub(self.before.at.0);
        if milliseconds == 0 { 0.0 } else { amount * 1000.0 / milliseconds as f64 }
    }

    /// The samples between, per second.
    pub fn rates(&self) -> model::Rates {
        let Self { before, after } = self;
        let processed = grown(before.processed, after.processed);
        let rejected = grown(before.rejected_total(), after.rejected_total());
        let backlog = match (before.pending, after.pending) {
            (Some(before), Some(after)) => after as f64 - before as f64,
            (Some(_) | None, Some(_) | None) => 0.0,
        };
        model::Rates {
            // The length of the queue is asked at another moment.
            received: self.per_second((processed + rejected + backlog).max(0.0)),
            processed: self.per_second(processed),
            rejected: self.per_second(rejected),
        }
    }

    /// The part of the time that each shard was busy.
    pub fn busy(&self) -> impl Iterator<Item = f64> + '_ {
        let shards = self.before.apply_nanoseconds.iter().zip(&self.after.apply_nanoseconds);
        shards.map(|(before, after)| self.per_second(grown(*before, *after) / 1e9).min(1.0))
    }

    /// CPUs in use.
    pub fn cpus(&self) -> f64 {
        self.per_second((self.after.cpu_seconds - self.before.cpu_seconds).max(0.0))
    }

    /// What a scrape took on average; 0 where there was none.
    pub fn mean_scrape_seconds(&self) -> f64 {
        let scrapes = grown(self.before.scrapes, self.after.scrapes);
        let seconds = self.after.scrape_seconds - self.before.scrape_seconds;
        if scrapes == 0.0 { 0.0 } else { seconds / scrapes }
    }
}

fn grown(before: u64, after: u64) -> f64 {
    after.saturating_sub(before) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(
        second: u64,
        processed: u64,
        rejected: u64,
        pending: Option<u64>,
    ) -> CounterSnapshot {
        let mut snapshot = CounterSnapshot {
            at: Moment(second * 1000),
            processed,
            pending,
            apply_nanoseconds: vec![second * 250_000_000, second * 2_000_000_000],
            scrapes: second / 2,
            scrape_seconds: second as f64 / 20.0,
            cpu_seconds: second as f64 / 4.0,
            ..CounterSnapshot::default()
        };
        snapshot.rejected[0] = rejected;
        snapshot
    }

    fn history(snapshots: impl IntoIterator<Item = CounterSnapshot>) -> History {
        let mut snapshots = snapshots.into_iter();
        let mut history = History::new(snapshots.next().expect("a first one"));
        snapshots.for_each(|snapshot| history.push(snapshot));
        history
    }

    fn steady(seconds: u64) -> History {
        history((0..=seconds).map(|s| snapshot(s, s * 100, s * 10, Some(s * 5))))
    }

    #[test]
    fn rates_are_differences_over_time() {
        let now = snapshot(20, 2000, 200, Some(100));
        let history = steady(20);
        let rates = history.last_seconds(10, &now).rates();
        assert_eq!(rates, model::Rates { received: 115.0, processed: 100.0, rejected: 10.0 });
    }

    #[test]
    fn the_first_seconds_count_from_the_start() {
        let now = snapshot(2, 200, 0, None);
        let history = steady(1);
        assert_eq!(history.last_seconds(60, &now).before.at, Moment(0));
        assert_eq!(history.last_seconds(60, &now).rates().processed, 100.0);
        let same = snapshot(0, 7, 0, None);
        assert_eq!(steady(0).last_seconds(10, &same).rates().processed, 0.0);
    }

    #[test]
    fn a_window_holds_about_its_seconds() {
        let history = steady(100);
        for late in [0, 3, 400, 900] {
            let now = CounterSnapshot { at: Moment(100_000 + late), ..CounterSnapshot::default() };
            let span = now.at.0 - history.last_seconds(10, &now).before.at.0;
            assert!((9_500..=10_500).contains(&span), "{span} ms, {late} ms after a tick");
        }
    }

    #[test]
    fn the_backlog_that_shrinks_never_makes_a_negative_rate() {
        let history = history([snapshot(0, 0, 0, Some(1000)), snapshot(1, 400, 0, Some(0))]);
        let points = history.points();
        assert_eq!((points.received[0], points.processed[0]), (0.0, 400.0));
        assert_eq!(points.pending, [Some(0)]);
    }

    #[test]
    fn an_unknown_backlog_is_left_out() {
        let history = history([snapshot(0, 0, 0, Some(9)), snapshot(1, 50, 0, None)]);
        assert_eq!(history.points().received, [50.0]);
        assert_eq!(history.points().pending, [None]);
    }

    #[test]
    fn it_is_bounded_and_its_lists_are_equally_long() {
        let points = steady(POINTS as u64 + 50).points();
        assert_eq!(points.processed, vec![100.0; POINTS]);
        for length in [
            points.received.len(),
            points.rejected.len(),
            points.pending.len(),
            points.series.len(),
        ] {
            assert_eq!(length, POINTS);
        }
        assert_eq!(points.pending.last(), Some(&Some((POINTS as u64 + 50) * 5)));
        assert!(steady(0).points().processed.is_empty());
    }

    #[test]
    fn shards_cpus_and_scrapes() {
        let history = steady(20);
        let now = snapshot(20, 0, 0, None);
        let span = history.last_seconds(10, &now);
        assert_eq!(span.busy().collect::<Vec<_>>(), [0.25, 1.0], "never more than all of it");
        assert_eq!(span.cpus(), 0.25);
        assert!((span.mean_scrape_seconds() - 0.1).abs() < 1e-9);
        assert_eq!(history.last_scrape(&now), Some(Moment(20_000)));
        assert_eq!(steady(1).last_scrape(&snapshot(1, 0, 0, None)), None);
        assert_eq!(steady(1).last_scrape(&snapshot(2, 0, 0, None)), Some(Moment(2000)));
    }
}

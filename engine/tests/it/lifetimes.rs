//! Series that come, are folded, expire, come back and are removed, against a model that knows nothing
//! of slots, wheels, caches or notices: readers whose words are delivered late,
//! shards whose inboxes are worked off late, scrapes at any moment.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::limits::SeriesLimits;

use crate::support::cases;
use crate::support::world::{World, WorldSettings};

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    /// A reader takes a batch of samples `(series, value)`.
    Batch(usize, Vec<(usize, u32)>),
    /// So many ticks go by.
    Wait(u64),
    /// A shard lets series expire.
    Expire(usize),
    /// A shard works off its inbox.
    Drain(usize),
    /// A reader hears what shards have told it.
    Tell(usize),
    /// A scrape.
    Scrape,
    /// An operator removes the metric that a series is of.
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let sample = (0usize..24, 0u32..50);
    prop_oneof![
        5 => (0usize..2, prop::collection::vec(sample, 1..6)).prop_map(|(r, batch)| Step::Batch(r, batch)),
        3 => (1u64..30).prop_map(Step::Wait),
        2 => (0usize..4).prop_map(Step::Expire),
        2 => (0usize..4).prop_map(Step::Drain),
        2 => (0usize..2).prop_map(Step::Tell),
        3 => Just(Step::Scrape),
        1 => (0usize..24).prop_map(Step::Remove),
    ]
}

fn run(world: &mut World, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Batch(reader, samples) => world.batch(*reader, samples),
            Step::Wait(ticks) => world.wait(*ticks),
            Step::Expire(shard) => world.expire(*shard),
            Step::Drain(shard) => world.drain(*shard),
            Step::Tell(reader) => world.tell(*reader),
            Step::Scrape => world.scrape(),
            Step::Remove(series) => world.remove(*series),
        }
        world.check_bounds();
    }
    world.scrape();
    world.end();
}

fn settings() -> impl Strategy<Value = WorldSettings> {
    let times = (1u64..20, 1u64..10, prop_oneof![Just(0u64), 1u64..60, Just(1_000_000u64)]);
    (1usize..5, 0usize..8, times, any::<bool>(), any::<bool>()).prop_map(
        |(shards, cache_series, (series_ttl, gauge_ttl, tombstone_ttl), are_limited, overflow)| {
            let most = if are_limited { 7 } else { 1000 };
            WorldSettings {
                shards,
                cache_series,
                series_ttl,
                gauge_ttl,
                tombstone_ttl,
                limits: SeriesLimits {
                    max_series: most,
                    max_series_per_metric: most / 2 + 1,
                    max_series_bytes: usize::MAX,
                },
                max_tombstones: 1000,
                overflow,
            }
        },
    )
}

proptest! {
    #![proptest_config(cases(256))]

    /// What is shown is what the model says, no total falls while its tombstone
    /// is kept, the limits hold, and in the end everything is given back.
    #[test]
    fn expiry_is_as_the_model_says(settings in settings(), steps in prop::collection::vec(step(), 1..120)) {
        run(&mut World::new(settings), &steps);
    }

    /// Among few tombstones the oldest make room, whichever shard they are in.
    #[test]
    fn the_oldest_tombstones_make_room(shards in 1usize..5, most in 0usize..6, order in Just((0..8usize).map(|number| number * 3).collect::<Vec<_>>()).prop_shuffle()) {
        let settings = WorldSettings { shards, max_tombstones: most, ..WorldSettings::default() };
        let mut world = World::new(settings);
        for series in &order {
            world.batch(0, &[(*series, 5)]);
            world.expire_all();
            world.wait(1);
        }
        // Each dies a tick after the one before it.
        for _ in 0..40 {
            world.wait(1);
            world.expire_all();
        }
        prop_assert_eq!(world.tombstones(), most.min(8));
        prop_assert_eq!(world.evicted(), 8u64.saturating_sub(most as u64));
        for series in &order {
            world.batch(0, &[(*series, 1)]);
        }
        let kept = order.iter().rev().take(most);
        let expected: BTreeMap<usize, f64> = order.iter().map(|series| (*series, 1.0))
            .chain(kept.map(|series| (*series, 5.0 + 1.0))).collect();
        let shown: BTreeMap<usize, f64> = order.iter().map(|series| (*series, world.shown(*series))).collect();
        prop_assert_eq!(shown, expected);
    }
}

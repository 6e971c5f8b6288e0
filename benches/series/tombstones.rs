//! What a tombstone takes: the resident memory of this process before and after
//! as many are made. And for how long a shard is held up, where the table grows
//! and where the tombstones of a family are removed.

use std::time::{Duration, Instant};

use procfs::process::Process;
use psg_engine::catalog::{Catalog, FamilyRef};
use psg_engine::labels::LabelPairs;
use psg_engine::metric::Kind;
use psg_engine::metric::Value;
use psg_engine::metric::histogram::Histogram;
use psg_engine::sample::Sample;
use psg_engine::sharding::{Segment, ShardIndex, series_hash};
use psg_engine::store::{
    SeriesIdentity, SharedTombstones, Sweep, Tick, TombstoneKey, TombstoneSettings, Tombstones,
};
use psg_engine::timestamp::Moment;

use crate::support::Failure;

/// Tombstones of one kind at most: all kinds are kept until the end, since
/// memory that was freed before would not show when it is used again.
const MOST: u64 = 250_000;

/// As many series or tombstones a shard removes before messages have their turn.
const SLICE: usize = 1024;

/// Prints the tables.
pub fn run(most: u64) -> Result<(), Failure> {
    sizes(most)?;
    removals(most)
}

fn removals(count: u64) -> Result<(), Failure> {
    println!(
        "\n| a family is removed, in one shard | its tombstones | of | in all, ms | longest slice, ms |"
    );
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (buckets, of) in [(0, "counters"), (11, "histograms, 11 buckets")] {
        for (its, budget) in [(count, usize::MAX), (count, SLICE), (1, SLICE)] {
            let (all, longest) = remove(buckets, count, its, budget)?;
            let how = if budget == SLICE { "in slices" } else { "at once" };
            let [all, longest] = [all, longest].map(|time| time.as_secs_f64() * 1000.0);
            println!("| {of}, {how} | {its} | {count} | {all:.1} | {longest:.2} |");
        }
    }
    Ok(())
}

/// Removes a family with `its` tombstones among `count`; how long all of it and
/// the longest slice took.
fn remove(
    buckets: usize,
    count: u64,
    its: u64,
    budget: usize,
) -> Result<(Duration, Duration), Failure> {
    let catalog = Catalog::default();
    let [kept, doomed] = [claim(&catalog, "kept", buckets)?, claim(&catalog, "doomed", buckets)?];
    let mut tombstones = none();
    for number in 0..count {
        // The last ones to be found.
        let family = if number < count - its { &kept } else { &doomed };
        store(&mut tombstones, family, number, value(buckets));
    }
    let (mut sweep, mut longest) = (Sweep::default(), Duration::ZERO);
    let begun = Instant::now();
    loop {
        let before = Instant::now();
        let is_done = tombstones.sweep(&mut sweep, doomed.family(), budget);
        longest = longest.max(before.elapsed());
        if is_done {
            break;
        }
    }
    let all = begun.elapsed();
    if sweep.removed() as u64 != its {
        return Err(format!("expected {its} to be removed, got {}", sweep.removed()).into());
    }
    Ok((all, longest))
}

fn sizes(most: u64) -> Result<(), Failure> {
    let most = most.min(MOST);
    // The first one pays for the allocator's own room.
    let mut kept = vec![measure(0, most / 10)?.1];
    println!("\n| tombstones of | how many | bytes each | allowed | longest time of one, ms |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for buckets in [0, 11, 16, 31] {
        let (each, tombstones, longest) = measure(buckets, most)?;
        kept.push(tombstones);
        let what = match buckets {
            0 => "counters".to_owned(),
            _ => format!("histograms, {buckets} buckets"),
        };
        // A histogram is its counts, and what points to them with the sum.
        let allowed = if buckets == 0 { 88 } else { 88 + 32 + 8 * buckets };
        let longest = longest.as_secs_f64() * 1000.0;
        println!("| {what} | {most} | {each:.1} | {allowed} | {longest:.2} |");
    }
    Ok(())
}

/// Bytes of each, the tombstones, and how long storing one took at most.
fn measure(buckets: usize, count: u64) -> Result<(f64, Tombstones, Duration), Failure> {
    let catalog = Catalog::default();
    let family = claim(&catalog, "name", buckets)?;
    let before = resident()?;
    let (mut tombstones, mut longest) = (none(), Duration::ZERO);
    for number in 0..count {
        longest = longest.max(store(&mut tombstones, &family, number, value(buckets)));
    }
    let after = resident()?;
    Ok(((after as f64 - before as f64) / count as f64, tombstones, longest))
}

/// Stores the total of a series, and tells for how long that held the shard up.
fn store(tombstones: &mut Tombstones, family: &FamilyRef, number: u64, total: Value) -> Duration {
    let labels = format!("number=\"{number}\"");
    let labels = LabelPairs::from_text(&labels);
    let segment = Segment::of(series_hash(family.name_hash(), labels));
    let identity = SeriesIdentity { family, labels, segment };
    let before = Instant::now();
    tombstones.store_total(identity, total, None, Tick::at(Moment(number)));
    before.elapsed()
}

fn none() -> Tombstones {
    let settings = TombstoneSettings { ttl_ms: 86_400_000, max: usize::MAX };
    let shared = SharedTombstones::new(settings, TombstoneKey([1; 16]), 1);
    Tombstones::new(settings, shared, ShardIndex(0))
}

/// Of a counter, where there are no buckets.
fn value(buckets: usize) -> Value {
    match buckets {
        0 => Value::Counter(1.0, 0.0),
        _ => Value::Histogram(Box::new(Histogram::from_parts(vec![1; buckets].into(), 1.0))),
    }
}

fn claim(catalog: &Catalog, name: &str, buckets: usize) -> Result<FamilyRef, Failure> {
    let bounds: Vec<f64> = (1..buckets).map(|bound| bound as f64).collect();
    let kind = if buckets == 0 { Kind::Counter } else { Kind::Histogram };
    let sample = Sample { buckets: &bounds, ..Sample::of(kind, name) };
    catalog.claim(&sample).map_err(|reject| Failure::from(reject.to_string()))
}

fn resident() -> Result<u64, Failure> {
    let pages = Process::myself()?.statm()?.resident;
    Ok(pages * procfs::page_size())
}

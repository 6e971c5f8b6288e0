//! What a tombstone takes: the resident memory of this process before and
//! after as many are made.

use std::sync::Arc;

use procfs::process::Process;
use psg_engine::catalog::{Catalog, FamilyRef};
use psg_engine::limits::SeriesLimits;
use psg_engine::metric::Value;
use psg_engine::metric::histogram::Histogram;
use psg_engine::metric::summary::SummarySettings;
use psg_engine::sample::{Kind, Labels, Sample};
use psg_engine::sharding::ShardIndex;
use psg_engine::store::{Tick, TombstoneBudget, TombstoneKey, TombstoneSettings, Tombstones};
use psg_engine::timestamp::Moment;

use crate::support::Failure;

/// Tombstones of one kind at most: all kinds are kept until the end, since
/// memory that was freed before would not show when it is used again.
const MOST: u64 = 250_000;

/// Prints the table.
pub fn run(most: u64) -> Result<(), Failure> {
    let most = most.min(MOST);
    // The first one pays for the allocator's own room.
    let mut kept = vec![measure(0, most / 10)?.1];
    println!("\n| tombstones of | how many | bytes each | allowed |");
    println!("| --- | ---: | ---: | ---: |");
    for buckets in [0, 11, 16, 31] {
        let (each, tombstones) = measure(buckets, most)?;
        kept.push(tombstones);
        let what = match buckets {
            0 => "counters".to_owned(),
            _ => format!("histograms, {buckets} buckets"),
        };
        println!("| {what} | {most} | {each:.1} | {} |", 64 + 8 * buckets);
    }
    Ok(())
}

fn measure(buckets: usize, count: u64) -> Result<(f64, Tombstones), Failure> {
    let catalog = Catalog::new(SeriesLimits::default(), SummarySettings::default());
    let family = claim(&catalog, buckets)?;
    let budget = Arc::new(TombstoneBudget::new(usize::MAX, 1));
    let settings = TombstoneSettings { ttl_ms: 86_400_000, key: TombstoneKey([1; 16]), budget };
    let value = match buckets {
        0 => Value::Counter(1.0),
        _ => Value::Histogram(Box::new(Histogram::from_parts(vec![1; buckets].into(), 1.0))),
    };
    let before = resident()?;
    let mut tombstones = Tombstones::new(settings, ShardIndex(0));
    for number in 0..count {
        let labels = format!("number=\"{number}\"");
        tombstones.bury(&family, &labels, &value, None, Tick::at(Moment(number)));
    }
    let after = resident()?;
    Ok(((after as f64 - before as f64) / count as f64, tombstones))
}

fn claim(catalog: &Catalog, buckets: usize) -> Result<FamilyRef, Failure> {
    let bounds: Vec<f64> = (1..buckets).map(|bound| bound as f64).collect();
    let sample = Sample {
        kind: if buckets == 0 { Kind::Counter } else { Kind::Histogram },
        name: "name",
        help: "",
        value: 0.0,
        value_at: None,
        labels: Labels::NONE,
        buckets: &bounds,
        timestamp: None,
        ttl: None,
        objectives: &[],
    };
    catalog.claim(&sample).map_err(|reject| Failure::from(reject.to_string()))
}

fn resident() -> Result<u64, Failure> {
    let pages = Process::myself()?.statm()?.resident;
    Ok(pages * procfs::page_size())
}

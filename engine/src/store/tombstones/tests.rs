//! What is stored of tombstones, in another process.

use super::*;
use crate::catalog::Catalog;
use crate::limits::SeriesLimits;
use crate::metric::summary::SummarySettings;
use crate::sample::{Kind, Labels, Sample};

fn histogram(catalog: &Catalog) -> FamilyRef {
    let sample = Sample {
        kind: Kind::Histogram,
        name: "h",
        help: "",
        value: 0.0,
        value_at: None,
        labels: Labels::NONE,
        buckets: &[1.0, 2.0],
        timestamp: None,
        ttl: None,
        objectives: &[],
    };
    catalog.claim(&sample).unwrap()
}

fn tombstones(key: u8) -> Tombstones {
    let budget = Arc::new(TombstoneBudget::new(100, 1));
    let key = TombstoneKey([key; 16]);
    let settings = TombstoneSettings { ttl_ms: 10_000, key, budget };
    Tombstones::new(settings, ShardIndex(0)).with_created(true)
}

/// What is stored of one process' tombstones serves another, with the key.
#[test]
fn they_come_back_by_age_under_their_own_key() {
    let catalog = Catalog::new(SeriesLimits::default(), SummarySettings::default());
    let family = histogram(&catalog);
    let labels = |number: u32| format!("i=\"{number}\"");
    let value = |number: u32| {
        let counts = [u64::from(number), 2, 3];
        Value::Histogram(Box::new(Histogram::from_parts(counts.into(), 0.5)))
    };
    // Of some it is not known when their total began.
    let created = |number: u32| {
        let time = UnixTime::from_micros(i64::from(number));
        Some(time).filter(|_| !number.is_multiple_of(3))
    };
    let mut first = tombstones(1);
    for number in 0..50 {
        first.bury(&family, &labels(number), &value(number), created(number), Tick(1000 + number));
    }
    let mut second = tombstones(2);
    second.set_key(TombstoneKey([1; 16]));
    let mut stored: Vec<Tombstone<'_>> = first.iter().collect();
    assert!(stored.is_sorted_by_key(|tombstone| tombstone.died));
    stored.reverse();
    // Those that died before tick 1020 are too old then.
    second.restore(stored, Tick(1020 + 100));
    assert_eq!(second.len(), 30);
    assert!(second.iter().map(|tombstone| tombstone.died).is_sorted());
    for number in 0..50 {
        let hash = series_hash(family.name_hash(), &labels(number));
        let segment = second.id_of(&family, &labels(number)).segment();
        assert_eq!(segment, Segment::of(hash));
        let found = second.exhume(family.family(), &labels(number), Tick(1121));
        let found = found.map(|Exhumed { total, created }| (total, created));
        let expected = (number >= 21).then(|| (value(number), created(number)));
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{number}");
    }
    assert_eq!(second.remove_family(family.family()).len(), 0);
    assert_eq!(first.remove_family(family.family()).len(), 50);
    assert!(first.is_empty() && first.settings.budget.count() == 0);
}

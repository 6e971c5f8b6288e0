//! What is stored of tombstones, in another process; and how a family's go.

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::metric::Kind;
use crate::metric::histogram::Histogram;
use crate::sample::Sample;
use crate::sharding::series_hash;

fn histogram(catalog: &Catalog) -> FamilyRef {
    claim(catalog, Kind::Histogram, "h")
}

fn claim(catalog: &Catalog, kind: Kind, name: &str) -> FamilyRef {
    let sample = Sample { buckets: &[1.0, 2.0], ..Sample::of(kind, name) };
    catalog.claim(&sample).unwrap()
}

fn tombstones(key: u8) -> Tombstones {
    let settings = TombstoneSettings { ttl_ms: 10_000, max: 100 };
    let shared = SharedTombstones::new(settings, TombstoneKey([key; 16]), 1);
    Tombstones::new(settings, shared, ShardIndex(0))
}

fn identity<'a>(family: &'a FamilyRef, labels: &'a str) -> SeriesIdentity<'a> {
    let labels = LabelPairs::from_text(labels);
    let segment = Segment::of(series_hash(family.name_hash(), labels));
    SeriesIdentity { family, labels, segment }
}

/// All of them, by age.
fn all(tombstones: &mut Tombstones) -> Vec<Tombstone> {
    let mut all = Vec::new();
    tombstones.begin_walk();
    let visit = |tombstone: &Tombstone| {
        all.extend(tombstone.copy());
        1
    };
    assert!(tombstones.walk_some(usize::MAX, visit));
    all.sort_by_key(|tombstone| tombstone.died);
    all
}

/// Removes those of a family at once.
fn removed(tombstones: &mut Tombstones, family: &FamilyRef) -> usize {
    let mut sweep = Sweep::default();
    assert!(tombstones.sweep(&mut sweep, family.family(), usize::MAX));
    sweep.removed()
}

/// What is stored of one process' tombstones serves another, with the key.
#[test]
fn they_come_back_by_age_under_their_own_key() {
    let catalog = Catalog::default();
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
        let (labels, died) = (labels(number), Tick(1000 + number));
        first.store_total(identity(&family, &labels), value(number), created(number), died);
    }
    let mut second = tombstones(2);
    second.set_key(TombstoneKey([1; 16]));
    let mut stored = all(&mut first);
    stored.reverse();
    // Those that died before tick 1020 are too old then.
    second.restore(stored, Tick(1020 + 100));
    assert_eq!(second.len(), 30);
    assert_eq!(second.next_expiry(), Some(Tick(1020 + 101)));
    for number in 0..50 {
        let labels = labels(number);
        let identity = identity(&family, &labels);
        assert_eq!(second.id_of(identity).segment(), identity.segment);
        let found = second.take_total(identity, Tick(1121));
        let found = found.map(|found| (found.total, found.created.map(UnixTime::from)));
        let expected = (number >= 21).then(|| (value(number), created(number)));
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{number}");
    }
    assert_eq!(removed(&mut second, &family), 0);
    assert_eq!(removed(&mut first, &family), 50);
    assert!(first.is_empty() && first.shared.budget.count() == 0);
}

/// Something that happens to a series of one of the families.
#[derive(Debug, Clone)]
enum Event {
    Store { family: usize, series: u32 },
    Take { family: usize, series: u32 },
}

/// What happens to any of `families`.
fn event(families: std::ops::Range<usize>) -> impl Strategy<Value = Event> {
    (families, 0..30_u32, any::<bool>()).prop_map(|(family, series, expires)| {
        if expires { Event::Store { family, series } } else { Event::Take { family, series } }
    })
}

fn happen(tombstones: &mut Tombstones, families: &[FamilyRef], event: &Event, at: Tick) {
    let (Event::Store { family, series } | Event::Take { family, series }) = event;
    let (family, labels) = (&families[*family], format!("i=\"{series}\""));
    match event {
        Event::Store { .. } => {
            let total = match family.shape().bounds() {
                None => Value::Counter(f64::from(at.0), 0.0),
                Some(bounds) => {
                    let counts = vec![u64::from(at.0); bounds.len() + 1].into();
                    Value::Histogram(Box::new(Histogram::from_parts(counts, 0.5)))
                }
            };
            tombstones.store_total(identity(family, &labels), total, None, at);
        }
        Event::Take { .. } => drop(tombstones.take_total(identity(family, &labels), at)),
    }
}

/// All that can be said of them.
fn described(tombstones: &mut Tombstones) -> Vec<String> {
    let describe = |one: &Tombstone| {
        format!("{} {:?} {:?} {:?}", one.family.name(), one.id, one.died, one.total)
    };
    all(tombstones).iter().map(describe).collect()
}

proptest! {
    /// In whatever slices, and whatever happens to other families in between,
    /// what goes and what stays is the same as if it were done at once.
    #[test]
    fn a_family_goes_in_slices_as_it_would_at_once(
        before in prop::collection::vec(event(0..3), 0..150),
        slices in prop::collection::vec((0..3_usize, prop::collection::vec(event(1..3), 0..6)), 0..20),
    ) {
        let catalog = Catalog::default();
        let families = [(Kind::Counter, "a"), (Kind::Histogram, "b"), (Kind::Counter, "c")]
            .map(|(kind, name)| claim(&catalog, kind, name));
        let [mut sliced, mut whole] = [tombstones(1), tombstones(1)];
        let mut now = Tick(1000);
        for event in &before {
            now.0 += 1;
            for them in [&mut sliced, &mut whole] {
                happen(them, &families, event, now);
            }
        }
        let doomed = removed(&mut whole, &families[0]);
        let mut sweep = Sweep::default();
        for (budget, between) in &slices {
            sliced.sweep(&mut sweep, families[0].family(), *budget);
            for event in between {
                now.0 += 1;
                for them in [&mut sliced, &mut whole] {
                happen(them, &families, event, now);
            }
            }
        }
        let mut left = 1000;
        while !sliced.sweep(&mut sweep, families[0].family(), 1) {
            left -= 1;
            prop_assert!(left > 0, "it has no end");
        }
        prop_assert_eq!(sweep.removed(), doomed);
        prop_assert_eq!(described(&mut sliced), described(&mut whole));
        prop_assert_eq!(sliced.shared.budget.count(), whole.shared.budget.count());
    }
}

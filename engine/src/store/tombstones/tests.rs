//! What is stored of tombstones, in another process; and how a family's go.

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::metric::Kind;
use crate::sample::{Labels, Sample};

fn histogram(catalog: &Catalog) -> FamilyRef {
    claim(catalog, Kind::Histogram, "h")
}

fn claim(catalog: &Catalog, kind: Kind, name: &str) -> FamilyRef {
    let sample = Sample {
        kind,
        name,
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
        first.bury(
            &family,
            LabelPairs::from_text(&labels(number)),
            &value(number),
            created(number),
            Tick(1000 + number),
        );
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
        let hash = series_hash(family.name_hash(), LabelPairs::from_text(&labels(number)));
        let segment = second.id_of(&family, LabelPairs::from_text(&labels(number))).segment();
        assert_eq!(segment, Segment::of(hash));
        let found =
            second.exhume(family.family(), LabelPairs::from_text(&labels(number)), Tick(1121));
        let found = found.map(|Exhumed { total, created }| (total, created));
        let expected = (number >= 21).then(|| (value(number), created(number)));
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{number}");
    }
    assert_eq!(removed(&mut second, &family), 0);
    assert_eq!(removed(&mut first, &family), 50);
    assert!(first.is_empty() && first.settings.budget.count() == 0);
}

/// Something that happens to a series of one of the families.
#[derive(Debug, Clone)]
enum Event {
    Bury { family: usize, series: u32 },
    Exhume { family: usize, series: u32 },
}

/// What happens to any of `families`.
fn event(families: std::ops::Range<usize>) -> impl Strategy<Value = Event> {
    (families, 0..30_u32, any::<bool>()).prop_map(|(family, series, buries)| {
        if buries { Event::Bury { family, series } } else { Event::Exhume { family, series } }
    })
}

fn happen(tombstones: &mut Tombstones, families: &[FamilyRef], event: &Event, at: Tick) {
    let (Event::Bury { family, series } | Event::Exhume { family, series }) = event;
    let (family, labels) = (&families[*family], format!("i=\"{series}\""));
    match event {
        Event::Bury { .. } => {
            let value = match family.shape().buckets() {
                None => Value::Counter(f64::from(at.0)),
                Some(buckets) => {
                    let counts = vec![u64::from(at.0); buckets].into();
                    Value::Histogram(Box::new(Histogram::from_parts(counts, 0.5)))
                }
            };
            tombstones.bury(family, LabelPairs::from_text(&labels), &value, None, at);
        }
        Event::Exhume { .. } => {
            drop(tombstones.exhume(family.family(), LabelPairs::from_text(&labels), at))
        }
    }
}

/// All that can be told of them.
fn told(tombstones: &Tombstones) -> Vec<String> {
    let tell = |one: Tombstone<'_>| {
        format!("{} {:?} {:?} {:?}", one.family.name(), one.id, one.died, one.total)
    };
    tombstones.iter().map(tell).collect()
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
        prop_assert_eq!(told(&sliced), told(&whole));
        prop_assert_eq!(sliced.settings.budget.count(), whole.settings.budget.count());
        prop_assert!(sliced.families.number_of(families[0].family()).is_none());
    }
}

//! Cardinality: how many distinct values label names have.
//!
//! Each shard walks over its series in slices, as for a scrape; one survey runs
//! at a time. Up to 1,024 values of a name are counted exactly; beyond that a
//! HyperLogLog sketch of 4 KiB estimates them, within some 5 %. At most 1,000
//! names are counted in each shard; labels with further names are counted as left
//! out. So a survey takes a few MiB, whatever there is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use foldhash::fast::RandomState;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::labels::LabelPairs;

/// Values of a name that are counted exactly.
const EXACT: usize = 1024;
/// Label names that are counted.
const NAMES: usize = 1000;
/// A sketch has 2^12 registers: a standard error of 1.6 %.
const SKETCH_BITS: u32 = 12;

/// Distinct values by label name.
#[derive(Debug, Default)]
pub struct LabelValues {
    names: BTreeMap<Box<str>, CountedLabel>,
    left_out: u64,
}

/// A label name, and what was found of it, as the HTTP API answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelName {
    /// The name.
    pub name: Box<str>,
    /// Its distinct values, over all metrics.
    pub values: u64,
    /// Whether that is their exact number; else it is an estimate.
    #[serde(rename = "exact")]
    pub is_exact: bool,
    /// Series that have the label.
    pub series: u64,
}

#[derive(Debug)]
struct CountedLabel {
    values: Distinct,
    series: u64,
}

#[derive(Debug)]
enum Distinct {
    Exact(HashSet<u64, RandomState>),
    Sketch(Box<[u8; 1 << SKETCH_BITS]>),
}

impl LabelValues {
    /// Counts the labels of one series.
    pub fn add(&mut self, labels: LabelPairs<'_>) {
        for (name, value) in labels.iter() {
            let hash = xxh3_64(value.as_bytes());
            if let Some(counted) = self.names.get_mut(&*name) {
                counted.series += 1;
                counted.values.add(hash);
            } else if self.names.len() < NAMES {
                let mut values = Distinct::Exact(HashSet::default());
                values.add(hash);
                self.names.insert((*name).into(), CountedLabel { values, series: 1 });
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Adds what another shard has found.
    pub fn merge(&mut self, other: Self) {
        self.left_out += other.left_out;
        for (name, counted) in other.names {
            match self.names.get_mut(&name) {
                Some(known) => {
                    known.series += counted.series;
                    known.values.merge(counted.values);
                }
                None => drop(self.names.insert(name, counted)),
            }
        }
    }

    /// The `count` names with the most values, most first.
    pub fn most(&self, count: usize) -> Vec<LabelName> {
        let found = self.names.iter().map(|(name, counted)| LabelName {
            name: name.clone(),
            values: counted.values.count(),
            is_exact: matches!(counted.values, Distinct::Exact(_)),
            series: counted.series,
        });
        let mut names: Vec<LabelName> = found.collect();
        names.sort_by_key(|name| Reverse(name.values));
        names.truncate(count);
        names
    }

    /// How many labels of series were not counted, since there were too many
    /// names.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Distinct {
    fn add(&mut self, hash: u64) {
        match self {
            Distinct::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    *self = self.to_sketch();
                }
            }
            Distinct::Sketch(registers) => note(registers, hash),
        }
    }

    fn merge(&mut self, other: Self) {
        match other {
            Distinct::Exact(hashes) => hashes.into_iter().for_each(|hash| self.add(hash)),
            Distinct::Sketch(other) => {
                let mut merged = other;
                match self {
                    Distinct::Exact(hashes) => {
                        hashes.iter().for_each(|hash| note(&mut merged, *hash));
                    }
                    Distinct::Sketch(own) => {
                        let pairs = merged.iter_mut().zip(own.iter());
                        pairs.for_each(|(merged, own)| *merged = (*merged).max(*own));
                    }
                }
                *self = Distinct::Sketch(merged);
            }
        }
    }

    fn count(&self) -> u64 {
        match self {
            Distinct::Exact(hashes) => hashes.len() as u64,
            Distinct::Sketch(registers) => estimate(registers),
        }
    }

    fn to_sketch(&self) -> Self {
        let mut registers = Box::new([0; 1 << SKETCH_BITS]);
        match self {
            Distinct::Exact(hashes) => hashes.iter().for_each(|hash| note(&mut registers, *hash)),
            Distinct::Sketch(own) => registers = own.clone(),
        }
        Distinct::Sketch(registers)
    }
}

fn note(registers: &mut [u8; 1 << SKETCH_BITS], hash: u64) {
    let register = &mut registers[(hash >> (64 - SKETCH_BITS)) as usize];
    let rank = ((hash << SKETCH_BITS) | 1 << (SKETCH_BITS - 1)).leading_zeros() as u8 + 1;
    *register = rank.max(*register);
}

/// The estimate of Flajolet and others, 2007, with linear counting where many
/// registers are empty.
fn estimate(registers: &[u8; 1 << SKETCH_BITS]) -> u64 {
    let count = registers.len() as f64;
    let empty = registers.iter().filter(|register| **register == 0).count() as f64;
    let sum: f64 = registers.iter().map(|register| 2f64.powi(-i32::from(*register))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
    let estimate = match raw <= 2.5 * count && empty > 0.0 {
        true => count * (count / empty).ln(),
        false => raw,
    };
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Surveys of `shards` shards, merged.
    fn survey(series: u64, values: u64, shards: usize) -> LabelValues {
        let mut parts: Vec<LabelValues> = (0..shards).map(|_| LabelValues::default()).collect();
        for number in 0..series {
            let text = format!("few=\"{}\",many=\"a\\\"={}\"", number % 3, number % values);
            parts[number as usize % shards].add(LabelPairs::from_text(&text));
        }
        let mut merged = LabelValues::default();
        parts.into_iter().for_each(|part| merged.merge(part));
        merged
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_nearly() {
        for (series, values, shards) in
            [(100, 10, 1), (3000, 1000, 2), (5000, 1025, 3), (9000, 9000, 4), (300_000, 300_000, 2)]
        {
            let most = survey(series, values, shards).most(5);
            let found: Vec<&str> = most.iter().map(|name| &*name.name).collect();
            assert_eq!(found, ["many", "few"]);
            assert_eq!((most[1].values, most[1].is_exact, most[1].series), (3, true, series));
            assert_eq!((most[0].is_exact, most[0].series), (values <= EXACT as u64, series));
            let off = most[0].values.abs_diff(values) as f64 / values as f64;
            let allowed = if most[0].is_exact { 0.0 } else { 0.05 };
            assert!(off <= allowed, "{} for {values}", most[0].values);
        }
    }

    #[test]
    fn names_without_end_take_bounded_room() {
        let mut found = LabelValues::default();
        for number in 0..5000 {
            found.add(LabelPairs::from_text(&format!("name_{number}=\"x\"")));
        }
        assert_eq!((found.most(10_000).len(), found.left_out()), (NAMES, 4000));
    }
}

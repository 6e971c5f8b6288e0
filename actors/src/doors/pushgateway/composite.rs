//! Series that stand in several lines: histograms and summaries, put together again.

use std::collections::HashMap;

use psg_engine::metric::Kind;

use super::body::{Fault, LabelPairs};
use super::histogram::{self, Counted};
use super::samples::{BodyExemplar, FamilyTexts, PushedSeries, SampleWriter};
use crate::doors::sample::PushedValue;

/// What a line says of its series.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// An upper bound, what was counted at or below it, and an exemplar of that.
    Bucket(f64, f64, Option<BodyExemplar<'a>>),
    Sum(f64),
    Count(f64),
}

/// The series of one metric.
#[derive(Debug, Default)]
pub(super) struct Composites<'a> {
    series: Vec<Composite<'a>>,
    by_hash: HashMap<u64, usize>,
}

#[derive(Debug)]
struct Composite<'a> {
    labels: LabelPairs<'a>,
    /// Its first line.
    line: usize,
    buckets: Vec<(f64, u64)>,
    sum: Option<f64>,
    count: Option<u64>,
    exemplars: Vec<BodyExemplar<'a>>,
}

impl<'a> Composites<'a> {
    /// Whether a series of that hash is there.
    pub(super) fn has(&self, hash: u64) -> bool {
        self.by_hash.contains_key(&hash)
    }

    /// Adds a part to the series with these labels, which `hash` stands for.
    pub(super) fn add(
        &mut self,
        (hash, labels): (u64, &LabelPairs<'a>),
        line: usize,
        part: Part<'a>,
    ) -> Result<(), Fault> {
        let Self { series, by_hash } = self;
        let index = *by_hash.entry(hash).or_insert_with(|| {
            series.push(Composite::new(labels.clone(), line));
            series.len() - 1
        });
        series[index].add(part)
    }

    /// Writes all of them; a fault comes with the line of its series.
    pub(super) fn write(
        self,
        kind: Kind,
        name: &str,
        texts: &mut FamilyTexts<'_>,
        writer: &mut SampleWriter<'_>,
    ) -> Result<(), (usize, Fault)> {
        for series in self.series {
            let line = series.line;
            series.write(kind, name, texts, writer).map_err(|fault| (line, fault))?;
        }
        Ok(())
    }
}

impl<'a> Composite<'a> {
    fn new(labels: LabelPairs<'a>, line: usize) -> Self {
        Self { labels, line, buckets: Vec::new(), sum: None, count: None, exemplars: Vec::new() }
    }

    fn add(&mut self, part: Part<'a>) -> Result<(), Fault> {
        let (what, is_second) = match part {
            Part::Bucket(bound, count, exemplar) => {
                self.buckets.push((bound, histogram::whole(count)?));
                self.exemplars.extend(exemplar);
                return Ok(());
            }
            Part::Sum(sum) => ("sum", self.sum.replace(sum).is_some()),
            Part::Count(count) => ("count", self.count.replace(histogram::whole(count)?).is_some()),
        };
        match is_second {
            true => Err(format!("expected one {what} of a series, got a second one").into()),
            false => Ok(()),
        }
    }

    fn write(
        self,
        kind: Kind,
        name: &str,
        texts: &mut FamilyTexts<'_>,
        writer: &mut SampleWriter<'_>,
    ) -> Result<(), Fault> {
        let Self { labels, line: _, buckets, sum, count, exemplars } = self;
        let in_series = |detail: String| format!("{name}: {detail}");
        let sum = histogram::sum(sum).map_err(in_series)?;
        let counted = match kind {
            Kind::Summary => {
                let count = count.ok_or_else(|| in_series("expected a count, got none".into()))?;
                Counted { bounds: Vec::new(), counts: vec![count] }
            }
            Kind::Counter | Kind::Gauge | Kind::Histogram => {
                histogram::counted(buckets, count).map_err(in_series)?
            }
        };
        let Counted { bounds, counts } = &counted;
        let none = vec![0; counts.len()];
        let value = |counts, sum| PushedValue::Counted { buckets: bounds, counts, sum };
        let series = PushedSeries { kind, name, labels: &labels };
        writer.counted(texts, series, value(counts, sum), value(&none, 0.0), &exemplars)
    }
}

//! Series of a body become samples: with the labels of the path, each once, and with
//! the texts of their metric.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use psg_engine::metric::{GaugeOp, Kind};

use super::body::{Fault, LabelPairs, MAX_SERIES, PushOptions, shown};
use crate::doors::sample::{Elements, PushedExemplar, PushedLabels, PushedSample, PushedValue};
use crate::self_metrics::doors::SampleReason;

/// What a body says of a metric.
#[derive(Debug, Default)]
pub(super) struct FamilyTexts<'a> {
    /// Until its first sample has it.
    pub(super) help: Option<Cow<'a, str>>,
    /// Each sample has it: by the operator's settings it may be a part of the name.
    pub(super) unit: Option<Cow<'a, str>>,
}

/// An exemplar of a body.
#[derive(Debug)]
pub(super) struct BodyExemplar<'a> {
    pub(super) labels: LabelPairs<'a>,
    pub(super) value: f64,
    /// Unix seconds.
    pub(super) timestamp: Option<f64>,
}

/// A series: its name, and the labels that it is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct PushedSeries<'s> {
    pub(super) kind: Kind,
    pub(super) name: &'s str,
    pub(super) labels: &'s PushedLabels<'s>,
}

/// Writes the samples of one body.
#[derive(Debug)]
pub(super) struct SampleWriter<'a> {
    options: &'a PushOptions<'a>,
    elements: &'a mut Elements,
    /// Hashes of the series so far; keyed, since a stranger chooses them.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl<'a> SampleWriter<'a> {
    pub(super) fn new(options: &'a PushOptions<'a>, elements: &'a mut Elements) -> Self {
        Self { options, elements, seen: HashSet::new(), hasher: RandomState::new() }
    }

    /// Whether exemplars need be read.
    pub(super) fn keeps_exemplars(&self) -> bool {
        self.options.keep_exemplars
    }

    pub(super) fn leave_quantiles_out(&mut self, quantiles: u64) {
        self.elements.leave_out(SampleReason::Unmergeable, quantiles);
    }

    /// Makes of the labels of a series those that it is written with, in an order that
    /// does not depend on theirs.
    pub(super) fn group(&self, labels: &mut LabelPairs<'a>) -> Result<(), Fault> {
        labels.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        if let Some(twice) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(
                format!("expected each label once, got {} twice", shown(&twice[0].0)).into()
            );
        }
        let grouping = self.options.grouping;
        let is_grouping = |label: &str| grouping.iter().any(|(name, _)| name == label);
        // An empty value is no label.
        labels.retain(|(name, value)| !value.is_empty() && !is_grouping(name));
        let grouping = grouping.iter().filter(|(_, value)| !value.is_empty());
        labels.extend(grouping.map(|(name, value)| (name.as_str().into(), value.as_str().into())));
        Ok(())
    }

    /// A number for a series, by which it is found among those of one metric.
    pub(super) fn hash_of(&self, labels: &LabelPairs<'a>) -> u64 {
        self.hasher.hash_one(labels)
    }

    /// Notes a series, which may be there once.
    pub(super) fn note(&mut self, name: &str, labels: &LabelPairs<'a>) -> Result<(), Fault> {
        if self.seen.len() == MAX_SERIES {
            return Err(Fault::too_many());
        }
        match self.seen.insert(self.hasher.hash_one((name, labels))) {
            true => Ok(()),
            false => Err(format!("expected each series once, got one of {name} twice").into()),
        }
    }

    /// Writes a counter.
    pub(super) fn counter(
        &mut self,
        texts: &mut FamilyTexts<'_>,
        (name, labels): (&str, &PushedLabels<'_>),
        value: f64,
        exemplar: Option<&BodyExemplar<'_>>,
    ) -> Result<(), Fault> {
        if !(value.is_finite() && value >= 0.0) {
            return Err(format!("expected a counter of at least 0, got {value}").into());
        }
        let series = PushedSeries { kind: Kind::Counter, name, labels };
        self.write(texts, series, PushedValue::One { value }, None, exemplar)
    }

    /// Writes a gauge, unless it has no value that a sample can have; `op` is what is
    /// done to it, whatever the push says.
    pub(super) fn gauge(
        &mut self,
        texts: &mut FamilyTexts<'_>,
        (name, labels): (&str, &PushedLabels<'_>),
        value: f64,
        op: Option<GaugeOp>,
    ) -> Result<(), Fault> {
        if !value.is_finite() {
            self.elements.leave_out(SampleReason::NotFinite, 1);
            return Ok(());
        }
        let series = PushedSeries { kind: Kind::Gauge, name, labels };
        let op = op.or(self.options.gauge_op);
        self.write(texts, series, PushedValue::One { value }, op, None)
    }

    /// Writes what a client has counted. It may have more exemplars than a sample can:
    /// those that are left come with samples of nothing.
    pub(super) fn counted(
        &mut self,
        texts: &mut FamilyTexts<'_>,
        series: PushedSeries<'_>,
        value: PushedValue<'_>,
        nothing: PushedValue<'_>,
        exemplars: &[BodyExemplar<'_>],
    ) -> Result<(), Fault> {
        let own = if series.kind == Kind::Summary { "quantile" } else { "le" };
        if series.labels.iter().any(|(label, _)| label == own) {
            let expected = format!("expected no label {own} but where it says which");
            return Err(format!("{expected}, got one of {}", series.name).into());
        }
        self.write(texts, series, value, None, exemplars.first())?;
        let more = exemplars.iter().skip(1);
        more.map(Some).try_for_each(|more| self.write(texts, series, nothing, None, more))
    }

    fn write(
        &mut self,
        texts: &mut FamilyTexts<'_>,
        PushedSeries { kind, name, labels }: PushedSeries<'_>,
        value: PushedValue<'_>,
        op: Option<GaugeOp>,
        exemplar: Option<&BodyExemplar<'_>>,
    ) -> Result<(), Fault> {
        let help = texts.help.take();
        let sample =
            PushedSample {
                help: help.as_deref().filter(|help| !help.is_empty()),
                unit: texts.unit.as_deref(),
                labels,
                op,
                exemplar: exemplar.map(|BodyExemplar { labels, value, timestamp }| {
                    PushedExemplar { labels, value: Some(*value), timestamp: *timestamp }
                }),
                ..PushedSample::of(kind, name, value)
            };
        Ok(self.elements.push(&sample)?)
    }
}

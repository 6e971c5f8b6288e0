//! Frames at a home: what routers have added up is taken in as samples are. A frame
//! that breaks a rule is refused as one payload; a delta that the home can't take, for
//! its type or for a limit, as so many samples as it is.

use std::borrow::Cow;

use super::Intake;
use super::pending::place;
use crate::labels::LabelPairs;
use crate::metric::native::Schema;
use crate::metric::{GaugeOp, Observations};
use crate::name::NameRules;
use crate::partition::delta::{DeltaValue, GaugeStep};
use crate::partition::frame::{self, Frame, FrameDelta, FrameFamily};
use crate::printable::{SHORT, printable};
use crate::record::{ExemplarRecord, ShapeRecord};
use crate::reject::{DroppedExemplar, Reason, Reject};
use crate::sample::{Exemplar, Label, Labels, Sample};
use crate::state::StateError;
use crate::timestamp::UnixTime;

impl Intake {
    /// Takes the next element of a home's queue in: a frame, or a payload as
    /// [`Intake::route`] does.
    ///
    /// Fails where the frame is of a newer version: nothing of it was taken, and it must
    /// stay in the queue for a gateway that knows it.
    pub fn route_at_home(
        &mut self,
        element: &[u8],
        mut refuse: impl FnMut(&[u8], Reject),
    ) -> Result<(), StateError> {
        if !frame::is_frame(element) {
            self.route(element, refuse);
            return Ok(());
        }
        let number = self.next_payload();
        let frame = match Frame::open(element) {
            Ok(frame) => frame,
            Err(newer @ StateError::Newer { .. }) => return Err(newer),
            Err(fault) => {
                refuse(element, Reject::new(Reason::InvalidFrame, fault.to_string()));
                return Ok(());
            }
        };
        for delta in frame.deltas() {
            let family = &frame.families()[delta.family];
            if let Err(reject) = self.take_delta(&delta, family, number) {
                refuse(&element[delta.place], reject.of_samples(delta.samples));
            }
        }
        Ok(())
    }

    fn take_delta(
        &mut self,
        delta: &FrameDelta<'_>,
        family: &FrameFamily<'_>,
        number: u32,
    ) -> Result<(), Reject> {
        let names = self.settings.names;
        check_names(&family.record.name, delta.labels, names)?;
        let texts = Texts::of(delta.display);
        let exemplar = delta.exemplar.as_ref();
        let exemplar =
            exemplar.map(|record| (record, Texts::of(LabelPairs::from_text(record.labels))));
        let exemplar_labels = exemplar.as_ref().map(|(_, texts)| texts.labels());
        let (labels, said) = (texts.labels(), exemplar.as_ref().zip(exemplar_labels.as_deref()));
        let exemplar = said.map(|((record, _), labels)| match self.settings.exemplars {
            true => Ok(exemplar_of(record, labels)),
            false => Err(DroppedExemplar::Off),
        });
        let sample = Sample {
            labels: Labels::from(&labels[..]),
            ttl: delta.ttl,
            samples: delta.samples,
            exemplar,
            ..sample_of(family)
        };
        self.take_value(&delta.value, &sample, family.is_counted, |intake, sample| {
            intake.take(sample, number)?;
            intake.batch.note_place(place(&delta.place));
            Ok(())
        })
    }

    /// Takes what a delta adds up to; `sample` says all else of it.
    fn take_value(
        &mut self,
        value: &DeltaValue,
        sample: &Sample<'_>,
        is_counted: bool,
        mut take: impl FnMut(&mut Self, &Sample<'_>) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        match value {
            DeltaValue::Counter { sum, rest: 0.0 } => {
                take(self, &Sample { value: *sum, ..sample.clone() })
            }
            DeltaValue::Counter { sum, rest } => {
                let both = [*sum, f64::from(*rest)];
                let observations = Observations::Values(&both);
                take(self, &Sample { value: *sum, observations, ..sample.clone() })
            }
            DeltaValue::Gauge(steps) => {
                // All but the first stand for one each.
                let mut samples = sample.samples - (steps.len() as u64 - 1);
                for step in steps {
                    let (op, value, timestamp) = done_by(*step);
                    take(self, &Sample { op, value, timestamp, samples, ..sample.clone() })?;
                    samples = 1;
                }
                Ok(())
            }
            DeltaValue::Values(values) => match values.as_slice() {
                [value] => take(self, &Sample { value: *value, ..sample.clone() }),
                values => {
                    let observations = Observations::Values(values);
                    take(self, &Sample { observations, ..sample.clone() })
                }
            },
            DeltaValue::Counts { counts, sum } => {
                let counted = Sample {
                    value: *sum,
                    observations: Observations::Counts(counts),
                    is_counted_values: !is_counted,
                    // They were counted by these buckets, whosever these are.
                    buckets_by_default: false,
                    ..sample.clone()
                };
                take(self, &counted)
            }
            DeltaValue::Native(native) => {
                let (counts, sum) = native.counts().expect("every delta was checked");
                let observations = Observations::Native(&counts);
                take(self, &Sample { value: sum, observations, ..sample.clone() })
            }
        }
    }
}

/// What all samples of a family have in common.
fn sample_of<'a>(family: &'a FrameFamily<'_>) -> Sample<'a> {
    let FrameFamily { record, buckets_by_default, .. } = family;
    let sample = Sample {
        help: &record.help,
        unit: &record.unit,
        buckets_by_default: *buckets_by_default,
        ..Sample::of(record.shape.kind(), &record.name)
    };
    match &record.shape {
        ShapeRecord::Counter | ShapeRecord::Gauge => sample,
        ShapeRecord::Histogram(bounds) => Sample { buckets: bounds, ..sample },
        ShapeRecord::NativeHistogram { bounds, schema } => {
            Sample { buckets: bounds, schema: Schema::new(*schema), ..sample }
        }
        ShapeRecord::Summary { objectives, window: _ } => Sample { objectives, ..sample },
    }
}

/// What a step does to a gauge, and when it was measured.
fn done_by(step: GaugeStep) -> (GaugeOp, f64, Option<UnixTime>) {
    match step {
        GaugeStep::Set { value, at } => (GaugeOp::Set, value, Some(UnixTime::from_micros(at))),
        GaugeStep::Add(value) => (GaugeOp::Add, value, None),
        GaugeStep::Max(value) => (GaugeOp::Max, value, None),
        GaugeStep::Min(value) => (GaugeOp::Min, value, None),
    }
}

fn exemplar_of<'a>(record: &ExemplarRecord<'_>, labels: &'a [Label<'a>]) -> Exemplar<'a> {
    let ExemplarRecord { labels: _, value, at } = *record;
    Exemplar { labels: Labels::from(labels), value, timestamp: UnixTime::from_micros(at) }
}

/// A router may have taken names that this home does not take.
fn check_names(name: &str, labels: LabelPairs<'_>, names: NameRules) -> Result<(), Reject> {
    if names == NameRules::Utf8 {
        return Ok(());
    }
    let shown = || printable(&format!("{name}{{{labels}}}"), SHORT);
    let refused =
        |reason| Err(Reject::new(reason, format!("expected legacy names, got {}", shown())));
    match () {
        () if !names.takes_metric(name) => refused(Reason::InvalidName),
        () if labels.has_quoted_names() => refused(Reason::InvalidLabelName),
        () => Ok(()),
    }
}

/// Labels as they were sent, which samples borrow.
struct Texts<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Texts<'a> {
    fn of(pairs: LabelPairs<'a>) -> Self {
        Self(pairs.iter().collect())
    }

    fn labels(&self) -> Vec<Label<'_>> {
        self.0.iter().map(|(name, value)| Label { name, value }).collect()
    }
}

//! Data points that no sample can be made of: why, how many, and what their sender is
//! told.

use std::collections::BTreeMap;

use psg_engine::printable::{SHORT, printable};

use crate::self_metrics::doors::SampleReason;

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $variant:ident => $reason:ident, $advice:literal;)+) => {
        /// Why a data point is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Refusal { $($(#[doc = $doc])+ $variant,)+ }

        impl Refusal {
            /// As what it is counted.
            pub fn reason(self) -> SampleReason {
                match self { $(Refusal::$variant => SampleReason::$reason,)+ }
            }

            /// What was expected, and what to do.
            fn advice(self) -> &'static str {
                match self { $(Refusal::$variant => $advice,)+ }
            }
        }
    };
}

refusals! {
    /// What a process has counted since its start: no two of these can be added up.
    Cumulative => Cumulative, "expected delta temporality, got cumulative: set \
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta";
    /// The same of a sum that falls too, of a process that has no series of its own.
    CumulativeUpDown => Cumulative, "expected delta temporality, got a cumulative sum \
        that falls too, as SDKs send an UpDownCounter whatever is preferred: with \
        service.instance.id in the gateway's Otlp.ResourceAttributes it is a gauge of each \
        process; or count up and down in two counters";
    /// A summary, whose count and sum are cumulative by OTLP's own word.
    Summary => Cumulative, "expected a histogram, got a summary, whose count and sum are cumulative";
    /// Neither delta nor cumulative.
    NoTemporality => Malformed, "expected delta temporality, got none";
    /// A metric without a name, or one of which nothing can be shown.
    NoName => Malformed, "expected a name of letters or digits, got none";
    /// A metric without data points of a known type.
    NoData => Malformed, "expected a gauge, a sum, a histogram or an exponential histogram, got \
        none that can be read";
    /// A number that is absent.
    NoValue => Malformed, "expected a number as value, got none";
    /// NaN or infinity.
    NotFinite => NotFinite, "expected finite numbers, got another one";
    /// A monotonic sum that falls.
    Negative => Malformed, "expected a monotonic sum that does not fall, got one below 0";
    /// A histogram with observations and without a sum.
    NoSum => Malformed, "expected the sum of the observations, got none";
    /// A histogram whose parts are not of one another.
    BadBuckets => Malformed, "expected one bucket more than bounds, and counts that add up to \
        the count, got others";
    /// An exponential histogram that is coarser than native ones can be.
    BadScale => Malformed, "expected a scale of at least -4, got a smaller one";
    /// A sample that is too long for an element.
    TooLong => TooLong, "expected a sample of at most Metrics.MaxPayloadBytes, got a \
        longer one";
}

/// The data points of a request that were refused.
#[derive(Debug, Default)]
pub struct Refused {
    /// For each reason how many, and the name of the first one's metric.
    points: BTreeMap<Refusal, (u64, String)>,
}

impl Refused {
    pub(super) fn add(&mut self, refusal: Refusal, metric: &str) {
        let first = || (0, printable(metric, SHORT));
        self.points.entry(refusal).or_insert_with(first).0 += 1;
    }

    /// All of them.
    pub fn count(&self) -> u64 {
        self.points.values().map(|(count, _)| count).sum()
    }

    /// How many for each reason, of those that there are.
    pub fn by_reason(&self) -> impl Iterator<Item = (Refusal, u64)> {
        self.points.iter().map(|(refusal, (count, _))| (*refusal, *count))
    }

    /// A sentence for each reason; empty where nothing was refused.
    pub fn message(&self) -> String {
        let told = self.points.iter().map(|(refusal, (count, metric))| {
            let of = if *count == 1 { "1 data point" } else { &format!("{count} data points") };
            format!("{of} refused, the first of {metric:?}: {}", refusal.advice())
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_each_reason_once() {
        let mut refused = Refused::default();
        assert_eq!((refused.count(), refused.message()), (0, String::new()));
        refused.add(Refusal::NoValue, "b\n");
        refused.add(Refusal::Cumulative, "a");
        refused.add(Refusal::Cumulative, "other");
        assert_eq!(refused.count(), 3);
        let reasons: Vec<_> = refused.by_reason().collect();
        assert_eq!(reasons, [(Refusal::Cumulative, 2), (Refusal::NoValue, 1)]);
        assert_eq!(
            refused.message(),
            "2 data points refused, the first of \"a\": expected delta temporality, got \
             cumulative: set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta; \
             1 data point refused, the first of \"b\\\\n\": expected a number as value, got none"
        );
    }
}

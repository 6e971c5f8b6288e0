//! Why a sample was refused: the one list of reasons, and the refusal itself. And
//! why an exemplar was dropped, which refuses nothing.

use std::borrow::Cow;
use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $label:literal,)+) => {
        /// The closed list of reasons for refusing a sample.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reason { $($(#[doc = $doc])+ $variant,)+ }

        impl Reason {
            /// Every reason, in declaration order; `reason as usize` indexes it.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];

            /// The value of the `reason` label in `rejected_samples_total`.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $label,)+ }
            }

            /// One sentence for the documentation: when the reason applies.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// The element is not JSON, not UTF-8 or nests over 64 deep.
    InvalidJson => "invalid_json",
    /// The element, or one of an array of samples, is JSON but not an object; or the array is empty.
    NotASample => "not_a_sample",
    /// A known field other than `timestamp` and `ttl` has the wrong JSON type; or one can't be there together with another one or with the type.
    InvalidField => "invalid_field",
    /// `type` is none of counter, gauge, summary, histogram or 0 to 3.
    UnknownType => "unknown_type",
    /// `name` is absent, null or blank.
    MissingName => "missing_name",
    /// `name` does not match `[a-zA-Z_:][a-zA-Z0-9_:]*`, while `Metrics.Names` is `legacy`.
    InvalidName => "invalid_name",
    /// The name, or one that its family would print, is the gateway's own or, unless `Metrics.AllowReservedNames` is set, Prometheus' own: `up`, `scrape_*`, `ALERTS`, `ALERTS_FOR_STATE`.
    ReservedName => "reserved_name",
    /// A label name does not match `[a-zA-Z_][a-zA-Z0-9_]*` while `Metrics.Names` is `legacy`, begins with `__`, or is `le` on a histogram or `quantile` on a summary. While `Metrics.Names` is `utf8`: it is empty, or escaped to one of Prometheus' own, or looks like an escaped one (`U__`).
    InvalidLabelName => "invalid_label_name",
    /// A label value is an array or an object.
    InvalidLabelValue => "invalid_label_value",
    /// The name is already in use with another type.
    TypeConflict => "type_conflict",
    /// The name is one that another family prints, or this family would print the name of another one; where names are escaped, too.
    SuffixConflict => "suffix_conflict",
    /// `unit` does not match `[a-zA-Z0-9_:]+`; or the name does not end in it, as in `_seconds` or a counter's `_seconds_total`, and `Metrics.AppendUnits` is not set.
    InvalidUnit => "invalid_unit",
    /// Two label names of the sample, or its labels and those of another series of the metric, would be printed alike where names are escaped.
    LabelConflict => "label_conflict",
    /// A counter was given a negative value.
    NegativeCounter => "negative_counter",
    /// A value or the sum overflows to infinity, or a total of the series would with it; or a histogram would have 2^55 observations with the counts.
    NonFinite => "non_finite",
    /// A histogram's buckets are absent or empty, no setting gives it some and it is not native, or they are too many, not finite or not strictly increasing; or its `factor` is not above 1; or its counts, or a summary's, are not whole numbers or not as many as its buckets (a summary's: one); or are of buckets that lack one of the metric's, or for a metric that has native buckets alone. Of a `native` one: a number is not as docs/produce.md has it, it comes with buckets, or the metric has classic ones.
    BadBuckets => "bad_buckets",
    /// A summary's quantiles or epsilons are outside 0 to 1, of unequal lengths or too many.
    BadQuantiles => "bad_quantiles",
    /// `timestamp` is no number, nor a text with one in it, or is more than ten minutes ahead of the gateway's clock.
    BadTimestamp => "bad_timestamp",
    /// `ttl` is no number, nor a text with one in it, or is negative.
    BadTtl => "bad_ttl",
    /// There are more values, or native buckets on one side of zero, than `Metrics.MaxValues`.
    TooManyValues => "too_many_values",
    /// There are more labels than `Metrics.MaxLabels`.
    TooManyLabels => "too_many_labels",
    /// The metric name or a label name is longer than `Metrics.MaxNameBytes`.
    NameTooLong => "name_too_long",
    /// A label value is longer than `Metrics.MaxLabelValueBytes`.
    LabelTooLong => "label_too_long",
    /// The help text is longer than `Metrics.MaxHelpBytes`.
    HelpTooLong => "help_too_long",
    /// The element is larger than `Metrics.MaxPayloadBytes`.
    PayloadTooLarge => "payload_too_large",
    /// An element that another gateway has forwarded is damaged.
    InvalidFrame => "invalid_frame",
    /// A new series would exceed `Metrics.MaxSeries`.
    SeriesLimit => "series_limit",
    /// A new series would exceed `Metrics.MaxSeriesPerMetric`.
    MetricSeriesLimit => "metric_series_limit",
    /// A new series, or a new metric, would exceed `Metrics.MaxSeriesBytes`.
    SeriesBytesLimit => "series_bytes_limit",
}

impl Reason {
    /// How many reasons there are: the length of a table with one entry for each.
    pub const COUNT: usize = Self::ALL.len();
}

/// A refused sample: the reason, and what was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The reason that is counted.
    pub reason: Reason,
    /// Lower case, no full stop; static wherever it can be, since refusals may
    /// be as frequent as samples.
    pub detail: Cow<'static, str>,
    /// How many samples of producers were refused at once: 1, but for what a router
    /// has added up.
    pub samples: u64,
}

impl Reject {
    /// A refusal for `reason`, explained by `detail`.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), samples: 1 }
    }

    /// The same of so many samples.
    #[must_use]
    pub fn of_samples(self, samples: u64) -> Self {
        Self { samples, ..self }
    }

    /// A refusal of a new series by its shard.
    pub(crate) fn of_series(reason: Reason) -> Self {
        match reason == Reason::LabelConflict {
            true => Self::new(
                reason,
                "expected labels that are not printed as those of another series where names are \
                 escaped",
            ),
            false => Self::of_limit(reason),
        }
    }

    /// A refusal of a new series for a limit on series.
    pub(crate) fn of_limit(reason: Reason) -> Self {
        let many = if reason == Reason::MetricSeriesLimit {
            "as many series of the metric"
        } else if reason == Reason::SeriesBytesLimit {
            "as many bytes of series"
        } else {
            "as many series"
        };
        Self::new(reason, format!("a new series, where there are {many} as the limit allows"))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.detail)
    }
}

impl std::error::Error for Reject {}

/// Why an exemplar is dropped, though its sample is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DroppedExemplar {
    /// They are not asked for.
    Off,
    /// No format shows it: it is of a gauge, of a summary, or of a counter whose name
    /// does not end in `_total`.
    Type,
    /// Its members have other types than they can have.
    Malformed,
    /// A label name is not `[a-zA-Z_][a-zA-Z0-9_]*`, or begins with `__`.
    LabelName,
    /// Its labels are longer than 128 characters.
    TooLong,
    /// It has no value that a double holds, or its sample has several and it has none.
    Value,
    /// Its timestamp is further ahead of the clock than a sample's may be.
    Timestamp,
}

impl DroppedExemplar {
    /// Every one; `dropped as usize` indexes it.
    pub const ALL: [DroppedExemplar; 7] = [
        DroppedExemplar::Off,
        DroppedExemplar::Type,
        DroppedExemplar::Malformed,
        DroppedExemplar::LabelName,
        DroppedExemplar::TooLong,
        DroppedExemplar::Value,
        DroppedExemplar::Timestamp,
    ];

    /// What is wrong with it, for people.
    pub fn fault(self) -> &'static str {
        match self {
            DroppedExemplar::Off => "one where they are off",
            DroppedExemplar::Type => "one of a metric that has none",
            DroppedExemplar::Malformed => "a part of another JSON type",
            DroppedExemplar::LabelName => "a label name that none may have",
            DroppedExemplar::TooLong => "labels of more than 128 characters",
            DroppedExemplar::Value => "no value, or one that overflows",
            DroppedExemplar::Timestamp => "a timestamp that is too far ahead",
        }
    }

    /// The value of the `reason` label in `dropped_exemplars_total`.
    pub fn as_str(self) -> &'static str {
        match self {
            DroppedExemplar::Off => "off",
            DroppedExemplar::Type => "type",
            DroppedExemplar::Malformed => "malformed",
            DroppedExemplar::LabelName => "label_name",
            DroppedExemplar::TooLong => "too_long",
            DroppedExemplar::Value => "value",
            DroppedExemplar::Timestamp => "timestamp",
        }
    }
}

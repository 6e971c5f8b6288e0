//! A sample: one measured value as a producer sent it, checked and borrowed
//! from the bytes that carried it.

/// The four metric types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Only rises; samples add.
    Counter,
    /// Samples replace.
    Gauge,
    /// Samples are counted into buckets.
    Histogram,
    /// Samples are condensed into quantiles over a sliding window.
    Summary,
}

impl Kind {
    /// Every type; `kind as usize` indexes it.
    pub const ALL: [Kind; 4] = [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary];

    /// The word of the exposition formats' TYPE line.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        }
    }
}

/// One label as sent; neither text is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// A valid label name.
    pub name: &'a str,
    /// Never empty: an empty value is no label.
    pub value: &'a str,
}

/// A valid sample. All of it borrows from the payload or from the decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// Its metric type.
    pub kind: Kind,
    /// A valid metric name.
    pub name: &'a str,
    /// Empty where absent.
    pub help: &'a str,
    /// Finite; not negative for a counter.
    pub value: f64,
    /// Where in the payload the number of the top-level `value` stands, as
    /// `start..end`; `None` where the field is absent (the value is then 0).
    pub value_at: Option<(usize, usize)>,
    /// In the order in which they were sent; names are unique.
    pub labels: &'a [Label<'a>],
    /// Upper bounds, strictly increasing and finite, without the `+Inf` that
    /// ends every layout; empty for other types than histogram.
    pub buckets: &'a [f64],
    /// (φ, ε) pairs, φ ascending and unique, 0 ≤ φ ≤ 1, 0.0001 ≤ ε ≤ 1; empty
    /// for other types than summary.
    pub objectives: &'a [(f64, f64)],
}

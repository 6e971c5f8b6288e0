//! How large a payload and its parts may be, and how many series may live.

/// A rank error below this is taken as this: at 0 a sketch would keep every
/// observation.
pub(crate) const SMALLEST_EPSILON: f64 = 0.0001;

/// Bounds on what one payload may hold. Each is inclusive: a part exactly as
/// large as its bound is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadLimits {
    /// Bytes of one queue element.
    pub max_payload_bytes: usize,
    /// Members of the `labels` object, duplicates included.
    pub max_labels: usize,
    /// Bytes of one label value, after JSON unescaping.
    pub max_label_value_bytes: usize,
    /// Bytes of a metric name or of a label name, after JSON unescaping.
    pub max_name_bytes: usize,
    /// Bytes of `help`, after JSON unescaping.
    pub max_help_bytes: usize,
    /// Elements of `buckets` as sent (an appended `+Inf` does not count).
    pub max_buckets: usize,
    /// Elements of `quantiles`, and of `epsilons`.
    pub max_quantiles: usize,
    /// Elements of `values`.
    pub max_values: usize,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self {
            max_payload_bytes: 1_048_576,
            max_labels: 64,
            max_label_value_bytes: 2048,
            max_name_bytes: 512,
            max_help_bytes: 4096,
            max_buckets: 256,
            max_quantiles: 32,
            max_values: 4096,
        }
    }
}

/// Bounds on live series, inclusive; a histogram or summary counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesLimits {
    /// Live series in the process.
    pub max_series: usize,
    /// Live series of one metric name.
    pub max_series_per_metric: usize,
    /// Bytes of what identifies series, over all of them: see
    /// [`crate::catalog::Catalog::series_bytes`]. `usize::MAX` is no bound.
    pub max_series_bytes: usize,
}

impl SeriesLimits {
    /// The bound on bytes, where there is one.
    pub fn bounded_bytes(&self) -> Option<usize> {
        (self.max_series_bytes != usize::MAX).then_some(self.max_series_bytes)
    }
}

impl Default for SeriesLimits {
    fn default() -> Self {
        Self { max_series: 1_000_000, max_series_per_metric: 100_000, max_series_bytes: usize::MAX }
    }
}

//! Which histograms are native, and how: by the settings of the operator, or because
//! a sample asks for it.

use super::{Schema, ZERO_THRESHOLD};
use crate::name::pattern::NamePattern;

/// What histograms are for which no sample says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NativeMode {
    /// Classic.
    #[default]
    Off,
    /// Native, and classic too where they have buckets.
    Both,
    /// Native alone.
    Only,
}

impl NativeMode {
    /// All of them.
    pub const ALL: [NativeMode; 3] = [NativeMode::Off, NativeMode::Both, NativeMode::Only];

    /// Its word in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            NativeMode::Off => "off",
            NativeMode::Both => "both",
            NativeMode::Only => "only",
        }
    }
}

/// How many buckets a native histogram may have, and what is given up for that. The
/// limits are those of Prometheus' client_golang, in the order in which it takes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NativeLimits {
    /// Buckets with counts, besides that around zero; at least 1.
    pub max_buckets: u32,
    /// One that began so many milliseconds ago, or earlier, begins anew; 0 is never.
    pub min_reset_ms: u64,
    /// Up to here the bucket around zero takes in the ones beside it; 0 is never.
    pub max_zero_threshold: f64,
}

impl Default for NativeLimits {
    fn default() -> Self {
        Self { max_buckets: 160, min_reset_ms: 0, max_zero_threshold: 0.0 }
    }
}

/// What the operator says of native histograms.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeSettings {
    /// What histograms are that these settings are for.
    pub mode: NativeMode,
    /// The names that they are for; all where there is none.
    pub names: Vec<NamePattern>,
    /// How fine the buckets are where the sample does not say it.
    pub schema: Schema,
    /// Bounds on each of them.
    pub limits: NativeLimits,
}

impl Default for NativeSettings {
    /// As the gateway has them where nothing is set.
    fn default() -> Self {
        Self {
            mode: NativeMode::Off,
            names: Vec::new(),
            schema: Schema::for_factor(1.1),
            limits: NativeLimits::default(),
        }
    }
}

impl NativeSettings {
    /// What a histogram of that name is if no sample says it.
    pub fn mode_of(&self, name: &str) -> NativeMode {
        let is_meant =
            || self.names.is_empty() || self.names.iter().any(|pattern| pattern.matches(name));
        if self.mode != NativeMode::Off && is_meant() { self.mode } else { NativeMode::Off }
    }

    /// How the series of a family of that name are native, if they are; `asked` is the
    /// schema that its first sample asks for.
    pub fn plan(&self, name: &str, asked: Option<Schema>) -> Option<NativePlan> {
        let by_operator = || (self.mode_of(name) != NativeMode::Off).then_some(self.schema);
        let schema = asked.or_else(by_operator)?;
        Some(NativePlan { schema, limits: self.limits })
    }

    /// How the series of a family are native that begins with what a producer has counted
    /// by that schema. Others may have counted by finer ones, so it is the operator's
    /// where that is finer.
    pub fn plan_of_counts(&self, schema: Schema) -> NativePlan {
        NativePlan { schema: schema.max(self.schema), limits: self.limits }
    }
}

/// How the series of a family are native.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NativePlan {
    /// How fine their buckets are, as long as they are not too many.
    pub schema: Schema,
    /// Bounds on each of them.
    pub limits: NativeLimits,
}

impl NativePlan {
    /// How many buckets a series may come to have: those of the coarsest schema are
    /// never made fewer.
    pub(in crate::metric) fn most_buckets(&self) -> usize {
        let bucket_of = |magnitude| Schema::COARSEST.bucket_of(magnitude);
        let of_a_side = bucket_of(f64::MAX) - bucket_of(ZERO_THRESHOLD.next_up()) + 1;
        (2 * of_a_side as usize).max(self.limits.max_buckets as usize)
    }
}

//! The mix: which ingredients a corpus is made of, by what weights, over how
//! many series. Written `counter=1,gauge=1`, on the command line of the load
//! tool and in the table of the drain bench alike.

use std::str::FromStr;

use psg_engine::metric::{GaugeOp, Kind};

/// The series of one metric type in the reference's own mix: 99 names, nine
/// instances, four regions, one job.
pub(super) const REFERENCE_SERIES: u64 = 99 * 9 * 4;

/// The series of `distinct` where no bound is given.
const DISTINCT_SERIES: u64 = 1_000_000;

/// The most series that a mix can be spread over.
const MAX_SERIES: u64 = 100_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingredient {
    /// A sample of the reference's load mix, of the given type.
    Plain(Kind),
    /// A sample of the same series, of any type, from one of eight programs
    /// that each write its fields and labels in an order of their own and with
    /// the spacing of a serializer.
    Shuffled,
    /// What a sample may do to one of the reference's gauges besides setting it.
    Operation(GaugeOp),
    /// A counter of as many series as the reference's, whose name and a label of it are
    /// of any script.
    AnyScript,
    /// Observations of a duration, in histograms of ten buckets with a unit.
    Duration(Form),
    /// A counter of the next of many series: each comes once in every pass
    /// over all of them.
    Distinct,
    /// A counter with a label value that no other sample has.
    NewLabel,
    /// A payload to be rejected: broken JSON, a negative counter, a bad name or
    /// a name of another type.
    Bad,
}

/// How observations are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One.
    Single,
    /// One, with an exemplar.
    WithExemplar,
    /// Twenty, one by one.
    Values,
    /// Twenty, as the counts of the buckets.
    Whole,
    /// One, of a native histogram, which has no buckets.
    Native,
    /// Twenty, as the counts of native buckets.
    WholeNative,
}

impl Ingredient {
    pub const ALL: [Ingredient; 18] = [
        Ingredient::Plain(Kind::Counter),
        Ingredient::Plain(Kind::Gauge),
        Ingredient::Plain(Kind::Histogram),
        Ingredient::Plain(Kind::Summary),
        Ingredient::Shuffled,
        Ingredient::Operation(GaugeOp::Add),
        Ingredient::Operation(GaugeOp::Max),
        Ingredient::Operation(GaugeOp::Min),
        Ingredient::AnyScript,
        Ingredient::Duration(Form::Single),
        Ingredient::Duration(Form::WithExemplar),
        Ingredient::Duration(Form::Values),
        Ingredient::Duration(Form::Whole),
        Ingredient::Duration(Form::Native),
        Ingredient::Duration(Form::WholeNative),
        Ingredient::Distinct,
        Ingredient::NewLabel,
        Ingredient::Bad,
    ];

    /// The word for it in a written mix.
    pub fn as_str(self) -> &'static str {
        match self {
            Ingredient::Plain(kind) => kind.as_str(),
            Ingredient::Shuffled => "shuffled",
            Ingredient::Operation(op) => op.as_str(),
            Ingredient::AnyScript => "anyscript",
            Ingredient::Duration(Form::Single) => "duration",
            Ingredient::Duration(Form::WithExemplar) => "exemplar",
            Ingredient::Duration(Form::Values) => "values",
            Ingredient::Duration(Form::Whole) => "whole",
            Ingredient::Duration(Form::Native) => "native",
            Ingredient::Duration(Form::WholeNative) => "wholenative",
            Ingredient::Distinct => "distinct",
            Ingredient::NewLabel => "newlabel",
            Ingredient::Bad => "bad",
        }
    }

    /// Whether its samples belong to the reference's series of this type.
    fn covers(self, kind: Kind) -> bool {
        match self {
            Ingredient::Plain(own) => own == kind,
            Ingredient::Shuffled => true,
            Ingredient::Operation(_) => kind == Kind::Gauge,
            Ingredient::AnyScript => kind == Kind::Counter,
            Ingredient::Duration(_)
            | Ingredient::Distinct
            | Ingredient::NewLabel
            | Ingredient::Bad => false,
        }
    }
}

/// Ingredients with their weights, and the number of series to spread over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    weights: Vec<(Ingredient, u32)>,
    series: [u64; Kind::ALL.len()],
    durations: u64,
    distinct: u64,
}

/// Why a mix can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// A part is not `ingredient=weight`.
    #[error("expected ingredient=weight, with a whole weight from 0 to 1000000, got \"{0}\"")]
    BadPart(String),
    /// The word before `=` is none of ours.
    #[error("expected one of {words}, got \"{0}\"", words = words())]
    UnknownIngredient(String),
    /// An ingredient comes twice.
    #[error("\"{0}\" is given twice")]
    Twice(&'static str),
    /// Nothing has a weight above 0.
    #[error("expected at least one weight above 0")]
    Empty,
    /// Fewer series than parts that need one, or too many to tell apart.
    #[error("expected {least} to {MAX_SERIES} series for this mix, got {got}")]
    BadSeries {
        /// The parts of the mix that have series of their own.
        least: u64,
        got: u64,
    },
    /// A bound on series that grow with every sample.
    #[error("newlabel makes a series of every sample, so their number can't be set")]
    Unbounded,
}

impl Mix {
    /// The same mix over `series` distinct series, shared equally among the
    /// metric types, the durations and `distinct`. Unbounded, each type has as many as
    /// in the reference, and `distinct` a million. Bad payloads have no series.
    pub fn with_series(mut self, series: u64) -> Result<Self, MixError> {
        if self.has(Ingredient::NewLabel) {
            return Err(MixError::Unbounded);
        }
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| self.covers(*kind)).collect();
        let (durations, distinct) = (self.has_durations(), self.has(Ingredient::Distinct));
        let parts = kinds.len() as u64 + u64::from(durations) + u64::from(distinct);
        if !(parts..=MAX_SERIES).contains(&series) {
            return Err(MixError::BadSeries { least: parts, got: series });
        }
        let mut rest = series.checked_rem(parts).unwrap_or(0);
        let mut share = || {
            let extra = u64::from(rest > 0);
            rest = rest.saturating_sub(1);
            series / parts + extra
        };
        for kind in kinds {
            self.series[kind as usize] = share();
        }
        if durations {
            self.durations = share();
        }
        if distinct {
            self.distinct = share();
        }
        Ok(self)
    }

    /// The ingredients that occur, each with its weight above 0.
    pub(super) fn weights(&self) -> &[(Ingredient, u32)] {
        &self.weights
    }

    /// How many series of `kind` the plain and shuffled samples spread over.
    pub(super) fn series(&self, kind: Kind) -> u64 {
        self.series[kind as usize]
    }

    /// How many series the durations spread over.
    pub(super) fn duration_series(&self) -> u64 {
        self.durations
    }

    /// How many series `distinct` goes through.
    pub(super) fn distinct_series(&self) -> u64 {
        self.distinct
    }

    fn covers(&self, kind: Kind) -> bool {
        self.weights.iter().any(|(ingredient, _)| ingredient.covers(kind))
    }

    fn has_durations(&self) -> bool {
        self.weights.iter().any(|(own, _)| matches!(own, Ingredient::Duration(_)))
    }

    fn has(&self, ingredient: Ingredient) -> bool {
        self.weights.iter().any(|(own, _)| *own == ingredient)
    }
}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut parts: Vec<(Ingredient, u32)> = Vec::new();
        for part in text.split(',') {
            let (ingredient, weight) = parse_part(part.trim())?;
            if parts.iter().any(|(seen, _)| *seen == ingredient) {
                return Err(MixError::Twice(ingredient.as_str()));
            }
            parts.push((ingredient, weight));
        }
        parts.retain(|(_, weight)| *weight > 0);
        if parts.is_empty() {
            return Err(MixError::Empty);
        }
        Ok(Mix {
            weights: parts,
            series: [REFERENCE_SERIES; Kind::ALL.len()],
            durations: REFERENCE_SERIES,
            distinct: DISTINCT_SERIES,
        })
    }
}

fn parse_part(part: &str) -> Result<(Ingredient, u32), MixError> {
    let bad_part = || MixError::BadPart(part.to_owned());
    let (word, weight) = part.split_once('=').ok_or_else(bad_part)?;
    let ingredient = Ingredient::ALL
        .into_iter()
        .find(|ingredient| ingredient.as_str() == word.trim())
        .ok_or_else(|| MixError::UnknownIngredient(word.trim().to_owned()))?;
    let weight = weight.trim().parse().ok().filter(|weight| *weight <= 1_000_000);
    Ok((ingredient, weight.ok_or_else(bad_part)?))
}

fn words() -> String {
    Ingredient::ALL.map(Ingredient::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, expected: &str) {
        assert_eq!(text.parse::<Mix>().unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn a_mix_is_read_and_zero_weights_fall_away() {
        let mix: Mix = " counter = 3 ,gauge=0,bad=1".parse().unwrap();
        assert_eq!(mix.weights(), [(Ingredient::Plain(Kind::Counter), 3), (Ingredient::Bad, 1)]);
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        check_refused(
            "",
            "expected ingredient=weight, with a whole weight from 0 to 1000000, got \"\"",
        );
        check_refused(
            "counter=1000001",
            "expected ingredient=weight, with a whole weight from 0 to 1000000, got \"counter=1000001\"",
        );
        check_refused(
            "counter=-1",
            "expected ingredient=weight, with a whole weight from 0 to 1000000, got \"counter=-1\"",
        );
        check_refused(
            "meter=1",
            "expected one of counter, gauge, histogram, summary, shuffled, add, max, min, anyscript, \
             duration, exemplar, values, whole, native, wholenative, distinct, newlabel, bad, got \"meter\"",
        );
        check_refused("bad=1,bad=2", "\"bad\" is given twice");
        check_refused("counter=0", "expected at least one weight above 0");
    }

    #[test]
    fn a_bound_is_shared_to_the_last_series() {
        for series in [3, 4, 5, 1000, 1001] {
            let mix: Mix = "counter=1,whole=9,values=9,distinct=1,bad=1".parse().unwrap();
            let mix = mix.with_series(series).unwrap();
            let shares = [mix.series(Kind::Counter), mix.duration_series(), mix.distinct_series()];
            assert_eq!(shares.iter().sum::<u64>(), series);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn impossible_bounds_are_refused() {
        let check = |text: &str, series: u64, expected: MixError| {
            let mix: Mix = text.parse().unwrap();
            assert_eq!(mix.with_series(series), Err(expected), "{text} over {series}");
        };
        check("shuffled=1", 3, MixError::BadSeries { least: 4, got: 3 });
        check("add=1,whole=1", 1, MixError::BadSeries { least: 2, got: 1 });
        check("counter=1", 100_000_001, MixError::BadSeries { least: 1, got: 100_000_001 });
        check("newlabel=1,counter=1", 100, MixError::Unbounded);
    }

    #[test]
    fn bad_payloads_alone_take_any_bound() {
        let mix: Mix = "bad=1".parse().unwrap();
        assert!(mix.with_series(1).is_ok());
    }
}

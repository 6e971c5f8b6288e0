//! The seam between what is shown and how: what a format has to do.

use std::fmt;

use super::families::{Families, ShownFamily};
use crate::catalog::Family;
use crate::exemplar::SeriesExemplars;
use crate::labels::LabelPairs;
use crate::metric::Value;
use crate::timestamp::{Moment, UnixTime};

/// A series as it is shown.
#[derive(Debug)]
pub struct ShownSeries<'a> {
    /// In the order in which they are shown.
    pub labels: LabelPairs<'a>,
    /// What it holds. Mutable, because asking for quantiles moves their window on.
    pub value: &'a mut Value,
    /// When its total began, where that is known.
    pub created: Option<UnixTime>,
    /// Its exemplars, where it has some.
    pub exemplars: Option<&'a SeriesExemplars>,
    /// When quantiles are asked for.
    pub now: Moment,
}

/// A format at work on one exposition. Each shard has one for its series; the
/// merge has one for what stands around them.
pub trait Encoder: fmt::Debug + Send {
    /// Whether [`ShownSeries::created`] makes a difference.
    fn shows_created(&self) -> bool;

    /// Appends a series of the family that was begun last; true where that says
    /// what only its type can, see [`Fragment::is_typed`](super::Fragment::is_typed).
    fn write_series(&mut self, out: &mut Vec<u8>, family: &Family, series: ShownSeries<'_>)
    -> bool;

    /// Appends what stands before the series of `shown`, one of the families
    /// `among` which it is shown.
    fn write_header(&self, out: &mut Vec<u8>, shown: &ShownFamily<'_>, among: &Families<'_>);

    /// The series that come next are of this family.
    fn begin_family(&mut self, _family: &Family) {}

    /// Appends what stands after the last family.
    fn write_end(&self, _out: &mut Vec<u8>) {}

    /// The families that can't be shown beside the others, because they came into
    /// being, or went, while the shards were writing; by the names under which scrapers
    /// of legacy names see them. The next exposition shows what is there then.
    fn displaced_newcomers(&self, _shown: &Families<'_>) -> Vec<String> {
        Vec::new()
    }
}

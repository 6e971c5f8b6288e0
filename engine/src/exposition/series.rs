//! The lines of one series.

use super::Format;
use crate::catalog::Family;
use crate::metric::{Moment, Value};

/// Appends the lines of one series to `out`.
///
/// `labels` is the label text without braces (`a="1",b="2"`), escaped; empty
/// where there are no labels. `now` is when quantiles are asked for.
pub fn write_series(
    _out: &mut Vec<u8>,
    _format: Format,
    _family: &Family,
    _labels: &str,
    _value: &mut Value,
    _now: Moment,
) {
    todo!()
}

//! The unit of a sample, in which its name has to end.

use super::{Rules, name_too_long};
use crate::metric::Kind;
use crate::name;
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};

/// Leaves in `out` the name with the unit, where it does not end in that and units are
/// appended; a counter's `_total` stays at its end. False where it ends in the unit.
#[cold]
pub fn name_with(
    out: &mut String,
    name: &str,
    unit: &str,
    kind: Kind,
    rules: &Rules,
) -> Result<bool, Reject> {
    let (stem, total) = name.split_at(kind.stem(name).len());
    if name::is_of_unit(stem, unit) {
        return Ok(false);
    }
    if !name::is_unit(unit) {
        let detail = format!("expected a unit like [a-zA-Z0-9_:]+, got {}", printable(unit, SHORT));
        return Err(Reject::new(Reason::InvalidUnit, detail));
    }
    if !rules.append_units {
        let (unit, got) = (printable(unit, SHORT), printable(name, SHORT));
        let detail = format!("expected a name that ends in _{unit}{total}, got {got}");
        return Err(Reject::new(Reason::InvalidUnit, detail));
    }
    let length = name.len() + "_".len() + unit.len();
    if length > rules.limits.max_name_bytes {
        return Err(name_too_long(length, &rules.limits));
    }
    out.clear();
    [stem, "_", unit, total].into_iter().for_each(|part| out.push_str(part));
    Ok(true)
}

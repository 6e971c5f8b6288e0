//! Names: which ones a family prints, and who may have them.

use std::collections::HashMap;

use super::Family;
use crate::metric::Kind;
use crate::name::{RESERVED_PREFIX, is_of_prometheus};
use crate::reject::{Reason, Reject};

/// The names that a family of this name and type prints.
pub(super) fn printed_names(name: &str, kind: Kind) -> impl Iterator<Item = Box<str>> + '_ {
    let derived =
        kind.reserved_suffixes().iter().map(move |suffix| format!("{name}{suffix}").into());
    std::iter::once(Box::from(name)).chain(derived)
}

/// Refuses a new family that would print a name which is not free.
pub(super) fn reserve_names(
    printed: &HashMap<Box<str>, u64>,
    name: &str,
    kind: Kind,
    allow_reserved: bool,
) -> Result<(), Reject> {
    for printed_name in printed_names(name, kind) {
        if let Some(whose) = reserved(&printed_name, allow_reserved) {
            let detail = format!("expected a name that is not {whose}, got {printed_name}");
            return Err(Reject::new(Reason::ReservedName, detail));
        }
        if printed.contains_key(&printed_name) {
            let detail = format!("{printed_name} is a name that another metric prints");
            return Err(Reject::new(Reason::SuffixConflict, detail));
        }
    }
    Ok(())
}

/// Whose a name is that producers can't have.
fn reserved(name: &str, allow_reserved: bool) -> Option<&'static str> {
    match name {
        _ if name.starts_with(RESERVED_PREFIX) => Some("the gateway's own"),
        _ if !allow_reserved && is_of_prometheus(name) => {
            Some("Prometheus' own (see Metrics.AllowReservedNames)")
        }
        _ => None,
    }
}

pub(super) fn release_names(printed: &mut HashMap<Box<str>, u64>, family: &Family) {
    for name in printed_names(&family.name, family.kind()) {
        if printed.get(&name) == Some(&family.uid) {
            printed.remove(&name);
        }
    }
}

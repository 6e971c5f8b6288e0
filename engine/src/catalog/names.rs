//! Names: which ones a family prints, and who may have them.

use std::collections::HashMap;

use super::Family;
use crate::metric::Kind;
use crate::name::escaping::Escaping;
use crate::name::{RESERVED_PREFIX, is_of_prometheus};
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};

/// Who prints a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printed {
    uid: u64,
    /// The type of the family whose own name it is; `None` where it is one that the
    /// family prints besides.
    pub(super) kind: Option<Kind>,
}

/// The names that a family of this name and type prints: those that tell whether it
/// collides with another one under any escaping. Its own stands first.
fn printed_names(name: &str, kind: Kind) -> impl Iterator<Item = Box<str>> + '_ {
    let own = Escaping::Underscores.metric(name);
    let other = Some(Escaping::Values.metric(name)).filter(|other| *other != own);
    [own].into_iter().chain(other).flat_map(move |name| {
        let derived =
            kind.reserved_suffixes().iter().map(|suffix| format!("{name}{suffix}").into());
        let all: Vec<Box<str>> = std::iter::once(Box::from(&*name)).chain(derived).collect();
        all
    })
}

/// Refuses a new family that would print a name which is not free.
pub(super) fn reserve_names(
    printed: &HashMap<Box<str>, Printed>,
    name: &str,
    kind: Kind,
    allow_reserved: bool,
) -> Result<(), Reject> {
    for printed_name in printed_names(name, kind) {
        if let Some(whose) = reserved(&printed_name, allow_reserved) {
            let detail =
                format!("expected a name that is not {whose}, got {}", shown(name, &printed_name));
            return Err(Reject::new(Reason::ReservedName, detail));
        }
        if printed.contains_key(&printed_name) {
            let shown = shown(name, &printed_name);
            let detail = format!("{shown} is a name that another metric prints");
            return Err(Reject::new(Reason::SuffixConflict, detail));
        }
    }
    Ok(())
}

/// A name that a family prints, for a message: with the family's where it is escaped.
fn shown(name: &str, printed_name: &str) -> String {
    match printed_name.starts_with(name) {
        true => printable(printed_name, SHORT),
        false => {
            let (printed_name, name) = (printable(printed_name, SHORT), printable(name, SHORT));
            format!("{printed_name} (as {name} is printed where names are escaped)")
        }
    }
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

/// Notes what a family prints from now on.
pub(super) fn print_names(printed: &mut HashMap<Box<str>, Printed>, family: &Family) {
    for name in printed_names(&family.name, family.kind()) {
        let kind = (*name == *family.printed_name()).then(|| family.kind());
        printed.insert(name, Printed { uid: family.uid, kind });
    }
}

pub(super) fn release_names(printed: &mut HashMap<Box<str>, Printed>, family: &Family) {
    for name in printed_names(&family.name, family.kind()) {
        if printed.get(&name).is_some_and(|printed| printed.uid == family.uid) {
            printed.remove(&name);
        }
    }
}

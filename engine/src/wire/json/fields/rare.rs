//! The fields that few samples have. They are read apart from the others, which
//! cost nothing more where none of these is there.

use super::super::super::validate::SampleLists;
use super::super::scanner::{Scanned, Scanner};
use super::native::{self, WrongMember};
use super::{Field, List, Number, TOP, UnknownNames, exemplar, list, nullable_number, text};
use crate::limits::PayloadLimits;
use crate::text::Text;

#[derive(Debug)]
pub struct RareFields {
    pub op: Field<Text>,
    pub values: Field<List>,
    pub counts: Field<List>,
    pub sum: Field<Number>,
    pub unit: Field<Text>,
    /// What it says is in [`SampleLists`].
    pub exemplar: Field<()>,
    pub factor: Field<Number>,
    /// As `exemplar`.
    pub native: Field<Result<(), WrongMember>>,
}

impl RareFields {
    const NONE: RareFields = RareFields {
        op: Field::Absent,
        values: Field::Absent,
        counts: Field::Absent,
        sum: Field::Absent,
        unit: Field::Absent,
        exemplar: Field::Absent,
        factor: Field::Absent,
        native: Field::Absent,
    };

    /// Those that were found so far, of which there is one now.
    fn among(found: &mut Option<Self>) -> &mut Self {
        found.get_or_insert(Self::NONE)
    }
}

/// Reads the value under the cursor, of a field of that name. One that is not known is
/// passed over.
#[inline(never)]
pub fn read(
    scanner: &mut Scanner<'_, '_>,
    name: Text,
    found: &mut Option<RareFields>,
    lists: &mut SampleLists,
    unknown: &mut UnknownNames,
    limits: &PayloadLimits,
) -> Scanned<()> {
    match scanner.resolve(name) {
        "op" => RareFields::among(found).op = text(scanner)?,
        "values" => {
            let values = list(scanner, &mut lists.values, limits.max_values)?;
            RareFields::among(found).values = values;
        }
        "counts" => {
            // One more than there are buckets, of which the last may say +Inf.
            let counts = list(scanner, &mut lists.counts_sent, limits.max_buckets + 1)?;
            RareFields::among(found).counts = counts;
        }
        "sum" => RareFields::among(found).sum = nullable_number(scanner)?,
        "unit" => RareFields::among(found).unit = text(scanner)?,
        "exemplar" => RareFields::among(found).exemplar = exemplar::read(scanner, lists)?,
        "factor" => RareFields::among(found).factor = nullable_number(scanner)?,
        "native" => {
            let native = native::read(scanner, &mut lists.native_sent, unknown, limits.max_values)?;
            RareFields::among(found).native = native;
        }
        // For people alone: see `door_in`.
        "door" => scanner.skip(TOP).map(drop)?,
        _unknown => {
            unknown.push(name);
            scanner.skip(TOP)?;
        }
    }
    Ok(())
}

//! A whole native histogram: an object in the top-level one, read as that is, before
//! anything is judged.

use super::super::super::validate::{RawNative, RawSide};
use super::super::scanner::{Scanned, Scanner};
use super::{Field, UnknownNames, begins_number, is_empty_array, other_than_expected};
use crate::text::{JsonType, Text};

/// The depth of the histogram, and of a side of it.
const DEPTH: u32 = 2;
const SIDE_DEPTH: u32 = 3;

/// What the histogram and its sides have: the names that are known.
pub const NATIVE_FIELDS: [&str; 7] =
    ["schema", "zero_threshold", "zero_count", "positive", "negative", "indexes", "counts"];

/// A member that has a type which it can't have.
#[derive(Debug, Clone, Copy)]
pub struct WrongMember {
    /// Where it stands, from the top-level object on.
    pub path: &'static str,
    pub expected: &'static str,
    pub got: JsonType,
}

/// A member as the last one of its name gave it.
type Member<T> = Result<T, WrongMember>;

/// Where the members of one side stand.
struct SidePaths {
    side: &'static str,
    indexes: &'static str,
    counts: &'static str,
}

const POSITIVE: SidePaths = SidePaths {
    side: "native.positive",
    indexes: "native.positive.indexes",
    counts: "native.positive.counts",
};

const NEGATIVE: SidePaths = SidePaths {
    side: "native.negative",
    indexes: "native.negative.indexes",
    counts: "native.negative.counts",
};

/// Reads the histogram under the cursor into `native`, of each list no more than `limit`
/// numbers; `unknown` gets the members that are not known.
#[cold]
#[inline(never)]
pub fn read(
    scanner: &mut Scanner<'_, '_>,
    native: &mut RawNative,
    unknown: &mut UnknownNames,
    limit: usize,
) -> Scanned<Field<Member<()>>> {
    if scanner.peek() != b'{' {
        return other_than_expected(scanner);
    }
    native.clear();
    let (mut schema, mut threshold, mut count) = (Ok(None), Ok(None), Ok(None));
    let (mut positive, mut negative) = (Ok(()), Ok(()));
    scanner.object(DEPTH, |scanner, name| {
        match scanner.resolve(name) {
            "schema" => schema = number(scanner, "native.schema")?,
            "zero_threshold" => threshold = number(scanner, "native.zero_threshold")?,
            "zero_count" => count = number(scanner, "native.zero_count")?,
            "positive" => {
                positive = side(scanner, &mut native.positive, unknown, limit, &POSITIVE)?
            }
            "negative" => {
                negative = side(scanner, &mut native.negative, unknown, limit, &NEGATIVE)?
            }
            _unknown => {
                unknown.push(name);
                scanner.skip(DEPTH)?;
            }
        }
        Ok(())
    })?;
    let mut numbers = || {
        native.schema = schema?;
        native.zero_threshold = threshold?;
        native.zero_count = count?;
        positive.and(negative)
    };
    Ok(Field::Given(numbers()))
}

/// A number, or null.
fn number(scanner: &mut Scanner<'_, '_>, path: &'static str) -> Scanned<Member<Option<f64>>> {
    if begins_number(scanner.peek()) {
        return scanner.number().map(|number| Ok(Some(number)));
    }
    let got = scanner.skip(DEPTH)?;
    let wrong = WrongMember { path, expected: "a number", got };
    Ok(if got == JsonType::Null { Ok(None) } else { Err(wrong) })
}

/// An object with the lists of one side, or null, or an empty array, which is what PHP
/// writes for an object without members.
fn side(
    scanner: &mut Scanner<'_, '_>,
    side: &mut RawSide,
    unknown: &mut UnknownNames,
    limit: usize,
    paths: &SidePaths,
) -> Scanned<Member<()>> {
    side.clear();
    if scanner.peek() != b'{' {
        let start = scanner.at();
        let got = scanner.skip(DEPTH)?;
        let sent = scanner.resolve(Text::in_payload(start, scanner.at()));
        let is_none = got == JsonType::Null || is_empty_array(sent);
        let wrong = WrongMember { path: paths.side, expected: "an object", got };
        return Ok(if is_none { Ok(()) } else { Err(wrong) });
    }
    let (mut indexes, mut counts) = (Ok(()), Ok(()));
    scanner.object(SIDE_DEPTH, |scanner, name| {
        match scanner.resolve(name) {
            "indexes" => {
                let list = (&mut side.indexes, &mut side.indexes_sent);
                indexes = numbers(scanner, list, limit, paths.indexes)?;
            }
            "counts" => {
                let list = (&mut side.counts, &mut side.counts_sent);
                counts = numbers(scanner, list, limit, paths.counts)?;
            }
            _unknown => {
                unknown.push(name);
                scanner.skip(SIDE_DEPTH)?;
            }
        }
        Ok(())
    })?;
    Ok(indexes.and(counts))
}

/// A list of numbers, or null.
fn numbers(
    scanner: &mut Scanner<'_, '_>,
    (kept, sent): (&mut Vec<f64>, &mut usize),
    limit: usize,
    path: &'static str,
) -> Scanned<Member<()>> {
    kept.clear();
    *sent = 0;
    if scanner.peek() != b'[' {
        let got = scanner.skip(SIDE_DEPTH)?;
        let wrong = WrongMember { path, expected: "an array", got };
        return Ok(if got == JsonType::Null { Ok(()) } else { Err(wrong) });
    }
    let mut list = Ok(());
    scanner.array(SIDE_DEPTH + 1, |scanner| {
        *sent += 1;
        if begins_number(scanner.peek()) && kept.len() < limit {
            kept.push(scanner.number()?);
            return Ok(());
        }
        let got = scanner.skip(SIDE_DEPTH + 1)?;
        if got != JsonType::Number && list.is_ok() {
            list = Err(WrongMember { path, expected: "an array of numbers", got });
        }
        Ok(())
    })?;
    Ok(list)
}

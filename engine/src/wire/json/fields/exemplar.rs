//! The exemplar of a sample: an object in the top-level one, read as that is, before
//! anything is judged. What it can't be drops it, and leaves the sample.

use super::super::super::validate::{RawExemplar, SampleLists};
use super::super::scanner::{Scanned, Scanner};
use super::{Field, begins_number, is_empty_array, label, other_than_expected};
use crate::exemplar::MOST_LABELS;
use crate::text::{JsonType, LabelText, Text};

/// The depth of the exemplar.
const DEPTH: u32 = 2;

/// Reads the exemplar under the cursor into `lists`.
#[cold]
#[inline(never)]
pub fn read(scanner: &mut Scanner<'_, '_>, lists: &mut SampleLists) -> Scanned<Field<()>> {
    if scanner.peek() != b'{' {
        return other_than_expected(scanner);
    }
    let mut labels_sent = Ok(0);
    let (mut value, mut timestamp) = (Ok(None), Ok(None));
    lists.exemplar_labels.clear();
    scanner.object(DEPTH, |scanner, name| {
        match scanner.resolve(name) {
            "labels" => labels_sent = labels(scanner, &mut lists.exemplar_labels)?,
            "value" => value = number(scanner)?,
            "timestamp" => timestamp = number(scanner)?,
            _unknown => drop(scanner.skip(DEPTH)?),
        }
        Ok(())
    })?;
    lists.exemplar = RawExemplar {
        labels_sent: labels_sent.unwrap_or(0),
        value: value.unwrap_or(None),
        timestamp: timestamp.unwrap_or(None),
        is_malformed: labels_sent.is_err() || value.is_err() || timestamp.is_err(),
    };
    Ok(Field::Given(()))
}

/// A member of the exemplar as the last one of its name gave it, or the type that it
/// can't have.
type Member<T> = Result<T, JsonType>;

/// The number of labels.
fn labels(scanner: &mut Scanner<'_, '_>, kept: &mut Vec<LabelText>) -> Scanned<Member<usize>> {
    kept.clear();
    if scanner.peek() != b'{' {
        let start = scanner.at();
        let found = scanner.skip(DEPTH)?;
        let sent = scanner.resolve(Text::in_payload(start, scanner.at()));
        let is_none = found == JsonType::Null || is_empty_array(sent);
        return Ok(if is_none { Ok(0) } else { Err(found) });
    }
    let mut sent = 0;
    scanner.object(DEPTH + 1, |scanner, name| {
        sent += 1;
        let kept_label = label(scanner, name, DEPTH + 1)?;
        if kept.len() < MOST_LABELS {
            kept.push(kept_label);
        }
        Ok(())
    })?;
    Ok(Ok(sent))
}

/// A number, or null.
fn number(scanner: &mut Scanner<'_, '_>) -> Scanned<Member<Option<f64>>> {
    if begins_number(scanner.peek()) {
        return scanner.number().map(|number| Ok(Some(number)));
    }
    let found = scanner.skip(DEPTH)?;
    Ok(if found == JsonType::Null { Ok(None) } else { Err(found) })
}

//! Whether each field has a JSON type that it can have, and the refusal where it
//! has not.

use super::fields::{Field, Fields, List, RareFields, WrongMember};
use super::number::number_length;
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};
use crate::text::{JsonType, PayloadSpan, Texts};

/// What fields with a number ask for.
const NUMBER: &str = "a number";

/// Refuses fields of other types, in the order that [`crate::wire`] documents.
#[inline(always)]
pub(super) fn check_types(
    fields: &Fields,
    rare: Option<&RareFields>,
    texts: Texts<'_>,
) -> Result<(), Reject> {
    // Each field is named, so that the compiler asks of a new one what it may be.
    let Fields {
        kind: _,
        name,
        help,
        value,
        labels,
        buckets,
        quantiles,
        epsilons,
        // These two have reasons of their own, and are judged as numbers are.
        timestamp: _,
        ttl: _,
    } = fields;
    // One branch for nearly all payloads.
    let is_wrong = is_wrong(name)
        | is_wrong(value)
        | is_wrong(help)
        | is_wrong(labels)
        | is_wrong_list(buckets)
        | is_wrong_list(quantiles)
        | is_wrong_list(epsilons)
        | rare.is_some_and(is_any_wrong);
    if is_wrong { refuse_first(fields, rare, texts) } else { Ok(()) }
}

fn is_any_wrong(rare: &RareFields) -> bool {
    let RareFields { op, values, counts, sum, unit, exemplar, factor, native } = rare;
    is_wrong(op)
        | is_wrong_list(values)
        | is_wrong_list(counts)
        | is_wrong(sum)
        | is_wrong(unit)
        | is_wrong(exemplar)
        | is_wrong(factor)
        | is_wrong(native)
        | matches!(native, Field::Given(Err(_)))
}

#[inline(always)]
fn is_wrong<T>(found: &Field<T>) -> bool {
    matches!(found, Field::Wrong(..))
}

#[inline(always)]
fn is_wrong_list(found: &Field<List>) -> bool {
    matches!(found, Field::Wrong(..) | Field::Given(List { wrong: Some(_), .. }))
}

#[cold]
fn refuse_first(
    fields: &Fields,
    rare: Option<&RareFields>,
    texts: Texts<'_>,
) -> Result<(), Reject> {
    let check = |field: &str, expected: &str, wrong: Option<(JsonType, PayloadSpan)>| match wrong {
        None => Ok(()),
        Some((got, span)) => Err(wrong_type(field, expected, got, texts.get(span.into()))),
    };
    let check_list = |field: &str, list: &Field<List>| match list.given() {
        Some(List { wrong: Some(got), .. }) => {
            Err(wrong_type(field, "an array of numbers", got, ""))
        }
        Some(List { wrong: None, .. }) | None => check(field, "an array", list.wrong()),
    };
    check("name", "a string", fields.name.wrong())?;
    check("value", NUMBER, fields.value.wrong())?;
    check("help", "a string", fields.help.wrong())?;
    check("labels", "an object", fields.labels.wrong())?;
    check_list("buckets", &fields.buckets)?;
    check_list("quantiles", &fields.quantiles)?;
    check_list("epsilons", &fields.epsilons)?;
    let Some(rare) = rare else { return Ok(()) };
    check("op", "a string", rare.op.wrong())?;
    check_list("values", &rare.values)?;
    check_list("counts", &rare.counts)?;
    check("sum", NUMBER, rare.sum.wrong())?;
    check("unit", "a string", rare.unit.wrong())?;
    check("exemplar", "an object", rare.exemplar.wrong())?;
    check("factor", NUMBER, rare.factor.wrong())?;
    check("native", "an object", rare.native.wrong())?;
    match rare.native.given() {
        Some(Err(WrongMember { path, expected, got })) => Err(wrong_type(path, expected, got, "")),
        Some(Ok(())) | None => Ok(()),
    }
}

fn wrong_type(field: &str, expected: &str, got: JsonType, text: &str) -> Reject {
    let mut detail = format!("expected {expected} as {field}, got {}", got.as_str());
    if got == JsonType::String && !text.is_empty() {
        detail.push(' ');
        detail.push_str(&printable(text, SHORT));
    }
    let digits = text.trim_matches('"').as_bytes();
    if expected == NUMBER && number_length(digits) == Some(digits.len()) {
        detail.push_str(": send it without quotes, as (float) does in PHP");
    }
    Reject::new(Reason::InvalidField, detail)
}

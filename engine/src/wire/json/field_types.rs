//! Whether each field has a JSON type that it can have, and the refusal where it
//! has not.

use super::fields::{Field, Fields, List};
use super::number::number_length;
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};
use crate::text::{JsonType, Texts};

/// What fields with a number ask for.
const NUMBER: &str = "a number";

/// Refuses fields of other types, in the order that [`crate::wire`] documents.
#[inline(always)]
pub(super) fn check_types(fields: &Fields, texts: Texts<'_>) -> Result<(), Reject> {
    // Each field is named, so that the compiler asks of a new one what it may be.
    let Fields { kind: _, name, help, value, labels, buckets, quantiles, epsilons, timestamp, ttl } =
        fields;
    // One branch for nearly all payloads.
    let is_wrong = is_wrong(name)
        | is_wrong(value)
        | is_wrong(help)
        | is_wrong(labels)
        | is_wrong_list(buckets)
        | is_wrong_list(quantiles)
        | is_wrong_list(epsilons)
        | is_wrong(timestamp)
        | is_wrong(ttl);
    if is_wrong { refuse_first(fields, texts) } else { Ok(()) }
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
fn refuse_first(fields: &Fields, texts: Texts<'_>) -> Result<(), Reject> {
    check_type("name", "a string", &fields.name, texts)?;
    check_type("value", NUMBER, &fields.value, texts)?;
    check_type("help", "a string", &fields.help, texts)?;
    check_type("labels", "an object", &fields.labels, texts)?;
    check_list("buckets", &fields.buckets, texts)?;
    check_list("quantiles", &fields.quantiles, texts)?;
    check_list("epsilons", &fields.epsilons, texts)?;
    check_type("timestamp", NUMBER, &fields.timestamp, texts)?;
    check_type("ttl", NUMBER, &fields.ttl, texts)
}

fn check_type<T>(
    field: &str,
    expected: &str,
    found: &Field<T>,
    texts: Texts<'_>,
) -> Result<(), Reject> {
    match found {
        Field::Absent | Field::Given(_) => Ok(()),
        Field::Wrong(got, text) => {
            Err(wrong_type(field, expected, *got, texts.get((*text).into())))
        }
    }
}

fn check_list(field: &str, found: &Field<List>, texts: Texts<'_>) -> Result<(), Reject> {
    match found {
        Field::Absent | Field::Given(List { wrong: None, .. }) => Ok(()),
        Field::Wrong(got, text) => {
            Err(wrong_type(field, "an array", *got, texts.get((*text).into())))
        }
        Field::Given(List { wrong: Some(got), .. }) => {
            Err(wrong_type(field, "an array of numbers", *got, ""))
        }
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

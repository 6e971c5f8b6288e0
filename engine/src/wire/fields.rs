//! Fields: what the top-level object says, before anything is judged.
//!
//! Of a name given twice the last wins completely, so that nothing can be
//! refused before the whole document was read.

use std::ops::Range;

use super::json::{Expected, Json, Scanner};
use super::text::{LabelText, Text};
use crate::limits::PayloadLimits;
use crate::sample::Kind;

/// A field as the last member of its name gave it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Field<T> {
    /// No such member; but for `value`, null is the same.
    #[default]
    Absent,
    Given(T),
    /// A value of a type that the field can't have.
    Wrong(Json),
}

/// The value of `type`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum KindField {
    #[default]
    Absent,
    Given(Kind),
    /// A word or a number that is no type.
    Unknown(Text),
    Wrong(Json),
}

/// The value of `value`, and the place of its digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) place: (usize, usize),
}

/// An array of numbers, which are kept in [`Lists`].
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    /// Elements sent; no more than the limit are kept.
    pub(super) sent: usize,
    /// The type of the first element that is no number.
    pub(super) wrong: Option<Json>,
}

/// The known fields.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) kind: KindField,
    pub(super) name: Field<Text>,
    pub(super) help: Field<Text>,
    pub(super) value: Field<Number>,
    /// The number of members; no more than the limit are kept.
    pub(super) labels: Field<usize>,
    pub(super) buckets: Field<List>,
    pub(super) quantiles: Field<List>,
    pub(super) epsilons: Field<List>,
    /// As good as absent where it is no number.
    pub(super) timestamp: Option<f64>,
    /// The same.
    pub(super) ttl: Option<f64>,
}

/// Where members and elements are kept; reused from payload to payload.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) labels: Vec<LabelText>,
    pub(super) buckets: Vec<f64>,
    pub(super) quantiles: Vec<f64>,
    pub(super) epsilons: Vec<f64>,
}

/// The depth of the top-level object.
const TOP: u32 = 1;

/// A whole document.
#[derive(Debug)]
pub(super) enum Document {
    Object(Fields),
    Other(Json),
}

/// Reads the whole document.
#[inline(always)]
pub(super) fn read(
    scanner: &mut Scanner<'_, '_>,
    lists: &mut Lists,
    limits: &PayloadLimits,
) -> Result<Document, Expected> {
    if scanner.space() != b'{' {
        let json = scanner.skip(TOP - 1)?;
        return scanner.finish().map(|()| Document::Other(json));
    }
    let mut fields = Fields::default();
    scanner.object(TOP, |scanner, name| {
        match scanner.resolve(name) {
            "type" => fields.kind = kind(scanner)?,
            "name" => fields.name = text(scanner)?,
            "value" => fields.value = number(scanner)?,
            "labels" => fields.labels = labels(scanner, &mut lists.labels, limits.max_labels)?,
            "help" => fields.help = text(scanner)?,
            "buckets" => fields.buckets = list(scanner, &mut lists.buckets, limits.max_buckets)?,
            "quantiles" => {
                fields.quantiles = list(scanner, &mut lists.quantiles, limits.max_quantiles)?;
            }
            "epsilons" => {
                fields.epsilons = list(scanner, &mut lists.epsilons, limits.max_quantiles)?;
            }
            "timestamp" => fields.timestamp = number_or_nothing(scanner)?,
            "ttl" => fields.ttl = number_or_nothing(scanner)?,
            _unknown => drop(scanner.skip(TOP)?),
        }
        Ok(())
    })?;
    scanner.finish().map(|()| Document::Object(fields))
}

/// Reads a whole document that is an array; `out` gets the place of each
/// element.
pub(super) fn elements(
    scanner: &mut Scanner<'_, '_>,
    out: &mut Vec<Range<usize>>,
) -> Result<(), Expected> {
    out.clear();
    scanner.space();
    scanner.array(TOP, |scanner| {
        let start = scanner.at();
        scanner.skip(TOP)?;
        out.push(start..scanner.at());
        Ok(())
    })?;
    scanner.finish()
}

/// The text of the last `name`, up to where the document goes on amiss.
pub(super) fn name(scanner: &mut Scanner<'_, '_>) -> Option<String> {
    if scanner.space() != b'{' {
        return None;
    }
    let mut found = None;
    // Where it is damaged, what was found before stays.
    let _ = scanner.object(TOP, |scanner, member| {
        if scanner.resolve(member) == "name" && scanner.peek() == b'"' {
            let text = scanner.string()?;
            found = Some(scanner.resolve(text).to_owned());
            return Ok(());
        }
        scanner.skip(TOP).map(drop)
    });
    found
}

#[inline(always)]
fn kind(scanner: &mut Scanner<'_, '_>) -> Result<KindField, Expected> {
    let start = scanner.at();
    if scanner.peek() == b'"' {
        let text = scanner.string()?;
        let found = kind_of_text(scanner.resolve(text));
        return Ok(found.map_or(KindField::Unknown(text), KindField::Given));
    }
    let json = scanner.skip(TOP)?;
    if json != Json::Number {
        return Ok(KindField::Wrong(json));
    }
    let digits = Text::in_payload(start, scanner.at());
    let found = kind_of_digit(scanner.resolve(digits));
    Ok(found.map_or(KindField::Unknown(digits), KindField::Given))
}

fn kind_of_text(text: &str) -> Option<Kind> {
    // As nearly all producers write it.
    match text {
        "counter" => return Some(Kind::Counter),
        "gauge" => return Some(Kind::Gauge),
        "summary" => return Some(Kind::Summary),
        "histogram" => return Some(Kind::Histogram),
        _ => {}
    }
    let word_is = |word: &str| Kind::ALL.into_iter().find(|kind| is_word(word, *kind));
    word_is(text).or_else(|| word_is(text.trim())).or_else(|| kind_of_digit(text.trim()))
}

#[inline(always)]
fn is_word(text: &str, kind: Kind) -> bool {
    text.eq_ignore_ascii_case(kind.as_str())
}

fn kind_of_digit(text: &str) -> Option<Kind> {
    match text {
        "0" => Some(Kind::Counter),
        "1" => Some(Kind::Gauge),
        "2" => Some(Kind::Summary),
        "3" => Some(Kind::Histogram),
        _ => None,
    }
}

#[inline(always)]
fn text(scanner: &mut Scanner<'_, '_>) -> Result<Field<Text>, Expected> {
    if scanner.peek() == b'"' {
        return scanner.string().map(Field::Given);
    }
    other_than_expected(scanner)
}

#[inline(always)]
fn number(scanner: &mut Scanner<'_, '_>) -> Result<Field<Number>, Expected> {
    if !begins_number(scanner.peek()) {
        return scanner.skip(TOP).map(Field::Wrong);
    }
    let start = scanner.at();
    let value = scanner.number()?;
    Ok(Field::Given(Number { value, place: (start, scanner.at()) }))
}

/// A number; anything else is passed over.
#[inline(always)]
fn number_or_nothing(scanner: &mut Scanner<'_, '_>) -> Result<Option<f64>, Expected> {
    if begins_number(scanner.peek()) {
        return scanner.number().map(Some);
    }
    scanner.skip(TOP).map(|_ignored| None)
}

#[inline(always)]
fn list(
    scanner: &mut Scanner<'_, '_>,
    kept: &mut Vec<f64>,
    limit: usize,
) -> Result<Field<List>, Expected> {
    if scanner.peek() != b'[' {
        return other_than_expected(scanner);
    }
    kept.clear();
    let mut list = List { sent: 0, wrong: None };
    scanner.array(TOP + 1, |scanner| {
        list.sent += 1;
        if begins_number(scanner.peek()) && kept.len() < limit {
            kept.push(scanner.number()?);
            return Ok(());
        }
        let json = scanner.skip(TOP + 1)?;
        if json != Json::Number {
            list.wrong.get_or_insert(json);
        }
        Ok(())
    })?;
    Ok(Field::Given(list))
}

#[inline(always)]
fn labels(
    scanner: &mut Scanner<'_, '_>,
    kept: &mut Vec<LabelText>,
    limit: usize,
) -> Result<Field<usize>, Expected> {
    if scanner.peek() != b'{' {
        return labels_not_in_an_object(scanner);
    }
    kept.clear();
    let mut sent = 0;
    scanner.object(TOP + 1, |scanner, name| {
        sent += 1;
        let label = label(scanner, name)?;
        if kept.len() < limit {
            kept.push(label);
        }
        Ok(())
    })?;
    Ok(Field::Given(sent))
}

/// An empty array is what PHP writes for no labels.
#[inline(always)]
fn labels_not_in_an_object(scanner: &mut Scanner<'_, '_>) -> Result<Field<usize>, Expected> {
    let start = scanner.at();
    let found = other_than_expected(scanner)?;
    let sent = scanner.resolve(Text::in_payload(start, scanner.at()));
    let is_empty_array =
        sent.len() >= 2 && sent.starts_with('[') && sent[1..sent.len() - 1].trim_ascii().is_empty();
    Ok(if is_empty_array { Field::Absent } else { found })
}

#[inline(always)]
fn label(scanner: &mut Scanner<'_, '_>, name: Text) -> Result<LabelText, Expected> {
    if scanner.peek() == b'"' {
        let value = scanner.string()?;
        return Ok(LabelText { name, value, wrong: None });
    }
    let start = scanner.at();
    let (value, wrong) = match scanner.skip(TOP + 1)? {
        Json::Number | Json::Boolean => (Text::in_payload(start, scanner.at()), None),
        Json::Null | Json::String => (Text::EMPTY, None),
        json @ (Json::Array | Json::Object) => (Text::EMPTY, Some(json)),
    };
    Ok(LabelText { name, value, wrong })
}

/// Null, which is as good as absent, or a value of another type.
#[inline(always)]
fn other_than_expected<T>(scanner: &mut Scanner<'_, '_>) -> Result<Field<T>, Expected> {
    Ok(match scanner.skip(TOP)? {
        Json::Null => Field::Absent,
        json @ (Json::Boolean | Json::Number | Json::String | Json::Array | Json::Object) => {
            Field::Wrong(json)
        }
    })
}

#[inline(always)]
fn begins_number(byte: u8) -> bool {
    matches!(byte, b'-' | b'0'..=b'9')
}

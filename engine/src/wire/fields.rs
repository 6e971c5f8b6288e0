//! Fields: what the top-level object says, before anything is judged.
//!
//! Of a name given twice the last wins completely, so that nothing can be
//! refused before the whole document was read.

use std::ops::Range;

use super::json::{Cursor, Expected};
use crate::limits::PayloadLimits;
use crate::metric::Kind;
use crate::text::{Json, LabelText, Span, Text};

/// A field as the last member of its name gave it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Field<T> {
    /// No such member; but for `value`, null is the same.
    #[default]
    Absent,
    Given(T),
    /// A value of a type that the field can't have, and where it stands.
    Wrong(Json, Span),
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
    pub(super) sent: u32,
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
    pub(super) timestamp: Field<f64>,
    pub(super) ttl: Field<f64>,
}

/// Where members and elements are kept; reused from payload to payload.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) labels: Vec<LabelText>,
    pub(super) buckets: Vec<f64>,
    pub(super) quantiles: Vec<f64>,
    pub(super) epsilons: Vec<f64>,
}

/// The names that are known; all others are passed over.
pub const FIELDS: [&str; 10] = [
    "type",
    "name",
    "value",
    "labels",
    "help",
    "buckets",
    "quantiles",
    "epsilons",
    "timestamp",
    "ttl",
];

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
    cursor: &mut impl Cursor,
    lists: &mut Lists,
    limits: &PayloadLimits,
) -> Result<Document, Expected> {
    if cursor.space() != b'{' {
        let json = cursor.skip(TOP - 1)?;
        return cursor.finish().map(|()| Document::Other(json));
    }
    let mut fields = Fields::default();
    cursor.object(TOP, |cursor, name| {
        match cursor.resolve(name) {
            "type" => fields.kind = kind(cursor)?,
            "name" => fields.name = text(cursor)?,
            "value" => fields.value = number(cursor)?,
            "labels" => fields.labels = labels(cursor, &mut lists.labels, limits.max_labels)?,
            "help" => fields.help = text(cursor)?,
            "buckets" => fields.buckets = list(cursor, &mut lists.buckets, limits.max_buckets)?,
            "quantiles" => {
                fields.quantiles = list(cursor, &mut lists.quantiles, limits.max_quantiles)?;
            }
            "epsilons" => {
                fields.epsilons = list(cursor, &mut lists.epsilons, limits.max_quantiles)?;
            }
            "timestamp" => fields.timestamp = time(cursor)?,
            "ttl" => fields.ttl = time(cursor)?,
            _unknown => drop(cursor.skip(TOP)?),
        }
        Ok(())
    })?;
    cursor.finish().map(|()| Document::Object(fields))
}

/// Reads a whole document that is an array; `out` gets the place of each
/// element.
pub(super) fn elements(
    cursor: &mut impl Cursor,
    out: &mut Vec<Range<usize>>,
) -> Result<(), Expected> {
    out.clear();
    cursor.space();
    cursor.array(TOP, |cursor| {
        let start = cursor.at();
        cursor.skip(TOP)?;
        out.push(start..cursor.end());
        Ok(())
    })?;
    cursor.finish()
}

/// The text of the last `name`, up to where the document goes on amiss.
pub(super) fn name(cursor: &mut impl Cursor) -> Option<String> {
    if cursor.space() != b'{' {
        return None;
    }
    let mut found = None;
    // Where it is damaged, what was found before stays.
    let _ = cursor.object(TOP, |cursor, member| {
        if cursor.resolve(member) == "name" && cursor.peek() == b'"' {
            let text = cursor.string()?;
            found = Some(cursor.resolve(text).to_owned());
            return Ok(());
        }
        cursor.skip(TOP).map(drop)
    });
    found
}

#[inline(always)]
fn kind(cursor: &mut impl Cursor) -> Result<KindField, Expected> {
    let start = cursor.at();
    if cursor.peek() == b'"' {
        let text = cursor.string()?;
        let found = kind_of_text(cursor.resolve(text));
        return Ok(found.map_or(KindField::Unknown(text), KindField::Given));
    }
    let json = cursor.skip(TOP)?;
    if json != Json::Number {
        return Ok(KindField::Wrong(json));
    }
    let digits = Text::in_payload(start, cursor.end());
    let found = Kind::from_number(cursor.resolve(digits));
    Ok(found.map_or(KindField::Unknown(digits), KindField::Given))
}

fn kind_of_text(text: &str) -> Option<Kind> {
    let trimmed = || Kind::from_word(text.trim()).or_else(|| Kind::from_number(text.trim()));
    Kind::from_word(text).or_else(trimmed)
}

#[inline(always)]
fn text(cursor: &mut impl Cursor) -> Result<Field<Text>, Expected> {
    if cursor.peek() == b'"' {
        return cursor.string().map(Field::Given);
    }
    other_than_expected(cursor)
}

#[inline(always)]
fn number(cursor: &mut impl Cursor) -> Result<Field<Number>, Expected> {
    let start = cursor.at();
    if !begins_number(cursor.peek()) {
        let json = cursor.skip(TOP)?;
        return Ok(Field::Wrong(json, Span::new(start, cursor.end())));
    }
    let value = cursor.number()?;
    Ok(Field::Given(Number { value, place: (start, cursor.end()) }))
}

/// A number, or null.
#[inline(always)]
fn time(cursor: &mut impl Cursor) -> Result<Field<f64>, Expected> {
    if begins_number(cursor.peek()) {
        return cursor.number().map(Field::Given);
    }
    other_than_expected(cursor)
}

#[inline(always)]
fn list(
    cursor: &mut impl Cursor,
    kept: &mut Vec<f64>,
    limit: usize,
) -> Result<Field<List>, Expected> {
    if cursor.peek() != b'[' {
        return other_than_expected(cursor);
    }
    kept.clear();
    let mut list = List { sent: 0, wrong: None };
    cursor.array(TOP + 1, |cursor| {
        list.sent += 1;
        if begins_number(cursor.peek()) && kept.len() < limit {
            kept.push(cursor.number()?);
            return Ok(());
        }
        let json = cursor.skip(TOP + 1)?;
        if json != Json::Number {
            list.wrong.get_or_insert(json);
        }
        Ok(())
    })?;
    Ok(Field::Given(list))
}

#[inline(always)]
fn labels(
    cursor: &mut impl Cursor,
    kept: &mut Vec<LabelText>,
    limit: usize,
) -> Result<Field<usize>, Expected> {
    if cursor.peek() != b'{' {
        return labels_not_in_an_object(cursor);
    }
    kept.clear();
    let mut sent = 0;
    cursor.object(TOP + 1, |cursor, name| {
        sent += 1;
        let label = label(cursor, name)?;
        if kept.len() < limit {
            kept.push(label);
        }
        Ok(())
    })?;
    Ok(Field::Given(sent))
}

/// An empty array is what PHP writes for no labels.
#[inline(always)]
fn labels_not_in_an_object(cursor: &mut impl Cursor) -> Result<Field<usize>, Expected> {
    let start = cursor.at();
    let found = other_than_expected(cursor)?;
    let sent = cursor.resolve(Text::in_payload(start, cursor.end()));
    let is_empty_array =
        sent.len() >= 2 && sent.starts_with('[') && sent[1..sent.len() - 1].trim_ascii().is_empty();
    Ok(if is_empty_array { Field::Absent } else { found })
}

#[inline(always)]
fn label(cursor: &mut impl Cursor, name: Text) -> Result<LabelText, Expected> {
    if cursor.peek() == b'"' {
        let value = cursor.string()?;
        return Ok(LabelText { name, value, wrong: None });
    }
    let start = cursor.at();
    let (value, wrong) = match cursor.skip(TOP + 1)? {
        Json::Number | Json::Boolean => (Text::in_payload(start, cursor.end()), None),
        Json::Null | Json::String => (Text::EMPTY, None),
        json @ (Json::Array | Json::Object) => (Text::EMPTY, Some(json)),
    };
    Ok(LabelText { name, value, wrong })
}

/// Null, which is as good as absent, or a value of another type.
#[inline(always)]
fn other_than_expected<T>(cursor: &mut impl Cursor) -> Result<Field<T>, Expected> {
    let start = cursor.at();
    Ok(match cursor.skip(TOP)? {
        Json::Null => Field::Absent,
        json @ (Json::Boolean | Json::Number | Json::String | Json::Array | Json::Object) => {
            Field::Wrong(json, Span::new(start, cursor.end()))
        }
    })
}

#[inline(always)]
fn begins_number(byte: u8) -> bool {
    matches!(byte, b'-' | b'0'..=b'9')
}

//! Fields: what the top-level object says, before anything is judged.
//!
//! Of a name given twice the last wins completely, so that nothing can be
//! refused before the whole document was read.

mod exemplar;
mod native;
mod rare;

use std::ops::Range;

use super::super::unknown_fields::MAX_UNKNOWN_FIELDS;
use super::super::validate::SampleLists;
use super::Place;
use super::number::parse_json_number;
use super::scanner::{Scanned, Scanner};
use crate::limits::PayloadLimits;
use crate::metric::Kind;
use crate::text::{JsonType, LabelText, PayloadSpan, Text};
pub use native::NATIVE_FIELDS;
pub(super) use native::WrongMember;
pub(super) use rare::RareFields;

/// A field as the last member of its name gave it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<T> {
    /// No such member; but for `value`, null is the same.
    Absent,
    Given(T),
    /// A value of a type that the field can't have, and where it stands.
    Wrong(JsonType, PayloadSpan),
}

impl<T> Field<T> {
    /// What was given that has another type than it can have.
    pub(super) fn wrong(&self) -> Option<(JsonType, PayloadSpan)> {
        match self {
            Field::Absent | Field::Given(_) => None,
            Field::Wrong(found, span) => Some((*found, *span)),
        }
    }

    /// What was given, where it has a right type.
    #[inline(always)]
    pub(super) fn given(self) -> Option<T> {
        match self {
            Field::Given(given) => Some(given),
            Field::Absent | Field::Wrong(..) => None,
        }
    }
}

/// What `type` says where that is no type.
#[derive(Debug, Clone, Copy)]
pub(super) enum UnknownKind {
    Text(Text),
    Other(JsonType),
}

/// A number, and the place of its digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) place: Place,
}

/// An array of numbers, which are kept in [`SampleLists`].
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    /// Elements sent; no more than the limit are kept.
    pub(super) sent: u32,
    /// The type of the first element that is no number.
    pub(super) wrong: Option<JsonType>,
    /// From its opening bracket to behind its closing one.
    pub(super) place: Place,
}

/// The fields that most samples have; for the others see [`RareFields`].
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) kind: Result<Kind, UnknownKind>,
    pub(super) name: Field<Text>,
    pub(super) help: Field<Text>,
    pub(super) value: Field<Number>,
    /// The number of members; no more than the limit are kept.
    pub(super) labels: Field<usize>,
    pub(super) buckets: Field<List>,
    pub(super) quantiles: Field<List>,
    pub(super) epsilons: Field<List>,
    pub(super) timestamp: Field<Number>,
    pub(super) ttl: Field<Number>,
}

impl Fields {
    /// Those of an object without members: a sample without a type is a counter's.
    pub(super) const NONE: Fields = Fields {
        kind: Ok(Kind::Counter),
        name: Field::Absent,
        help: Field::Absent,
        value: Field::Absent,
        labels: Field::Absent,
        buckets: Field::Absent,
        quantiles: Field::Absent,
        epsilons: Field::Absent,
        timestamp: Field::Absent,
        ttl: Field::Absent,
    };
}

/// The names that are known; all others are passed over, and counted.
pub const FIELDS: [&str; 19] = [
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
    "op",
    "values",
    "counts",
    "sum",
    "unit",
    "exemplar",
    "factor",
    "native",
    "door",
];

/// The depth of the top-level object.
const TOP: u32 = 1;

#[derive(Debug, Clone, Copy)]
pub(super) enum Document {
    Object,
    Other(JsonType),
}

/// The unknown fields of one object.
#[derive(Debug, Default)]
pub(super) struct UnknownNames {
    /// The names that came first, not more than are told apart.
    pub(super) first: Vec<Text>,
    /// How many came after these.
    pub(super) more: u64,
}

impl UnknownNames {
    fn clear(&mut self) {
        self.first.clear();
        self.more = 0;
    }

    fn push(&mut self, name: Text) {
        match self.first.len() < MAX_UNKNOWN_FIELDS {
            true => self.first.push(name),
            false => self.more += 1,
        }
    }
}

/// Reads the whole document: `fields` and `rare`, both without any, get what an object
/// has, and `unknown` its unknown fields.
#[inline(always)]
pub(super) fn read(
    scanner: &mut Scanner<'_, '_>,
    fields: &mut Fields,
    rare: &mut Option<RareFields>,
    lists: &mut SampleLists,
    unknown: &mut UnknownNames,
    limits: &PayloadLimits,
) -> Scanned<Document> {
    if scanner.space() != b'{' {
        let found = scanner.skip(TOP - 1)?;
        return scanner.finish().map(|()| Document::Other(found));
    }
    unknown.clear();
    scanner.object(TOP, |scanner, name| {
        match scanner.resolve(name) {
            "type" => kind(scanner, &mut fields.kind)?,
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
            "timestamp" => fields.timestamp = time(scanner)?,
            "ttl" => fields.ttl = time(scanner)?,
            _other => {
                scanner.apart(|scanner| rare::read(scanner, name, rare, lists, unknown, limits))?
            }
        }
        Ok(())
    })?;
    scanner.finish().map(|()| Document::Object)
}

/// Reads a whole document that is an array; `out` gets the place of each
/// element.
pub(super) fn elements(scanner: &mut Scanner<'_, '_>, out: &mut Vec<Range<usize>>) -> Scanned<()> {
    out.clear();
    scanner.space();
    scanner.array(TOP, |scanner| {
        out.push(element(scanner)?);
        Ok(())
    })?;
    scanner.finish()
}

/// Passes over the element under the cursor, a document of its own; its place.
pub(super) fn element(scanner: &mut Scanner<'_, '_>) -> Scanned<Range<usize>> {
    let start = scanner.at();
    scanner.skip(TOP - 1)?;
    Ok(start..scanner.at())
}

/// The text of the last field of that name, up to where the document goes on amiss.
pub(super) fn text_of(field: &str, scanner: &mut Scanner<'_, '_>) -> Option<String> {
    if scanner.space() != b'{' {
        return None;
    }
    let mut found = None;
    // Where it is damaged, what was found before stays.
    let _ = scanner.object(TOP, |scanner, member| {
        if scanner.resolve(member) == field && scanner.peek() == b'"' {
            let text = scanner.string()?;
            found = Some(scanner.resolve(text).to_owned());
            return Ok(());
        }
        scanner.skip(TOP).map(drop)
    });
    found
}

#[inline(always)]
fn kind(scanner: &mut Scanner<'_, '_>, kind: &mut Result<Kind, UnknownKind>) -> Scanned<()> {
    let start = scanner.at();
    if scanner.peek() == b'"' {
        let text = scanner.string()?;
        *kind = kind_of_text(scanner.resolve(text)).ok_or(UnknownKind::Text(text));
        return Ok(());
    }
    let found = scanner.skip(TOP)?;
    if found != JsonType::Number {
        *kind = Err(UnknownKind::Other(found));
        return Ok(());
    }
    let digits = Text::in_payload(start, scanner.at());
    *kind = Kind::from_number(scanner.resolve(digits)).ok_or(UnknownKind::Text(digits));
    Ok(())
}

fn kind_of_text(text: &str) -> Option<Kind> {
    let trimmed = || Kind::from_word(text.trim()).or_else(|| Kind::from_number(text.trim()));
    Kind::from_word(text).or_else(trimmed)
}

#[inline(always)]
fn text(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<Text>> {
    if scanner.peek() == b'"' {
        return scanner.string().map(Field::Given);
    }
    other_than_expected(scanner)
}

#[inline(always)]
fn number(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<Number>> {
    let start = scanner.at();
    if !begins_number(scanner.peek()) {
        let found = scanner.skip(TOP)?;
        return Ok(Field::Wrong(found, PayloadSpan::new(start, scanner.at())));
    }
    let value = scanner.number()?;
    Ok(Field::Given(Number { value, place: place(start, scanner.at()) }))
}

#[inline(always)]
fn place(start: usize, end: usize) -> Place {
    PayloadSpan::new(start, end).into()
}

/// A number, or null.
#[inline(always)]
fn nullable_number(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<Number>> {
    if begins_number(scanner.peek()) {
        return number(scanner);
    }
    other_than_expected(scanner)
}

/// A number, or a text with a number in it, or null.
#[inline(always)]
fn time(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<Number>> {
    if begins_number(scanner.peek()) {
        return number(scanner);
    }
    time_in_text(scanner)
}

/// Languages that keep numbers as texts send them so. As in that of `type`, white
/// space around does not count.
#[cold]
fn time_in_text(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<Number>> {
    if scanner.peek() != b'"' {
        return other_than_expected(scanner);
    }
    let start = scanner.at();
    let text = scanner.string()?;
    let digits = scanner.resolve(text).trim().as_bytes();
    Ok(match parse_json_number(digits) {
        Some((value, length)) if length == digits.len() => {
            Field::Given(Number { value, place: place(start, scanner.at()) })
        }
        Some(_) | None => Field::Wrong(JsonType::String, PayloadSpan::new(start, scanner.at())),
    })
}

#[inline(always)]
fn list(scanner: &mut Scanner<'_, '_>, kept: &mut Vec<f64>, limit: usize) -> Scanned<Field<List>> {
    if scanner.peek() != b'[' {
        return other_than_expected(scanner);
    }
    let start = scanner.at();
    kept.clear();
    let mut list = List { sent: 0, wrong: None, place: (0, 0) };
    scanner.array(TOP + 1, |scanner| {
        list.sent += 1;
        if begins_number(scanner.peek()) && kept.len() < limit {
            kept.push(scanner.number()?);
            return Ok(());
        }
        let found = scanner.skip(TOP + 1)?;
        if found != JsonType::Number {
            list.wrong.get_or_insert(found);
        }
        Ok(())
    })?;
    list.place = place(start, scanner.at());
    Ok(Field::Given(list))
}

#[inline(always)]
fn labels(
    scanner: &mut Scanner<'_, '_>,
    kept: &mut Vec<LabelText>,
    limit: usize,
) -> Scanned<Field<usize>> {
    if scanner.peek() != b'{' {
        return labels_not_in_an_object(scanner);
    }
    kept.clear();
    let mut sent = 0;
    scanner.object(TOP + 1, |scanner, name| {
        sent += 1;
        let label = label(scanner, name, TOP + 1)?;
        if kept.len() < limit {
            kept.push(label);
        }
        Ok(())
    })?;
    Ok(Field::Given(sent))
}

/// An empty array is what PHP writes for no labels.
#[inline(always)]
fn labels_not_in_an_object(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<usize>> {
    let start = scanner.at();
    let found = other_than_expected(scanner)?;
    let sent = scanner.resolve(Text::in_payload(start, scanner.at()));
    Ok(if is_empty_array(sent) { Field::Absent } else { found })
}

/// Whether a value is an array without elements.
fn is_empty_array(value: &str) -> bool {
    value.len() >= 2 && value.starts_with('[') && value[1..value.len() - 1].trim_ascii().is_empty()
}

#[inline(always)]
fn label(scanner: &mut Scanner<'_, '_>, name: Text, depth: u32) -> Scanned<LabelText> {
    if scanner.peek() == b'"' {
        let value = scanner.string()?;
        return Ok(LabelText { name, value, wrong: None });
    }
    let start = scanner.at();
    let (value, wrong) = match scanner.skip(depth)? {
        JsonType::Number | JsonType::Boolean => (Text::in_payload(start, scanner.at()), None),
        JsonType::Null | JsonType::String => (Text::EMPTY, None),
        found @ (JsonType::Array | JsonType::Object) => (Text::EMPTY, Some(found)),
    };
    Ok(LabelText { name, value, wrong })
}

/// Null, which is as good as absent, or a value of another type.
#[inline(always)]
fn other_than_expected<T>(scanner: &mut Scanner<'_, '_>) -> Scanned<Field<T>> {
    let start = scanner.at();
    Ok(match scanner.skip(TOP)? {
        JsonType::Null => Field::Absent,
        found @ (JsonType::Boolean
        | JsonType::Number
        | JsonType::String
        | JsonType::Array
        | JsonType::Object) => Field::Wrong(found, PayloadSpan::new(start, scanner.at())),
    })
}

#[inline(always)]
fn begins_number(byte: u8) -> bool {
    matches!(byte, b'-' | b'0'..=b'9')
}

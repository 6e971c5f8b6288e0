//! What a payload says, read by serde_json for the [`oracle`](super::oracle): a document
//! with its duplicates, and its fields by their types.

use std::fmt;

use psg_engine::metric::Kind;
use psg_engine::reject::Reason;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A document with its duplicates, and its numbers as they were written.
#[derive(Clone)]
pub enum Tree<'p> {
    Null,
    Boolean(&'p str),
    Number(&'p str),
    Text(String),
    Array(Vec<Tree<'p>>),
    Object(Vec<(String, Tree<'p>)>),
}

/// `text` with U+FFFD for each half of a surrogate pair that lacks the other, which
/// serde_json refuses. All stays in its place: one escape is as long as another.
pub fn without_halves(text: &str) -> String {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hexadecimal.then(|| u16::from_str_radix(digits, 16).expect("four digits"))
    };
    let mut mended = text.to_owned();
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        at += found;
        at += match (unit(at), unit(at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                mended.replace_range(at..at + 6, "\\ufffd");
                6
            }
            (Some(_), _) => 6,
            // What is escaped may be of several bytes, where it may not be escaped.
            (None, _) => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    mended
}

/// How deep a document nests.
pub fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted) = (0_usize, 0, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' if quoted => drop(characters.next()),
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

impl<'p> Tree<'p> {
    pub fn parse(text: &'p str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        let text = raw.get();
        Some(match text.as_bytes()[0] {
            b'n' => Tree::Null,
            b't' | b'f' => Tree::Boolean(text),
            b'"' => Tree::Text(serde_json::from_str(text).ok()?),
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let parsed = elements.into_iter().map(|element| Tree::parse(element.get()));
                Tree::Array(parsed.collect::<Option<_>>()?)
            }
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let parse = |(name, raw): (String, &'p RawValue)| {
                    Tree::parse(raw.get()).map(|value| (name, value))
                };
                Tree::Object(members.into_iter().map(parse).collect::<Option<_>>()?)
            }
            _ => Tree::Number(text),
        })
    }

    pub fn depth(&self) -> usize {
        match self {
            Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::Text(_) => 0,
            Tree::Array(elements) => 1 + elements.iter().map(Tree::depth).max().unwrap_or(0),
            Tree::Object(members) => {
                1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0)
            }
        }
    }
}

struct Members<'p>(Vec<(String, &'p RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

pub struct Payload<'p>(pub Vec<(String, Tree<'p>)>);

impl<'p> Payload<'p> {
    pub fn last(&self, name: &str) -> Option<&Tree<'p>> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Result<&str, Reason> {
        match self.last(name) {
            None | Some(Tree::Null) => Ok(""),
            Some(Tree::Text(text)) => Ok(text),
            Some(_) => Err(Reason::InvalidField),
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<&'p str>, Reason> {
        match self.last(name) {
            None => Ok(None),
            Some(Tree::Number(digits)) => Ok(Some(digits)),
            Some(_) => Err(Reason::InvalidField),
        }
    }

    pub fn optional_number(&self, name: &str) -> Result<Option<f64>, Reason> {
        match self.last(name) {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::Number(digits)) => Ok(Some(digits.parse().expect("a double"))),
            Some(_) => Err(Reason::InvalidField),
        }
    }

    /// A number, or a text in which serde_json finds one.
    pub fn time(&self, name: &str, wrong: Reason) -> Result<Option<f64>, Reason> {
        let is_number = |text: &str| {
            let read: Option<&RawValue> = serde_json::from_str(text).ok();
            read.is_some_and(|raw| raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()))
        };
        match self.last(name) {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::Number(digits)) => Ok(Some(digits.parse().expect("a double"))),
            Some(Tree::Text(text)) if is_number(text.trim()) => {
                Ok(Some(text.trim().parse().expect("a double")))
            }
            Some(_) => Err(wrong),
        }
    }

    /// Refuses fields of other types before anything else is judged.
    pub fn check_types(&self) -> Result<(), Reason> {
        for field in ["name", "help", "unit", "op"] {
            self.optional_text(field)?;
        }
        for field in ["buckets", "quantiles", "epsilons", "values", "counts"] {
            self.optional_list(field)?;
        }
        self.number("value")?;
        self.optional_number("sum")?;
        self.optional_number("factor")?;
        self.exemplar()?;
        self.native()?.map_or(Ok(()), |native| native.check_native_types())?;
        self.labels().map(drop)
    }

    pub fn labels(&self) -> Result<&[(String, Tree<'p>)], Reason> {
        match self.last("labels") {
            None | Some(Tree::Null) => Ok(&[]),
            Some(Tree::Object(members)) => Ok(members),
            Some(Tree::Array(elements)) if elements.is_empty() => Ok(&[]),
            Some(_) => Err(Reason::InvalidField),
        }
    }

    pub fn optional_text(&self, name: &str) -> Result<Option<&str>, Reason> {
        match self.last(name) {
            None | Some(Tree::Null) => Ok(None),
            Some(_) => self.text(name).map(Some),
        }
    }

    pub fn list(&self, name: &str) -> Result<Vec<f64>, Reason> {
        self.optional_list(name).map(Option::unwrap_or_default)
    }

    pub fn optional_list(&self, name: &str) -> Result<Option<Vec<f64>>, Reason> {
        let elements = match self.last(name) {
            None | Some(Tree::Null) => return Ok(None),
            Some(Tree::Array(elements)) => elements,
            Some(_) => return Err(Reason::InvalidField),
        };
        elements
            .iter()
            .map(|element| match element {
                Tree::Number(digits) => Ok(digits.parse().expect("a double")),
                Tree::Null
                | Tree::Boolean(_)
                | Tree::Text(_)
                | Tree::Array(_)
                | Tree::Object(_) => Err(Reason::InvalidField),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub fn kind(&self) -> Result<Kind, Reason> {
        let word = match self.last("type") {
            None => return Ok(Kind::Counter),
            Some(Tree::Text(text)) => text.trim().to_ascii_lowercase(),
            Some(Tree::Number(digits)) => (*digits).to_owned(),
            Some(_) => return Err(Reason::UnknownType),
        };
        match (word.as_str(), matches!(self.last("type"), Some(Tree::Text(_)))) {
            ("counter", true) | ("0", _) => Ok(Kind::Counter),
            ("gauge", true) | ("1", _) => Ok(Kind::Gauge),
            ("summary", true) | ("2", _) => Ok(Kind::Summary),
            ("histogram", true) | ("3", _) => Ok(Kind::Histogram),
            _ => Err(Reason::UnknownType),
        }
    }

    /// The members of the whole native histogram.
    pub fn native(&self) -> Result<Option<Payload<'_>>, Reason> {
        match self.last("native") {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::Object(members)) => Ok(Some(Payload(members.clone()))),
            Some(_) => Err(Reason::InvalidField),
        }
    }

    /// The same of those of a native histogram.
    fn check_native_types(&self) -> Result<(), Reason> {
        for number in ["schema", "zero_threshold", "zero_count"] {
            self.optional_number(number)?;
        }
        for name in ["positive", "negative"] {
            let side = self.side(name)?;
            side.optional_list("indexes")?;
            side.optional_list("counts")?;
        }
        Ok(())
    }

    /// The members of one side of a native histogram; none where it is absent.
    pub fn side(&self, name: &str) -> Result<Payload<'_>, Reason> {
        match self.last(name) {
            None | Some(Tree::Null) => Ok(Payload(Vec::new())),
            Some(Tree::Array(elements)) if elements.is_empty() => Ok(Payload(Vec::new())),
            Some(Tree::Object(members)) => Ok(Payload(members.clone())),
            Some(_) => Err(Reason::InvalidField),
        }
    }

    /// The members of the exemplar.
    pub fn exemplar(&self) -> Result<Option<Payload<'_>>, Reason> {
        match self.last("exemplar") {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::Object(members)) => Ok(Some(Payload(members.clone()))),
            Some(_) => Err(Reason::InvalidField),
        }
    }
}

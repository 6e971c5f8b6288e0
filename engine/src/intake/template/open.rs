//! The numbers that a template leaves open: where they seem to stand in a payload, by
//! the names of their fields alone. Whether these are the fields of the sample, and not
//! of something in it, only the decoder knows, which is asked when a template is learnt.

use std::hash::Hasher;

use memchr::memmem::Finder;

use crate::intake::interner::InternKey;
use crate::limits::PayloadLimits;
use crate::wire::json::number::parse_json_number;
use crate::wire::json::skip_space;
use crate::wire::{Place, Places};

/// Which fields' numbers are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFields(u8);

impl OpenFields {
    /// `value`.
    pub const VALUE: Self = Self(1);
    /// `values`.
    pub const VALUES: Self = Self(2);
    /// `counts` and `sum`.
    pub const COUNTS: Self = Self(4);
    const TIMESTAMP: Self = Self(8);

    /// These and `timestamp`.
    pub fn and_timestamp(self) -> Self {
        Self(self.0 | Self::TIMESTAMP.0)
    }

    /// Which of these say what was observed.
    pub fn observed(self) -> Self {
        Self(self.0 & !Self::TIMESTAMP.0)
    }
}

/// Counts, a sum and a timestamp.
const MOST: usize = 3;

/// Where the open numbers of a payload stand, and what they are.
#[derive(Debug, Clone, Copy)]
pub struct Located {
    /// Of which fields they are.
    pub fields: OpenFields,
    /// The number of `value` or `sum`; 0 where there are `values`.
    pub value: f64,
    timestamp: f64,
    /// Ascending, as many as there are.
    places: [Place; MOST],
    count: usize,
}

impl Located {
    fn one(fields: OpenFields, value: f64, place: Place) -> Self {
        Self { fields, value, timestamp: 0.0, places: [place, (0, 0), (0, 0)], count: 1 }
    }

    /// Takes in one place more.
    fn add(&mut self, place: Place) {
        self.places[self.count] = place;
        self.count += 1;
        self.places[..self.count].sort_unstable();
    }

    /// The number of `timestamp`.
    pub fn timestamp(&self) -> Option<f64> {
        (self.fields != self.fields.observed()).then_some(self.timestamp)
    }

    /// Whether the decoder found the same fields, and in the same places.
    pub fn is_at(&self, places: &Places) -> bool {
        let Places { value, timestamp, values, counts, sum } = *places;
        let found = [value, timestamp, values, counts, sum].into_iter().flatten();
        found.clone().count() == self.count
            && found.into_iter().all(|place| self.places[..self.count].contains(&place))
    }

    /// What stands before the first number.
    #[inline]
    pub fn before<'p>(&self, payload: &'p [u8]) -> &'p [u8] {
        &payload[..self.places[0].0 as usize]
    }

    /// What stands after it, if that is the only one.
    #[inline]
    pub fn after_one<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        (self.count == 1).then(|| &payload[self.places[0].1 as usize..])
    }

    /// What stands after the first one, without the others.
    pub fn after<'p>(&self, payload: &'p [u8]) -> TextWithGaps<'p> {
        let mut pieces = [&payload[..0]; MOST];
        for (number, piece) in pieces.iter_mut().enumerate().take(self.count) {
            let end = match number + 1 < self.count {
                true => self.places[number + 1].0 as usize,
                false => payload.len(),
            };
            *piece = &payload[self.places[number].1 as usize..end];
        }
        TextWithGaps { pieces, count: self.count }
    }
}

/// The pieces of a text, between which there was something that is left out.
#[derive(Debug, Clone, Copy)]
pub struct TextWithGaps<'p> {
    pieces: [&'p [u8]; MOST],
    count: usize,
}

/// What stands for a gap: no byte of UTF-8, of which every payload is that is learnt.
/// Of others no more is asked than whether they are equal to one of these and have as
/// many gaps, so that a gap can't be taken for such a byte.
const GAP: u8 = 0xff;

impl InternKey for TextWithGaps<'_> {
    fn hash(self, hasher: &mut impl Hasher) {
        for piece in &self.pieces[..self.count] {
            hasher.write(piece);
            hasher.write_u8(GAP);
        }
    }

    fn equals(self, kept: &[u8]) -> bool {
        let mut rest = Some(kept);
        for (number, piece) in self.pieces[..self.count].iter().enumerate() {
            if number > 0 {
                rest = rest.and_then(|rest| rest.strip_prefix(&[GAP]));
            }
            rest = rest.and_then(|rest| rest.strip_prefix(*piece));
        }
        rest.is_some_and(<[u8]>::is_empty)
    }

    fn to_boxed(self) -> Box<[u8]> {
        self.pieces[..self.count].join(&GAP).into()
    }
}

/// Timestamps are looked for in so many payloads after one that had one.
const LOOKS: u32 = 1024;

/// Finds the open numbers of payloads.
#[derive(Debug)]
pub struct OpenNumbers {
    value: Finder<'static>,
    values: Finder<'static>,
    counts: Finder<'static>,
    sum: Finder<'static>,
    timestamp: Finder<'static>,
    limits: PayloadLimits,
    /// Payloads in which `timestamp` is still looked for.
    looks: u32,
    /// The numbers of `values` or `counts` of the payload that was searched last.
    list: Vec<f64>,
}

impl OpenNumbers {
    /// For payloads within `limits`; of others there are none.
    pub fn new(limits: PayloadLimits) -> Self {
        let field = |name: &'static str| Finder::new(name);
        Self {
            value: field("\"value\""),
            values: field("\"values\""),
            counts: field("\"counts\""),
            sum: field("\"sum\""),
            timestamp: field("\"timestamp\""),
            limits,
            looks: 0,
            list: Vec::new(),
        }
    }

    /// The numbers of the list that was located last.
    pub fn list(&self) -> &[f64] {
        &self.list
    }

    /// Takes note that payloads have timestamps.
    pub fn expect_timestamps(&mut self) {
        self.looks = LOOKS;
    }

    /// The numbers after the first of each of these names.
    #[inline]
    pub fn locate(&mut self, payload: &[u8]) -> Option<Located> {
        if payload.len() > self.limits.max_payload_bytes {
            return None;
        }
        let mut located = match number(&self.value, payload) {
            Found::Number(value, place) => Located::one(OpenFields::VALUE, value, place),
            Found::Nothing => self.locate_several(payload)?,
            Found::Other => return None,
        };
        if self.looks > 0 {
            self.locate_timestamp(payload, &mut located);
        }
        Some(located)
    }

    #[inline(never)]
    fn locate_several(&mut self, payload: &[u8]) -> Option<Located> {
        if let Some(at) = after(&self.values, payload) {
            let place = read_list(payload, at, self.limits.max_values, &mut self.list)?;
            return Some(Located::one(OpenFields::VALUES, 0.0, place));
        }
        let at = after(&self.counts, payload)?;
        let place = read_list(payload, at, self.limits.max_buckets + 1, &mut self.list)?;
        let Found::Number(sum, at) = number(&self.sum, payload) else { return None };
        let mut located = Located::one(OpenFields::COUNTS, sum, place);
        located.add(at);
        Some(located)
    }

    #[inline(never)]
    fn locate_timestamp(&mut self, payload: &[u8], located: &mut Located) {
        self.looks -= 1;
        if let Found::Number(timestamp, place) = number(&self.timestamp, payload) {
            self.looks = LOOKS;
            located.fields = located.fields.and_timestamp();
            located.timestamp = timestamp;
            located.add(place);
        }
    }
}

/// What stands in a payload by the first field of a name.
enum Found {
    Number(f64, Place),
    Other,
    /// There is no such name.
    Nothing,
}

#[inline]
fn number(field: &Finder<'_>, payload: &[u8]) -> Found {
    let Some(name) = field.find(payload) else { return Found::Nothing };
    let Some(start) = after_colon(payload, name + field.needle().len()) else {
        return Found::Other;
    };
    match parse_json_number(&payload[start..]) {
        Some((value, length)) => Found::Number(value, (start as u32, (start + length) as u32)),
        None => Found::Other,
    }
}

/// Where what the first field of that name says begins.
fn after(field: &Finder<'_>, payload: &[u8]) -> Option<usize> {
    after_colon(payload, field.find(payload)? + field.needle().len())
}

#[inline]
fn after_colon(payload: &[u8], after_name: usize) -> Option<usize> {
    let colon = skip_space(payload, after_name);
    (payload.get(colon) == Some(&b':')).then(|| skip_space(payload, colon + 1))
}

/// Reads the array at `start` of at least one number and at most `most`.
fn read_list(payload: &[u8], start: usize, most: usize, into: &mut Vec<f64>) -> Option<Place> {
    into.clear();
    if payload.get(start) != Some(&b'[') {
        return None;
    }
    let mut at = start + 1;
    while into.len() < most {
        at = skip_space(payload, at);
        let (number, length) = parse_json_number(payload.get(at..)?)?;
        into.push(number);
        at = skip_space(payload, at + length);
        match payload.get(at)? {
            b',' => at += 1,
            b']' => return Some((start as u32, at as u32 + 1)),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(payload: &str) -> Option<(Located, Vec<f64>)> {
        let mut numbers = OpenNumbers::new(PayloadLimits::default());
        numbers.expect_timestamps();
        let located = numbers.locate(payload.as_bytes())?;
        Some((located, numbers.list))
    }

    /// The payload, and what is left of it without its open numbers.
    #[test]
    fn numbers_are_left_out() {
        let cases = [
            (r#"{"value":1.5}"#, r#"{"value":|}"#),
            (r#"{"value" : -2e3 }"#, r#"{"value" : | }"#),
            (r#"{"timestamp":7,"value":1}"#, r#"{"timestamp":|,"value":|}"#),
            (r#"{"value":1,"timestamp":7}"#, r#"{"value":|,"timestamp":|}"#),
            (r#"{"values":[ 1 , 2]}"#, r#"{"values":|}"#),
            (r#"{"sum":3,"timestamp":7,"counts":[1,2]}"#, r#"{"sum":|,"timestamp":|,"counts":|}"#),
        ];
        for (payload, expected) in cases {
            let (located, _) = locate(payload).expect(payload);
            let before = str::from_utf8(located.before(payload.as_bytes())).expect("UTF-8");
            let after = located.after(payload.as_bytes());
            let pieces = after.pieces[..after.count].iter();
            let pieces: Vec<_> =
                pieces.map(|piece| str::from_utf8(piece).expect("UTF-8")).collect();
            assert_eq!(format!("{before}|{}", pieces.join("|")), expected);
            assert!(after.equals(&after.to_boxed()), "{payload}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_open() {
        for payload in [
            r#"{"value":"1"}"#,
            r#"{"value":01}"#,
            r#"{"values":[]}"#,
            r#"{"values":[1,null]}"#,
            r#"{"values":[1,2"#,
            r#"{"values":[1,"#,
            r#"{"counts":[1,2]}"#,
            r#"{"sum":1}"#,
            "{}",
        ] {
            assert!(locate(payload).is_none(), "{payload}");
        }
        let (located, _) = locate(r#"{"value":1,"timestamp":"7"}"#).expect("a value");
        assert_eq!((located.fields, located.timestamp()), (OpenFields::VALUE, None));
    }

    #[test]
    fn lists_are_bounded() {
        let mut numbers = OpenNumbers::new(PayloadLimits { max_values: 3, ..Default::default() });
        let three = numbers.locate(br#"{"values":[1,2,3]}"#).expect("a list");
        assert_eq!((three.fields, numbers.list()), (OpenFields::VALUES, &[1.0, 2.0, 3.0][..]));
        assert!(numbers.locate(br#"{"values":[1,2,3,4]}"#).is_none());
        assert!(numbers.list.capacity() <= 4);
    }

    #[test]
    fn a_byte_is_not_taken_for_a_gap() {
        let payload = br#"{"value":1,"timestamp":2}"#;
        let mut numbers = OpenNumbers::new(PayloadLimits::default());
        numbers.expect_timestamps();
        let kept = numbers.locate(payload).expect("two numbers").after(payload).to_boxed();
        let mut damaged = br#"{"value":1,"timestamp":?}"#.to_vec();
        damaged[23] = GAP;
        let located = numbers.locate(&damaged).expect("a value");
        assert_eq!(located.after_one(&damaged), Some(&*kept), "alike but for the fields");
        assert_eq!(located.fields, OpenFields::VALUE);
    }
}

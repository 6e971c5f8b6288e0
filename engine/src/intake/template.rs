//! Templates: payload shapes that are recognised instead of parsed again.
//!
//! A stateless producer sends the same bytes again and again but for the
//! number of the top-level `value`. The bytes before and after that number are
//! a *template*. It is learnt only from a payload that the decoder accepted,
//! with the number at exactly this place; it is recognised only where both
//! sides are the same byte for byte and what stands between is a JSON number,
//! parsed by the decoder's own function and held to the decoder's own rules
//! for values. So a hit is exactly as strict as the decoder; whatever is in
//! doubt goes to the decoder.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use memchr::memmem::Finder;

use super::clock::ClockSlab;
use super::series_cache::{EntryId, SeriesCache};
use crate::sample::Kind;
use crate::wire::number::parse_json_number;

/// Bytes of template text that are kept for each series of the capacity.
const BYTES_PER_SERIES: usize = 320;
/// Templates that one series may have: as many producers spell it differently.
const TEMPLATES_PER_SERIES: u8 = 4;
/// Payloads between two looks at whether templates are any use.
const WINDOW: u32 = 4096;
/// Windows to stay away after one in which they were none.
const WINDOWS_AWAY: u32 = 15;

/// Templates by their bytes.
#[derive(Debug)]
pub struct TemplateCache {
    templates: ClockSlab<Template>,
    table: HashTable<u32>,
    hasher: RandomState,
    value_field: Finder<'static>,
    capacity: usize,
    bytes: usize,
    gate: Gate,
}

#[derive(Debug)]
struct Template {
    hash: u64,
    /// What stands before the number, then what stands after it.
    bytes: Box<[u8]>,
    before: usize,
    verdict: Verdict,
}

/// What the decoder and the catalog said of a template's payloads.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// The sample's type.
    pub kind: Kind,
    /// Its series.
    pub entry: EntryId,
    /// Whether it has its family's layout or objectives.
    pub fits: bool,
}

/// The number that would be the value's if the payload is of a known template.
#[derive(Debug, Clone, Copy)]
pub struct Located {
    start: usize,
    end: usize,
    hash: u64,
    /// The number's value.
    pub value: f64,
}

impl Located {
    /// Whether the decoder found the value in the same place.
    pub fn is_at(&self, value_at: Option<(usize, usize)>) -> bool {
        value_at == Some((self.start, self.end))
    }
}

impl TemplateCache {
    /// A cache for `capacity` templates.
    pub fn new(capacity: usize) -> Self {
        Self {
            templates: ClockSlab::default(),
            table: HashTable::new(),
            hasher: RandomState::default(),
            value_field: Finder::new("\"value\"").into_owned(),
            capacity,
            bytes: 0,
            gate: Gate::default(),
        }
    }

    /// The number after the first `"value":` of the payload. It may be another
    /// than the top-level one: then no template is ever learnt of it.
    pub fn locate(&mut self, payload: &[u8]) -> Option<Located> {
        if !self.gate.is_open() {
            return None;
        }
        let after_name = self.value_field.find(payload)? + self.value_field.needle().len();
        let colon = skip_space(payload, after_name);
        if payload.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_space(payload, colon + 1);
        let (value, length) = parse_json_number(&payload[start..])?;
        let end = start + length;
        Some(Located { start, end, hash: self.hash(payload, start, end), value })
    }

    /// The series of a payload whose template is known, and whether its layout
    /// is the family's, if its value is one that the decoder would accept.
    pub fn recognise(
        &mut self,
        payload: &[u8],
        located: &Located,
        series: &SeriesCache,
    ) -> Option<(EntryId, bool)> {
        let number =
            *self.table.find(located.hash, |number| self.fits(*number, payload, located))?;
        let Verdict { kind, entry, fits } = self.templates.get(number)?.verdict;
        if !is_valid(located.value, kind) {
            return None;
        }
        if !series.is_current(entry) {
            self.remove(number);
            return None;
        }
        self.templates.touch(number);
        self.gate.hit();
        Some((entry, fits))
    }

    /// Keeps the template of a payload that the decoder accepted.
    pub fn learn(
        &mut self,
        payload: &[u8],
        located: &Located,
        verdict: Verdict,
        series: &mut SeriesCache,
    ) {
        let length = payload.len() - (located.end - located.start);
        let is_known = self.table.find(located.hash, |n| self.fits(*n, payload, located)).is_some();
        if is_known
            || length > self.byte_limit()
            || !series.may_learn(verdict.entry, TEMPLATES_PER_SERIES)
        {
            return;
        }
        self.make_room(length);
        let bytes = [&payload[..located.start], &payload[located.end..]].concat().into();
        let template = Template { hash: located.hash, bytes, before: located.start, verdict };
        let number = self.templates.insert(template);
        let templates = &self.templates;
        let hash_of = |number: &u32| templates.get(*number).map_or(0, |template| template.hash);
        self.table.insert_unique(located.hash, number, hash_of);
        self.bytes += length;
        self.gate.learnt();
    }

    fn hash(&self, payload: &[u8], start: usize, end: usize) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&payload[..start]);
        hasher.write(&payload[end..]);
        hasher.finish()
    }

    fn fits(&self, number: u32, payload: &[u8], located: &Located) -> bool {
        self.templates.get(number).is_some_and(|template| {
            template.before == located.start
                && template.bytes[..template.before] == payload[..located.start]
                && template.bytes[template.before..] == payload[located.end..]
        })
    }

    fn byte_limit(&self) -> usize {
        self.capacity * BYTES_PER_SERIES
    }

    fn make_room(&mut self, length: usize) {
        while self.templates.len() >= self.capacity || self.bytes + length > self.byte_limit() {
            let Some((number, template)) = self.templates.evict() else { return };
            self.unlink(number, &template);
        }
    }

    fn remove(&mut self, number: u32) {
        if let Some(template) = self.templates.remove(number) {
            self.unlink(number, &template);
        }
    }

    fn unlink(&mut self, number: u32, template: &Template) {
        self.bytes -= template.bytes.len();
        if let Ok(found) = self.table.find_entry(template.hash, |candidate| *candidate == number) {
            found.remove();
        }
    }
}

/// The decoder's rules for values, in their strictest form: what fails here is
/// decoded, and refused or accepted there.
fn is_valid(value: f64, kind: Kind) -> bool {
    match kind {
        Kind::Counter => value.is_finite() && value >= 0.0,
        Kind::Gauge | Kind::Histogram | Kind::Summary => value.is_finite(),
    }
}

fn skip_space(payload: &[u8], from: usize) -> usize {
    let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    from + payload[from..].iter().take_while(space).count()
}

/// Stays away from looking for templates while none are found and none are
/// learnt: with a new label value in each sample, the look is wasted.
#[derive(Debug, Default)]
struct Gate {
    seen: u32,
    useful: u32,
    away: u32,
}

impl Gate {
    fn is_open(&mut self) -> bool {
        if self.away > 0 {
            self.away -= 1;
            return false;
        }
        if self.seen == WINDOW {
            self.away = if self.useful < WINDOW / 16 { WINDOW * WINDOWS_AWAY } else { 0 };
            (self.seen, self.useful) = (0, 0);
        }
        self.seen += 1;
        true
    }

    fn hit(&mut self) {
        self.useful += 1;
    }

    fn learnt(&mut self) {
        self.useful += 1;
    }
}

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
//!
//! None is learnt from a payload with a `timestamp`, whose verdict changes with
//! the clock, and only when a spelling of a series comes back: one that is new
//! each time is never worth it. A template leaves the cache in the same moment
//! as its series, at the end of a batch, so the next one never takes it for
//! another.
//!
//! A template is a pair of texts, the bytes before the number and those after it,
//! each kept once for all templates: thousands of series are combinations of a few
//! hundred texts, which stay in the processor's cache. The cache of templates is
//! bounded in bytes, a series has at most four templates, and where none is
//! of use (a new label value in each sample) the search stays away for a while.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use memchr::memmem::Finder;

use super::bypass::AdaptiveBypass;
use super::entry_id::EntryId;
use super::interner::Interner;
use super::series_cache::{SeriesCache, Spelling, TemplateId};
use crate::metric::{GaugeOp, Kind, Observations};
use crate::sample::Sample;
use crate::timestamp::Ttl;
use crate::updates::Details;
use crate::wire::json::number::parse_json_number;
use crate::wire::json::skip_space;

/// Bytes of template text that are kept for each series of the capacity.
const BYTES_PER_SERIES: usize = 320;

/// The templates of one reader. Each belongs to a series of its cache, and
/// leaves with it.
#[derive(Debug)]
pub struct TemplateCache {
    texts: Interner,
    templates: HashTable<Template>,
    hasher: RandomState,
    value_field: Finder<'static>,
    byte_limit: usize,
    bypass: AdaptiveBypass,
}

#[derive(Debug)]
struct Template {
    id: TemplateId,
    route: CachedRoute,
}

// Looked up for nearly every sample.
const _: () = assert!(size_of::<Template>() == 24);

/// Where a template's payloads lead, and what all of them say.
#[derive(Debug, Clone, Copy)]
pub struct CachedRoute {
    pub entry: EntryId,
    /// Whether they have their family's layout or objectives.
    pub fits: bool,
    pub op: GaugeOp,
    kind: Kind,
    ttl: Option<Ttl>,
}

impl CachedRoute {
    /// Where payloads lead that differ from that of `sample`, which is of the series
    /// `entry`, in the value alone. `None` where it says something that has to be judged each time.
    pub fn of(sample: &Sample<'_>, entry: EntryId, fits: bool) -> Option<Self> {
        // Each field is named, so that the compiler asks of a new one whether a
        // template carries it, refuses it, or has no need of it.
        let Sample {
            kind,
            ttl,
            timestamp,
            op,
            observations,
            exemplar,
            // They say which series it is, as the entry does.
            name: _,
            labels: _,
            // They are compared with the family's, which `fits` sums up.
            help: _,
            unit: _,
            buckets: _,
            buckets_by_default: _,
            schema: _,
            objectives: _,
            // It is read from each payload.
            value: _,
            // No payload says these.
            samples: _,
            is_counted_values: _,
        } = *sample;
        if timestamp.is_some() || observations != Observations::One || exemplar.is_some() {
            // The one may be refused later, and all are hardly ever sent again.
            return None;
        }
        Some(Self { entry, fits, op, kind, ttl })
    }

    /// What each of them says besides its value.
    #[inline]
    pub fn details(&self) -> Details {
        let Self { entry: _, fits: _, op: _, kind: _, ttl } = *self;
        Details { ttl, ..Details::default() }
    }
}

/// Whether a series' payloads repeat, but for the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// This one did.
    Yes,
    No,
    /// It is too early to tell.
    Unknown,
}

/// The number that would be the value's if the payload is of a known template.
#[derive(Debug, Clone, Copy)]
pub struct Located {
    start: usize,
    end: usize,
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
    /// A cache for the templates of `capacity` series.
    pub fn new(capacity: usize) -> Self {
        Self {
            texts: Interner::default(),
            templates: HashTable::new(),
            hasher: RandomState::default(),
            value_field: Finder::new("\"value\"").into_owned(),
            byte_limit: capacity * BYTES_PER_SERIES,
            bypass: AdaptiveBypass::default(),
        }
    }

    /// The number after the first `"value":` of the payload. It may be another
    /// than the top-level one: then no template is ever learnt of it.
    #[inline]
    pub fn locate(&mut self, payload: &[u8]) -> Option<Located> {
        if !self.bypass.should_look() {
            return None;
        }
        let after_name = self.value_field.find(payload)? + self.value_field.needle().len();
        let colon = skip_space(payload, after_name);
        if payload.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_space(payload, colon + 1);
        let (value, length) = parse_json_number(&payload[start..])?;
        Some(Located { start, end: start + length, value })
    }

    /// What is known of a payload whose template is known, if its value is one
    /// that the decoder would accept.
    #[inline]
    pub fn recognise(&mut self, payload: &[u8], located: &Located) -> Option<CachedRoute> {
        let before = self.texts.find(&payload[..located.start])?;
        let after = self.texts.find(&payload[located.end..])?;
        let route = self.find(TemplateId { before, after })?.route;
        if !is_valid(located.value, route.kind) {
            return None;
        }
        self.bypass.record_hit();
        Some(route)
    }

    /// Takes note of a payload that was decoded, of a known series: the next may be
    /// recognised, if this one's spelling came back.
    pub fn record_miss(
        &mut self,
        series: &mut SeriesCache,
        payload: &[u8],
        located: &Located,
        route: CachedRoute,
    ) -> Repeats {
        let fingerprint = self.fingerprint(payload, located);
        match series.spelling(route.entry, fingerprint) {
            Spelling::First => Repeats::Unknown,
            Spelling::Another => Repeats::No,
            Spelling::SeenAgain => {
                if let Some(template) = self.learn(payload, located, route)
                    && let Some(oldest) = series.keep_template(route.entry, template)
                {
                    self.forget(oldest);
                }
                Repeats::Yes
            }
        }
    }

    /// Keeps the template of a payload that the decoder accepted; `None` where
    /// it is known, or there is no room for it. The caller must
    /// forget it with its series.
    fn learn(
        &mut self,
        payload: &[u8],
        located: &Located,
        route: CachedRoute,
    ) -> Option<TemplateId> {
        let length = payload.len() - (located.end - located.start);
        if self.texts.bytes() + length > self.byte_limit {
            return None;
        }
        let before = self.texts.hold(&payload[..located.start]);
        let after = self.texts.hold(&payload[located.end..]);
        let id = TemplateId { before, after };
        if self.find(id).is_some() {
            self.release(id);
            return None;
        }
        let hasher = &self.hasher;
        let hash_of = |template: &Template| hash(hasher, template.id);
        self.templates.insert_unique(hash(hasher, id), Template { id, route }, hash_of);
        self.bypass.record_hit();
        Some(id)
    }

    /// Tells apart the spellings of a series, nearly always.
    fn fingerprint(&self, payload: &[u8], located: &Located) -> u32 {
        let before = self.texts.hash(&payload[..located.start]);
        let after = self.texts.hash(&payload[located.end..]);
        (before.rotate_left(32) ^ after) as u32
    }

    /// Forgets a template whose series leaves, or has too many.
    pub fn forget(&mut self, id: TemplateId) {
        let hash = hash(&self.hasher, id);
        if let Ok(entry) = self.templates.find_entry(hash, |template| template.id == id) {
            entry.remove();
            self.release(id);
        }
    }

    fn find(&self, id: TemplateId) -> Option<&Template> {
        self.templates.find(hash(&self.hasher, id), |template| template.id == id)
    }

    fn release(&mut self, id: TemplateId) {
        self.texts.release(id.before);
        self.texts.release(id.after);
    }
}

fn hash(hasher: &RandomState, id: TemplateId) -> u64 {
    hasher.hash_one(u64::from(id.before.0) << 32 | u64::from(id.after.0))
}

/// The decoder's rules for values, in their strictest form: what fails here is
/// decoded, and refused or accepted there.
fn is_valid(value: f64, kind: Kind) -> bool {
    value.is_finite() && (kind.takes_negative() || value >= 0.0)
}

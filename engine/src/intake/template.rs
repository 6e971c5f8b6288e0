//! Templates: payload shapes that are recognised instead of parsed again.
//!
//! A stateless producer sends the same bytes again and again but for the numbers
//! of a few top-level fields ([`open`]): `value`, `values`, or `counts` and `sum`;
//! and `timestamp`. The other bytes are a *template*. It is learnt only from a
//! payload that the decoder accepted, with these fields at exactly these places; it
//! is recognised only where the other bytes are the same and what stands between is
//! JSON numbers, parsed by the decoder's own function and held to the decoder's own
//! rules. So a hit is exactly as strict as the decoder; whatever is in doubt goes to
//! the decoder.
//!
//! One is learnt only when a spelling of a series comes back: one that is new
//! each time is never worth it. A template leaves the cache in the same moment
//! as its series, at the end of a batch, so the next one never takes it for
//! another.
//!
//! A template is a pair of texts, the bytes before the first number and those after
//! it, each kept once for all templates: thousands of series are combinations of a few
//! hundred texts, which stay in the processor's cache. The cache of templates is
//! bounded in bytes, a series has at most eight templates, and where none is
//! of use (a new label value in each sample) the search stays away for a while.

mod open;

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::bypass::AdaptiveBypass;
use super::entry_id::EntryId;
use super::interner::Interner;
use super::series_cache::{SeriesCache, Spelling, TemplateId};
use crate::limits::PayloadLimits;
use crate::metric::{GaugeOp, Kind, Observations};
use crate::sample::Sample;
use crate::timestamp::Ttl;
use crate::updates::Details;
use crate::wire::Places;
use open::OpenNumbers;
pub use open::{Located, OpenFields};

/// Bytes of template text that are kept for each series of the capacity.
const BYTES_PER_SERIES: usize = 320;

/// The templates of one reader. Each belongs to a series of its cache, and
/// leaves with it.
#[derive(Debug)]
pub struct TemplateCache {
    texts: Interner,
    templates: HashTable<Template>,
    hasher: RandomState,
    open: OpenNumbers,
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
    pub kind: Kind,
    /// The fields of which they have others each time.
    open: OpenFields,
    ttl: Option<Ttl>,
}

impl CachedRoute {
    /// Where payloads lead that differ from that of `sample`, which is of the series
    /// `entry`, in open numbers alone. `None` where it says something else that has to be
    /// judged each time.
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
            // They are read from each payload.
            value: _,
            // No payload says these.
            samples: _,
            is_counted_values: _,
        } = *sample;
        if exemplar.is_some() {
            // Hardly any is ever sent again.
            return None;
        }
        let observed = match (observations, kind) {
            (Observations::One, _) => OpenFields::VALUE,
            (Observations::Values(_), Kind::Histogram | Kind::Summary) => OpenFields::VALUES,
            // Those of other buckets have to be folded.
            (Observations::Counts(_), Kind::Histogram) if fits => OpenFields::COUNTS,
            (Observations::Values(_) | Observations::Counts(_) | Observations::Native(_), _) => {
                return None;
            }
        };
        let open = if timestamp.is_some() { observed.and_timestamp() } else { observed };
        Some(Self { entry, fits, op, kind, open, ttl })
    }

    /// What each of them says besides its open numbers.
    #[inline]
    pub fn details(&self) -> Details {
        let Self { entry: _, fits: _, op: _, kind: _, open: _, ttl } = *self;
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

impl TemplateCache {
    /// A cache for the templates of `capacity` series, of payloads within `limits`.
    pub fn new(capacity: usize, limits: PayloadLimits) -> Self {
        Self {
            texts: Interner::default(),
            templates: HashTable::new(),
            hasher: RandomState::default(),
            open: OpenNumbers::new(limits),
            byte_limit: capacity * BYTES_PER_SERIES,
            bypass: AdaptiveBypass::default(),
        }
    }

    /// The numbers of the payload that seem open. They may be other than the
    /// top-level ones: then no template is ever learnt of it.
    #[inline]
    pub fn locate(&mut self, payload: &[u8]) -> Option<Located> {
        if !self.bypass.should_look() {
            return None;
        }
        self.open.locate(payload)
    }

    /// The numbers of the list that was located last.
    pub fn list(&self) -> &[f64] {
        self.open.list()
    }

    /// Takes note that payloads have timestamps.
    pub fn expect_timestamps(&mut self) {
        self.open.expect_timestamps();
    }

    /// What is known of a payload whose template is known, if its value is one
    /// that the decoder would accept; whether it would other numbers is not looked at.
    #[inline]
    pub fn recognise(&mut self, payload: &[u8], located: &Located) -> Option<CachedRoute> {
        let before = self.texts.find(located.before(payload))?;
        let after = match located.after_one(payload) {
            Some(after) => self.texts.find(after)?,
            None => self.texts.find(located.after(payload))?,
        };
        let route = self.find(TemplateId { before, after })?.route;
        if route.open != located.fields || !is_valid(located.value, route.kind) {
            return None;
        }
        self.bypass.record_hit();
        Some(route)
    }

    /// Takes note of a payload that was decoded, of a known series, whose fields stand
    /// at `places`: the next may be recognised, if this one's spelling came back.
    pub fn record_miss(
        &mut self,
        series: &mut SeriesCache,
        payload: &[u8],
        located: &Located,
        places: &Places,
        route: CachedRoute,
    ) -> Repeats {
        if route.open != located.fields || !located.is_at(places) {
            return Repeats::No;
        }
        let fingerprint = self.fingerprint(payload, located);
        match series.spelling(route.entry, fingerprint) {
            Spelling::First => {
                // A series that came back is no sign that the search is of no use.
                self.bypass.record_hit();
                Repeats::Unknown
            }
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
        if self.texts.bytes() + payload.len() > self.byte_limit {
            return None;
        }
        let before = self.texts.hold(located.before(payload));
        let after = match located.after_one(payload) {
            Some(after) => self.texts.hold(after),
            None => self.texts.hold(located.after(payload)),
        };
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
        let before = self.texts.hash(located.before(payload));
        let after = self.texts.hash(located.after(payload));
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

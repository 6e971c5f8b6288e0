//! The catalog: which metric names are in use, and as what.
//!
//! A *family* is everything under one metric name. The first valid sample of a
//! name decides its type, help, bucket layout and objectives, here, before any
//! sample of it is routed. Families are held by counted references
//! ([`FamilyRef`]); with the last one the family is removed, so that nothing
//! which was refused leaves a trace.
//!
//! The catalog is the only map that readers share. They keep the families that
//! they have met and come here only when a name is new. A family is held by
//! counted references and leaves with the last one; a reader that meets a
//! family whose count is 0 claims the name again, so a dead family is never
//! revived.
//!
//! Claiming also reserves the names that a family prints besides its own
//! (`x_sum`, `x_count`, `x_bucket`, `x_created`), under a mutex: claims are
//! rare. Of a name that is escaped for some scrapers that are the escaped ones. If a name changes hands while a scrape is under way, the scrape prints
//! the newer family alone.
//!
//! *Removal.* An operator may take a name from its family (`DELETE
//! /api/v1/metrics/{name}`). Retiring frees the name first. Readers compare one
//! counter at the beginning of each batch and let go of the series of retired
//! families; scrapes leave their fragments out; then each shard, through its
//! inbox, drops the series and the tombstones in slices. A value that was on
//! its way finds a series that is not shown, and a shard refuses to show one of
//! a retired family, so the value is dropped.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crossbeam_utils::CachePadded;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use crate::limits::SeriesLimits;
use crate::metric::Kind;
use crate::metric::Observations;
use crate::metric::Shape;
use crate::metric::native::{NativePlan, NativeSettings};
use crate::metric::summary::SummarySettings;
use crate::name::escaping::Escaping;
use crate::record::FamilyRecord;
use crate::reject::{Reason, Reject};
use crate::sample::Sample;
use crate::sharding::name_hash;

mod admission;
mod layouts;
mod names;
mod questions;
mod restore;
mod retirement;
mod variants;

pub use admission::Admission;
use admission::add_within;
use names::{Printed, print_names, release_names, reserve_names};
pub(crate) use variants::Variant;

/// All families of the process. Cheap to clone; clones are the same catalog.
#[derive(Debug, Clone)]
pub struct Catalog {
    inner: Arc<CatalogInner>,
}

#[derive(Debug)]
struct CatalogInner {
    /// By their names; see [`Family::key`].
    families: DashMap<Box<str>, Arc<Family>, RandomState>,
    /// Every name that a family prints. Locked by claims and retirements, both rare,
    /// and where some family has a name that is escaped also by scrapes.
    printed: Mutex<HashMap<Box<str>, Printed>>,
    /// Whether there was a family whose name is escaped.
    has_escaped: AtomicBool,
    next_uid: AtomicU64,
    /// How many families were retired while they had references.
    retirements: CachePadded<AtomicU64>,
    live_series: CachePadded<AtomicUsize>,
    /// See [`Catalog::series_bytes`].
    series_bytes: CachePadded<AtomicUsize>,
    settings: CatalogSettings,
    /// Whether a name may have several families, see [`variants`].
    has_variants: bool,
}

/// What families are held to, and made with.
#[derive(Debug, Clone, Default)]
pub struct CatalogSettings {
    /// How many series may live.
    pub limits: SeriesLimits,
    /// Window and estimator of summaries.
    pub summary: SummarySettings,
    /// Which histograms are native.
    pub native: NativeSettings,
    /// Whether producers may use the names that Prometheus gives to what it
    /// finds out itself.
    pub allow_reserved_names: bool,
}

/// One metric name: its type, help and shape, the same for all of its series.
#[derive(Debug)]
pub struct Family {
    uid: u64,
    name: Box<str>,
    /// Where it is escaped under [`Escaping::Underscores`]: to what.
    escaped: Option<Box<str>>,
    name_hash: u64,
    /// That of the first sample which came with one, as is the unit.
    help: OnceLock<Box<str>>,
    unit: OnceLock<Box<str>>,
    shape: Shape,
    variant: Variant,
    /// What it is found by where its name may be that of several.
    variant_key: Option<Box<str>>,
    home: Weak<CatalogInner>,
    /// Written for every new series by whichever thread, on a cache line of
    /// their own: what is above is read for every sample that is parsed.
    counts: CachePadded<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Counted references; 0 is final.
    refs: AtomicU32,
    /// Set where the name was taken from it though references are left.
    retired: AtomicBool,
    live_series: AtomicUsize,
    /// Samples that came with another layout or other objectives.
    layout_mismatches: AtomicU64,
    /// The last of these layouts that was parsed.
    other_layout: Mutex<Option<Shape>>,
}

/// A counted reference: the family stays in the catalog while one exists.
#[derive(Debug)]
pub struct FamilyRef(Arc<Family>);

impl Default for Catalog {
    fn default() -> Self {
        Self::new(CatalogSettings::default())
    }
}

impl Catalog {
    /// An empty catalog.
    pub fn new(settings: CatalogSettings) -> Self {
        Self::with(settings, false)
    }

    fn with(settings: CatalogSettings, has_variants: bool) -> Self {
        let inner = CatalogInner {
            families: DashMap::default(),
            printed: Mutex::default(),
            has_escaped: AtomicBool::new(false),
            next_uid: AtomicU64::new(1),
            retirements: CachePadded::default(),
            live_series: CachePadded::default(),
            series_bytes: CachePadded::default(),
            settings,
            has_variants,
        };
        Self { inner: Arc::new(inner) }
    }

    /// How many series may live.
    pub fn limits(&self) -> SeriesLimits {
        self.inner.settings.limits
    }

    /// The family of `sample`'s name, made from the sample where there is none.
    ///
    /// Refuses with `type_conflict` a sample of another type than the
    /// family's, with `reserved_name` and `suffix_conflict` a new family that
    /// would print a name which is the gateway's, Prometheus' or another family's.
    pub fn claim(&self, sample: &Sample<'_>) -> Result<FamilyRef, Reject> {
        let variant_key = self.has_variants().then(|| variants::key(sample));
        let key = variant_key.as_deref().unwrap_or(sample.name);
        let family = match self.find(key) {
            Some(family) => family,
            None => {
                let limit = self.limits().max_series_bytes;
                let of = (sample.name, sample.kind);
                self.claim_free(key, of, limit, || self.make_family(sample, variant_key.clone()))?
            }
        };
        // Checked, and where refused dropped, with no lock held: dropping the
        // last reference takes them.
        family.check_kind(sample.kind).map(|()| family)
    }

    /// How many families there are.
    pub fn families(&self) -> usize {
        self.inner.families.len()
    }

    /// How many series hold a place.
    pub fn live_series(&self) -> usize {
        self.inner.live_series.load(Ordering::Relaxed)
    }

    /// Bytes of what is kept of live series to tell them apart and to show them:
    /// their label texts, as printed; the counts of histograms; and the name, help
    /// and layout of each metric.
    pub fn series_bytes(&self) -> usize {
        self.inner.series_bytes.load(Ordering::Relaxed)
    }

    /// Whether a name may have several families.
    pub(crate) fn has_variants(&self) -> bool {
        self.inner.has_variants
    }

    fn find(&self, key: &str) -> Option<FamilyRef> {
        let family = self.inner.families.get(key)?;
        FamilyRef::from_cached(&family)
    }

    /// Claims a key, for a family of this name and type, that no living family has; who
    /// was faster wins. `limit` bounds the bytes of all series.
    fn claim_free(
        &self,
        key: &str,
        (name, kind): (&str, Kind),
        limit: usize,
        make: impl FnOnce() -> Family,
    ) -> Result<FamilyRef, Reject> {
        let mut printed = self.inner.printed.lock();
        let entry = match self.inner.families.entry(key.into()) {
            Entry::Occupied(entry) => {
                if let Some(family) = FamilyRef::from_cached(entry.get()) {
                    return Ok(family);
                }
                release_names(&mut printed, entry.get());
                Entry::Occupied(entry)
            }
            Entry::Vacant(entry) => Entry::Vacant(entry),
        };
        let allow_reserved = self.inner.settings.allow_reserved_names;
        let free = match self.has_variants() {
            true => Ok(()),
            false => reserve_names(&printed, name, kind, allow_reserved),
        };
        let made = free.and_then(|()| {
            let family = make();
            let has_room = add_within(&self.inner.series_bytes, family.bytes(), limit);
            if has_room { Ok(family) } else { Err(Reject::of_limit(Reason::SeriesBytesLimit)) }
        });
        let family = match made {
            Ok(family) => Arc::new(family),
            Err(refused) => {
                // What stood here is dead; its own retirement finds nothing to do.
                if let Entry::Occupied(dead) = entry {
                    dead.remove();
                }
                return Err(refused);
            }
        };
        if family.escaped.is_some() {
            self.inner.has_escaped.store(true, Ordering::Release);
        }
        if !self.has_variants() {
            print_names(&mut printed, &family);
        }
        entry.insert(family.clone());
        Ok(FamilyRef(family))
    }

    fn make_family(&self, sample: &Sample<'_>, variant_key: Option<Box<str>>) -> Family {
        let Sample { kind, buckets, objectives, .. } = *sample;
        let shape = Shape::new(kind, buckets, objectives, self.inner.settings.summary)
            .with_native(self.native_plan(sample));
        let uid = self.inner.next_uid.fetch_add(1, Ordering::Relaxed);
        let variant = Variant::of(sample);
        Family { variant, variant_key, ..self.held_family(uid, sample.name, sample.help, shape) }
    }

    /// How a histogram is native that begins with this sample. Of what a producer has
    /// counted by other buckets nobody knows the native ones.
    fn native_plan(&self, sample: &Sample<'_>) -> Option<NativePlan> {
        let settings = &self.inner.settings.native;
        if self.has_variants() {
            return settings.plan(sample.name, sample.schema);
        }
        match sample.observations {
            Observations::One | Observations::Values(_) => {
                settings.plan(sample.name, sample.schema)
            }
            Observations::Counts(_) => None,
            Observations::Native(counts) => Some(settings.plan_of_counts(counts.schema)),
        }
    }

    /// A family of this catalog with one reference.
    fn held_family(&self, uid: u64, name: &str, help: &str, shape: Shape) -> Family {
        Family {
            uid,
            home: Arc::downgrade(&self.inner),
            counts: Counts { refs: AtomicU32::new(1), ..Counts::default() }.into(),
            ..Family::standalone(name, help, shape)
        }
    }
}

impl CatalogInner {
    /// Takes `family`, whose last reference has gone, out of the catalog,
    /// unless a claim has replaced it meanwhile.
    fn retire(&self, family: &Family) {
        self.series_bytes.fetch_sub(family.bytes(), Ordering::Relaxed);
        let mut printed = self.printed.lock();
        self.families.remove_if(family.key(), |_, found| found.uid == family.uid);
        release_names(&mut printed, family);
    }
}

impl Family {
    /// A family outside any catalog, as the gateway's own metrics use it.
    pub fn standalone(name: &str, help: &str, shape: Shape) -> Self {
        let escaped = match Escaping::Underscores.metric(name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(escaped) => Some(escaped.into()),
        };
        Self {
            uid: 0,
            name: name.into(),
            escaped,
            name_hash: name_hash(name),
            help: if help.is_empty() { OnceLock::new() } else { OnceLock::from(Box::from(help)) },
            unit: OnceLock::new(),
            shape,
            variant: Variant::default(),
            variant_key: None,
            home: Weak::new(),
            counts: CachePadded::default(),
        }
    }

    /// Rises with each claim: of two families of one name the greater is newer.
    pub fn uid(&self) -> u64 {
        self.uid
    }

    /// The metric name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its catalog finds it by.
    fn key(&self) -> &str {
        self.variant_key.as_deref().unwrap_or(&self.name)
    }

    /// The name as it is printed to scrapers that read legacy names. No two families
    /// that live have one in common, see [`escaping`](crate::name::escaping).
    pub(crate) fn printed_name(&self) -> &str {
        self.escaped.as_deref().unwrap_or(&self.name)
    }

    /// A fixed hash of the name: the same in every process and version.
    pub fn name_hash(&self) -> u64 {
        self.name_hash
    }

    /// The help text, not escaped; empty where there is none.
    pub fn help(&self) -> &str {
        self.help.get().map_or("", |help| help)
    }

    /// The unit, which the name ends in; empty where there is none.
    pub fn unit(&self) -> &str {
        self.unit.get().map_or("", |unit| unit)
    }

    /// What its series are made of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The type of its series.
    pub fn kind(&self) -> Kind {
        self.shape.kind()
    }

    /// How many of its series hold a place.
    pub fn live_series(&self) -> usize {
        self.counts.live_series.load(Ordering::Relaxed)
    }

    pub(crate) fn record(&self) -> FamilyRecord<'_> {
        FamilyRecord {
            uid: self.uid,
            name: (*self.name).into(),
            help: self.help().into(),
            shape: self.shape.record(),
            unit: self.unit().into(),
        }
    }

    /// What it is charged itself, see [`Catalog::series_bytes`].
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.help().len() + self.unit().len() + self.shape.bytes()
    }

    /// Whether it is still in the catalog. A reader that has kept a family
    /// checks this before it refuses a sample for its sake.
    pub(crate) fn is_alive(&self) -> bool {
        self.counts.refs.load(Ordering::Acquire) > 0 && !self.is_retired()
    }

    /// Refuses, with `type_conflict`, another type than its own.
    pub fn check_kind(&self, kind: Kind) -> Result<(), Reject> {
        if kind == self.kind() {
            return Ok(());
        }
        let (own, got) = (self.kind().as_str(), kind.as_str());
        Err(Reject::new(Reason::TypeConflict, format!("expected {own}, got {got}")))
    }
}

impl FamilyRef {
    /// A counted reference to a family that was met before, unless its last
    /// reference has gone since, or it was retired: then the name has to be
    /// claimed again.
    pub(crate) fn from_cached(family: &Arc<Family>) -> Option<Self> {
        if family.is_retired() {
            return None;
        }
        let more = |refs: u32| (refs > 0).then(|| refs + 1);
        family.counts.refs.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(family.clone()))
    }

    /// One more reference.
    pub fn another(&self) -> Self {
        self.counts.refs.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }

    /// The family, uncounted.
    pub fn family(&self) -> &Arc<Family> {
        &self.0
    }
}

impl Deref for FamilyRef {
    type Target = Family;

    fn deref(&self) -> &Family {
        &self.0
    }
}

impl Drop for FamilyRef {
    fn drop(&mut self) {
        if self.0.counts.refs.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(inner) = self.0.home.upgrade()
        {
            inner.retire(&self.0);
        }
    }
}

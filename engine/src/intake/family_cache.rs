//! The families that one reader has met, so that it need not ask the catalog.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::catalog::{Catalog, Family, FamilyRef};
use crate::metric::Kind;
use crate::reject::Reject;
use crate::sample::Sample;

/// Below this many entries dead families are not worth looking for.
const SMALL: usize = 1024;

/// Families by name. None of them is held: each may have left the catalog.
#[derive(Debug, Default)]
pub struct FamilyCache {
    /// Of several with one name the one that was asked for last.
    ids: HashMap<Box<str>, FamilyId, RandomState>,
    by_uid: HashMap<u64, FamilyId, RandomState>,
    families: Vec<Option<Arc<Family>>>,
    free: Vec<FamilyId>,
}

/// A family's number in one cache. It is used again once the family has left
/// the catalog: then no series of it is known to the reader any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyId(pub u32);

impl FamilyCache {
    #[inline]
    pub fn get(&self, id: FamilyId) -> Option<&Arc<Family>> {
        self.families[id.0 as usize].as_ref()
    }

    /// The same, where that family is of a type.
    #[inline]
    pub fn of_kind(&self, id: FamilyId, kind: Kind) -> Option<&Arc<Family>> {
        self.get(id).filter(|family| family.kind() == kind)
    }

    /// The same, where that family, of the name of `sample`, is the one that takes it.
    #[inline]
    pub fn that_takes(
        &self,
        id: FamilyId,
        sample: &Sample<'_>,
        has_variants: bool,
    ) -> Option<&Arc<Family>> {
        let is_that = |family: &&Arc<Family>| !has_variants || family.is_variant_of(sample);
        self.of_kind(id, sample.kind).filter(is_that)
    }

    /// The number of the family that was last known by a name.
    #[inline]
    pub fn id_of(&self, name: &str) -> Option<FamilyId> {
        self.ids.get(name).copied()
    }

    /// The family that takes `sample`, held; see [`Catalog::claim`].
    pub fn hold(
        &mut self,
        catalog: &Catalog,
        sample: &Sample<'_>,
    ) -> Result<(FamilyId, FamilyRef), Reject> {
        if let Some(id) = self.ids.get(sample.name).copied()
            && let Some(cached) = self.that_takes(id, sample, catalog.has_variants())
            && let Some(family) = FamilyRef::from_cached(cached)
        {
            return Ok((id, family));
        }
        let family = catalog.claim(sample)?;
        self.drop_dead(catalog);
        Ok((self.keep(sample.name, family.family()), family))
    }

    fn keep(&mut self, name: &str, family: &Arc<Family>) -> FamilyId {
        let id = match self.by_uid.get(&family.uid()) {
            Some(id) => *id,
            None => self.free_id(name),
        };
        self.families[id.0 as usize] = Some(family.clone());
        self.by_uid.insert(family.uid(), id);
        self.ids.insert(name.into(), id);
        id
    }

    /// A number for another family of that name.
    fn free_id(&mut self, name: &str) -> FamilyId {
        // Series of a retired family, or of another one of the name, may still be known
        // by its number.
        let is_dead = |family: &Arc<Family>| !family.is_alive() && !family.is_retired();
        let known = self.ids.get(name).copied();
        if let Some(id) = known.filter(|id| self.get(*id).is_none_or(is_dead)) {
            self.forget_uid(id);
            return id;
        }
        self.free.pop().unwrap_or_else(|| {
            self.families.push(None);
            FamilyId((self.families.len() - 1) as u32)
        })
    }

    fn forget_uid(&mut self, id: FamilyId) {
        if let Some(family) = self.get(id) {
            self.by_uid.remove(&family.uid());
        }
    }

    /// Forgets families that were retired. No series may be known by their
    /// numbers any more.
    pub fn drop_retired(&mut self) {
        for number in 0..self.families.len() as u32 {
            let family = &mut self.families[number as usize];
            let Some(retired) = family.take_if(|family| family.is_retired()) else { continue };
            let id = FamilyId(number);
            self.by_uid.remove(&retired.uid());
            if self.ids.get(retired.name()) == Some(&id) {
                self.ids.remove(retired.name());
            }
            self.free.push(id);
        }
    }

    /// Keeps this cache within twice the catalog's size.
    fn drop_dead(&mut self, catalog: &Catalog) {
        if self.by_uid.len() < SMALL + 2 * catalog.families() {
            return;
        }
        let Self { ids, by_uid, families, free } = self;
        by_uid.retain(|_, id| {
            let family = &mut families[id.0 as usize];
            let Some(dead) = family.take_if(|family| !family.is_alive()) else { return true };
            if ids.get(dead.name()) == Some(id) {
                ids.remove(dead.name());
            }
            free.push(*id);
            false
        });
    }
}

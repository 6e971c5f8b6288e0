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
    ids: HashMap<Box<str>, FamilyId, RandomState>,
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
            && let Some(cached) = self.of_kind(id, sample.kind)
            && let Some(family) = FamilyRef::from_cached(cached)
        {
            return Ok((id, family));
        }
        let family = catalog.claim(sample)?;
        self.drop_dead(catalog);
        Ok((self.keep(sample.name, family.family()), family))
    }

    fn keep(&mut self, name: &str, family: &Arc<Family>) -> FamilyId {
        // Series of a retired family may still be known by its number.
        let is_free = |id: &FamilyId| self.get(*id).is_none_or(|family| !family.is_retired());
        let known = self.ids.get(name).copied().filter(is_free);
        let id = known.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.families.push(None);
            FamilyId((self.families.len() - 1) as u32)
        });
        self.families[id.0 as usize] = Some(family.clone());
        self.ids.insert(name.into(), id);
        id
    }

    /// Forgets families that were retired. No series may be known by their
    /// numbers any more.
    pub fn drop_retired(&mut self) {
        for number in 0..self.families.len() as u32 {
            let family = &mut self.families[number as usize];
            let Some(retired) = family.take_if(|family| family.is_retired()) else { continue };
            let id = FamilyId(number);
            if self.ids.get(retired.name()) == Some(&id) {
                self.ids.remove(retired.name());
            }
            self.free.push(id);
        }
    }

    /// Keeps this cache within twice the catalog's size.
    fn drop_dead(&mut self, catalog: &Catalog) {
        if self.ids.len() < SMALL + 2 * catalog.families() {
            return;
        }
        let Self { ids, families, free } = self;
        ids.retain(|_, id| {
            let family = &mut families[id.0 as usize];
            let is_alive = family.as_ref().is_some_and(|family| family.is_alive());
            if !is_alive {
                *family = None;
                free.push(*id);
            }
            is_alive
        });
    }
}

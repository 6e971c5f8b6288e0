//! The families that one reader has met, so that it need not ask the catalog.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::catalog::{Catalog, Family, FamilyRef};
use crate::reject::Reject;
use crate::sample::Sample;

/// Below this many entries dead families are not worth looking for.
const SMALL: usize = 1024;

/// Families by name. None of them is held: each may have left the catalog.
#[derive(Debug, Default)]
pub struct FamilyCache {
    families: HashMap<Box<str>, Arc<Family>, RandomState>,
}

impl FamilyCache {
    /// The family of a name that was met before, dead or alive.
    pub fn get(&self, name: &str) -> Option<&Arc<Family>> {
        self.families.get(name)
    }

    /// The family that takes `sample`, held; see [`Catalog::claim`].
    pub fn hold(&mut self, catalog: &Catalog, sample: &Sample<'_>) -> Result<FamilyRef, Reject> {
        let cached = self.get(sample.name).filter(|family| family.kind() == sample.kind);
        if let Some(family) = cached.and_then(FamilyRef::from_cached) {
            return Ok(family);
        }
        let family = catalog.claim(sample)?;
        self.drop_dead(catalog);
        self.families.insert(sample.name.into(), family.family().clone());
        Ok(family)
    }

    /// Keeps this cache within twice the catalog's size.
    fn drop_dead(&mut self, catalog: &Catalog) {
        if self.families.len() >= SMALL + 2 * catalog.families() {
            self.families.retain(|_, family| family.is_alive());
        }
    }
}

//! Questions of operators: which families are the largest, which ones are called
//! somehow. Each looks at every family, so none is for the way of a sample.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Catalog, Family};
use crate::labels::contains_ignoring_case;
use crate::metric::Kind;

impl Catalog {
    /// The `count` families with the most series, most first and of equals by
    /// name, each with its series.
    pub fn largest(&self, count: usize) -> Vec<(usize, Arc<Family>)> {
        self.first_by(count, |family| Some(family.live_series()))
    }

    /// The `count` families of which most samples came with another layout or
    /// other objectives, each with how many; those of which none did are left
    /// out.
    pub fn most_layout_mismatches(&self, count: usize) -> Vec<(u64, Arc<Family>)> {
        self.first_by(count, |family| Some(family.layout_mismatches()).filter(|found| *found > 0))
    }

    /// Families whose names contain `part`, in any letter case: how many there
    /// are, and the best `count` of them. The one that is called so comes first,
    /// then those that begin so, and of equals those with the most series.
    pub fn matching(&self, part: &str, count: usize) -> (usize, Vec<Arc<Family>>) {
        let part = part.as_bytes();
        let mut found = 0;
        let best = self.first_by(count, |family| {
            let name = family.name().as_bytes();
            if !contains_ignoring_case(name, part) {
                return None;
            }
            found += 1;
            let begins = name.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part));
            Some((name == part, begins, family.live_series()))
        });
        (found, best.into_iter().map(|(_, family)| family).collect())
    }

    /// The type of the family that is printed under this name now, to scrapers that
    /// read legacy names.
    pub(crate) fn kind_of(&self, name: &str) -> Option<Kind> {
        if self.inner.has_escaped.load(Ordering::Acquire) {
            return self.inner.printed.lock().get(name)?.kind;
        }
        let family = self.inner.families.get(name)?;
        family.is_alive().then(|| family.kind())
    }

    /// The family that is called so.
    pub fn get(&self, name: &str) -> Option<Arc<Family>> {
        self.inner.families.get(name).map(|family| family.clone())
    }

    /// The `count` families with the largest numbers, of equals by name.
    fn first_by<N: Ord + Copy>(
        &self,
        count: usize,
        mut number: impl FnMut(&Family) -> Option<N>,
    ) -> Vec<(N, Arc<Family>)> {
        let mut first: Vec<(N, Arc<Family>)> = Vec::with_capacity(count + 1);
        for family in self.inner.families.iter() {
            let Some(number) = number(&family) else { continue };
            let precedes = |other: &(N, Arc<Family>)| {
                (Reverse(other.0), other.1.name()) < (Reverse(number), family.name())
            };
            let rank = first.partition_point(precedes);
            if rank < count {
                first.insert(rank, (number, family.clone()));
                first.truncate(count);
            }
        }
        first
    }
}

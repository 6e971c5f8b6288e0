//! The memory of pushes: one budget for all that requests hold at once. Nobody waits
//! for it: who finds none lets go of what it has, so that the others get on.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::doors::RequestRefused;
use crate::self_metrics::doors::RequestReason;

/// Memory is counted in units of this many bytes.
const UNIT_BYTES: usize = 1024;

#[derive(Debug)]
pub struct Memory {
    units: Arc<Semaphore>,
    most: usize,
}

/// What one request holds; given back when dropped.
#[derive(Debug)]
pub struct Holding {
    units: Arc<Semaphore>,
    /// Units that there are in all.
    most: usize,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Memory {
    pub fn new(max_bytes: usize) -> Self {
        let most = max_bytes / UNIT_BYTES;
        Self { units: Arc::new(Semaphore::new(most)), most }
    }

    pub fn holding_nothing(&self) -> Holding {
        Holding { units: Arc::clone(&self.units), most: self.most, permit: None, bytes: 0 }
    }
}

impl Holding {
    /// Holds that many bytes more, if there are any.
    pub fn grow(&mut self, bytes: usize) -> Result<(), RequestRefused> {
        self.bytes = self.bytes.saturating_add(bytes);
        let units = self.bytes.div_ceil(UNIT_BYTES);
        if units > self.most {
            let words = "expected a request that takes less memory than Push.MaxMemoryBytes: \
                         send it in parts";
            return Err(RequestRefused::new(RequestReason::TooLarge, words));
        }
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = units.saturating_sub(held);
        let none_left = |_| {
            let words = "too many pushes are under way (Push.MaxMemoryBytes)";
            RequestRefused::new(RequestReason::Busy, words)
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.units).try_acquire_many_owned(more).map_err(none_left)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_within_the_budget_and_comes_back() {
        let memory = Memory::new(10 * UNIT_BYTES);
        let (mut one, mut other) = (memory.holding_nothing(), memory.holding_nothing());
        for _ in 0..UNIT_BYTES * 6 {
            one.grow(1).expect("there is some");
        }
        other.grow(4 * UNIT_BYTES).expect("the rest");
        assert_eq!(one.grow(1).map_err(|refused| refused.reason), Err(RequestReason::Busy));
        drop(one);
        other.grow(6 * UNIT_BYTES).expect("what came back");
        assert!(memory.holding_nothing().grow(1).is_err());
        drop(other);
        memory.holding_nothing().grow(10 * UNIT_BYTES).expect("all");
        let too_large = memory.holding_nothing().grow(11 * UNIT_BYTES);
        assert_eq!(too_large.map_err(|refused| refused.reason), Err(RequestReason::TooLarge));
        assert!(memory.holding_nothing().grow(usize::MAX).is_err());
    }
}

//! The gate: whether this process may show totals. Under exactly-once delivery
//! it may only while it owns the queue beyond doubt and its memory is whole.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::boot_clock::BootInstant;

/// Asked before a scrape and again when it is done; cheap to clone.
#[derive(Debug, Clone)]
pub struct ServingGate(Arc<Mutex<GateState>>);

#[derive(Debug)]
struct GateState {
    memory: Memory,
    /// Rises whenever the memory is dropped.
    generation: u64,
    /// Until when nobody else can own the queue; `None` where nobody ever can.
    lease: Option<BootInstant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Memory {
    Whole,
    Loading(&'static str),
    Standby,
}

/// What may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Everything, in this generation of the memory.
    Everything(u64),
    /// The gateway's own metrics: another process has the totals.
    OwnMetrics,
}

/// Why nothing may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Closed(&'static str);

impl ServingGate {
    /// Always open: for delivery that needs no owner.
    pub fn open() -> Self {
        Self::new(Memory::Whole, None)
    }

    /// Closed until a lease is granted and the memory is whole.
    pub fn closed() -> Self {
        let long_ago = BootInstant::at(std::time::Duration::ZERO);
        Self::new(Memory::Loading("the queue's state is not loaded yet"), Some(long_ago))
    }

    fn new(memory: Memory, lease: Option<BootInstant>) -> Self {
        Self(Arc::new(Mutex::new(GateState { memory, generation: 0, lease })))
    }

    /// What may be shown now.
    pub fn permit(&self) -> Result<Permit, Closed> {
        let state = self.0.lock();
        match state.memory {
            Memory::Standby => return Ok(Permit::OwnMetrics),
            Memory::Loading(why) => return Err(Closed(why)),
            Memory::Whole => {}
        }
        match state.lease {
            Some(until) if BootInstant::now() >= until => {
                Err(Closed("the lease of the queue is not renewed: another gateway may have it"))
            }
            Some(_) | None => Ok(Permit::Everything(state.generation)),
        }
    }

    /// Whether what was permitted then still is.
    pub fn still(&self, permit: Permit) -> Result<(), Closed> {
        if self.permit()? == permit {
            Ok(())
        } else {
            Err(Closed("the memory was reloaded while it was read"))
        }
    }

    /// Why the gateway is not ready, if it is not.
    pub fn unready(&self) -> Option<&'static str> {
        match self.permit() {
            Ok(Permit::Everything(_)) => None,
            Ok(Permit::OwnMetrics) => Some("standby: another gateway owns the queue"),
            Err(Closed(why)) => Some(why),
        }
    }

    /// A lease was granted until that moment, or until a later one before.
    pub fn lease_until(&self, until: BootInstant) {
        let mut state = self.0.lock();
        state.lease = state.lease.max(Some(until));
    }

    /// The memory is dropped, or is not what Redis says; `why` is shown.
    pub fn close(&self, why: &'static str) {
        let mut state = self.0.lock();
        state.memory = Memory::Loading(why);
        state.generation += 1;
    }

    /// Another process owns the queue.
    pub fn stand_by(&self) {
        self.0.lock().memory = Memory::Standby;
    }

    /// The memory is what Redis says.
    pub fn memory_is_whole(&self) {
        self.0.lock().memory = Memory::Whole;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn leased() -> ServingGate {
        let gate = ServingGate::closed();
        gate.lease_until(BootInstant::now().after(Duration::from_secs(3600)));
        gate
    }

    #[test]
    fn opens_with_lease_and_whole_memory_only() {
        let gate = ServingGate::closed();
        assert!(gate.permit().is_err());
        gate.memory_is_whole();
        assert!(gate.permit().is_err(), "no lease");
        gate.lease_until(BootInstant::now().after(Duration::from_secs(3600)));
        assert_eq!(gate.permit(), Ok(Permit::Everything(0)));
        gate.lease_until(BootInstant::now());
        assert!(gate.permit().is_ok(), "an earlier end takes nothing back");
    }

    #[test]
    fn a_lease_ends() {
        let gate = ServingGate::closed();
        gate.memory_is_whole();
        gate.lease_until(BootInstant::now());
        assert!(gate.permit().is_err());
    }

    #[test]
    fn a_scrape_does_not_outlive_the_memory_that_it_read() {
        let gate = leased();
        gate.memory_is_whole();
        let permit = gate.permit().unwrap();
        assert_eq!(gate.still(permit), Ok(()));
        gate.close("reloading");
        assert_eq!(gate.still(permit), Err(Closed("reloading")));
        gate.memory_is_whole();
        assert!(gate.still(permit).is_err());
        assert!(gate.permit().is_ok());
    }

    #[test]
    fn a_standby_shows_its_own_metrics_and_is_not_ready() {
        let gate = ServingGate::closed();
        gate.stand_by();
        let permit = gate.permit().unwrap();
        assert_eq!(permit, Permit::OwnMetrics);
        assert!(gate.unready().is_some());
        gate.close("loading");
        assert!(gate.still(permit).is_err());
    }

    #[test]
    fn without_an_owner_it_is_always_open() {
        assert_eq!(ServingGate::open().unready(), None);
    }
}

//! By what shortcuts name the series that they lead to.

/// An entry of the cache of series; it stays that series' until a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryId(pub(super) u32);

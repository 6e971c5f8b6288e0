//! Versions: with which version of segments each variant of a record came. A
//! segment is of the greatest version that its records ask for, so that a
//! gateway which does not know one of them refuses it as newer.

use super::{ShapeRecord, SketchRecord, ValueRecord, WindowRecord};

/// The first version of segments.
pub const FIRST: u16 = 1;
/// That of segments which tell after each series and each tombstone when its
/// total began.
pub const WITH_CREATED: u16 = 2;
/// The newest one, which has to have all that [`WITH_CREATED`] has.
pub const NEWEST: u16 = WITH_CREATED;

impl ShapeRecord<'_> {
    /// The version that it came with.
    pub fn since(&self) -> u16 {
        match self {
            ShapeRecord::Counter
            | ShapeRecord::Gauge
            | ShapeRecord::Histogram(_)
            | ShapeRecord::Summary { .. } => FIRST,
        }
    }
}

impl ValueRecord<'_> {
    /// The version that it came with, or what is in it.
    pub fn since(&self) -> u16 {
        match self {
            ValueRecord::Counter(_) | ValueRecord::Gauge { .. } | ValueRecord::Histogram { .. } => {
                FIRST
            }
            ValueRecord::Summary { window, .. } => {
                window.as_ref().map_or(FIRST, WindowRecord::since)
            }
        }
    }
}

impl WindowRecord<'_> {
    fn since(&self) -> u16 {
        self.ages.iter().map(|age| age.sketch.since()).max().unwrap_or(FIRST)
    }
}

impl SketchRecord<'_> {
    fn since(&self) -> u16 {
        match self {
            SketchRecord::Biased { .. } | SketchRecord::Targeted { .. } => FIRST,
        }
    }
}

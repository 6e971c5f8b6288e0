//! Doors: where samples come in that are not in the payload format yet. A door reads
//! what its clients speak, makes samples of it, and pushes them onto the queue as any
//! producer does; nothing behind the queue knows of doors.
//!
//! ```text
//! request ─► door ─► Elements ─► queue
//! ```

pub mod otlp;
pub mod sample;

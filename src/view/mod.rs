//! The live view of a gateway: what its status says, on a terminal or as plain
//! lines. In flow order:
//!
//! ```text
//! watch ─► scene ─► frame (drawn by terminal) or lines
//! ```
//!
//! It knows a gateway only by what that answers over HTTP, so it can show one
//! that runs elsewhere.

mod excerpt;
mod frame;
mod lines;
mod number;
mod scene;
mod show;
mod terminal;
mod watch;

pub use scene::Scene;
pub use show::{Manner, show};
pub use terminal::can_draw;

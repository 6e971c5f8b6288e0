//! The live view of a gateway: what its status says, on a terminal or as plain
//! lines. In flow order:
//!
//! ```text
//! poll ─► view_model ─► frame (drawn by terminal) or plain lines
//! ```
//!
//! It knows a gateway only by what that answers over HTTP, so it can show one
//! that runs elsewhere.

mod excerpt;
mod frame;
mod plain;
mod number;
mod view_model;
mod show;
mod terminal;
mod poll;

pub use show::{ViewOptions, show};
pub use terminal::can_draw;
pub use view_model::ViewModel;

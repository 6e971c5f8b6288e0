//! The labels of a series, and all that is known about how they are kept.
//!
//! They are kept as the text that the text formats print, `a="1",b="2"`: sorted
//! by name (bytewise), values escaped, without braces. Names that are no legacy ones
//! stand between quotes, `"a.b"="1"`, before all others: so the first byte of a text
//! tells whether it has any. Escaping is injective, so two label sets are equal
//! exactly where their texts are; and a scrape in a text format copies what is there,
//! but for a scraper that asks for names without quotes. Nothing outside this module
//! takes that text apart: others ask [`LabelPairs::iter`] for names and values.

mod drop_labels;
mod empty_instance;
pub(crate) mod escape;
mod pairs;
mod renderer;
mod text;

pub use drop_labels::DropLabels;
pub(crate) use empty_instance::EmptyInstance;
pub use pairs::{LabelPairs, LabelsAsSent, SeriesLabels};
pub use renderer::LabelRenderer;
pub(crate) use text::contains_ignoring_case;

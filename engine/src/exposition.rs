//! Exposition: families and series as bytes, in whichever format a scraper asks
//! for. [`Format`] lists the formats and what HTTP calls them; each has a file
//! with its [`Encoder`]. An output format is one more of these, and an arm of
//! each `match` on [`Format`]. How names are printed that are no legacy ones is the
//! other half of a [`PageFormat`].

mod encoder;
mod families;
mod format;
mod fragments;
mod lines;
pub mod number;
mod openmetrics;
mod printed_name;
mod protobuf;
mod text;
mod value_json;

pub use encoder::{Encoder, ShownSeries};
pub(crate) use families::shown_names;
pub use families::{Families, ShownFamily};
pub use format::{ESCAPING, Format, MEDIA_TYPES, MediaType, PageFormat};
pub use fragments::{Fragment, FragmentWriter};
pub use value_json::ValueJson;

#[cfg(test)]
mod tests;

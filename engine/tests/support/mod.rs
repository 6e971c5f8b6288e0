//! What the integration tests of this crate share.

pub mod exposition_parser;

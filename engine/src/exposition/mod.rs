//! Exposition: how series are written for Prometheus to read.
//!
//! [`series`] writes the lines of one series, [`header`] the HELP and TYPE lines of its family. What the families of one
//! exposition mean for each other's names is in [`families`].

pub mod series;
pub mod families;
pub mod header;

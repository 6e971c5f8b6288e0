//! What the integration tests of this crate share. Each test binary uses its
//! own part of it.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod exposition_parser;
pub mod numbered;
pub mod pipeline;
pub mod world;

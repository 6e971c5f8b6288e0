//! What the tests share: an exposition parser that shares no code with the
//! product, the engine put together, and models of it.

pub mod exposition_parser;
pub mod numbered;
pub mod pipeline;
pub mod world;

//! What the tests share: an exposition parser that shares no code with the
//! product, the engine put together, and models of it.

pub mod exposition_parser;
pub mod numbered;
pub mod pipeline;
pub mod protobuf_reader;
pub mod world;

use proptest::prelude::ProptestConfig;

/// That many cases, or in proportion more or fewer where `PROPTEST_CASES` asks
/// for other than its default of 256: each property keeps its weight.
pub fn cases(count: u32) -> ProptestConfig {
    let asked = ProptestConfig::default().cases;
    ProptestConfig::with_cases((count.saturating_mul(asked) / 256).max(1))
}

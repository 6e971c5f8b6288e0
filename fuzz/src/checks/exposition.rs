//! What may be said of any exposition.

use psg_engine::exposition::Format;

use super::exposition_parser::{Dialect, parse};
use super::pipeline::Pipeline;

/// Reads the exposition in both formats, as strictly as scrapers do.
pub fn check(pipeline: &mut Pipeline) {
    for (format, dialect) in
        [(Format::Text, Dialect::Text), (Format::OpenMetrics, Dialect::OpenMetrics)]
    {
        let body = pipeline.exposition(format);
        if let Err(problem) = parse(&body, dialect) {
            panic!("{problem} of\n{body}");
        }
    }
}

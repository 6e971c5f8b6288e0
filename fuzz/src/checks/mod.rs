//! Checks: what has to hold for any bytes, one function for each surface that
//! takes bytes from elsewhere. The fuzzers in `fuzz/targets/` call them with
//! what they make up, and an ordinary test of the binary (`src/fuzz.rs`) with
//! all of `fuzz/corpus/`, so that what was once found stays fixed.
//!
//! A check panics where something does not hold. This module stands in two
//! crates, each of which has the configuration as `crate::config` and the linter
//! in `crate::lint`.

mod appsettings;
mod archive;
mod connection;
mod exposition;
mod frames;
mod lint;
mod otlp;
mod payload;
mod pushgateway;
mod record;
mod requests;
mod resp;
mod route;
mod secret;
mod session;
mod state;
mod statsd;
mod web_config;

#[allow(dead_code, reason = "the engine's tests use more of it")]
#[path = "../../../engine/tests/it/support/exposition_parser.rs"]
mod exposition_parser;
#[path = "../../../engine/tests/it/wire/oracle.rs"]
mod oracle;
#[path = "../../../engine/tests/it/wire/payload_tree.rs"]
mod payload_tree;
#[allow(dead_code, reason = "the engine's tests use more of it")]
#[path = "../../../engine/tests/it/support/pipeline.rs"]
mod pipeline;
#[allow(dead_code, reason = "the engine's tests use more of it")]
#[path = "../../../engine/tests/it/support/protobuf_reader.rs"]
mod protobuf_reader;
#[allow(dead_code, reason = "the engine's tests use more of it")]
#[path = "../../../engine/tests/it/wire/show.rs"]
mod show;

/// A surface under attack.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The name of the target, of its corpus and of its dictionary.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub run: fn(&[u8]),
}

/// Every check there is.
pub const CHECKS: [Check; 16] = [
    Check { name: "payload", run: payload::check },
    Check { name: "route", run: route::check },
    Check { name: "lint", run: lint::check },
    Check { name: "resp", run: resp::check },
    Check { name: "requests", run: requests::check },
    Check { name: "session", run: session::check },
    Check { name: "state", run: state::check },
    Check { name: "record", run: record::check },
    Check { name: "archive", run: archive::check },
    Check { name: "frames", run: frames::check },
    Check { name: "connection", run: connection::check },
    Check { name: "appsettings", run: appsettings::check },
    Check { name: "web-config", run: web_config::check },
    Check { name: "otlp", run: otlp::check },
    Check { name: "pushgateway", run: pushgateway::check },
    Check { name: "statsd", run: statsd::check },
];

/// Whether what is no JSON white space begins as an array.
fn begins_as_array(payload: &[u8]) -> bool {
    payload.iter().find(|byte| !b" \t\n\r".contains(byte)) == Some(&b'[')
}

//! Makes the Rust of the protobuf schema, without protoc.

use std::error::Error;
use std::fs;
use std::path::Path;

use prost_build::{Config, Module};

const PACKAGE: &str = "io.prometheus.client";

/// How the generated file begins.
const PURPOSE: &str = "//! The messages of engine/proto/metrics.proto.\n\n";

fn main() -> Result<(), Box<dyn Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compiled = protox::compile(["metrics.proto"], [&proto])?;
    let ours = compiled.file.into_iter().filter(|file| file.package() == PACKAGE);
    let requests = ours.map(|file| (Module::from_protobuf_package_name(PACKAGE), file)).collect();
    for rust in Config::new().generate(requests)?.into_values() {
        fs::write(proto.join("../src/protobuf/io_prometheus_client.rs"), format!("{PURPOSE}{rust}"))?;
    }
    Ok(())
}

//! What the tests of the whole product stand on: a real Redis, the gateway as a
//! process, an HTTP client, an exposition parser that shares no code with the
//! product, and the judges that are programs of their own.
//!
//! A crate, so that the programs in `tests/` share one compiled copy of it.

pub mod alertmanager;
pub mod cluster;
pub mod demo;
pub mod embedded;
pub mod exposition;
pub mod gateway;
pub mod http;
pub mod https;
pub mod pages;
pub mod process;
pub mod producers;
pub mod programs;
pub mod prometheus;
pub mod redis;
pub mod rig;
pub mod sections;
pub mod terminal;
pub mod tls;
pub mod totals;
pub mod wait;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub use cluster::RedisCluster;
pub use exposition::{Exposition, Format};
pub use gateway::{Finished, Gateway, GatewayBuilder};
pub use redis::{RedisOptions, RedisServer, Sentinel, following};
pub use rig::Rig;
pub use wait::{wait_for, wait_until};

/// The root of the repository.
pub fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate is two folders deep in the repository")
}

/// The gateway's binary, which Cargo builds together with the test that runs:
/// it stands one folder above the test's own program.
pub fn binary() -> &'static str {
    static BINARY: LazyLock<String> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("a test knows its program");
        let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
        let binary: PathBuf = folder.join("prom-stream-gateway");
        assert!(binary.exists(), "{} is not built", binary.display());
        binary.into_os_string().into_string().expect("the path is text")
    });
    &BINARY
}

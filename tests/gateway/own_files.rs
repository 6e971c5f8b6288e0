//! The gateway's own files beside Metrics.StateFile: nobody else reads them,
//! and what somebody puts in their place is neither followed nor waited for.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use psg_testkit::{Gateway, GatewayBuilder, RedisServer};

const COUNTER: &str = r#"{"name":"c_total","value":1}"#;

/// Longer than any start or stop takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Rig {
    redis: RedisServer,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { redis: RedisServer::start(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn builder(&self) -> GatewayBuilder {
        GatewayBuilder::reading(&self.redis).set("Metrics__StateFile", self.path("state"))
    }

    /// A gateway that counts one and stops.
    fn count_one(&self) {
        let gateway = self.builder().start();
        self.redis.push(&[COUNTER]);
        gateway.scrape_after(1);
        end(gateway);
    }

    fn total(&self) -> Option<f64> {
        self.builder().start().scrape().value("c_total", &[])
    }
}

#[track_caller]
fn end(mut gateway: Gateway) {
    gateway.signal("TERM");
    let status = gateway.wait_at_most(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", gateway.log().join("\n"));
}

fn make_pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(status.success());
}

#[track_caller]
fn check_mode(path: &Path) {
    let mode = fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{} has mode {mode:o}", path.display());
}

#[test]
fn label_values_in_the_state_are_not_for_everybody() {
    let rig = Rig::new();
    // From a gateway that minded less.
    fs::write(rig.path("state.lock"), "").expect("the folder can be written");
    let readable = PermissionsExt::from_mode(0o644);
    fs::set_permissions(rig.path("state.lock"), readable).expect("it is ours");
    let gateway = rig.builder().set("Metrics__FirstIncrement", "exact").start();
    rig.redis.push(&[COUNTER]);
    gateway.scrape_after(1);
    end(gateway);
    for name in ["state", "state.lock", "state.scrapers"] {
        check_mode(&rig.path(name));
    }
}

#[test]
fn a_link_where_the_next_state_is_written_is_not_followed() {
    let rig = Rig::new();
    let victim = rig.path("victim");
    fs::write(&victim, "precious").expect("the folder can be written");
    type Link = fn(&Path, &Path) -> std::io::Result<()>;
    let links: [Link; 2] = [|to, at| symlink(to, at), |to, at| fs::hard_link(to, at)];
    for link in links {
        link(&victim, &rig.path("state.new")).expect("nothing is there");
        link(&victim, &rig.path("state.scrapers")).expect("nothing is there");
        let gateway = rig.builder().set("Metrics__FirstIncrement", "exact").start();
        // While it runs, too.
        link(&victim, &rig.path("state.new")).expect("nothing is there");
        rig.redis.push(&[COUNTER]);
        gateway.scrape_after(1);
        end(gateway);
        assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");
        assert!(fs::symlink_metadata(rig.path("state")).expect("it is there").is_file());
        fs::remove_file(rig.path("state.scrapers")).expect("it was written");
    }
    assert_eq!(rig.total(), Some(2.0));
}

#[test]
fn a_state_file_that_is_a_link_stays_one_and_its_target_is_written() {
    let rig = Rig::new();
    fs::create_dir(rig.path("volume")).expect("the folder can be written");
    // The target is to come, by a way from where the link is.
    symlink("volume/kept", rig.path("state")).expect("nothing is there");
    rig.count_one();
    let target = rig.path("volume/kept");
    assert!(fs::symlink_metadata(rig.path("state")).expect("it is there").is_symlink());
    assert!(fs::symlink_metadata(&target).expect("it was written").is_file());
    let before = fs::read(&target).expect("it can be read");
    rig.count_one();
    assert!(fs::symlink_metadata(rig.path("state")).expect("it is there").is_symlink());
    assert_ne!(fs::read(&target).expect("it can be read"), before, "it is rewritten");
    assert_eq!(rig.total(), Some(2.0));
}

#[test]
fn a_pipe_is_an_error_and_not_waited_for() {
    for name in ["state", "state.new", "state.lock"] {
        let rig = Rig::new();
        make_pipe(&rig.path(name));
        let finished = rig.builder().finish();
        assert_eq!(finished.code(), 1, "{name}: {}", finished.output());
        let said = finished.output();
        assert!(said.contains("expected a file, got a pipe"), "{name}: {said}");
        assert!(said.contains("Metrics.StateFile"), "{name}: {said}");
    }
}

#[test]
fn who_reads_the_lock_file_does_not_keep_the_gateway_out() {
    let rig = Rig::new();
    rig.count_one();
    let lock = File::open(rig.path("state.lock")).expect("it is there");
    flock(&lock, FlockOperation::NonBlockingLockShared).expect("nobody has it");
    let first = rig.builder().start();
    // But another gateway does, whether or not there is a reader.
    for _ in 0..2 {
        let second = rig.builder().finish();
        assert_eq!(second.code(), 1, "{}", second.output());
        assert!(second.output().contains("another gateway uses it"), "{}", second.output());
        let _ = flock(&lock, FlockOperation::Unlock);
    }
    assert_eq!(first.scrape().value("c_total", &[]), Some(1.0));
}

#[test]
fn a_missing_folder_is_named_as_such_by_all_that_look() {
    let rig = Rig::new();
    let builder = || rig.builder().set("Metrics__StateFile", rig.path("missing/state"));
    let folder = format!("there is no folder {}", rig.path("missing").display());
    for (arguments, code) in [(&[][..], 1), (&["doctor"], 1), (&["check-config"], 0)] {
        let finished = builder().arguments(arguments).finish();
        assert_eq!(finished.code(), code, "{arguments:?}: {}", finished.output());
        assert!(finished.output().contains(&folder), "{arguments:?}: {}", finished.output());
        assert!(!finished.output().contains(".lock"), "{arguments:?}: {}", finished.output());
    }
}

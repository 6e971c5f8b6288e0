//! Over a restart with a state file, what is new to the next process is new to
//! the scrapers of the one before.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{LINGER_SECONDS, SOON, scrape_as, scrape_as_until, wait_for_log};
use psg_testkit::{Gateway, GatewayBuilder, RedisServer};

const OLD: &str = r#"{"name":"old_total","value":1}"#;
const NEW: &str = r#"{"name":"new_total","value":1}"#;

struct Rolling {
    redis: RedisServer,
    folder: TempDir,
}

impl Rolling {
    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn start(&self) -> Gateway {
        GatewayBuilder::reading(&self.redis)
            .set("Metrics__StateFile", self.state())
            .set("Metrics__FirstIncrement", "exact")
            .set("Http__ShutdownLingerSeconds", LINGER_SECONDS)
            .start()
    }

    /// A process that has ended, and which `a` alone has fetched all of.
    fn after_one() -> Self {
        let rolling =
            Self { redis: RedisServer::start(), folder: tempfile::tempdir().expect("a folder") };
        let mut first = rolling.start();
        rolling.redis.push(&[OLD]);
        scrape_as_until(&first, "a", 1);
        scrape_as(&first, "a");
        scrape_as(&first, "once");
        first.signal("TERM");
        wait_for_log(&first, "waiting for scrapers");
        scrape_as(&first, "a");
        let status = first.wait_at_most(SOON);
        assert_eq!(status.code(), Some(0), "{}", first.log().join("\n"));
        rolling
    }
}

fn values(gateway: &Gateway, name: &str) -> [Option<f64>; 2] {
    let seen = scrape_as(gateway, name);
    ["old_total", "new_total"].map(|metric| seen.value(metric, &[]))
}

#[test]
fn scrapers_of_the_process_before_are_shown_new_series_from_its_start() {
    let rolling = Rolling::after_one();
    let second = rolling.start();
    wait_for_log(&second, "scrapers of the process before are known");
    rolling.redis.push(&[OLD, NEW]);
    // Whoever has not fetched all of the process before comes for the first time.
    scrape_as_until(&second, "once", 2);
    assert_eq!(values(&second, "a"), [Some(2.0), Some(0.0)]);
    assert_eq!(values(&second, "a"), [Some(2.0), Some(1.0)]);
    assert_eq!(values(&second, "new here"), [Some(2.0), Some(1.0)]);
}

/// What they have seen after that is lost with the process, so it is not taken
/// for known.
#[test]
fn a_kill_makes_every_next_scrape_a_first_one() {
    let rolling = Rolling::after_one();
    let mut second = rolling.start();
    second.kill();
    let third = rolling.start();
    rolling.redis.push(&[NEW]);
    scrape_as_until(&third, "b", 1);
    assert_eq!(values(&third, "a"), [Some(1.0), Some(1.0)]);
}

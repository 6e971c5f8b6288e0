//! Waiting: for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the test fails. Generous, since only a
/// failing test ever waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Tries until `attempt` succeeds; fails the test with what the last try said.
pub fn wait_for<T>(what: &str, attempt: impl FnMut() -> Result<T, String>) -> T {
    wait_within(PATIENCE, what, attempt)
}

/// Waits until `condition` holds, else fails the test.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || if condition() { Ok(()) } else { Err("it does not hold".into()) });
}

/// As [`wait_for`], with a deadline of its own.
pub fn wait_within<T>(
    patience: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(why) if Instant::now() >= deadline => {
                panic!("waited {patience:?} in vain for {what}: {why}")
            }
            #[expect(clippy::disallowed_methods, reason = "between two looks at the condition")]
            Err(_) => thread::sleep(BETWEEN_TRIES),
        }
    }
}

//! A bound on waits that mostly are far shorter. A timer of its own for each wait is
//! the next one due whenever it is set, for which tokio wakes its own thread through an
//! eventfd: two system calls for each batch. So one timer stays set, and is moved on
//! when it fires too early.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Bounds waits, all by the same time.
#[derive(Debug)]
pub struct WaitBound {
    bound: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl WaitBound {
    /// Lets waits last that long.
    pub fn new(bound: Duration) -> Self {
        Self { bound, timer: None }
    }

    /// Done once a wait that begins now lasts too long. It may be dropped at any time.
    pub async fn passes(&mut self) {
        let deadline = Instant::now() + self.bound;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            timer.as_mut().await;
            if Instant::now() >= deadline {
                return;
            }
            timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_wait_has_the_whole_bound() {
        let longest = Duration::from_millis(100);
        let mut bound = WaitBound::new(longest);
        // A wait that ends at once leaves its timer set.
        tokio::select! {
            biased;
            () = bound.passes() => panic!("it has not passed"),
            () = std::future::ready(()) => {}
        }
        for _ in 0..3 {
            let began = Instant::now();
            bound.passes().await;
            assert!(began.elapsed() >= longest, "{:?}", began.elapsed());
        }
    }
}

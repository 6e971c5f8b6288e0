//! The stop signal: set once, seen by every actor.

use tokio::sync::watch;

/// The side that stops the process; clones do the same.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<bool>);

/// The side that waits for it; cheap to clone.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<bool>);

/// A stopper and its signal.
pub fn stop_signal() -> (Stopper, StopSignal) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), StopSignal(receiver))
}

impl Stopper {
    /// Stops everyone who holds the signal; doing it again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl StopSignal {
    /// Whether the stop has come.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the stop; returns at once where it has come. A stopper that
    /// is dropped counts as a stop.
    pub async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

//! The end of a command: asked for by a signal or an error, seen by all of
//! its threads.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::signals::Signals;

/// Set once; whoever waits wakes up.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Ends the run.
    pub fn set(&self) {
        let (stopped, wake) = &*self.0;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
    }

    /// Whether the run is to end.
    pub fn is_set(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits for at most `time`; tells whether the run is to end.
    pub fn wait(&self, time: Duration) -> bool {
        let (stopped, wake) = &*self.0;
        let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends the run at the first signal.
    pub fn set_on_signal(&self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let mut signals = Signals::listen()?;
        drop(guard);
        let stop = self.clone();
        thread::spawn(move || {
            runtime.block_on(signals.next());
            stop.set();
        });
        Ok(())
    }
}

//! The end of a command: asked for by a signal or an error, seen by all of
//! its threads.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::signals::Signals;

/// Set once; every thread that waits for it wakes up.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<(Mutex<bool>, Condvar)>);

impl StopFlag {
    pub fn set(&self) {
        let (stopped, wake) = &*self.0;
        *stopped.lock() = true;
        wake.notify_all();
    }

    pub fn is_set(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits for at most `time`; tells whether the run is to end.
    pub fn wait(&self, time: Duration) -> bool {
        let (stopped, wake) = &*self.0;
        let mut stopped = stopped.lock();
        wake.wait_while_for(&mut stopped, |stopped| !*stopped, time);
        *stopped
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

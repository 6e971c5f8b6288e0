//! Fatal errors: what an actor met that must end the process, which only the
//! application can do.

use std::sync::Arc;

use tokio::sync::watch;

/// Why the process must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FatalError {
    /// The configuration can't be used with the server that was found.
    #[error("bad configuration: {0}")]
    BadConfiguration(String),
    /// Going on would be wrong.
    #[error("{0}")]
    Failed(String),
}

/// Takes the first error and passes it to the application; cheap to clone.
#[derive(Debug, Clone)]
pub struct FatalSignal(Arc<watch::Sender<Option<FatalError>>>);

impl Default for FatalSignal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl FatalSignal {
    /// Ends the process; only the first error counts.
    pub fn raise(&self, error: FatalError) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(error);
            is_first
        });
    }

    /// Waits for an error.
    pub async fn raised(&self) -> FatalError {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(error) = receiver.borrow_and_update().clone() {
                return error;
            }
            // The sender lives as long as this does.
            let _ = receiver.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_error_counts() {
        let fatal = FatalSignal::default();
        fatal.raise(FatalError::Failed("a".into()));
        fatal.raise(FatalError::Failed("b".into()));
        assert_eq!(fatal.raised().await, FatalError::Failed("a".into()));
    }
}

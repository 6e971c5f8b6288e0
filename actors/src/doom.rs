//! Doom: what an actor met that must end the process, which only the
//! application can do.

use std::sync::Arc;

use tokio::sync::watch;

/// Why the process must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The configuration can't be used with the server that was found.
    #[error("bad configuration: {0}")]
    BadConfiguration(String),
    /// Going on would be wrong.
    #[error("{0}")]
    Failed(String),
}

/// Takes the first reason and tells the application; cheap to clone.
#[derive(Debug, Clone)]
pub struct Doom(Arc<watch::Sender<Option<End>>>);

impl Default for Doom {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Doom {
    /// Ends the process; only the first reason counts.
    pub fn end(&self, end: End) {
        self.0.send_if_modified(|reason| {
            let is_first = reason.is_none();
            reason.get_or_insert(end);
            is_first
        });
    }

    /// Waits for a reason.
    pub async fn met(&self) -> End {
        let mut told = self.0.subscribe();
        loop {
            if let Some(end) = told.borrow_and_update().clone() {
                return end;
            }
            // The sender lives as long as this does.
            let _ = told.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts() {
        let doom = Doom::default();
        doom.end(End::Failed("a".into()));
        doom.end(End::Failed("b".into()));
        assert_eq!(doom.met().await, End::Failed("a".into()));
    }
}

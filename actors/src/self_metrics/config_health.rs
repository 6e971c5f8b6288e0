//! How the file does that says who may use the HTTP side: told in the log where
//! it changes, here for whoever looks later.

use std::sync::{Mutex, PoisonError};

/// Whether the file is in force as it stands, if there is one.
#[derive(Debug, Default)]
pub struct ConfigHealth(Mutex<State>);

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// There is no such file.
    #[default]
    None,
    Good,
    /// It is not in force, for that reason.
    Bad(String),
}

impl ConfigHealth {
    /// Notes whether what the file says is in force, or why not.
    pub fn set(&self, problem: Option<String>) {
        *self.lock() = problem.map_or(State::Good, State::Bad);
    }

    /// Whether that is what was wrong before.
    pub fn is_known(&self, problem: &str) -> bool {
        matches!(&*self.lock(), State::Bad(known) if known == problem)
    }

    /// Whether anything is wrong.
    pub fn has_problem(&self) -> bool {
        self.problem().is_some()
    }

    /// What is wrong.
    pub fn problem(&self) -> Option<String> {
        match &*self.lock() {
            State::None | State::Good => None,
            State::Bad(problem) => Some(problem.clone()),
        }
    }

    /// Whether the file is in force as it stands; `None` where there is none.
    pub fn is_good(&self) -> Option<bool> {
        match &*self.lock() {
            State::None => None,
            State::Good => Some(true),
            State::Bad(_) => Some(false),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

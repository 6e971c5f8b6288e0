//! Whether the file that says who may use the HTTP side is in force: logged where
//! it changes, here for later looks.

use parking_lot::Mutex;

/// Whether the file is in force as it stands, if there is one.
#[derive(Debug, Default)]
pub struct ConfigHealth(Mutex<FileState>);

#[derive(Debug, Default, PartialEq, Eq)]
enum FileState {
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
        *self.0.lock() = problem.map_or(FileState::Good, FileState::Bad);
    }

    /// Whether that is what was wrong before.
    pub fn is_known(&self, problem: &str) -> bool {
        matches!(&*self.0.lock(), FileState::Bad(known) if known == problem)
    }

    /// Whether anything is wrong.
    pub fn has_problem(&self) -> bool {
        self.problem().is_some()
    }

    /// What is wrong.
    pub fn problem(&self) -> Option<String> {
        match &*self.0.lock() {
            FileState::None | FileState::Good => None,
            FileState::Bad(problem) => Some(problem.clone()),
        }
    }

    /// Whether the file is in force as it stands; `None` where there is none.
    pub fn is_good(&self) -> Option<bool> {
        match &*self.0.lock() {
            FileState::None => None,
            FileState::Good => Some(true),
            FileState::Bad(_) => Some(false),
        }
    }
}

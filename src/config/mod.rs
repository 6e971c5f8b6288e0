//! Configuration: file and environment in, checked settings out. Two stages:
//! the raw one takes text from every source, the checked one makes settings of
//! it or names every problem at once. Nothing but the configuration file, the CA
//! file and what the system says of its memory is opened.
//!
//! ```text
//! file, environment ─► raw ─► checked ─► Config
//!                     settings: the one table
//! ```

mod checked;
mod connection;
pub mod document;
mod error;
pub mod file;
mod value_kind;
mod listen;
mod memory;
mod raw;
mod settings;

use std::ffi::OsString;
use std::path::Path;

use psg_actors::settings::GatewaySettings;
use tracing::level_filters::LevelFilter;

pub use error::Problem;
pub use raw::Origin;

use file::FileContent;

/// Everything that a run of the gateway is configured by.
#[derive(Debug, Clone)]
pub struct Config {
    pub gateway: GatewaySettings,
    pub log: LogSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// `None` is text on a terminal, else JSON.
    pub format: Option<LogFormat>,
    /// The least severe records of our own code.
    pub level: LevelFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For the eye.
    Text,
}

/// What configuring came to. Holds no secret outside of `config`, and prints
/// none there either.
#[derive(Debug)]
pub struct ConfigOutcome {
    /// The settings; or all that is wrong, at least one problem.
    pub config: Result<Config, Vec<Problem>>,
    pub warnings: Vec<String>,
    /// Every setting in force, in the order of the table.
    pub entries: Vec<EffectiveSetting>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// `Section.Key`.
    pub name: &'static str,
    /// The value for the eye, secrets masked.
    pub value: String,
    pub origin: Origin,
    /// The name as it was set: the setting's, or that of a fallback.
    pub set_as: String,
}

/// The variables that name the environment to .NET; the first that is set holds.
const DOTNET_ENVIRONMENT: [&str; 2] = ["DOTNET_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT"];

/// Configures from the process' environment and from `file`, or from
/// `appsettings.json` and `appsettings.Production.json` (or that of another
/// environment of .NET) in the working directory where they are there.
pub fn load(file: Option<&Path>) -> ConfigOutcome {
    let mut environment = DOTNET_ENVIRONMENT.iter().filter_map(|name| std::env::var(name).ok());
    let environment = environment.next().unwrap_or_else(|| "Production".to_owned());
    configure(std::env::vars_os(), file::read(file, &environment))
}

/// Configures from these settings alone, by their environment names.
pub fn from_settings(settings: &[(&str, &str)]) -> ConfigOutcome {
    let pairs = settings.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    configure(pairs, file::FileContent::default())
}

/// Configures from these variables and what a file held.
pub fn configure(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    file: FileContent,
) -> ConfigOutcome {
    let mut sources = raw::SettingSources::new(environment, file.pairs);
    sources.problems.splice(0..0, file.problems);
    sources.warnings.splice(0..0, file.warnings);
    checked::check(sources)
}

#[cfg(test)]
mod tests;

//! The raw stage: what each source says, through envy, as text. Nothing is
//! judged here but names.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::sync::LazyLock;

use psg_engine::printable::{LONG, printable};
use serde::Deserialize;

use super::error::Problem;
use super::settings::{FALLBACKS, SETTINGS, Setting, environment_name};
use super::value_kind::ValueKind;

/// What one source says, by lower-case environment name. Not printable: it
/// holds the connection string.
#[derive(Deserialize, Default)]
#[serde(transparent)]
pub struct Raw(HashMap<String, String>);

/// Both sources, and what was found on reading them.
#[derive(Default)]
pub struct SettingSources {
    environment: Raw,
    file: Raw,
    /// Names that nobody knows, and names given more than once.
    pub warnings: Vec<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Environment,
    File,
    Default,
}

/// The value in force of a setting, before it is judged.
pub struct GivenValue<'a> {
    /// The text; `None` where neither source has it and the default is not a
    /// plain value.
    pub text: Option<&'a str>,
    pub name: String,
    /// Of the setting, or of the fallback that stands in for it.
    pub kind: ValueKind,
    pub origin: Origin,
}

impl SettingSources {
    /// Reads names and values of both sources; `file` holds `Section.Key`
    /// pairs.
    pub fn new(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Vec<(String, String)>,
    ) -> Self {
        let mut sources = Self::default();
        let environment = sources.unicode(environment);
        sources.environment = sources.raw(environment, Origin::Environment);
        sources.file = sources.raw(file, Origin::File);
        sources
    }

    /// The value in force: environment over file over fallback over default.
    pub fn given(&self, setting: &Setting) -> GivenValue<'_> {
        let own = self.lookup(setting.name, setting.kind);
        own.or_else(|| self.fallback(setting)).unwrap_or_else(|| GivenValue {
            text: setting.default.value(),
            name: setting.name.to_owned(),
            kind: setting.kind,
            origin: Origin::Default,
        })
    }

    /// A fallback that is blank counts as unset, as it does for .NET.
    fn fallback(&self, setting: &Setting) -> Option<GivenValue<'_>> {
        let mut stand_ins =
            FALLBACKS.iter().filter(|fallback| fallback.stands_in_for.name == setting.name);
        stand_ins.find_map(|fallback| {
            let given = self.lookup(fallback.name, fallback.kind)?;
            given.text.is_some_and(|text| !text.trim().is_empty()).then_some(given)
        })
    }

    fn lookup(&self, name: &str, kind: ValueKind) -> Option<GivenValue<'_>> {
        let key = normalised(name);
        let in_environment = self.environment.0.get(&key);
        let (text, name, origin) = match in_environment {
            Some(text) => (text, environment_name(name), Origin::Environment),
            None => (self.file.0.get(&key)?, name.to_owned(), Origin::File),
        };
        Some(GivenValue { text: Some(text), name, kind, origin })
    }

    /// Drops variables that are not Unicode; one that is ours is a problem.
    fn unicode(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => pairs.push((name, value)),
                Err(_) if is_known(&normalised(&name)) => {
                    self.problems.push(Problem::new(name, "expected Unicode, got other bytes"));
                }
                Err(_) => {}
            }
        }
        pairs
    }

    /// Keeps what is known, warns of what looks like ours and is not.
    fn raw(&mut self, pairs: Vec<(String, String)>, origin: Origin) -> Raw {
        let mut seen = HashSet::new();
        let mut known = Vec::new();
        for (name, value) in pairs {
            let key = normalised(&name);
            if !is_known(&key) {
                self.warn_of_unknown(&name, &key, origin);
                continue;
            }
            if !seen.insert(key.clone()) {
                self.warnings.push(format!("{name} is set more than once, the last one holds"));
            }
            known.push((key, value));
        }
        envy::from_iter(known).expect("text to text can't fail")
    }

    fn warn_of_unknown(&mut self, name: &str, key: &str, origin: Origin) {
        let source = origin.as_str();
        let shown = printable(name, LONG);
        let unknown = format!("{shown} ({source}) is not a known setting, it is ignored");
        let sections: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.section()).collect();
        let is = |section: &&&str| key == section.to_ascii_lowercase();
        let is_within = |section: &&str| {
            let rest = key.strip_prefix(&section.to_ascii_lowercase());
            rest.is_some_and(|rest| rest.starts_with("__"))
        };
        if let Some(meant) = meant(key, sections.iter().any(is_within)) {
            let meant = match origin {
                Origin::Environment => meant.environment_name(),
                Origin::File | Origin::Default => meant.name.to_owned(),
            };
            self.warnings.push(format!("{unknown}: expected {meant}"));
        } else if sections.iter().any(is_within) {
            self.warnings.push(unknown);
        } else if is_of_dotnet(key) {
            self.warnings.push(format!(
                "{shown} ({source}) has no effect: set Http.ListenAddress, which is for HTTP \
                 without TLS, and Http.ConfigFile for TLS"
            ));
        } else if origin == Origin::File
            && let Some(section) = sections.iter().find(is)
        {
            self.warnings.push(format!(
                "{shown} ({source}) is ignored: expected a section with settings such as {}, got \
                 a single value",
                SETTINGS.iter().find(|s| s.section() == *section).map_or("none", |s| s.name)
            ));
        }
    }
}

/// A name is taken for a setting's with up to this many slips.
const MAX_SLIPS: usize = 2;

/// The setting that was meant: one whose name differs in what stands between its
/// words alone, or within a section in a few letters.
fn meant(key: &str, is_within_section: bool) -> Option<&'static Setting> {
    let letters = |text: &str| text.replace(['_', '.', ':', '-'], "").to_lowercase();
    let key = letters(key);
    let slips = |setting: &&&Setting| strsim::damerau_levenshtein(&letters(setting.name), &key);
    let most = if is_within_section { MAX_SLIPS } else { 0 };
    SETTINGS.iter().min_by_key(slips).filter(|setting| slips(setting) <= most).copied()
}

/// Whether that says to ASP.NET Core where to listen, in a way that is not
/// honoured here.
fn is_of_dotnet(key: &str) -> bool {
    let key = key.strip_prefix("aspnetcore_").unwrap_or(key);
    matches!(key, "urls" | "http_ports" | "https_ports")
        || key.starts_with("kestrel__endpoints__") && key.ends_with("__url")
}

impl Origin {
    /// For the eye.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Environment => "environment",
            Origin::File => "file",
            Origin::Default => "default",
        }
    }
}

/// The key that all spellings of a name share: letter case is ignored, and
/// `:` and `.` nest as `__` does.
pub fn normalised(name: &str) -> String {
    name.replace([':', '.'], "__").to_lowercase()
}

/// Whether a normalised name is a setting's or a fallback's.
pub fn is_known(key: &str) -> bool {
    static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let settings = SETTINGS.iter().map(|setting| setting.name);
        let names = settings.chain(FALLBACKS.iter().map(|fallback| fallback.name));
        names.map(normalised).collect()
    });
    KNOWN.contains(key)
}

#[cfg(test)]
mod tests {
    use super::super::settings::{HTTP_LISTEN_ADDRESS, REDIS_METRIC_QUEUE_KEY, SHARDS_COUNT};
    use super::*;

    fn sources(environment: &[(&str, &str)], file: &[(&str, &str)]) -> SettingSources {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let environment =
            environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        SettingSources::new(environment, file.iter().map(owned).collect())
    }

    #[track_caller]
    fn check(sources: &SettingSources, setting: &Setting, expected: (Option<&str>, &str, Origin)) {
        let given = sources.given(setting);
        assert_eq!((given.text, given.name.as_str(), given.origin), expected);
    }

    #[test]
    fn environment_over_file_over_default() {
        let key = &REDIS_METRIC_QUEUE_KEY;
        let both = sources(&[("REDIS__metricqueuekey", "a")], &[("redis.MetricQueueKey", "b")]);
        check(&both, key, (Some("a"), "Redis__MetricQueueKey", Origin::Environment));
        let file = sources(&[], &[("redis:METRICQUEUEKEY", "b")]);
        check(&file, key, (Some("b"), "Redis.MetricQueueKey", Origin::File));
        let none = sources(&[], &[]);
        let default = key.default.value();
        check(&none, key, (default, "Redis.MetricQueueKey", Origin::Default));
        check(&none, &SHARDS_COUNT, (None, "Shards.Count", Origin::Default));
    }

    #[test]
    fn a_fallback_counts_where_the_setting_is_unset_and_it_is_not_blank() {
        let listen = &HTTP_LISTEN_ADDRESS;
        let ports = ("ASPNETCORE_HTTP_PORTS", "8080");
        let both = sources(&[ports, ("ASPNETCORE_URLS", "http://+:5000")], &[]);
        check(&both, listen, (Some("http://+:5000"), "ASPNETCORE_URLS", Origin::Environment));
        let blank = sources(&[ports, ("aspnetcore_urls", " ")], &[]);
        check(&blank, listen, (Some("8080"), "ASPNETCORE_HTTP_PORTS", Origin::Environment));
        let own = sources(&[ports], &[("Http.ListenAddress", ":1")]);
        check(&own, listen, (Some(":1"), "Http.ListenAddress", Origin::File));
    }

    #[test]
    fn unknown_names_in_our_sections_are_warned_of_without_their_values() {
        let found = sources(
            &[("Redis__Passwort", "hush"), ("REDIS_PORT", "1"), ("Logging__X", "1"), ("PATH", "")],
            &[("Http.Listen", "hush"), ("AllowedHosts", "*"), ("Logging.LogLevel.X", "1")],
        );
        assert_eq!(
            found.warnings,
            [
                "Redis__Passwort (environment) is not a known setting, it is ignored",
                "Http.Listen (file) is not a known setting, it is ignored",
            ]
        );
    }

    #[test]
    fn a_setting_in_two_spellings_is_warned_of() {
        let found = sources(&[("Shards__Count", "1"), ("SHARDS__COUNT", "2")], &[]);
        assert_eq!(found.warnings, ["SHARDS__COUNT is set more than once, the last one holds"]);
        check(&found, &SHARDS_COUNT, (Some("2"), "Shards__Count", Origin::Environment));
    }

    #[cfg(unix)]
    #[test]
    fn values_that_are_not_unicode_are_a_problem_where_they_are_ours() {
        use std::os::unix::ffi::OsStringExt;
        let bad = || OsString::from_vec(vec![0xff, 0xfe]);
        let variables = [("Shards__Count", bad()), ("OTHER", bad()), ("Shards__X", bad())];
        let variables = variables.map(|(name, value)| (OsString::from(name), value));
        let found = SettingSources::new(variables, Vec::new());
        assert_eq!(
            found.problems,
            [Problem::new("Shards__Count", "expected Unicode, got other bytes")]
        );
    }
}

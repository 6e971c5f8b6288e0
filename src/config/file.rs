//! The configuration file: `appsettings.json` as .NET takes it, with comments
//! and trailing commas. It is flattened into `Section.Key` pairs of text.

use std::collections::HashSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::error::Problem;
use super::raw::{is_known, normalised};

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "appsettings.json";

const DEEPEST: usize = 32;

/// What the file holds. Not printable: the pairs hold the connection string.
#[derive(Default)]
pub struct FileContent {
    /// `Section.Key` and its value, in the order of the file.
    pub pairs: Vec<(String, String)>,
    pub problems: Vec<Problem>,
    /// What may have been meant to be read, and is not.
    pub warnings: Vec<String>,
}

/// Reads the file that was named, which must be there; or else the default one
/// and, over it, that of the environment of this name, as .NET does: each where
/// it is there.
pub fn read(named: Option<&Path>, environment: &str) -> FileContent {
    if let Some(path) = named {
        return read_one(path);
    }
    let mut content = read_where_it_is(Path::new(DEFAULT_FILE));
    // It is a part of a name, and no path.
    if !environment.is_empty() && !environment.contains(['/', '\\', '\0']) {
        let path = format!("appsettings.{environment}.json");
        content = content.under(read_where_it_is(Path::new(&path)));
    }
    content
}

fn read_where_it_is(path: &Path) -> FileContent {
    match std::fs::symlink_metadata(path) {
        Ok(_) => read_one(path),
        Err(error) if error.kind() == ErrorKind::NotFound => FileContent::default(),
        // What may not be looked into can't be meant.
        Err(error) => {
            let warning = format!("{} is not read: {error}", path.display());
            FileContent { warnings: vec![warning], ..FileContent::default() }
        }
    }
}

fn read_one(path: &Path) -> FileContent {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) => refused(path, format!("expected a readable file, got: {error}")),
    }
}

impl FileContent {
    /// Both; what the other says holds.
    fn under(mut self, other: FileContent) -> Self {
        let said: HashSet<String> = other.pairs.iter().map(|(name, _)| normalised(name)).collect();
        self.pairs.retain(|(name, _)| !said.contains(&normalised(name)));
        self.pairs.extend(other.pairs);
        self.problems.extend(other.problems);
        for warning in other.warnings {
            // One folder that can't be looked into is one thing to say.
            if self.warnings.is_empty() {
                self.warnings.push(warning);
            }
        }
        self
    }
}

/// Parses the text of the file; `path` is for messages.
pub fn parse(path: &Path, text: &str) -> FileContent {
    match json5::from_str(text) {
        Ok(SettingsFile { content, kind: OBJECT }) => content,
        Ok(SettingsFile { kind, .. }) => {
            refused(path, format!("expected a JSON object, got {kind}"))
        }
        Err(error) => refused(path, format!("expected JSON, got: {error}")),
    }
}

fn refused(path: &Path, message: String) -> FileContent {
    let problem = Problem::new(path.display().to_string(), message);
    FileContent { problems: vec![problem], ..FileContent::default() }
}

/// What the file holds, and what that is as JSON.
struct SettingsFile {
    content: FileContent,
    kind: &'static str,
}

const OBJECT: &str = "an object";

impl<'de> Deserialize<'de> for SettingsFile {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let mut content = FileContent::default();
        let root = Flattener { name: String::new(), depth: 0, content: &mut content };
        let kind = root.deserialize(json)?;
        Ok(Self { content, kind })
    }
}

/// Reads one value into pairs, scalars as text, and tells what it is. Arrays
/// become numbered keys, as in .NET; null is unset.
struct Flattener<'a> {
    /// Empty for the whole file.
    name: String,
    depth: usize,
    content: &'a mut FileContent,
}

impl Flattener<'_> {
    fn scalar<E>(self, value: impl ToString) -> Result<&'static str, E> {
        self.content.pairs.push((self.name, value.to_string()));
        Ok("a single value")
    }

    fn below(&mut self, key: &str) -> Flattener<'_> {
        let name = if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) };
        Flattener { name, depth: self.depth + 1, content: self.content }
    }

    /// What is deeper than any configuration is refused before the stack ends.
    fn check_depth<E: Error>(&self) -> Result<(), E> {
        match self.depth {
            ..DEEPEST => Ok(()),
            _ => Err(E::custom(format_args!("nesting over {DEEPEST} deep"))),
        }
    }

    /// Ends an array or object that was begun after `before` pairs.
    fn nested<E>(self, kind: &'static str, before: usize) -> Result<&'static str, E> {
        if is_known(&normalised(&self.name)) {
            self.content.pairs.truncate(before);
            let message = format!("expected a text, number or boolean, got {kind}");
            self.content.problems.push(Problem::new(self.name, message));
        }
        Ok(kind)
    }
}

impl<'de> DeserializeSeed<'de> for Flattener<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<&'static str, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flattener<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<&'static str, E> {
        self.scalar(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<&'static str, E> {
        self.scalar(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<&'static str, E> {
        self.scalar(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<&'static str, E> {
        self.scalar(value)
    }

    fn visit_str<E>(self, value: &str) -> Result<&'static str, E> {
        self.scalar(value)
    }

    fn visit_unit<E>(self) -> Result<&'static str, E> {
        Ok("null")
    }

    fn visit_none<E>(self) -> Result<&'static str, E> {
        Ok("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut json: A) -> Result<&'static str, A::Error> {
        self.check_depth()?;
        let before = self.content.pairs.len();
        let mut index = 0;
        while json.next_element_seed(self.below(&index.to_string()))?.is_some() {
            index += 1;
        }
        self.nested("an array", before)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut json: A) -> Result<&'static str, A::Error> {
        self.check_depth()?;
        let before = self.content.pairs.len();
        while let Some(key) = json.next_key::<String>()? {
            json.next_value_seed(self.below(&key))?;
        }
        self.nested(OBJECT, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is `name=value` or `name: message` lines.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let content = parse(Path::new("f.json"), text);
        let pairs = content.pairs.iter().map(|(name, value)| format!("{name}={value}"));
        let problems = content.problems.iter().map(Problem::to_string);
        assert_eq!(pairs.chain(problems).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn values_become_text() {
        check(
            r#"{"Redis": {"A": 2, "B": "2", "C": true, "D": null}}"#,
            &["Redis.A=2", "Redis.B=2", "Redis.C=true"],
        );
        check(
            r#"{"A": -1, "B": 1e3, "C": 2.5, "D": 18446744073709551615}"#,
            &["A=-1", "B=1000", "C=2.5", "D=18446744073709551615"],
        );
    }

    #[test]
    fn comments_trailing_commas_and_a_byte_order_mark_are_allowed() {
        check("\u{feff}{ // one\n \"A\": 1, /* two */ \"B\": {\"C\": 2,},\n}\n", &["A=1", "B.C=2"]);
        check("{}", &[]);
    }

    #[test]
    fn flat_keys_and_arrays() {
        check(
            r#"{"Redis:A": 1, "Redis.B": 2, "X": [3, {"Y": 4}]}"#,
            &["Redis:A=1", "Redis.B=2", "X.0=3", "X.1.Y=4"],
        );
    }

    #[test]
    fn a_setting_is_no_object_or_array() {
        check(
            r#"{"shards": {"COUNT": [1]}, "Http": {"ListenAddress": {"Port": 1}}}"#,
            &[
                "shards.COUNT: expected a text, number or boolean, got an array",
                "Http.ListenAddress: expected a text, number or boolean, got an object",
            ],
        );
    }

    #[test]
    fn what_is_not_an_object_is_refused_as_a_whole() {
        check("[]", &["f.json: expected a JSON object, got an array"]);
        check("null", &["f.json: expected a JSON object, got null"]);
        check(
            &"[".repeat(100_000),
            &["f.json: expected JSON, got: nesting over 32 deep at line 1 column 33"],
        );
    }

    #[test]
    fn syntax_errors_repeat_nothing_of_the_file() {
        for text in
            [r#"{"Redis": {"ConnectionString": "hush" "#, r#"{"A": hush}"#, "hush", "", "{} hush"]
        {
            let content = parse(Path::new("f.json"), text);
            assert_eq!(content.problems.len(), 1, "{text}");
            let message = content.problems[0].to_string();
            assert!(message.starts_with("f.json: expected JSON, got: "), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn the_file_of_the_environment_holds_over_the_default_one() {
        let content = |text: &str| parse(Path::new("f.json"), text);
        let both = content(r#"{"Redis": {"A": 1, "B": 2}}"#)
            .under(content(r#"{"redis:b": 3, "Log": {"Level": "warn"}}"#));
        let pairs: Vec<_> = both.pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(pairs, ["Redis.A=1", "redis:b=3", "Log.Level=warn"]);
    }

    /// As in a working directory that may not be searched, which root may.
    #[test]
    fn where_nothing_can_be_looked_at_it_is_started_with_a_warning() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("no-folder"), "").expect("written");
        let content = read_where_it_is(&folder.path().join("no-folder/appsettings.json"));
        assert_eq!((content.pairs.len(), content.problems.len()), (0, 0));
        assert!(content.warnings[0].contains("appsettings.json is not read: "));
        let twice = read_where_it_is(&folder.path().join("no-folder/a")).under(content);
        assert_eq!(twice.warnings.len(), 1);
    }

    #[test]
    fn a_named_file_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("none.json");
        let content = read(Some(&path), "");
        assert_eq!(content.problems.len(), 1);
        std::fs::write(&path, r#"{"Shards": {"Count": 3}}"#).expect("written");
        assert_eq!(read(Some(&path), "").pairs, [("Shards.Count".to_owned(), "3".to_owned())]);
        assert_eq!(read(Some(folder.path()), "").problems.len(), 1, "a folder is no file");
    }
}

//! Places that ARCHITECTURE.md and CONTRIBUTING.md name in backticks: files,
//! folders, tests, dependencies. Each must be there, and each folder of code and
//! each dependency must be named.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");

/// Where code is.
const CODE: [&str; 6] = ["src", "actors", "engine", "tests", "benches", "fuzz"];

const MANIFESTS: [&str; 5] = [
    "Cargo.toml",
    "actors/Cargo.toml",
    "engine/Cargo.toml",
    "tests/testkit/Cargo.toml",
    "fuzz/Cargo.toml",
];

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a document has in backticks outside of fenced blocks.
fn quoted(document: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    let lines = document.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Every Rust file, from the root of the repository.
pub(super) fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = CODE.map(PathBuf::from).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
            let entry = entry.expect("a readable folder");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("it has a type").is_dir() {
                // What a build left there is not code.
                folders.extend((entry.file_name() != "target").then_some(path));
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files
}

fn is_there(place: &str, files: &[PathBuf]) -> bool {
    match place.contains('/') {
        true => root().join(place).exists(),
        false => files.iter().any(|file| file.file_name().is_some_and(|name| name == place)),
    }
}

/// Whether a quoted word is a path: it ends like one, or begins like one.
fn is_path(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let begins = CODE.iter().any(|folder| word.starts_with(&format!("{folder}/")));
    word.chars().all(is_plain) && (begins || word.ends_with(".rs"))
}

/// Whether a quoted word is the name of a test: but for a few crates, nothing
/// else is that long.
fn is_test(word: &str) -> bool {
    let is_snake = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_snake && word.matches('_').count() > 1 && !word.starts_with("prom_stream_gateway_")
}

#[test]
fn every_file_and_folder_named_is_there() {
    let files = rust_files();
    let named = quoted(ARCHITECTURE).chain(quoted(CONTRIBUTING)).filter(|word| is_path(word));
    let missing: BTreeSet<&str> = named.filter(|place| !is_there(place, &files)).collect();
    assert!(missing.is_empty(), "named, but not there: {missing:?}");
}

#[test]
fn every_folder_of_code_is_named() {
    let files = rust_files();
    let folders: BTreeSet<String> =
        files.iter().filter_map(|file| Some(format!("{}/", file.parent()?.display()))).collect();
    let named: BTreeSet<&str> = quoted(ARCHITECTURE).collect();
    let missing: Vec<&String> =
        folders.iter().filter(|folder| !named.contains(folder.as_str())).collect();
    assert!(missing.is_empty(), "not in the code map of ARCHITECTURE.md: {missing:?}");
}

#[test]
fn every_test_named_is_there() {
    let code: String = rust_files()
        .iter()
        .map(|file| fs::read_to_string(root().join(file)).expect("Rust is text"))
        .collect();
    let crates = used_crates();
    let named = quoted(ARCHITECTURE).chain(quoted(CONTRIBUTING));
    let named = named.filter(|word| is_test(word) && !crates.contains(*word));
    let missing: BTreeSet<&str> =
        named.filter(|test| !code.contains(&format!("fn {test}("))).collect();
    assert!(missing.is_empty(), "named, but no function: {missing:?}");
}

#[test]
fn the_dependencies_named_are_those_that_there_are() {
    let used = used_crates();
    let (_, section) = ARCHITECTURE.split_once("\n## Dependencies\n").expect("there is a section");
    // The first column of the table, and the sentence below it.
    let cells = section.lines().map(|line| match line.strip_prefix('|') {
        Some(row) => row.split('|').next().unwrap_or_default(),
        None => line,
    });
    let named: BTreeSet<String> =
        cells.flat_map(|cell| quoted(cell).map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(named, used, "left: in ARCHITECTURE.md, right: in the manifests");
}

/// The crates that all manifests name, but for our own.
fn used_crates() -> BTreeSet<String> {
    MANIFESTS.iter().flat_map(|path| dependencies(path)).collect()
}

/// The crates that a manifest names, but for our own.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
    let mut section = "";
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section.ends_with("dependencies")
            && let Some((name, _)) = line.split_once('=')
            && !name.starts_with("psg-")
        {
            names.push(name.trim().to_owned());
        }
    }
    names
}

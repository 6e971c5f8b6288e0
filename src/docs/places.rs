//! Places that ARCHITECTURE.md and CONTRIBUTING.md name in backticks: files,
//! folders, tests, and what is declared in a file. Each must be there. And that
//! each dependency has its reason beside it.

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

/// What a table of CONTRIBUTING.md says is in a file, as in "`Kind` and `Shape` in
/// `engine/src/metric/kind.rs`".
fn symbols(document: &str) -> Vec<(&str, &str)> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(symbols_of_row).collect()
}

fn symbols_of_row(row: &str) -> Vec<(&str, &str)> {
    // By turns what is in backticks, from the second on, and what is between.
    let parts: Vec<&str> = row.split('`').collect();
    let mut found = Vec::new();
    for at in (1..parts.len()).step_by(2).filter(|at| is_path(parts[*at])) {
        let mut link = at - 1;
        let mut words = [" in "].as_slice();
        while link > 0 && words.contains(&parts[link]) && !is_path(parts[link - 1]) {
            found.push((parts[link - 1], parts[at]));
            link -= 2;
            words = &[" and ", ", "];
        }
    }
    found
}

/// Whether code declares what a path ends in: an item, a field, a variant.
fn declares(code: &str, symbol: &str) -> bool {
    let name = symbol.rsplit("::").next().unwrap_or(symbol).trim_end_matches("()");
    let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let (before, after) = (line[..at].trim_end(), &line[at + name.len()..]);
            let last = before.rsplit([' ', '(']).next().unwrap_or_default();
            let is_item = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];
            let is_whole = !after.starts_with(is_of_name) && !line[..at].ends_with(is_of_name);
            let is_part = before.is_empty() || last.starts_with("pub");
            is_whole && (is_item.contains(&last) || last == "macro_rules!" || is_part)
        })
    })
}

#[test]
fn what_contributing_says_is_in_a_file_is_there() {
    let symbols = symbols(CONTRIBUTING);
    assert!(symbols.len() > 15, "{symbols:?}");
    for (symbol, file) in symbols {
        let code = fs::read_to_string(root().join(file)).expect("a file that is named is there");
        assert!(declares(&code, symbol), "CONTRIBUTING.md: `{symbol}` is not in `{file}`");
    }
}

#[test]
fn symbols_are_found_in_rows_and_files() {
    let row = "| a | `B` and `C::D` in `src/e.rs`, then `f` and `g` in `src/h.rs`; `src/i.rs` |";
    let expected = [("C::D", "src/e.rs"), ("B", "src/e.rs"), ("g", "src/h.rs"), ("f", "src/h.rs")];
    assert_eq!(symbols(row), expected);
    let code = "pub enum Kind {\n    Gauge,\n}\npub(crate) fn judge(at: Moment) {}\n// struct No\n";
    for (symbol, is_there) in [
        ("Kind", true),
        ("Kind::Gauge", true),
        ("judge", true),
        ("No", false),
        ("Kin", false),
        ("Moment", false),
    ] {
        assert_eq!(declares(code, symbol), is_there, "{symbol}");
    }
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

/// Why it is there can be judged again only where it stands.
#[test]
fn each_dependency_has_its_reason_beside_it() {
    for manifest in MANIFESTS {
        let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
        let names: BTreeSet<String> = dependencies(manifest).into_iter().collect();
        // Those that stand together below a comment share it.
        for lines in text.split("\n\n") {
            let mut has_reason = false;
            for line in lines.lines() {
                let name = line.split_once(" =").map_or("", |(name, _)| name);
                has_reason |= line.starts_with('#');
                let is_known = has_reason || line.contains(" # ") || !names.contains(name);
                assert!(is_known, "{manifest}: no reason stands beside {name}");
            }
        }
    }
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

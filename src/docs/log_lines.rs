//! The log lines that docs/debug.md promises to keep: each stands in the code.

use std::path::Path;

use super::{path, read};

/// What stands first in each row below that heading, and each other line that a
/// row names: no single word.
fn listed(page: &str) -> Vec<String> {
    let (_, section) = page.split_once("\n## Log lines\n").expect("there is a section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let of_row = |row: &str| {
        let quoted = row.split('`').step_by(2).enumerate();
        let lines = quoted.filter(|(at, words)| *at == 0 || words.contains(' '));
        lines.map(|(_, words)| words.to_owned()).collect::<Vec<_>>()
    };
    rows.flat_map(of_row).collect()
}

/// The Rust under a folder, with its strings as they come out: a line that ends
/// in a backslash goes on without the room before the next one.
fn code(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder of code") {
        let file = entry.expect("an entry").path();
        if file.is_dir() {
            code(&file, into);
        } else if file.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&file).expect("Rust is text");
            let mut lines = text.split("\\\n");
            into.push_str(lines.next().unwrap_or_default());
            lines.for_each(|line| into.push_str(line.trim_start()));
        }
    }
}

#[test]
fn every_log_line_listed_is_logged() {
    let mut all = String::new();
    code(&path("actors/src"), &mut all);
    all.push_str(&read("src/app.rs"));
    let listed = listed(&read("docs/debug.md"));
    assert!(listed.len() > 30, "{listed:?}");
    for words in listed {
        // What differs is a placeholder, or follows.
        for part in words.split('…') {
            let part = part.trim_end_matches(": ");
            assert!(all.contains(part), "docs/debug.md: nothing logs `{words}`");
        }
    }
}

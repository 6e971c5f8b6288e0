//! The shape of the code: how long a file may be, and that the modules of a
//! crate use each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::places::{root, rust_files};

/// Lines of a file, at most.
const MOST_LINES: usize = 400;

/// The folders of the three crates' code.
const CRATES: [&str; 3] = ["src", "actors/src", "engine/src"];

#[test]
fn no_file_is_long() {
    let lines = |file: &Path| text(file).lines().count();
    let files = rust_files();
    let long: Vec<_> = files.iter().filter(|file| lines(file) > MOST_LINES).collect();
    assert!(long.is_empty(), "over {MOST_LINES} lines: {long:?}");
}

/// What makes a circle can't be understood one after the other.
#[test]
fn modules_use_each_other_in_one_direction() {
    for folder in CRATES {
        let circle = circle(uses(folder));
        assert!(circle.is_empty(), "modules of {folder} in circles: {circle:?}");
    }
}

#[test]
fn a_circle_is_found() {
    let uses = |of: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let set = |used: &[&str]| used.iter().map(|name| (*name).to_owned()).collect();
        of.iter().map(|(name, used)| ((*name).to_owned(), set(used))).collect()
    };
    assert!(circle(uses(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let found = circle(uses(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &["a"])]));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["b", "c"]);
}

/// For each module at the top of a crate, the others that it uses outside of
/// tests: its file, and all in its folder.
fn uses(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in rust_files() {
        let Ok(inside) = file.strip_prefix(folder) else { continue };
        let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
        let first = parts.next().expect("a file has a name").into_owned();
        let is_test = inside.to_string_lossy().split(['/', '.']).any(|part| part == "tests");
        let module = first.trim_end_matches(".rs").to_owned();
        if !is_test && module != "main" && module != "lib" {
            // There, what is above is the crate.
            let is_top = parts.next().is_none();
            let code = if is_top { text(&file).replace("super::", "crate::") } else { text(&file) };
            uses.entry(module).or_default().extend(named(&code));
        }
    }
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    for (module, used) in &mut uses {
        used.retain(|name| name != module && modules.contains(name));
    }
    uses
}

/// What stands behind `crate::` in code that is no test.
fn named(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    code.split("crate::").skip(1).flat_map(firsts).collect()
}

/// The first names of a path, or of each that stands in braces.
fn firsts(path: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let first =
        |path: &str| path.trim().split(|c| !is_name(c)).next().unwrap_or_default().to_owned();
    match path.strip_prefix('{').and_then(|group| group.split_once('}')) {
        Some((group, _)) => group.split(',').map(first).collect(),
        None => vec![first(path)],
    }
}

#[test]
fn what_a_file_uses_is_found() {
    let code = "use crate::a::B;\nuse crate::{c, d};\nfn f() { crate::e::g() } // crate::h\n\
                #[cfg(test)]\nmod tests { use crate::i; }\n";
    assert_eq!(named(code).into_iter().collect::<Vec<_>>(), ["a", "c", "d", "e"]);
}

/// What is left where nothing can be taken away any more that uses nothing of
/// the rest, or that nothing of the rest uses: the circles.
fn circle(mut uses: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let used: BTreeSet<String> = uses.values().flatten().cloned().collect();
        let outside = |name: &String, by: &BTreeSet<String>| by.is_empty() || !used.contains(name);
        let taken: Vec<String> = uses
            .iter()
            .filter(|(name, by)| outside(name, by))
            .map(|(name, _)| name.clone())
            .collect();
        if taken.is_empty() {
            return uses;
        }
        uses.retain(|name, _| !taken.contains(name));
        uses.values_mut().for_each(|used| used.retain(|name| !taken.contains(name)));
    }
}

fn text(file: &Path) -> String {
    fs::read_to_string(root().join(file)).expect("a readable file")
}

//! The shape of the code: that modules use each other in one direction, inside
//! folders too, and that the drawing of ARCHITECTURE.md is what they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::places::{root, rust_files};
use super::read;

/// The three crates, each with the folder of its code, in the order in which
/// they use each other.
const CRATES: [(&str, &str); 3] =
    [("src", "src"), ("actors", "actors/src"), ("engine", "engine/src")];

/// A module by its path from the root of its crate, which is empty itself.
type Module = Vec<String>;

/// For each module of a crate, the others that its file names outside of tests.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// A circle can only be understood as a whole. A file may name the module that it
/// is in: to Rust, what is in there is its own.
#[test]
fn modules_use_each_other_in_one_direction() {
    let mut circles = Vec::new();
    for (name, folder) in CRATES {
        let uses = uses(folder);
        let parents: BTreeSet<&[String]> = uses.keys().filter_map(parent).collect();
        for inside in parents {
            let circle = circle(within(&uses, inside));
            circles.extend((!circle.is_empty()).then(|| format!("{name} {inside:?}: {circle:?}")));
        }
    }
    assert!(circles.is_empty(), "modules in circles:\n{}", circles.join("\n"));
}

/// Each module of a crate stands in the drawing once, and uses only what stands
/// after it.
#[test]
fn the_drawing_is_what_the_imports_say() {
    let drawing = read("ARCHITECTURE.md");
    for (name, folder) in CRATES {
        let uses = within(&uses(folder), &[]);
        let drawn = drawn(&drawing, name);
        let place = |module: &String| drawn.iter().position(|drawn| drawn == module);
        let expected: BTreeSet<&String> = uses.keys().collect();
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>(), expected, "left: the drawing of {name}");
        assert_eq!(
            drawn.len(),
            expected.len(),
            "modules of {name} that are drawn twice: {drawn:?}"
        );
        for (user, used) in &uses {
            let before: Vec<_> = used.iter().filter(|used| place(used) < place(user)).collect();
            assert!(before.is_empty(), "{name}: {user} uses {before:?}, which stand before it");
        }
    }
}

/// The modules of a crate in the order of the drawing: the words of its lines up
/// to the next empty one, but for what stands before a colon.
fn drawn(document: &str, name: &str) -> Vec<String> {
    let heading = format!("\n{name}/\n");
    let (_, drawing) = document.split_once(&heading).unwrap_or_else(|| panic!("no {heading}"));
    let lines = drawing.lines().take_while(|line| line.starts_with("  "));
    let modules = lines.map(|line| line.split_once(": ").map_or(line, |(_, modules)| modules));
    modules.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// The modules directly in another one with those beside them that they use, each
/// with all that is in its folder.
fn within(uses: &Uses, inside: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let child = |module: &Module| module.strip_prefix(inside)?.first().cloned();
    let mut children: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (user, used) in uses {
        if let Some(user) = child(user) {
            let used = used.iter().filter_map(child).filter(|used| *used != user);
            children.entry(user.clone()).or_default().extend(used);
        }
    }
    children
}

fn uses(folder: &str) -> Uses {
    let files = rust_files();
    let files =
        files.iter().filter_map(|file| Some((module(file.strip_prefix(folder).ok()?)?, file)));
    let files: BTreeMap<Module, _> = files.collect();
    let named = |(of, file): (&Module, &&PathBuf)| {
        let paths = paths(&code(&text(file)));
        let named =
            paths.iter().filter_map(|path| resolved(path, of, |named| files.contains_key(named)));
        (of.clone(), named.collect())
    };
    files.iter().map(named).collect()
}

/// The module that is in a file; none where that is the crate itself, or tests.
fn module(file: &Path) -> Option<Module> {
    let mut path: Module =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    let is_root = path == ["main"] || path == ["lib"];
    (!is_root && !path.iter().any(|part| part == "tests")).then_some(path)
}

fn parent(module: &Module) -> Option<&[String]> {
    module.split_last().map(|(_, parent)| parent)
}

/// A file without its comments and the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().flat_map(|line| [line.split("//").next().unwrap_or_default(), "\n"]).collect()
}

/// The module that a path in the file of another one leads into, if it is not that
/// one itself.
fn resolved(path: &[String], of: &Module, is_module: impl Fn(&[String]) -> bool) -> Option<Module> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (from, rest) = match path[0].as_str() {
        "crate" => (&[][..], &path[1..]),
        "self" => (&of[..], &path[1..]),
        _ => (&of[..of.len().checked_sub(ups)?], &path[ups..]),
    };
    let whole: Module = from.iter().chain(rest).cloned().collect();
    let lengths = (1..=whole.len()).rev();
    let found = lengths.map(|length| &whole[..length]).find(|named| is_module(named))?;
    (found != of.as_slice()).then(|| found.to_vec())
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// All paths that begin with `crate`, `super` or `self`, each of those in braces.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for begin in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(begin) {
            // What stands in the middle of a path was read with its beginning.
            if !code[..at].ends_with(|before| is_of_name(before) || before == ':') {
                read_path(&code[at..], &[], &mut found);
            }
        }
    }
    found
}

/// Reads a path that goes on from `before`; what follows it.
fn read_path<'a>(code: &'a str, before: &[String], found: &mut Vec<Module>) -> &'a str {
    let mut path = before.to_vec();
    let mut rest = code;
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            return read_group(group, &path, found);
        }
        let (name, after) = rest.split_at(rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()));
        path.extend((!name.is_empty()).then(|| name.to_owned()));
        match after.strip_prefix("::") {
            Some(after) => rest = after,
            None => {
                found.push(path);
                return after;
            }
        }
    }
}

/// Reads paths up to the end of their braces; what follows these.
fn read_group<'a>(code: &'a str, before: &[String], found: &mut Vec<Module>) -> &'a str {
    let mut rest = code;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ",*".contains(c));
        if rest.is_empty() || rest.starts_with('}') {
            return rest.strip_prefix('}').unwrap_or_default();
        }
        rest = read_path(rest, before, found);
    }
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

#[test]
fn the_modules_that_a_file_uses_are_found() {
    let text = "use crate::a::B;\nuse super::{c::{self, D}, e};\nfn f() { crate::g::h() } // crate::i\n\
                #[cfg(test)]\nmod tests { use crate::j; }\n";
    let module = |path: &str| -> Module { path.split("::").map(str::to_owned).collect() };
    let there = ["a", "k", "k::c", "k::e", "k::f", "g::h"].map(module);
    let named = |path: &Module| resolved(path, &module("k::f"), |of| there.iter().any(|m| m == of));
    let found: BTreeSet<Module> = paths(&code(text)).iter().filter_map(named).collect();
    assert_eq!(found, ["a", "k::c", "k::e", "g::h"].map(module).into());
}

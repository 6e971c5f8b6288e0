//! README and `docs/`: every fenced block is put to a test. Its payloads are
//! accepted or refused as the page says, its commands do what stands below them,
//! its programs and configurations work.
//!
//! A comment before a block names its test, one of those in the table below
//! (`psg_testkit::pages` reads them). A block without one fails, whatever it is, and so
//! does a command that stands in the prose alone. Programs run where their
//! interpreter and library are there (`tests/examples/install` and
//! `tests/otlp/install` get the libraries); which did not run is said, and is a failure where
//! `PSG_EXAMPLES=all` is set.

mod commands;
mod configurations;
mod deploying;
mod installs;
mod languages;
mod otlp;
mod packages;
mod payloads;
mod programs;
mod pushes;
mod quick_start;
mod starts;

use psg_testkit::pages::{Block, blocks, is_like, pages, quoted};

/// Each name that a comment may have, with what becomes of the blocks under it.
macro_rules! tests {
    ($($name:ident: $run:path;)*) => {
        const TESTS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                $run(&of(stringify!($name)));
            }
        )*
    };
}

tests! {
    // In commands.rs, but for the first two.
    push: quick_start::push_is_first;
    look: quick_start::what_is_pushed_shows;
    shell: commands::do_what_they_print;
    starts: starts::gateways_start;
    repartition: commands::repartition;
    run: quick_start::the_demo_runs;
    view: quick_start::the_view_shows_that;
    payload: payloads::are_accepted;
    refused: payloads::are_refused;
    program: programs::push_and_do_not_wait;
    package: packages::handlers_push;
    otlp: otlp::processes_count_in_one_series;
    pushes: pushes::programs_push;
    install: installs::from_a_clone;
    settings_file: configurations::settings_file;
    prometheus: configurations::prometheus;
    rules: configurations::rules;
    web_config: configurations::web_config;
    secured: configurations::secured;
    rights: configurations::rights;
    container: deploying::containers;
    compose: deploying::compose;
    deploy: deploying::examples;
    verify: deploying::releases_are_verified;
    script: deploying::scripts;
}

/// The blocks under that name; there must be one.
fn of(test: &str) -> Vec<Block> {
    let found: Vec<Block> = blocks().into_iter().filter(|block| block.test == test).collect();
    assert!(!found.is_empty(), "no block has the test {test}");
    found
}

/// Those that look at what stands below a block.
const PRINTING: [&str; 3] = ["look", "shell", "payload"];

#[test]
fn every_block_is_put_to_a_test() {
    for block in blocks() {
        let is_known = TESTS.contains(&block.test.as_str()) || block.test == "prints";
        assert!(is_known, "{}: no test, or one that there is not:\n{}", block.place, block.text);
        let is_seen = block.prints.is_none() || PRINTING.contains(&block.test.as_str());
        assert!(is_seen, "{}: nobody looks at what it prints", block.place);
    }
}

/// What a command begins with.
const COMMANDS: [&str; 14] = [
    "curl ",
    "redis-cli ",
    "prom-stream-gateway ",
    "docker ",
    "kubectl ",
    "helm ",
    "aws ",
    "cargo ",
    "sha256sum ",
    "jq ",
    "./",
    "scripts/",
    "promtool ",
    "htpasswd ",
];

/// Commands without a terminal that can be waited for, and what is none.
const NOT_ALONE: [&str; 1] = ["./test"];

/// What gets the libraries of the programs.
const INSTALLERS: [&str; 2] =
    [include_str!("../examples/install"), include_str!("../otlp/install")];

/// What these do, or the block about our own packages.
const INSTALLING: [&str; 4] = ["composer require ", "pip install ", "npm install ", "go get "];

/// The packages of this repository, which say their names.
const MANIFESTS: [&str; 4] = [
    include_str!("../../clients/php/composer.json"),
    include_str!("../../clients/python/pyproject.toml"),
    include_str!("../../clients/node/package.json"),
    include_str!("../../clients/go/go.mod"),
];

/// Whether a manifest names itself so.
fn is_ours(name: &str) -> bool {
    let lines = [
        format!("  \"name\": \"{name}\","),
        format!("name = \"{name}\"\n"),
        format!("module {name}\n"),
    ];
    MANIFESTS.iter().any(|manifest| lines.iter().any(|line| manifest.contains(line)))
}

/// A command in the middle of a sentence would be run by nobody.
#[test]
fn every_command_stands_in_a_block() {
    let run: Vec<String> = blocks().into_iter().map(|block| block.text).collect();
    for page in pages() {
        for words in quoted(&page) {
            let is_command = COMMANDS.iter().any(|command| words.starts_with(command));
            let is_run = run.iter().any(|text| text.contains(&words));
            let is_fine = !is_command || is_run || NOT_ALONE.contains(&words.as_str());
            assert!(is_fine, "{}: no block runs `{words}`", page.name);
            let installed = INSTALLING.iter().find_map(|begin| words.strip_prefix(begin));
            for name in installed.unwrap_or_default().split(' ') {
                let is_known =
                    INSTALLERS.iter().any(|script| script.contains(name)) || is_ours(name);
                assert!(is_known, "{}: nothing installs {name}", page.name);
            }
        }
    }
}

/// A payload in a sentence says what is good unless a block says otherwise.
#[test]
fn payloads_in_sentences_are_good() {
    for page in pages() {
        // The table of self-metrics has one as its HELP; a series may begin like one.
        let is_payload = |words: &String| words.starts_with("{\"") && words.contains("\":");
        let words = quoted(&page).into_iter().filter(is_payload);
        for payload in words {
            payloads::is_accepted(&page.name, &payload);
        }
    }
}

#[test]
fn dots_stand_for_anything() {
    for (text, expected) in
        [("a b", "a b"), ("a b c", "a … c"), ("ab", "…"), ("a1b2c", "a…b…c"), ("x\ny\nz", "…y\n…")]
    {
        assert!(is_like(text, expected), "{text} {expected}");
    }
    for (text, expected) in [("a b", "a"), ("a b c", "a … d"), ("ab", "b…"), ("abc", "a…bc…c")]
    {
        assert!(!is_like(text, expected), "{text} {expected}");
    }
}

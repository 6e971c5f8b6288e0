//! The fuzzers' corpora as an ordinary test: what a fuzzer once found stays
//! fixed, and the checks stay in step with the code.

#[path = "../fuzz/src/checks/mod.rs"]
mod checks;

use std::fs;
use std::path::Path;

use checks::CHECKS;

/// A file of the corpus that breaks a check; told when the test ends by it.
struct Input(String);

impl Drop for Input {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0);
        }
    }
}

#[test]
fn every_corpus_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for check in CHECKS {
        let target = root.join("targets").join(check.name).with_extension("rs");
        assert!(target.is_file(), "no {}", target.display());
        let corpus = fs::read_dir(root.join("corpus").join(check.name)).expect("a folder");
        let mut inputs = 0;
        for file in corpus {
            let path = file.expect("a readable folder").path();
            let data = fs::read(&path).expect("a readable file");
            let input = Input(path.display().to_string());
            (check.run)(&data);
            drop(input);
            inputs += 1;
        }
        assert!(inputs > 0, "no corpus of {}", check.name);
    }
}

#[test]
fn every_target_is_a_check() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    let names = manifest.split("[[bin]]").skip(1).filter_map(|bin| bin.split('"').nth(1));
    assert_eq!(names.collect::<Vec<_>>(), CHECKS.map(|check| check.name));
}

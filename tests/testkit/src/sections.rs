//! Sections of pages that are made from the code: a test compares what stands
//! between the markers with what it should be; with `UPDATE_DOCS=1` it is written
//! there.

use std::fs;
use std::sync::Mutex;

/// Tests run in parallel, and each may rewrite its part of the same page.
static PAGES: Mutex<()> = Mutex::new(());

/// Compares the text between `<!-- name:begin -->` and `<!-- name:end -->` in
/// a page with `expected`, or writes it there.
#[track_caller]
pub fn check_section(page: &str, name: &str, expected: &str) {
    let guard = PAGES.lock();
    let path = crate::root().join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (before, found, after) = split(&text, name);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        let updated = format!("{before}\n{expected}{after}");
        fs::write(path, updated).expect("the page can be written");
        return;
    }
    let found = found.trim_start_matches('\n').to_owned();
    drop(guard);
    assert!(
        found == expected,
        "{page}, section {name}, differs from the code; UPDATE_DOCS=1 rewrites it\n\
         expected:\n{expected}\ncame:\n{found}"
    );
}

/// The text up to and with the first marker, between both, and from the second
/// one on.
pub fn split<'a>(text: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let begins = text.find(&begin).map(|at| at + begin.len());
    let begins = begins.unwrap_or_else(|| panic!("there is the marker {begin}"));
    let ends = text[begins..].find(&end).map(|at| begins + at);
    let ends = ends.unwrap_or_else(|| panic!("there is the marker {end} behind {begin}"));
    (&text[..begins], &text[begins..ends], &text[ends..])
}

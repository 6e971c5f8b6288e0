//! The pages that users read, and the fenced blocks in them. A comment before a
//! block, `<!-- test: name argument -->`, which GitHub does not show, says which
//! test it is put to.

use std::fs;

/// A page and its text.
pub struct Page {
    /// From the root of the repository.
    pub name: String,
    pub text: String,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it stands: `docs/run.md:17`.
    pub place: String,
    pub page: String,
    /// The name in the comment before it; empty where there is none.
    pub test: String,
    /// What follows the name.
    pub argument: String,
    pub language: String,
    pub text: String,
    /// The block that is right after it, where that is what it prints.
    pub prints: Option<String>,
}

/// README.md, and whatever page there is in `docs/`.
pub fn pages() -> Vec<Page> {
    let root = crate::root();
    let folder = fs::read_dir(root.join("docs")).expect("there is a folder of pages");
    let names = folder.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> =
        names.map(|name| format!("docs/{}", name.to_string_lossy())).collect();
    names.retain(|name| name.ends_with(".md"));
    names.sort();
    names.insert(0, "README.md".to_owned());
    let read = |name: String| {
        let text = fs::read_to_string(root.join(&name)).expect("a page is text");
        Page { name, text }
    };
    names.into_iter().map(read).collect()
}

/// Every fenced block, in the order of the pages.
pub fn blocks() -> Vec<Block> {
    pages().iter().flat_map(blocks_of).collect()
}

/// The only block under that test and argument.
pub fn only(test: &str, argument: &str) -> Block {
    let mut found = blocks();
    found.retain(|block| block.test == test && block.argument == argument);
    assert_eq!(found.len(), 1, "one block has the test {test} {argument}");
    found.remove(0)
}

fn blocks_of(page: &Page) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut comment = String::new();
    let mut lines = page.text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            let test = line.strip_prefix("<!-- test: ").and_then(|rest| rest.strip_suffix(" -->"));
            comment = test.unwrap_or_default().to_owned();
            continue;
        };
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        let text: String = inside.map(|line| format!("{line}\n")).collect();
        let comment = std::mem::take(&mut comment);
        let (test, argument) = comment.split_once(' ').unwrap_or((&comment, ""));
        let block = Block {
            place: format!("{}:{}", page.name, at + 1),
            page: page.name.clone(),
            test: test.to_owned(),
            argument: argument.to_owned(),
            language: language.to_owned(),
            text,
            prints: None,
        };
        match blocks.last_mut() {
            Some(before) if block.test == "prints" && before.prints.is_none() => {
                before.prints = Some(block.text.clone());
            }
            _ => assert_ne!(block.test, "prints", "{}: nothing stands before it", block.place),
        }
        blocks.push(block);
    }
    blocks
}

/// What a page has in backticks outside of fenced blocks.
pub fn quoted(page: &Page) -> Vec<String> {
    let mut is_fenced = false;
    let prose = page.text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    });
    let words = prose.flat_map(|line| line.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Whether `text` is as expected, where `…` stands for anything.
pub fn is_like(text: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        // The last part has to reach the end.
        if let Some(before) = last.replace(part) {
            match rest.split_once(before) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

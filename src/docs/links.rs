//! Links between the documents: the file that one names is there, and so is the
//! heading that it jumps to.

use std::collections::BTreeMap;
use std::path::Path;

use super::{documents, path, read};

/// Lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

/// What stands in the round brackets of each link and picture.
fn targets(text: &str) -> Vec<String> {
    // A link has no code in it, but code may look like one.
    let plain = prose(text).map(|line| line.split('`').step_by(2).collect::<String>());
    let of_line = |line: String| {
        let ends = line.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
        ends.map(str::to_owned).collect::<Vec<_>>()
    };
    plain.flat_map(of_line).collect()
}

/// The names by which GitHub lets a document's headings be jumped to.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name}-{}", *times - 1) }
    };
    headings.map(&mut anchor).collect()
}

/// Why a link of `document` leads nowhere, if it does.
fn fault(document: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(document).parent().expect("a document has a folder");
    let named = if file.is_empty() { Path::new(document).into() } else { folder.join(file) };
    let named = named.to_str().expect("text");
    if !path(named).exists() {
        return Some(format!("{document}: there is no {target}"));
    }
    let is_there = anchor.is_empty() || anchors(&read(named)).iter().any(|name| name == anchor);
    (!is_there).then(|| format!("{document}: nothing has the heading of {target}"))
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    assert!(documents.iter().any(|name| name == "docs/run.md"), "{documents:?}");
    let faults = documents.iter().flat_map(|document| {
        let targets = targets(&read(document));
        targets.into_iter().filter_map(move |target| fault(document, &target)).collect::<Vec<_>>()
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Else nobody who begins at the README finds it.
#[test]
fn the_readme_leads_to_every_page() {
    let linked = targets(&read("README.md"));
    // The decisions are linked from a page of their own.
    let is_page = |name: &String| name.starts_with("docs/") && !name.starts_with("docs/adr/");
    for page in documents().into_iter().filter(is_page) {
        assert!(linked.contains(&page), "README.md has no link to {page}");
    }
    let linked = targets(&read("docs/adr/README.md"));
    for record in documents().iter().filter_map(|name| name.strip_prefix("docs/adr/0")) {
        assert!(linked.contains(&format!("0{record}")), "docs/adr/README.md lacks 0{record}");
    }
}

#[test]
fn links_that_lead_nowhere_are_found() {
    assert!(fault("docs/run.md", "nowhere.md").is_some());
    assert!(fault("README.md", "docs/run.md#nothing").is_some());
    assert!(fault("README.md", "#nothing").is_some());
    assert_eq!(fault("docs/run.md", "../README.md#install"), None);
    assert_eq!(targets("see [a](b.md#c), `[d](e)` and\n![f](g.png)"), ["b.md#c", "g.png"]);
    let text = "# One `two`, three\n```sh\n# no heading\n```\n## A\n## A\n";
    assert_eq!(anchors(text), ["one-two-three", "a", "a-1"]);
}

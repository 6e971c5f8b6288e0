//! Patterns of metric names, as settings have them.

/// A pattern that names match, all of it: `*` stands for any text, the empty one
/// included, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Box<str>);

impl NamePattern {
    /// The pattern that is written so.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether `name` is one of those that it stands for.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return *self.0 == *name };
        let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(name) = name.strip_prefix(first).and_then(|name| name.strip_suffix(last)) else {
            return false;
        };
        // Where each part is taken as early as it comes, the most is left for those
        // after it.
        let mut left = name;
        between.split('*').all(|part| match left.find(part) {
            Some(at) => {
                left = &left[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NamePattern;

    /// The definition, letter by letter.
    fn stands_for(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|from| stands_for(rest, &name[from..])),
            Some((letter, rest)) => name
                .split_first()
                .is_some_and(|(own, name)| own == letter && stands_for(rest, name)),
        }
    }

    #[test]
    fn names_match_patterns() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(NamePattern::new(pattern).matches(name), expected, "{pattern} {name}");
        };
        check("*_seconds", "job_seconds", true);
        check("*_seconds", "job_seconds_total", false);
        check("job_*", "job_", true);
        check("aba*aba", "aba", false);
        check("größe_*", "größe_bytes", true);
    }

    proptest! {
        #[test]
        fn a_pattern_stands_for_what_its_definition_says(
            pattern in "[ab*]{0,8}",
            name in "[ab]{0,10}",
        ) {
            let matches = NamePattern::new(&pattern).matches(&name);
            prop_assert_eq!(matches, stands_for(pattern.as_bytes(), name.as_bytes()));
        }
    }
}

//! Unknown fields: those of samples that no version known here reads. They are
//! ignored, since a fleet may be newer than its gateway; how often each came is
//! counted, so that a misspelt one does not stay unseen.

use crate::printable::{SHORT, printable};

/// Names that are told apart; all others are counted together.
pub const MAX_UNKNOWN_FIELDS: usize = 32;

/// The same within a batch: more, so that names which are told apart since long
/// are not among the others of one.
const MAX_OF_A_BATCH: usize = 8 * MAX_UNKNOWN_FIELDS;

/// How often unknown fields came, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownFields {
    names: Vec<(Box<str>, u64)>,
    others: u64,
}

impl UnknownFields {
    /// What stands for the names beyond [`MAX_UNKNOWN_FIELDS`].
    pub const OTHER: &'static str = "other";

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.others == 0
    }

    /// Counts one of this name, whatever a stranger has called it.
    pub fn note(&mut self, name: &str) {
        // Nearly all names are shown as they are.
        match self.names.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, count)) => *count += 1,
            None => self.add_named(&printable(name, SHORT), 1, MAX_OF_A_BATCH),
        }
    }

    /// Counts fields whose names were not kept.
    pub fn note_others(&mut self, count: u64) {
        self.others += count;
    }

    /// Adds those of a batch.
    pub fn add(&mut self, more: &Self) {
        let add =
            |(name, count): &(Box<str>, u64)| self.add_named(name, *count, MAX_UNKNOWN_FIELDS);
        more.names.iter().for_each(add);
        self.others += more.others;
    }

    /// Names that can be shown, each with how often it came, in the order in which
    /// they came first; [`UnknownFields::OTHER`] is the last, where there is such.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let others = (self.others > 0).then_some((Self::OTHER, self.others));
        self.names.iter().map(|(name, count)| (&**name, *count)).chain(others)
    }

    fn add_named(&mut self, name: &str, more: u64, most: usize) {
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| **known == *name) {
            *count += more;
        } else if self.names.len() < most && name != Self::OTHER {
            self.names.push((name.into(), more));
        } else {
            // One that is called as the others are is counted with them.
            self.others += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_and_bounded() {
        let mut fields = UnknownFields::default();
        assert!(fields.is_empty());
        for name in ["op", "other", "op", "a\nb"] {
            fields.note(name);
        }
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("op", 2), (r"a\nb", 1), ("other", 1)]);
        for number in 0..1000 {
            fields.note(&format!("{number}{}", "x".repeat(number)));
        }
        assert_eq!(fields.iter().count(), MAX_OF_A_BATCH + 1);
        let mut all = UnknownFields::default();
        all.add(&fields);
        all.add(&fields);
        assert_eq!(all.iter().count(), MAX_UNKNOWN_FIELDS + 1);
        assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 2 * 1004);
        assert_eq!(all.iter().next(), Some(("op", 4)));
        assert!(all.iter().all(|(name, _)| name.len() <= 4 * SHORT));
    }
}

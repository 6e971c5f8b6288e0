//! Other keys: pushes that went to another key or database than the queue's.
//! The embedded queue refuses them; since clients may not look at the answer,
//! they are told of in the log, once for each key, and in the status.

use std::time::Instant;

use parking_lot::Mutex;
use psg_engine::printable::{LONG, printable};

const MOST_KEYS: usize = 16;

/// Bytes of a key that are.
const KEY_BYTES: usize = 256;

#[derive(Debug, Default)]
pub struct OtherKeys(Mutex<Vec<PushesElsewhere>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushesElsewhere {
    /// The key, with what can't be shown as escapes.
    pub key: String,
    pub database: i64,
    /// How many pushes there were.
    pub pushes: u64,
    pub last: Instant,
    pub advice: String,
}

impl OtherKeys {
    /// Notes a push; what mends it where it is the first one to that key. Where
    /// there are too many keys, new ones are forgotten.
    pub fn note(
        &self,
        key: &[u8],
        database: i64,
        advise: impl FnOnce(&str) -> String,
    ) -> Option<PushesElsewhere> {
        let key = String::from_utf8_lossy(&key[..key.len().min(KEY_BYTES)]);
        let shown = printable(&key, LONG);
        let last = Instant::now();
        let mut keys = self.0.lock();
        let is_it = |one: &&mut PushesElsewhere| one.key == shown && one.database == database;
        if let Some(known) = keys.iter_mut().find(is_it) {
            known.pushes += 1;
            known.last = last;
            return None;
        }
        if keys.len() == MOST_KEYS {
            return None;
        }
        let found = PushesElsewhere { key: shown, database, pushes: 1, last, advice: advise(&key) };
        keys.push(found.clone());
        Some(found)
    }

    /// All of them, the last one that was pushed to first.
    pub fn all(&self) -> Vec<PushesElsewhere> {
        let mut keys = self.0.lock().clone();
        keys.sort_by_key(|one| std::cmp::Reverse(one.last));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_of_once_and_are_bounded() {
        let keys = OtherKeys::default();
        let note = |key: &str, database| {
            keys.note(key.as_bytes(), database, |key| format!("not {key}")).map(|one| one.key)
        };
        assert_eq!(note("a\n", 0).as_deref(), Some("a\\n"));
        assert_eq!(note("a\n", 0), None);
        assert_eq!(note("a\n", 1).as_deref(), Some("a\\n"), "another database");
        for number in 0..100 {
            note(&format!("k{number}"), 0);
        }
        note("a\n", 0);
        let all = keys.all();
        assert_eq!(all.len(), MOST_KEYS);
        assert_eq!((all[0].key.as_str(), all[0].pushes), ("a\\n", 3));
        assert_eq!(all[0].advice, "not a\n");
    }
}

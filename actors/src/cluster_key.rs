//! Cluster keys: how a key is named that lies beside another one. A cluster keeps
//! both in one slot, so that one script may touch both.

/// The name of a key beside `key`: its own name where that has a hash tag, else
/// in braces, and `word`.
pub fn key_beside(key: &str, word: &str) -> String {
    match hash_tag(key) {
        Some(_) => format!("{key}:{word}"),
        None => format!("{{{key}}}:{word}"),
    }
}

/// By Redis' rule: what stands between the first `{` and the next `}`, where
/// that is something. A cluster finds a key's slot by it, else by the whole key.
pub fn hash_tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    Some(tag).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_share_the_slot() {
        assert_eq!(key_beside("dead", "size"), "{dead}:size");
        assert_eq!(key_beside("app:{a}:dead", "size"), "app:{a}:dead:size");
        assert_eq!(key_beside("a{}b", "size"), "{a{}b}:size");
    }
}

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

/// The key of a partition of the queue with that key; the first one is the queue's
/// own, so that producers which know nothing of partitions push there.
pub fn partition_key(key: &str, partition: usize) -> String {
    if partition == 0 { key.to_owned() } else { format!("{key}:{partition}") }
}

/// The key of the queue of a partition's home, beside the partition's own.
pub fn home_key(key: &str, partition: usize) -> String {
    key_beside(&partition_key(key, partition), "home")
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

    #[test]
    fn keys_of_partitions() {
        assert_eq!([partition_key("q", 0), partition_key("q", 2)], ["q", "q:2"]);
        assert_eq!([home_key("q", 0), home_key("q", 2)], ["{q}:home", "{q:2}:home"]);
        let home = home_key("q", 2);
        assert_eq!(key_beside(&home, "owner"), "{q:2}:home:owner");
        assert_eq!([hash_tag(&home), hash_tag(&home_key("q", 1))], [Some("q:2"), Some("q:1")]);
        assert_eq!([partition_key("{a}q", 1), home_key("{a}q", 1)], ["{a}q:1", "{a}q:1:home"]);
    }
}

//! Keys: what exactly-once delivery keeps in Redis, all of it in the cluster
//! slot of the queue itself, so that scripts may touch all of it.

use crate::cluster_key::{hash_tag, key_beside};

/// The names of the keys beside a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The list that producers push to.
    pub queue: String,
    /// The hash that says who owns the queue, and what the last checkpoint
    /// covers.
    pub owner: String,
    /// The hash of the checkpoint's segments.
    pub state: String,
    /// What the names of claimed lists begin with.
    pub work: String,
}

/// The queue's key has braces that are no hash tag by Redis' rule, so that no
/// other key can be named that is sure to be in its slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} has braces that are no hash tag: in a cluster no other key can be put beside it")]
pub struct NoTag(String);

impl Keys {
    /// The keys beside `queue`: its own name where that has a hash tag, else in
    /// braces.
    pub fn beside(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            owner: key_beside(queue, "owner"),
            state: key_beside(queue, "state"),
            work: key_beside(queue, "work:"),
        }
    }

    /// The claimed list of that number.
    pub fn list(&self, number: u64) -> String {
        format!("{}{number}", self.work)
    }

    /// Whether a cluster keeps all of these in one slot.
    pub fn check_for_cluster(&self) -> Result<(), NoTag> {
        let sound = hash_tag(&self.queue).is_some() || !self.queue.contains(['{', '}']);
        if sound { Ok(()) } else { Err(NoTag(self.queue.clone())) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Redis hashes to find a key's slot.
    fn hashed(key: &str) -> &str {
        hash_tag(key).unwrap_or(key)
    }

    #[test]
    fn names() {
        let check = |queue: &str, owner: &str, in_cluster: bool| {
            let keys = Keys::beside(queue);
            assert_eq!(keys.owner, owner);
            assert_eq!(keys.check_for_cluster().is_ok(), in_cluster, "{queue}");
        };
        check("q", "{q}:owner", true);
        check("app:{tenant}:q", "app:{tenant}:q:owner", true);
        check("{a}{b}", "{a}{b}:owner", true);
        check("a{}b", "{a{}b}:owner", false);
        check("a}b", "{a}b}:owner", false);
        check("a{b", "{a{b}:owner", false);
        assert_eq!(Keys::beside("q").list(7), "{q}:work:7");
    }

    proptest! {
        #[test]
        fn in_a_cluster_all_keys_share_the_queue_s_slot(queue in "[a{}]{1,8}") {
            let keys = Keys::beside(&queue);
            prop_assume!(keys.check_for_cluster().is_ok());
            for key in [&keys.owner, &keys.state, &keys.list(1)] {
                prop_assert_eq!(hashed(key), hashed(&queue));
            }
        }
    }
}

//! The table of tombstones: each is found by its id, and all are in order of
//! their age. What a total is does not matter here.

use std::sync::Arc;

use hashbrown::HashTable;

use super::{Tombstone, TombstoneId};
use crate::catalog::Family;
use crate::store::pages::Pages;

/// Bits of an id that say in which part of the index it is.
const PART_BITS: u32 = 6;

/// Stands for no node.
const NONE: NodeKey = u32::MAX;

/// Where a tombstone lies as long as it is in the table.
pub type NodeKey = u32;

/// Tombstones, linked from the oldest to the newest.
#[derive(Debug)]
pub struct TombstoneTable {
    nodes: Pages<Node>,
    /// Nodes without a tombstone.
    free: Vec<NodeKey>,
    /// Finds nodes by their ids. In many small tables, since one that grows has
    /// to read all of its nodes: those of a part take a millisecond where there
    /// are a million in all.
    index: Box<[HashTable<NodeKey>]>,
    oldest: NodeKey,
    newest: NodeKey,
}

#[derive(Debug)]
struct Node {
    tombstone: Option<Tombstone>,
    older: NodeKey,
    newer: NodeKey,
}

// There may be millions.
const _: () = assert!(size_of::<Node>() == 64);

impl Default for TombstoneTable {
    fn default() -> Self {
        let index = (0..1 << PART_BITS).map(|_| HashTable::new()).collect();
        let (nodes, free) = (Pages::default(), Vec::new());
        Self { nodes, free, index, oldest: NONE, newest: NONE }
    }
}

impl TombstoneTable {
    /// How many tombstones there are.
    pub fn len(&self) -> usize {
        self.nodes.len() as usize - self.free.len()
    }

    /// All keys are below it.
    pub fn key_bound(&self) -> NodeKey {
        self.nodes.len()
    }

    pub fn get(&self, key: NodeKey) -> Option<&Tombstone> {
        self.nodes.get(key)?.tombstone.as_ref()
    }

    pub fn oldest(&self) -> Option<(NodeKey, &Tombstone)> {
        self.get(self.oldest).map(|oldest| (self.oldest, oldest))
    }

    /// The tombstone with this id, of that very family: one of the same name may
    /// have been removed before.
    pub fn find(&self, id: TombstoneId, family: &Arc<Family>) -> Option<NodeKey> {
        let found = self.index[part_of(id)].find(hash_of(id), |key| {
            self.get(*key).is_some_and(|found| found.id == id && found.is_of(family))
        });
        found.copied()
    }

    pub fn insert(&mut self, tombstone: Tombstone) -> NodeKey {
        let id = tombstone.id;
        let node = Node { tombstone: Some(tombstone), older: self.newest, newer: NONE };
        let key = self.free.pop().unwrap_or(self.nodes.len());
        match self.nodes.get_mut(key) {
            Some(free) => *free = node,
            None => self.nodes.push(node),
        }
        *self.newer_of(self.newest) = key;
        self.newest = key;
        let Self { nodes, index, .. } = self;
        index[part_of(id)].insert_unique(hash_of(id), key, |other| {
            let other = nodes.get(*other).and_then(|node| node.tombstone.as_ref());
            other.map_or(0, |other| hash_of(other.id))
        });
        key
    }

    pub fn remove(&mut self, key: NodeKey) -> Option<Tombstone> {
        let Node { tombstone, older, newer } = self.nodes.get_mut(key)?;
        let (tombstone, older, newer) = (tombstone.take()?, *older, *newer);
        *self.newer_of(older) = newer;
        *self.older_of(newer) = older;
        self.free.push(key);
        let part = &mut self.index[part_of(tombstone.id)];
        if let Ok(entry) = part.find_entry(hash_of(tombstone.id), |found| *found == key) {
            entry.remove();
        }
        Some(tombstone)
    }

    /// The link from a node to the next newer one; that from none is to the oldest.
    fn newer_of(&mut self, key: NodeKey) -> &mut NodeKey {
        self.nodes.get_mut(key).map_or(&mut self.oldest, |node| &mut node.newer)
    }

    /// The link from a node to the next older one; that from none is to the newest.
    fn older_of(&mut self, key: NodeKey) -> &mut NodeKey {
        self.nodes.get_mut(key).map_or(&mut self.newest, |node| &mut node.older)
    }
}

/// All bits of this half of an id are secret, see [`super::Tombstones::id_of`].
fn hash_of(id: TombstoneId) -> u64 {
    id.0[0]
}

/// By the top bits of the other half: its low bits are the segment.
fn part_of(id: TombstoneId) -> usize {
    (id.0[1] >> (u64::BITS - PART_BITS)) as usize
}

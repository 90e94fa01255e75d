//! SHA-256 merkle trees as BEP 52 has them: leaves are 16 KiB blocks, missing leaves count as 32 zero bytes.
//!
//! Leaves come in order and only one hash per level is kept, so a tree of any size takes a few hundred bytes.

use sha2::{Digest, Sha256};

/// A node of a tree.
pub type Hash = [u8; 32];

/// A tree that grows leaf by leaf.
#[derive(Clone, Debug, Default)]
pub struct Merkle {
    /// Roots of the complete subtrees so far, with their heights, highest first; no two of equal height.
    subtrees: Vec<(u32, Hash)>,
    leaves: u64,
}

impl Merkle {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (mut height, mut node) = (0, leaf);
        while let Some((_, left)) = self.subtrees.pop_if(|(top, _)| *top == height) {
            node = parent(&left, &node);
            height += 1;
        }
        self.subtrees.push((height, node));
        self.leaves += 1;
    }

    /// How many leaves it has.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root of a tree of `height` levels above its leaves, missing leaves being `padding`. The leaves
    /// must fit.
    pub fn root(mut self, height: u32, mut padding: Hash) -> Hash {
        // The subtree at this level which holds the last leaf and, where that is not enough, padding.
        let mut edge: Option<Hash> = None;
        for level in 0..height {
            let left = self.subtrees.pop_if(|(top, _)| *top == level).map(|(_, node)| node);
            edge = match (left, edge) {
                (Some(left), right) => Some(parent(&left, &right.unwrap_or(padding))),
                (None, Some(left)) => Some(parent(&left, &padding)),
                (None, None) => None,
            };
            padding = parent(&padding, &padding);
        }
        edge.or(self.subtrees.pop().map(|(_, node)| node)).unwrap_or(padding)
    }
}

/// The least height of a tree that has room for so many leaves.
pub fn height_for(leaves: u64) -> u32 {
    leaves.max(1).next_power_of_two().trailing_zeros()
}

/// The root of a subtree of `height` levels in which every leaf is missing.
pub fn padding_at(height: u32) -> Hash {
    (0..height).fold([0; 32], |node, _| parent(&node, &node))
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by the book: a full array of leaves, level by level.
    fn naive_root(leaves: &[Hash], height: u32) -> Hash {
        let mut level = leaves.to_vec();
        level.resize(1 << height, [0; 32]);
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
        }
        level[0]
    }

    #[test]
    fn roots_are_those_of_the_full_tree() {
        for count in 0..=33u8 {
            let leaves: Vec<Hash> = (1..=count).map(|at| [at; 32]).collect();
            for height in height_for(u64::from(count))..8 {
                let mut tree = Merkle::default();
                leaves.iter().for_each(|leaf| tree.push(*leaf));
                assert_eq!(tree.leaves(), u64::from(count));
                assert_eq!(
                    tree.root(height, [0; 32]),
                    naive_root(&leaves, height),
                    "{count} leaves, {height} levels"
                );
            }
        }
    }

    #[test]
    fn heights_have_room_for_the_leaves() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(height_for), [0, 0, 1, 2, 2, 3]);
        assert_eq!(padding_at(1), parent(&[0; 32], &[0; 32]));
    }
}

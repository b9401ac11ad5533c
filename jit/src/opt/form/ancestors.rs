//! Forests in which ancestors are found in logarithmic time, however deep they are.
//!
//! Beside its parent each node knows an ancestor farther up, at a distance that depends on its depth
//! alone: so two nodes of one depth jump to one depth, and searches come to an end after few jumps.
//!
//! Source: Myers, An Applicative Random-Access Stack, 1983.

/// Nodes by their numbers.
pub(crate) struct Ancestors {
    /// The parent of each; a root's is itself.
    parents: Vec<u32>,
    depths: Vec<u32>,
    /// The ancestor farther up.
    jumps: Vec<u32>,
}

impl Ancestors {
    /// This many nodes, each of which is a root so far.
    pub(crate) fn new(count: usize) -> Ancestors {
        Ancestors {
            parents: (0..count as u32).collect(),
            depths: vec![0; count],
            jumps: (0..count as u32).collect(),
        }
    }

    /// Puts a node, which has no children yet, below another, whose place is known.
    pub(crate) fn put(&mut self, node: u32, parent: u32) {
        let depth = |node: u32| self.depths[node as usize];
        let far = self.jumps[parent as usize];
        let farther = self.jumps[far as usize];
        let is_even = depth(parent) - depth(far) == depth(far) - depth(farther);
        let (jump, depth) = (if is_even { farther } else { parent }, depth(parent) + 1);
        self.parents[node as usize] = parent;
        self.depths[node as usize] = depth;
        self.jumps[node as usize] = jump;
    }

    pub(crate) fn parent(&self, node: u32) -> u32 {
        self.parents[node as usize]
    }

    /// The nearest common ancestor of two nodes of one tree, which may be one of them.
    pub(crate) fn common(&self, mut a: u32, mut b: u32) -> u32 {
        let depth = |node: u32| self.depths[node as usize];
        if depth(a) > depth(b) {
            core::mem::swap(&mut a, &mut b);
        }
        while depth(b) > depth(a) {
            let jump = self.jumps[b as usize];
            b = if depth(jump) >= depth(a) {
                jump
            } else {
                self.parent(b)
            };
        }
        while a != b {
            let (jump_a, jump_b) = (self.jumps[a as usize], self.jumps[b as usize]);
            (a, b) = if jump_a == jump_b {
                (self.parent(a), self.parent(b))
            } else {
                (jump_a, jump_b)
            };
        }
        a
    }

    /// The last ancestor of which something holds that holds of the node, and of no ancestor of one
    /// of which it does not.
    pub(crate) fn last(&self, mut node: u32, holds: impl Fn(u32) -> bool) -> u32 {
        loop {
            let (jump, parent) = (self.jumps[node as usize], self.parent(node));
            node = if jump != node && holds(jump) {
                jump
            } else if parent != node && holds(parent) {
                parent
            } else {
                return node;
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ancestors;

    #[test]
    fn ancestors_are_those_of_a_walk_by_parents() {
        let mut random = 7_u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % below
        };
        for reach in [1, 3, 1000] {
            let mut tree = Ancestors::new(1000);
            for node in 1..1000 {
                tree.put(node, node - 1 - next(reach.min(node)));
            }
            let above = |mut node: u32| {
                let mut above = vec![node];
                while tree.parent(node) != node {
                    node = tree.parent(node);
                    above.push(node);
                }
                above
            };
            for _ in 0..1000 {
                let (a, b) = (next(1000), next(1000));
                let (above_a, above_b) = (above(a), above(b));
                let common = above_a.iter().find(|node| above_b.contains(node));
                assert_eq!(tree.common(a, b), *common.expect("one tree"));
                let least = above_a[next(above_a.len() as u32) as usize];
                assert_eq!(tree.last(a, |node| node >= least), least);
            }
        }
    }
}

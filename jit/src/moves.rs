//! Parallel moves: many registers get the values of others at once.
//!
//! Spec of the result: after the emitted sequence, each destination holds what its source held
//! before it. A move is emitted once its destination is no source of another; what remains are
//! cycles, and each is broken by saving one member in the scratch register.

use smallvec::SmallVec;

/// Destinations and sources.
pub type RegisterMoves<R> = SmallVec<[(R, R); 8]>;

/// Emits a set of moves with distinct destinations, one `emit(destination, source)` after the
/// other. `scratch` is neither source nor destination.
pub fn parallel<R: Copy + PartialEq>(
    mut moves: RegisterMoves<R>,
    scratch: R,
    mut emit: impl FnMut(R, R),
) {
    moves.retain(|(dst, src)| dst != src);
    while !moves.is_empty() {
        let free = moves
            .iter()
            .position(|(dst, _)| !moves.iter().any(|(_, src)| src == dst));
        match free {
            Some(i) => {
                let (dst, src) = moves.swap_remove(i);
                emit(dst, src);
            }
            None => {
                // Every destination is still needed as a source: save one, and read the copy.
                let saved = moves[0].0;
                emit(scratch, saved);
                for (_, src) in &mut moves {
                    if *src == saved {
                        *src = scratch;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parallel;

    #[test]
    fn every_permutation_and_copy_of_four_registers() {
        // Each of four registers may get any of the four values: 256 cases.
        for case in 0..256_usize {
            let sources: Vec<usize> = (0..4).map(|i| case >> (2 * i) & 3).collect();
            let mut registers = [10, 11, 12, 13, 99];
            let moves = sources.iter().copied().enumerate().collect();
            parallel(moves, 4, |dst, src| registers[dst] = registers[src]);
            for (dst, &src) in sources.iter().enumerate() {
                assert_eq!(registers[dst], 10 + src, "case {sources:?}");
            }
        }
    }
}

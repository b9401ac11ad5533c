//! Which of up to 64 places are taken at each position: one question, one answer for all of them.
//!
//! Positions lie in chunks. Of a chunk that lies in a range as a whole, two words say what is taken
//! anywhere and everywhere in it, so that long ranges cost little.

use super::live::Range;

/// Positions in a chunk.
const CHUNK: u32 = 64;

/// A bit per place and position.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Of each position, beside what `everywhere` says of its chunk.
    at: Vec<u64>,
    /// What is taken somewhere in each chunk.
    somewhere: Vec<u64>,
    /// What was taken in each chunk as a whole.
    everywhere: Vec<u64>,
}

impl Taken {
    /// Nothing is taken at positions up to `end`.
    pub(super) fn new(end: u32) -> Taken {
        let chunks = end.div_ceil(CHUNK) as usize;
        Taken {
            at: vec![0; chunks * CHUNK as usize],
            somewhere: vec![0; chunks],
            everywhere: vec![0; chunks],
        }
    }

    /// The places that are taken at one of the positions; does not look further once all of `all`
    /// are.
    pub(super) fn within(&self, ranges: &[Range], all: u64) -> u64 {
        let mut taken = 0;
        for &range in ranges {
            for piece in Pieces::of(range) {
                taken |= match piece {
                    Piece::Part { chunk, start, end } => {
                        let part = &self.at[start as usize..end as usize];
                        let here = part.iter().fold(0, |taken, &at| taken | at);
                        here | self.everywhere[chunk as usize]
                    }
                    Piece::Whole { first, last } => {
                        let whole = &self.somewhere[first as usize..last as usize];
                        whole.iter().fold(0, |taken, &chunk| taken | chunk)
                    }
                };
            }
            if taken & all == all {
                break;
            }
        }
        taken
    }

    /// Takes places at these positions.
    pub(super) fn take(&mut self, ranges: &[Range], places: u64) {
        for &range in ranges {
            for piece in Pieces::of(range) {
                match piece {
                    Piece::Part { chunk, start, end } => {
                        let part = &mut self.at[start as usize..end as usize];
                        part.iter_mut().for_each(|at| *at |= places);
                        self.somewhere[chunk as usize] |= places;
                    }
                    Piece::Whole { first, last } => {
                        for chunk in first as usize..last as usize {
                            self.somewhere[chunk] |= places;
                            self.everywhere[chunk] |= places;
                        }
                    }
                }
            }
        }
    }
}

/// A piece of a range.
enum Piece {
    /// Positions of one chunk.
    Part { chunk: u32, start: u32, end: u32 },
    /// Chunks from `first` to before `last`.
    Whole { first: u32, last: u32 },
}

/// Takes a range apart at the borders of chunks.
struct Pieces {
    start: u32,
    end: u32,
}

impl Pieces {
    fn of((start, end): Range) -> Pieces {
        Pieces { start, end }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let Pieces { start, end } = *self;
        if start >= end {
            return None;
        }
        let (chunk, last) = (start / CHUNK, end / CHUNK);
        if start % CHUNK == 0 && chunk < last {
            self.start = last * CHUNK;
            return Some(Piece::Whole { first: chunk, last });
        }
        let end = end.min((chunk + 1) * CHUNK);
        self.start = end;
        Some(Piece::Part { chunk, start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_taken_and_found() {
        let mut taken = Taken::new(1000);
        taken.take(&[(10, 300), (400, 401)], 1);
        taken.take(&[(63, 64), (320, 448)], 2);
        assert_eq!(taken.within(&[(0, 10), (300, 320)], 3), 0);
        assert_eq!(taken.within(&[(0, 63)], 3), 1);
        assert_eq!(taken.within(&[(64, 300)], 3), 1);
        assert_eq!(taken.within(&[(0, 1000)], 3), 3);
        assert_eq!(taken.within(&[(401, 448)], 3), 2);
        assert_eq!(taken.within(&[(128, 129)], 3), 1);
        assert_eq!(taken.within(&[(448, 1000)], 3), 0);
    }
}

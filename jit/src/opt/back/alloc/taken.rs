//! Which of up to 64 places are taken at each position: one question, one answer for all of them.
//!
//! Positions lie in chunks, and chunks in chunks of these. Of a chunk that lies in a range as a
//! whole, two words say what is taken anywhere and everywhere in it, so that long ranges cost little.

use super::live::Range;

/// Positions in a chunk, and chunks in a large one.
const CHUNK: u32 = 64;

/// Positions in a large chunk.
const LARGE: u32 = CHUNK * CHUNK;

/// A bit per place and position.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Of each position, beside what is taken everywhere in its chunks.
    at: Vec<u64>,
    chunks: Chunks,
    large: Chunks,
}

/// A word per chunk.
#[derive(Clone, Debug)]
struct Chunks {
    /// What is taken somewhere in each, beside what is taken everywhere in the one around it.
    somewhere: Vec<u64>,
    /// What was taken in each as a whole.
    everywhere: Vec<u64>,
}

impl Chunks {
    fn new(count: usize) -> Chunks {
        Chunks {
            somewhere: vec![0; count],
            everywhere: vec![0; count],
        }
    }

    fn within(&self, first: u32, last: u32) -> u64 {
        any(&self.somewhere[first as usize..last as usize])
    }

    fn take(&mut self, first: u32, last: u32, places: u64) {
        for words in [&mut self.somewhere, &mut self.everywhere] {
            let words = &mut words[first as usize..last as usize];
            words.iter_mut().for_each(|word| *word |= places);
        }
    }
}

fn any(words: &[u64]) -> u64 {
    words.iter().fold(0, |any, &word| any | word)
}

impl Taken {
    /// Nothing is taken at positions up to `end`.
    pub(super) fn new(end: u32) -> Taken {
        let large = end.div_ceil(LARGE) as usize;
        let chunks = end.div_ceil(CHUNK) as usize;
        Taken {
            at: vec![0; chunks * CHUNK as usize],
            chunks: Chunks::new(chunks),
            large: Chunks::new(large),
        }
    }

    /// Which of the places `all` are taken at one of the positions, and maybe others; does not look
    /// further once all of them are.
    pub(super) fn within(&self, ranges: &[Range], all: u64) -> u64 {
        let mut taken = 0;
        for piece in ranges.iter().flat_map(|&range| Pieces::of(range)) {
            taken |= match piece {
                Piece::Positions(start, end) => {
                    let (chunk, large) = (start / CHUNK, start / LARGE);
                    // Positions are not looked at where the chunk has no news: nobody may have
                    // touched their memory yet.
                    let here = match self.chunks.somewhere[chunk as usize] & all & !taken {
                        0 => 0,
                        _ => any(&self.at[start as usize..end as usize]),
                    };
                    here | self.chunks.everywhere[chunk as usize]
                        | self.large.everywhere[large as usize]
                }
                Piece::Chunks(first, last) => {
                    let large = first / CHUNK;
                    self.chunks.within(first, last) | self.large.everywhere[large as usize]
                }
                Piece::Large(first, last) => self.large.within(first, last),
            };
            if taken & all == all {
                break;
            }
        }
        taken
    }

    /// Takes places at these positions.
    pub(super) fn take(&mut self, ranges: &[Range], places: u64) {
        for piece in ranges.iter().flat_map(|&range| Pieces::of(range)) {
            match piece {
                Piece::Positions(start, end) => {
                    let at = &mut self.at[start as usize..end as usize];
                    at.iter_mut().for_each(|at| *at |= places);
                    self.chunks.somewhere[(start / CHUNK) as usize] |= places;
                    self.large.somewhere[(start / LARGE) as usize] |= places;
                }
                Piece::Chunks(first, last) => {
                    self.chunks.take(first, last, places);
                    self.large.somewhere[(first / CHUNK) as usize] |= places;
                }
                Piece::Large(first, last) => self.large.take(first, last, places),
            }
        }
    }
}

/// A piece of a range, from the first to before the second.
enum Piece {
    /// Positions of one chunk.
    Positions(u32, u32),
    /// Chunks of one large one.
    Chunks(u32, u32),
    Large(u32, u32),
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
        let (chunk, large) = (start / CHUNK, start / LARGE);
        if start % LARGE == 0 && large < end / LARGE {
            let last = end / LARGE;
            self.start = last * LARGE;
            return Some(Piece::Large(large, last));
        }
        if start % CHUNK == 0 && chunk < end / CHUNK {
            let last = (end / CHUNK).min((large + 1) * CHUNK);
            self.start = last * CHUNK;
            return Some(Piece::Chunks(chunk, last));
        }
        let end = end.min((chunk + 1) * CHUNK);
        self.start = end;
        Some(Piece::Positions(start, end))
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
    #[test]
    fn long_ranges_are_those_of_their_positions() {
        const END: u32 = 5 * LARGE + 100;
        let mut random = 3_u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % below
        };
        let mut taken = Taken::new(END);
        let mut simple = vec![0_u64; END as usize];
        for place in 0..64 {
            let start = next(END);
            let end = start + next(END - start + 1);
            taken.take(&[(start, end)], 1 << place);
            simple[start as usize..end as usize]
                .iter_mut()
                .for_each(|at| *at |= 1 << place);
        }
        for _ in 0..500 {
            let start = next(END);
            let most = (END - start + 1) >> next(12);
            let end = start + next(most.max(1));
            let expected = any(&simple[start as usize..end as usize]);
            assert_eq!(taken.within(&[(start, end)], u64::MAX), expected);
        }
    }
}

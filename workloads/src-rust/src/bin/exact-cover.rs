//! Knuth's Algorithm X with dancing links, solving sudokus, and n-queens by backtracking over bit
//! masks: recursion, unpredictable branches, and index-linked lists that are unlinked and relinked.

use bench::{mix, Workload};
use std::fmt::Write;

/// A sparse matrix of ones as a torus of links; index 0 is the root, 1..=columns the headers.
struct Links {
    left: Vec<u32>,
    right: Vec<u32>,
    up: Vec<u32>,
    down: Vec<u32>,
    column: Vec<u32>,
    row: Vec<u32>,
    size: Vec<u32>,
}

impl Links {
    fn new(columns: u32) -> Links {
        let n = columns + 1;
        Links {
            left: (0..n).map(|i| (i + n - 1) % n).collect(),
            right: (0..n).map(|i| (i + 1) % n).collect(),
            up: (0..n).collect(),
            down: (0..n).collect(),
            column: (0..n).collect(),
            row: vec![u32::MAX; n as usize],
            size: vec![0; n as usize],
        }
    }

    fn add_row(&mut self, row: u32, columns: &[u32]) {
        let first = self.column.len() as u32;
        for (i, &c) in columns.iter().enumerate() {
            let (i, n) = (i as u32, columns.len() as u32);
            let node = first + i;
            self.left.push(first + (i + n - 1) % n);
            self.right.push(first + (i + 1) % n);
            let above = self.up[c as usize];
            self.up.push(above);
            self.down.push(c);
            self.down[above as usize] = node;
            self.up[c as usize] = node;
            self.column.push(c);
            self.row.push(row);
            self.size[c as usize] += 1;
        }
    }

    fn cover(&mut self, c: u32) {
        let (l, r) = (self.left[c as usize], self.right[c as usize]);
        self.right[l as usize] = r;
        self.left[r as usize] = l;
        let mut i = self.down[c as usize];
        while i != c {
            let mut j = self.right[i as usize];
            while j != i {
                let (u, d) = (self.up[j as usize], self.down[j as usize]);
                self.down[u as usize] = d;
                self.up[d as usize] = u;
                self.size[self.column[j as usize] as usize] -= 1;
                j = self.right[j as usize];
            }
            i = self.down[i as usize];
        }
    }

    fn uncover(&mut self, c: u32) {
        let mut i = self.up[c as usize];
        while i != c {
            let mut j = self.left[i as usize];
            while j != i {
                let (u, d) = (self.up[j as usize], self.down[j as usize]);
                self.size[self.column[j as usize] as usize] += 1;
                self.down[u as usize] = j;
                self.up[d as usize] = j;
                j = self.left[j as usize];
            }
            i = self.up[i as usize];
        }
        let (l, r) = (self.left[c as usize], self.right[c as usize]);
        self.right[l as usize] = c;
        self.left[r as usize] = c;
    }

    fn smallest_column(&self) -> u32 {
        let mut best = self.right[0];
        let mut c = best;
        while c != 0 {
            if self.size[c as usize] < self.size[best as usize] {
                best = c;
            }
            c = self.right[c as usize];
        }
        best
    }

    /// Counts solutions up to `limit`; `chosen` holds the rows of the last one found.
    fn search(&mut self, partial: &mut Vec<u32>, chosen: &mut Vec<u32>, steps: &mut u64, limit: u32) -> u32 {
        if self.right[0] == 0 {
            chosen.clone_from(partial);
            return 1;
        }
        *steps += 1;
        let c = self.smallest_column();
        let mut found = 0;
        self.cover(c);
        let mut r = self.down[c as usize];
        while r != c && found < limit {
            partial.push(self.row[r as usize]);
            let mut j = self.right[r as usize];
            while j != r {
                self.cover(self.column[j as usize]);
                j = self.right[j as usize];
            }
            found += self.search(partial, chosen, steps, limit - found);
            let mut j = self.left[r as usize];
            while j != r {
                self.uncover(self.column[j as usize]);
                j = self.left[j as usize];
            }
            partial.pop();
            r = self.down[r as usize];
        }
        self.uncover(c);
        found
    }
}

/// Every cell once, and every digit once in each row, column and box: 324 constraints.
fn sudoku(puzzle: &str, limit: u32, steps: &mut u64) -> (u32, [u8; 81]) {
    let mut links = Links::new(324);
    for (cell, given) in puzzle.bytes().enumerate() {
        let cell = cell as u32;
        let (row, column) = (cell / 9, cell % 9);
        let square = row / 3 * 3 + column / 3;
        for digit in 0..9 {
            if given == b'.' || given == b'1' + digit as u8 {
                let constraints = [1 + cell, 82 + row * 9 + digit, 163 + column * 9 + digit, 244 + square * 9 + digit];
                links.add_row(cell * 9 + digit, &constraints);
            }
        }
    }
    let mut chosen = Vec::new();
    let count = links.search(&mut Vec::new(), &mut chosen, steps, limit);
    let mut grid = [b'?'; 81];
    for row in chosen {
        grid[row as usize / 9] = b'1' + (row % 9) as u8;
    }
    (count, grid)
}

/// Solutions of the n-queens problem, by masks of attacked columns and diagonals.
fn queens(all: u32, columns: u32, left: u32, right: u32) -> u64 {
    if columns == all {
        return 1;
    }
    let mut free = all & !(columns | left | right);
    let mut count = 0;
    while free != 0 {
        let bit = free & free.wrapping_neg();
        free ^= bit;
        count += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    count
}

/// A valid grid from a formula, symbols permuted by `shift`, with a hole pattern of that density.
fn puzzle(shift: u32, holes: u32) -> String {
    let mut rng = bench::Rng::new(u64::from(shift) + 40);
    (0..81)
        .map(|cell| {
            let (row, column) = (cell / 9, cell % 9);
            let digit = (row * 3 + row / 3 + column + shift) % 9;
            if rng.below(100) < holes { '.' } else { char::from(b'1' + digit as u8) }
        })
        .collect()
}

struct ExactCover {
    puzzles: Vec<String>,
    limit: u32,
    board: u32,
    solutions: u64,
    steps: u64,
    queens: u64,
    last: [u8; 81],
}

impl Workload for ExactCover {
    fn setup(small: bool) -> ExactCover {
        let puzzles = (0..if small { 5 } else { 50 }).map(|i| puzzle(i, 62 + i % 8)).collect();
        let (limit, board) = if small { (20, 8) } else { (200, 11) };
        ExactCover { puzzles, limit, board, solutions: 0, steps: 0, queens: 0, last: [0; 81] }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        (self.solutions, self.steps) = (0, 0);
        for puzzle in &self.puzzles {
            let (count, grid) = sudoku(puzzle, self.limit, &mut self.steps);
            self.solutions += u64::from(count);
            self.last = grid;
            sum = bench::mix_bytes(mix(sum, u64::from(count)), &grid);
        }
        self.queens = queens((1 << self.board) - 1, 0, 0, 0);
        mix(mix(sum, self.steps), self.queens)
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "sudoku solutions {}\nsteps {}\nqueens {}", self.solutions, self.steps, self.queens);
        let _ = writeln!(out, "{}", String::from_utf8_lossy(&self.last));
    }
}

pub fn main() {
    bench::main::<ExactCover>();
}

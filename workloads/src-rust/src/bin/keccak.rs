//! Keccak-f[1600] as SHA3-256 and as the extendable output SHAKE128, and a Merkle tree over SHA3:
//! 64-bit rotates and three-operand logic on 25 lanes, more than any machine has registers.

use bench::{mix, Rng, Workload};
use std::fmt::Write;

const ROUNDS: usize = 24;

/// The constants of the iota step, from the standard's linear-feedback shift register.
fn round_constants() -> [u64; ROUNDS] {
    let mut register = 1u8;
    std::array::from_fn(|_| {
        (0..7).fold(0, |constant, j| {
            let bit = u64::from(register & 1);
            register = register << 1 ^ if register & 0x80 != 0 { 0x71 } else { 0 };
            constant | bit << ((1 << j) - 1)
        })
    })
}

/// The rotations of rho in the order in which pi visits the lanes.
const RHO: [u32; 24] = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const PI: [usize; 24] = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

fn permute(a: &mut [u64; 25], constants: &[u64; ROUNDS]) {
    for constant in constants {
        let c: [u64; 5] = std::array::from_fn(|x| a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20]);
        for x in 0..5 {
            let d = c[(x + 4) % 5] ^ c[(x + 1) % 5].rotate_left(1);
            for y in 0..5 {
                a[x + 5 * y] ^= d;
            }
        }
        let mut lane = a[1];
        for (to, by) in PI.into_iter().zip(RHO) {
            (a[to], lane) = (lane.rotate_left(by), a[to]);
        }
        for row in a.chunks_exact_mut(5) {
            let b: [u64; 5] = std::array::from_fn(|x| row[x]);
            for x in 0..5 {
                row[x] = b[x] ^ (!b[(x + 1) % 5] & b[(x + 2) % 5]);
            }
        }
        a[0] ^= constant;
    }
}

struct Sponge<'a> {
    lanes: [u64; 25],
    rate: usize,
    at: usize,
    constants: &'a [u64; ROUNDS],
}

impl Sponge<'_> {
    fn new(rate: usize, constants: &[u64; ROUNDS]) -> Sponge<'_> {
        Sponge { lanes: [0; 25], rate, at: 0, constants }
    }

    fn xor(&mut self, at: usize, byte: u8) {
        self.lanes[at / 8] ^= u64::from(byte) << (at % 8 * 8);
    }

    fn absorb(&mut self, mut bytes: &[u8]) {
        // Whole lanes where possible.
        while self.at % 8 == 0 && bytes.len() >= 8 {
            let (lane, rest) = bytes.split_at(8);
            self.lanes[self.at / 8] ^= u64::from_le_bytes(lane.try_into().expect("eight bytes"));
            self.step(8);
            bytes = rest;
        }
        for byte in bytes {
            self.xor(self.at, *byte);
            self.step(1);
        }
    }

    fn step(&mut self, bytes: usize) {
        self.at += bytes;
        if self.at == self.rate {
            permute(&mut self.lanes, self.constants);
            self.at = 0;
        }
    }

    fn finish(&mut self, suffix: u8) {
        self.xor(self.at, suffix);
        self.xor(self.rate - 1, 0x80);
        permute(&mut self.lanes, self.constants);
        self.at = 0;
    }

    fn squeeze(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = (self.lanes[self.at / 8] >> (self.at % 8 * 8)) as u8;
            self.step(1);
        }
    }
}

fn sha3_256(constants: &[u64; ROUNDS], parts: &[&[u8]]) -> [u8; 32] {
    let mut sponge = Sponge::new(136, constants);
    for part in parts {
        sponge.absorb(part);
    }
    sponge.finish(0x06);
    let mut digest = [0; 32];
    sponge.squeeze(&mut digest);
    digest
}

struct Keccak {
    constants: [u64; ROUNDS],
    data: Vec<u8>,
    leaf: usize,
    root: [u8; 32],
}

impl Workload for Keccak {
    fn setup(small: bool) -> Keccak {
        let mut rng = Rng::new(3);
        let data = (0..if small { 50_000 } else { 2_000_000 }).map(|_| rng.next() as u8).collect();
        Keccak { constants: round_constants(), data, leaf: 1000, root: [0; 32] }
    }

    fn kernel(&mut self) -> u64 {
        let mut level: Vec<[u8; 32]> = self.data.chunks(self.leaf).map(|leaf| sha3_256(&self.constants, &[&[0], leaf])).collect();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| if let [a, b] = pair { sha3_256(&self.constants, &[&[1], a, b]) } else { pair[0] })
                .collect();
        }
        self.root = level[0];
        // The root seeds a stream as long as an eighth of the data.
        let mut shake = Sponge::new(168, &self.constants);
        shake.absorb(&self.root);
        shake.finish(0x1f);
        let mut stream = vec![0; self.data.len() / 8];
        shake.squeeze(&mut stream);
        stream.chunks_exact(8).fold(0, |s, c| mix(s, u64::from_le_bytes(c.try_into().expect("eight bytes"))))
    }

    fn report(&self, out: &mut String) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let _ = writeln!(out, "sha3-256(abc) {}", hex(&sha3_256(&self.constants, &[b"abc"])));
        let _ = writeln!(out, "root {}", hex(&self.root));
    }
}

pub fn main() {
    bench::main::<Keccak>();
}

//! Block-sorting compression and its inverse: Burrows–Wheeler transform by prefix doubling, move to
//! front, run lengths of zeros, and an adaptive binary range coder with bit-tree contexts. Sorting,
//! random access, and a long chain of dependent integer arithmetic.

use bench::{mix, mix_bytes, Rng, Workload};
use std::fmt::Write;

// ---- Burrows–Wheeler ----------------------------------------------------------------------------

/// The order of all rotations, by doubling the length of the compared prefix.
fn rotation_order(text: &[u8]) -> Vec<u32> {
    let n = text.len();
    let mut order: Vec<u32> = (0..n as u32).collect();
    let mut rank: Vec<u32> = text.iter().map(|b| u32::from(*b)).collect();
    let mut next = vec![0; n];
    let mut width = 1;
    order.sort_unstable_by_key(|i| rank[*i as usize]);
    loop {
        let key = |i: u32| (rank[i as usize], rank[(i as usize + width) % n]);
        order.sort_unstable_by_key(|i| key(*i));
        next[order[0] as usize] = 0;
        for pair in order.windows(2) {
            next[pair[1] as usize] = next[pair[0] as usize] + u32::from(key(pair[0]) != key(pair[1]));
        }
        std::mem::swap(&mut rank, &mut next);
        width *= 2;
        if rank[order[n - 1] as usize] as usize == n - 1 || width >= n {
            return order;
        }
    }
}

/// The last column of the sorted rotations, and the row of the text itself.
fn transform(text: &[u8]) -> (Vec<u8>, u32) {
    let order = rotation_order(text);
    let n = text.len();
    let last = order.iter().map(|i| text[(*i as usize + n - 1) % n]).collect();
    let row = order.iter().position(|i| *i == 0).unwrap_or(0) as u32;
    (last, row)
}

fn invert(last: &[u8], row: u32) -> Vec<u8> {
    let mut starts = [0u32; 257];
    for b in last {
        starts[usize::from(*b) + 1] += 1;
    }
    for b in 0..256 {
        starts[b + 1] += starts[b];
    }
    let mut follow = vec![0u32; last.len()];
    for (i, b) in last.iter().enumerate() {
        let at = &mut starts[usize::from(*b)];
        follow[*at as usize] = i as u32;
        *at += 1;
    }
    let mut at = row;
    (0..last.len())
        .map(|_| {
            at = follow[at as usize];
            last[at as usize]
        })
        .collect()
}

// ---- Move to front and zero runs ----------------------------------------------------------------

/// Symbols: 0 and 1 are the digits of a run of zeros (bijective binary), rank r > 0 is r + 1.
fn to_front(bytes: &[u8]) -> Vec<u16> {
    let mut recent: Vec<u8> = (0..=255).collect();
    let mut out = Vec::with_capacity(bytes.len());
    let mut run = 0u32;
    let flush = |run: &mut u32, out: &mut Vec<u16>| {
        while *run > 0 {
            *run -= 1;
            out.push((*run & 1) as u16);
            *run >>= 1;
        }
    };
    for b in bytes {
        let rank = recent.iter().position(|r| r == b).unwrap_or(0);
        if rank == 0 {
            run += 1;
            continue;
        }
        flush(&mut run, &mut out);
        out.push(rank as u16 + 1);
        recent.copy_within(0..rank, 1);
        recent[0] = *b;
    }
    flush(&mut run, &mut out);
    out
}

fn from_front(symbols: &[u16]) -> Vec<u8> {
    let mut recent: Vec<u8> = (0..=255).collect();
    let mut out = Vec::new();
    let (mut run, mut place) = (0usize, 1usize);
    for s in symbols.iter().copied().chain([u16::MAX]) {
        if s < 2 {
            run += place << s;
            place <<= 1;
            continue;
        }
        out.extend(std::iter::repeat_n(recent[0], run));
        (run, place) = (0, 1);
        if s != u16::MAX {
            let rank = usize::from(s - 1);
            let b = recent[rank];
            recent.copy_within(0..rank, 1);
            recent[0] = b;
            out.push(b);
        }
    }
    out
}

// ---- Range coder --------------------------------------------------------------------------------

/// Probabilities that a bit is 0, of 4096, in a tree over the 9 bits of a symbol, chosen by the class
/// of the symbol before.
struct Model {
    trees: Vec<[u16; 512]>,
    class: usize,
}

impl Model {
    fn new() -> Model {
        Model { trees: vec![[2048; 512]; 4], class: 0 }
    }
    fn next_class(&mut self, symbol: u16) {
        self.class = match symbol {
            0 | 1 => 0,
            2 | 3 => 1,
            4..=15 => 2,
            _ => 3,
        };
    }
}

fn learn(p: &mut u16, bit: bool) {
    if bit {
        *p -= *p >> 5;
    } else {
        *p += (4096 - *p) >> 5;
    }
}

struct Encoder {
    low: u64,
    range: u32,
    out: Vec<u8>,
    cache: u8,
    pending: u64,
}

impl Encoder {
    fn new() -> Encoder {
        Encoder { low: 0, range: u32::MAX, out: Vec::new(), cache: 0, pending: 1 }
    }

    fn bit(&mut self, p: &mut u16, bit: bool) {
        let bound = (self.range >> 12) * u32::from(*p);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        learn(p, bit);
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.shift();
        }
    }

    /// Moves the top byte out, unless a carry may still change it.
    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > 0xffff_ffff {
            let carry = (self.low >> 32) as u8;
            let mut byte = self.cache;
            while self.pending > 0 {
                self.out.push(byte.wrapping_add(carry));
                byte = 0xff;
                self.pending -= 1;
            }
            self.cache = (self.low >> 24) as u8;
        }
        self.pending += 1;
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    fn symbol(&mut self, model: &mut Model, symbol: u16) {
        let tree = &mut model.trees[model.class];
        let mut node = 1;
        for i in (0..9).rev() {
            let bit = symbol >> i & 1 == 1;
            self.bit(&mut tree[node], bit);
            node = node << 1 | usize::from(bit);
        }
        model.next_class(symbol);
    }

    fn finish(mut self) -> Vec<u8> {
        for _ in 0..5 {
            self.shift();
        }
        self.out
    }
}

struct Decoder<'a> {
    bytes: std::slice::Iter<'a, u8>,
    range: u32,
    code: u32,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Decoder<'a> {
        let mut d = Decoder { bytes: bytes.iter(), range: u32::MAX, code: 0 };
        for _ in 0..5 {
            d.code = d.code << 8 | d.byte();
        }
        d
    }

    fn byte(&mut self) -> u32 {
        self.bytes.next().copied().map_or(0, u32::from)
    }

    fn bit(&mut self, p: &mut u16) -> bool {
        let bound = (self.range >> 12) * u32::from(*p);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        learn(p, bit);
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.code = self.code << 8 | self.byte();
        }
        bit
    }

    fn symbol(&mut self, model: &mut Model) -> u16 {
        let tree = &mut model.trees[model.class];
        let mut node = 1;
        for _ in 0..9 {
            node = node << 1 | usize::from(self.bit(&mut tree[node]));
        }
        let symbol = (node & 511) as u16;
        model.next_class(symbol);
        symbol
    }
}

// ---- The workload -------------------------------------------------------------------------------

fn prose(len: usize) -> Vec<u8> {
    const SYLLABLES: [&str; 16] =
        ["ban", "a", "na", "com", "pres", "sion", "the ", "of ", "ing ", "re", "ver", "si", "ble", ". ", "sort", "er "];
    let mut rng = Rng::new(17);
    let mut text = String::new();
    while text.len() < len {
        // Low numbers are likelier.
        let i = rng.below(16).min(rng.below(16));
        text.push_str(SYLLABLES[i as usize]);
    }
    text.truncate(len);
    text.into_bytes()
}

struct BlockSort {
    text: Vec<u8>,
    block: usize,
    packed: usize,
}

impl Workload for BlockSort {
    fn setup(small: bool) -> BlockSort {
        let (len, block) = if small { (3000, 1500) } else { (64_000, 16_000) };
        BlockSort { text: prose(len), block, packed: 0 }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        self.packed = 0;
        for block in self.text.chunks(self.block) {
            let (last, row) = transform(block);
            let symbols = to_front(&last);
            let mut encoder = Encoder::new();
            let mut model = Model::new();
            for s in &symbols {
                encoder.symbol(&mut model, *s);
            }
            let packed = encoder.finish();

            let mut decoder = Decoder::new(&packed);
            let mut model = Model::new();
            let decoded: Vec<u16> = symbols.iter().map(|_| decoder.symbol(&mut model)).collect();
            let unpacked = invert(&from_front(&decoded), row);
            assert!(unpacked == block, "the block survives the round trip");
            self.packed += packed.len();
            sum = mix(mix_bytes(sum, &packed), u64::from(row));
        }
        sum
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "input {}\npacked {}", self.text.len(), self.packed);
    }
}

pub fn main() {
    bench::main::<BlockSort>();
}

//! An emulator of the 32-bit RISC-V integer instruction set with multiplication (RV32IM), and a small
//! assembler that makes its programs: a prime sieve, matrix products, string search and a recursive
//! function. Decoding by bit fields and nested matches, registers in an array, memory with bounds
//! checks on every access.

use bench::{mix, Workload};
use std::collections::HashMap;
use std::fmt::Write;

// ---- Assembler ----------------------------------------------------------------------------------

/// Registers by their numbers: x0 is zero, x1 the return address, x2 the stack pointer.
type Reg = u32;
const ZERO: Reg = 0;
const RA: Reg = 1;
const SP: Reg = 2;
const A0: Reg = 10;
const A1: Reg = 11;

#[derive(Default)]
struct Assembler {
    words: Vec<u32>,
    labels: HashMap<&'static str, usize>,
    fixups: Vec<(usize, &'static str)>,
}

impl Assembler {
    fn label(&mut self, name: &'static str) {
        self.labels.insert(name, self.words.len());
    }
    fn r(&mut self, funct7: u32, funct3: u32, rd: Reg, rs1: Reg, rs2: Reg) {
        self.words.push(funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33);
    }
    fn i(&mut self, opcode: u32, funct3: u32, rd: Reg, rs1: Reg, imm: i32) {
        self.words.push((imm as u32) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode);
    }
    fn add(&mut self, rd: Reg, rs1: Reg, rs2: Reg) {
        self.r(0, 0, rd, rs1, rs2);
    }
    fn sub(&mut self, rd: Reg, rs1: Reg, rs2: Reg) {
        self.r(0x20, 0, rd, rs1, rs2);
    }
    fn mul(&mut self, rd: Reg, rs1: Reg, rs2: Reg) {
        self.r(1, 0, rd, rs1, rs2);
    }
    fn remu(&mut self, rd: Reg, rs1: Reg, rs2: Reg) {
        self.r(1, 7, rd, rs1, rs2);
    }
    fn addi(&mut self, rd: Reg, rs1: Reg, imm: i32) {
        self.i(0x13, 0, rd, rs1, imm);
    }
    fn slli(&mut self, rd: Reg, rs1: Reg, by: i32) {
        self.i(0x13, 1, rd, rs1, by);
    }
    fn lw(&mut self, rd: Reg, rs1: Reg, imm: i32) {
        self.i(0x03, 2, rd, rs1, imm);
    }
    fn lbu(&mut self, rd: Reg, rs1: Reg, imm: i32) {
        self.i(0x03, 4, rd, rs1, imm);
    }
    fn store(&mut self, funct3: u32, rs2: Reg, rs1: Reg, imm: i32) {
        let imm = imm as u32;
        self.words.push((imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | 0x23);
    }
    fn sw(&mut self, rs2: Reg, rs1: Reg, imm: i32) {
        self.store(2, rs2, rs1, imm);
    }
    fn sb(&mut self, rs2: Reg, rs1: Reg, imm: i32) {
        self.store(0, rs2, rs1, imm);
    }
    /// Any constant, in one or two instructions.
    fn li(&mut self, rd: Reg, value: i32) {
        if (-2048..2048).contains(&value) {
            self.addi(rd, ZERO, value);
        } else {
            let low = value << 20 >> 20;
            self.words.push((value.wrapping_sub(low) as u32 & 0xffff_f000) | rd << 7 | 0x37);
            self.addi(rd, rd, low);
        }
    }
    fn branch(&mut self, funct3: u32, rs1: Reg, rs2: Reg, to: &'static str) {
        self.fixups.push((self.words.len(), to));
        self.words.push(rs2 << 20 | rs1 << 15 | funct3 << 12 | 0x63);
    }
    fn beq(&mut self, a: Reg, b: Reg, to: &'static str) {
        self.branch(0, a, b, to);
    }
    fn bne(&mut self, a: Reg, b: Reg, to: &'static str) {
        self.branch(1, a, b, to);
    }
    fn bltu(&mut self, a: Reg, b: Reg, to: &'static str) {
        self.branch(6, a, b, to);
    }
    fn bgeu(&mut self, a: Reg, b: Reg, to: &'static str) {
        self.branch(7, a, b, to);
    }
    fn jal(&mut self, rd: Reg, to: &'static str) {
        self.fixups.push((self.words.len(), to));
        self.words.push(rd << 7 | 0x6f);
    }
    fn ret(&mut self) {
        self.i(0x67, 0, ZERO, RA, 0);
    }
    fn ecall(&mut self) {
        self.words.push(0x73);
    }
    fn finish(mut self) -> Vec<u32> {
        for (at, name) in self.fixups {
            let offset = ((self.labels[name] as i32 - at as i32) * 4) as u32;
            self.words[at] |= if self.words[at] & 0x7f == 0x6f {
                (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3ff) << 21 | (offset >> 11 & 1) << 20 | (offset >> 12 & 0xff) << 12
            } else {
                (offset >> 12 & 1) << 31 | (offset >> 5 & 0x3f) << 25 | (offset >> 1 & 15) << 8 | (offset >> 11 & 1) << 7
            };
        }
        self.words
    }
}

// ---- Machine ------------------------------------------------------------------------------------

const MEMORY_BYTES: usize = 1 << 18;

#[derive(Debug, PartialEq)]
enum Stop {
    Exit(u32),
    Illegal(u32),
    Fault(u32),
}

struct Machine {
    x: [u32; 32],
    pc: u32,
    memory: Vec<u8>,
    retired: u64,
}

impl Machine {
    fn new(program: &[u32]) -> Machine {
        let mut memory = vec![0; MEMORY_BYTES];
        for (bytes, word) in memory.chunks_exact_mut(4).zip(program) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut x = [0; 32];
        x[SP as usize] = MEMORY_BYTES as u32 - 16;
        Machine { x, pc: 0, memory, retired: 0 }
    }

    fn load<const N: usize>(&self, at: u32) -> Result<[u8; N], Stop> {
        let at = at as usize;
        match self.memory.get(at..at.wrapping_add(N)) {
            Some(bytes) => Ok(bytes.try_into().expect("the slice has N bytes")),
            None => Err(Stop::Fault(at as u32)),
        }
    }

    fn store<const N: usize>(&mut self, at: u32, value: [u8; N]) -> Result<(), Stop> {
        let start = at as usize;
        match self.memory.get_mut(start..start.wrapping_add(N)) {
            Some(bytes) => bytes.copy_from_slice(&value),
            None => return Err(Stop::Fault(at)),
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Stop> {
        let word = u32::from_le_bytes(self.load(self.pc)?);
        let rd = (word >> 7 & 31) as usize;
        let funct3 = word >> 12 & 7;
        let a = self.x[(word >> 15 & 31) as usize];
        let b = self.x[(word >> 20 & 31) as usize];
        let imm_i = (word as i32 >> 20) as u32;
        let mut next = self.pc.wrapping_add(4);
        let result = match word & 0x7f {
            0x37 => Some(word & 0xffff_f000),
            0x17 => Some(self.pc.wrapping_add(word & 0xffff_f000)),
            0x6f => {
                let offset = (word as i32 >> 31 << 20) as u32 | word & 0xff000 | word >> 9 & 0x800 | word >> 20 & 0x7fe;
                let link = next;
                next = self.pc.wrapping_add(offset);
                Some(link)
            }
            0x67 => {
                let link = next;
                next = a.wrapping_add(imm_i) & !1;
                Some(link)
            }
            0x63 => {
                let taken = match funct3 {
                    0 => a == b,
                    1 => a != b,
                    4 => (a as i32) < b as i32,
                    5 => a as i32 >= b as i32,
                    6 => a < b,
                    7 => a >= b,
                    _ => return Err(Stop::Illegal(word)),
                };
                if taken {
                    let offset = (word as i32 >> 31 << 12) as u32 | word << 4 & 0x800 | word >> 20 & 0x7e0 | word >> 7 & 0x1e;
                    next = self.pc.wrapping_add(offset);
                }
                None
            }
            0x03 => {
                let at = a.wrapping_add(imm_i);
                Some(match funct3 {
                    0 => self.load::<1>(at)?[0] as i8 as u32,
                    1 => i16::from_le_bytes(self.load(at)?) as u32,
                    2 => u32::from_le_bytes(self.load(at)?),
                    4 => u32::from(self.load::<1>(at)?[0]),
                    5 => u32::from(u16::from_le_bytes(self.load(at)?)),
                    _ => return Err(Stop::Illegal(word)),
                })
            }
            0x23 => {
                let at = a.wrapping_add((word as i32 >> 25 << 5) as u32 | word >> 7 & 31);
                match funct3 {
                    0 => self.store(at, [b as u8])?,
                    1 => self.store(at, (b as u16).to_le_bytes())?,
                    2 => self.store(at, b.to_le_bytes())?,
                    _ => return Err(Stop::Illegal(word)),
                }
                None
            }
            0x13 => Some(match funct3 {
                0 => a.wrapping_add(imm_i),
                1 => a << (imm_i & 31),
                2 => u32::from((a as i32) < imm_i as i32),
                3 => u32::from(a < imm_i),
                4 => a ^ imm_i,
                5 if word >> 30 & 1 == 1 => (a as i32 >> (imm_i & 31)) as u32,
                5 => a >> (imm_i & 31),
                6 => a | imm_i,
                _ => a & imm_i,
            }),
            0x33 => Some(match (word >> 25, funct3) {
                (0, 0) => a.wrapping_add(b),
                (0x20, 0) => a.wrapping_sub(b),
                (0, 1) => a << (b & 31),
                (0, 2) => u32::from((a as i32) < b as i32),
                (0, 3) => u32::from(a < b),
                (0, 4) => a ^ b,
                (0, 5) => a >> (b & 31),
                (0x20, 5) => (a as i32 >> (b & 31)) as u32,
                (0, 6) => a | b,
                (0, 7) => a & b,
                (1, 0) => a.wrapping_mul(b),
                (1, 1) => (i64::from(a as i32) * i64::from(b as i32) >> 32) as u32,
                (1, 2) => (i64::from(a as i32) * i64::from(b) >> 32) as u32,
                (1, 3) => (u64::from(a) * u64::from(b) >> 32) as u32,
                (1, 4) => if b == 0 { u32::MAX } else { (a as i32).wrapping_div(b as i32) as u32 },
                (1, 5) => a.checked_div(b).unwrap_or(u32::MAX),
                (1, 6) => if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 },
                (1, 7) => a.checked_rem(b).unwrap_or(a),
                _ => return Err(Stop::Illegal(word)),
            }),
            0x0f => None,
            0x73 => return Err(Stop::Exit(self.x[A0 as usize])),
            _ => return Err(Stop::Illegal(word)),
        };
        if let Some(value) = result {
            self.x[rd] = value;
            self.x[0] = 0;
        }
        self.pc = next;
        self.retired += 1;
        Ok(())
    }

    fn run(&mut self) -> Stop {
        loop {
            if let Err(stop) = self.step() {
                return stop;
            }
        }
    }
}

// ---- Programs -----------------------------------------------------------------------------------

/// Counts the primes below `limit` with a byte per number from 0x4000 on.
fn sieve(limit: i32) -> Vec<u32> {
    let mut p = Assembler::default();
    let (base, i, j, n, t, one) = (5, 6, 7, 8, 9, 18);
    p.li(base, 0x4000);
    p.li(n, limit);
    p.li(one, 1);
    p.li(i, 2);
    p.li(A0, 0);
    p.label("next");
    p.add(t, base, i);
    p.lbu(t, t, 0);
    p.bne(t, ZERO, "composite");
    p.addi(A0, A0, 1);
    p.mul(j, i, i);
    p.bgeu(j, n, "composite");
    p.label("mark");
    p.add(t, base, j);
    p.sb(one, t, 0);
    p.add(j, j, i);
    p.bltu(j, n, "mark");
    p.label("composite");
    p.addi(i, i, 1);
    p.bltu(i, n, "next");
    p.ecall();
    p.finish()
}

/// Multiplies two `n` by `n` matrices of small numbers and sums the product modulo 65521.
fn matrices(n: i32) -> Vec<u32> {
    let mut p = Assembler::default();
    let (size, i, j, k, sum, x, y, t, modulus) = (5, 6, 7, 8, 9, 18, 19, 20, 21);
    p.li(size, n);
    p.li(modulus, 65521);
    p.li(A0, 0);
    p.li(i, 0);
    p.label("row");
    p.li(j, 0);
    p.label("column");
    p.li(k, 0);
    p.li(sum, 0);
    p.label("inner");
    // a[i][k] = i * 3 + k, written to memory and read back; b[k][j] = k ^ j.
    p.slli(x, i, 1);
    p.add(x, x, i);
    p.add(x, x, k);
    p.li(t, 0x8000);
    p.sw(x, t, 16);
    p.r(0, 4, y, k, j);
    p.lw(x, t, 16);
    p.mul(x, x, y);
    p.add(sum, sum, x);
    p.addi(k, k, 1);
    p.bltu(k, size, "inner");
    p.add(A0, A0, sum);
    p.remu(A0, A0, modulus);
    p.addi(j, j, 1);
    p.bltu(j, size, "column");
    p.addi(i, i, 1);
    p.bltu(i, size, "row");
    p.ecall();
    p.finish()
}

/// Fibonacci by recursion with a stack frame per call.
fn recursion(n: i32) -> Vec<u32> {
    let mut p = Assembler::default();
    let two = 5;
    p.li(A0, n);
    p.jal(RA, "fib");
    p.ecall();
    p.label("fib");
    p.li(two, 2);
    p.bltu(A0, two, "leaf");
    p.addi(SP, SP, -16);
    p.sw(RA, SP, 12);
    p.sw(A0, SP, 8);
    p.addi(A0, A0, -1);
    p.jal(RA, "fib");
    p.lw(A1, SP, 8);
    p.sw(A0, SP, 8);
    p.addi(A0, A1, -2);
    p.jal(RA, "fib");
    p.lw(A1, SP, 8);
    p.add(A0, A0, A1);
    p.lw(RA, SP, 12);
    p.addi(SP, SP, 16);
    p.label("leaf");
    p.ret();
    p.finish()
}

/// Counts the positions in pseudo-random text of `len` letters where "aba" occurs.
fn search(len: i32) -> Vec<u32> {
    let mut p = Assembler::default();
    let (base, i, n, seed, t, c, factor) = (5, 6, 7, 8, 9, 18, 19);
    p.li(base, 0x4000);
    p.li(n, len);
    p.li(seed, 12345);
    p.li(factor, 1_103_515_245);
    p.li(i, 0);
    p.label("fill");
    p.mul(seed, seed, factor);
    p.addi(seed, seed, 1013);
    p.i(0x13, 5, t, seed, 29); // the top three bits
    p.add(c, base, i);
    p.sb(t, c, 0);
    p.addi(i, i, 1);
    p.bltu(i, n, "fill");
    p.li(A0, 0);
    p.li(i, 2);
    p.label("scan");
    p.add(c, base, i);
    p.lbu(t, c, 0);
    p.lbu(seed, c, -2);
    p.bne(t, seed, "no");
    p.lbu(seed, c, -1);
    p.beq(t, seed, "no");
    p.addi(A0, A0, 1);
    p.label("no");
    p.addi(i, i, 1);
    p.bltu(i, n, "scan");
    p.sub(A0, A0, ZERO);
    p.ecall();
    p.finish()
}

struct RiscV {
    programs: Vec<(&'static str, Vec<u32>)>,
    results: Vec<(&'static str, Stop, u64)>,
}

impl Workload for RiscV {
    fn setup(small: bool) -> RiscV {
        let size = |a, b| if small { a } else { b };
        let programs = vec![
            ("sieve", sieve(size(3000, 120_000))),
            ("matrices", matrices(size(10, 60))),
            ("recursion", recursion(size(12, 23))),
            ("search", search(size(1500, 100_000))),
        ];
        RiscV { programs, results: Vec::new() }
    }

    fn kernel(&mut self) -> u64 {
        self.results.clear();
        let mut sum = 0;
        for (name, program) in &self.programs {
            let mut machine = Machine::new(program);
            let stop = machine.run();
            let Stop::Exit(code) = stop else { panic!("{name}: {stop:?}") };
            sum = mix(mix(sum, u64::from(code)), machine.retired);
            self.results.push((name, stop, machine.retired));
        }
        sum
    }

    fn report(&self, out: &mut String) {
        for (name, stop, retired) in &self.results {
            if let Stop::Exit(code) = stop {
                let _ = writeln!(out, "{name} {code} after {retired}");
            }
        }
    }
}

pub fn main() {
    bench::main::<RiscV>();
}

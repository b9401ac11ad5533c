//! Loops over memories that reach to 4 GiB and beyond, where an index of 32 bits wraps around inside
//! of the memory: what a compiler concludes from bounds alone is wrong there. Few pages are touched.
//!
//! Indices are extended with and without sign, cut from 64 bits and masked; sums wrap before they
//! are extended or do not afterwards; displacements reach to 2^64. Loops go up and down, over each
//! place where something wraps. The interpreter says what is right: memory, results and traps.

use crate::{configurations, instantiate};
use zwasm::{Config, TrapCode, Val};

const GIB_4: u64 = 1 << 32;

/// Bytes around a place that are looked at, on both sides.
const AROUND: u64 = 2048;

/// How an address is made of the locals `$p` (an `i32`) and `$q` (an `i64`), which are the same
/// modulo 2^32: with a displacement, for memories with 64-bit and with 32-bit indices.
const WIDE: &[(&str, &str)] = &[
    ("", "(i64.extend_i32_u (local.get $p))"),
    ("", "(i64.extend_i32_s (local.get $p))"),
    (
        "",
        "(i64.extend_i32_u (i32.add (local.get $p) (i32.const 0x100)))",
    ),
    (
        "",
        "(i64.extend_i32_u (i32.sub (local.get $p) (i32.const 0x100)))",
    ),
    (
        "",
        "(i64.extend_i32_u (i32.add (local.get $p) (i32.const 0x80000000)))",
    ),
    (
        "",
        "(i64.extend_i32_s (i32.add (local.get $p) (i32.const 0x80000000)))",
    ),
    (
        "",
        "(i64.extend_i32_u (i32.or (local.get $p) (i32.const 0x80000000)))",
    ),
    ("", "(i64.extend_i32_u (i32.wrap_i64 (local.get $q)))"),
    ("", "(i64.and (local.get $q) (i64.const 0xffffffff))"),
    (
        "",
        "(i64.add (i64.extend_i32_u (local.get $p)) (i64.const 0x100))",
    ),
    (
        "",
        "(i64.add (i64.extend_i32_u (local.get $p)) (i64.const -0x100))",
    ),
    ("offset=0x100", "(i64.extend_i32_u (local.get $p))"),
    ("offset=0xffffff00", "(i64.extend_i32_u (local.get $p))"),
    ("offset=0x100000000", "(i64.extend_i32_u (local.get $p))"),
    (
        "offset=0x100",
        "(i64.extend_i32_u (i32.sub (local.get $p) (i32.const 0x100)))",
    ),
    ("", "(local.get $q)"),
    ("", "(i64.add (local.get $q) (i64.const 0x100))"),
    ("", "(i64.sub (local.get $q) (i64.const 0x100000000))"),
    ("offset=0x100000000", "(local.get $q)"),
    ("offset=0xffffffffffffff00", "(local.get $q)"),
    (
        "offset=0xffffffffffffff00",
        "(i64.extend_i32_u (local.get $p))",
    ),
];
const NARROW: &[(&str, &str)] = &[
    ("", "(local.get $p)"),
    ("", "(i32.add (local.get $p) (i32.const 0x100))"),
    ("", "(i32.sub (local.get $p) (i32.const 0x100))"),
    ("", "(i32.add (local.get $p) (i32.const 0x80000000))"),
    ("", "(i32.or (local.get $p) (i32.const 0x80000000))"),
    ("", "(i32.wrap_i64 (local.get $q))"),
    ("offset=0x100", "(local.get $p)"),
    ("offset=0xffffff00", "(local.get $p)"),
    ("offset=0x100", "(i32.sub (local.get $p) (i32.const 0x100))"),
];

/// What a turn does.
#[derive(Clone, Copy)]
enum Work {
    Fill,
    /// To a place far from all that wraps, and from one.
    CopyFrom,
    CopyTo,
    /// Two stores beside each other, the second one's index a sum of 32 bits.
    FillTwo,
    /// As many loads.
    Sum,
}

/// A size, the suffix of the instructions, and what a turn goes on by for one access.
const SIZES: &[(i64, &str)] = &[(1, "8"), (4, "32"), (8, "")];

fn functions(places: &[(&str, &str)], near: &str) -> Vec<String> {
    let mut functions = Vec::new();
    for (i, &(offset, address)) in places.iter().enumerate() {
        let works = [
            Work::Fill,
            Work::CopyFrom,
            Work::CopyTo,
            Work::FillTwo,
            Work::Sum,
        ];
        for (j, work) in works.into_iter().enumerate() {
            for is_down in [false, true] {
                let (size, suffix) = SIZES[(i + j) % SIZES.len()];
                let sign = if suffix.is_empty() { "" } else { "_u" };
                let (load, store) = (
                    format!("i64.load{suffix}{sign}"),
                    format!("i64.store{suffix}"),
                );
                let beside = address
                    .replace("$p)", "$second)")
                    .replace("$q)", "$second_q)");
                let turn = match work {
                    Work::Fill => format!("({store} {offset} {address} (i64.const -3))"),
                    Work::CopyFrom => format!("({store} {near} ({load} {offset} {address}))"),
                    Work::CopyTo => format!("({store} {offset} {address} ({load} {near}))"),
                    Work::FillTwo => format!(
                        "({store} {offset} {address} (i64.const 0x5555555555555555))
                        (local.set $second (i32.add (local.get $p) (i32.const {size})))
                        (local.set $second_q (i64.add (local.get $q) (i64.const {size})))
                        ({store} {offset} {beside} (i64.const 0x5555555555555555))"
                    ),
                    Work::Sum => format!(
                        "(local.set $sum (i64.add (local.get $sum)
                            (i64.add ({load} {offset} {address}) ({load} {offset} {address}))))"
                    ),
                };
                let accesses = if let Work::FillTwo = work { 2 } else { 1 };
                let step = size * accesses * if is_down { -1 } else { 1 };
                functions.push(format!(
                    "(func (export \"{}\") (param $q i64) (param $n i32) (result i64 i64 i32)
                        (local $p i32) (local $d i32) (local $sum i64)
                        (local $second i32) (local $second_q i64)
                        (local.set $p (i32.wrap_i64 (local.get $q)))
                        (local.set $d (i32.const 0x10000))
                        (loop $l
                            {turn}
                            (local.set $p (i32.add (local.get $p) (i32.const {step})))
                            (local.set $q (i64.add (local.get $q) (i64.const {step})))
                            (local.set $d (i32.add (local.get $d) (i32.const {step})))
                            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                        (local.get $sum) (local.get $q) (local.get $p))",
                    functions.len()
                ));
            }
        }
    }
    functions
}

/// Distances from a place where something may wrap at which loops start, and their turns.
const STARTS: [(i64, i32); 5] = [
    (-400, 90),
    (-400, 101),
    (100, 120),
    (-0x100, 90),
    (0x100, 70),
];

/// Runs of each function.
const CASES: usize = 4 * STARTS.len();

#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    results: Result<[u64; 3], Option<TrapCode>>,
    windows: u64,
}

/// Runs every function over every place where something may wrap.
fn outcomes(config: &Config, memory: &str, functions: &[String], bytes: u64) -> Vec<Outcome> {
    let text = format!(
        "(module (memory (export \"m\") {memory}) {})",
        functions.join("\n")
    );
    let (mut store, instance) = instantiate(config, &text);
    let memory = instance.get_memory(&store, "m").expect("exported");
    let middles = [0, 0x10000, GIB_4 / 2, GIB_4, bytes];
    let windows = middles.map(|at| {
        let (start, end) = (at.saturating_sub(AROUND), bytes.min(at + AROUND));
        start as usize..end as usize
    });
    let mut outcomes = Vec::new();
    for number in 0..functions.len() {
        let func = instance
            .get_func(&store, &number.to_string())
            .expect("exported");
        for middle in [0, GIB_4 / 2, GIB_4, bytes] {
            for (before, turns) in STARTS {
                let data = memory.data_mut(&mut store);
                for (i, window) in windows.iter().enumerate() {
                    for (at, byte) in data[window.clone()].iter_mut().enumerate() {
                        *byte = (at * 7 + at / 256 + i * 31) as u8;
                    }
                }
                let args = [
                    Val::I64((middle as i64).wrapping_add(before)),
                    Val::I32(turns),
                ];
                let mut results = [Val::I64(0), Val::I64(0), Val::I32(0)];
                let outcome = func.call(&mut store, &args, &mut results);
                let results = outcome.map_err(|error| error.trap_code()).map(|()| {
                    results.each_ref().map(|value| match *value {
                        Val::I32(value) => u64::from(value as u32),
                        Val::I64(value) => value as u64,
                        _ => unreachable!("integers"),
                    })
                });
                let data = memory.data(&store);
                let bytes = windows.iter().flat_map(|window| &data[window.clone()]);
                let windows = bytes.fold(0_u64, |hash, &byte| {
                    (hash ^ u64::from(byte))
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .rotate_left(29)
                });
                outcomes.push(Outcome { results, windows });
            }
        }
    }
    outcomes
}

fn compare(memory: &str, bytes: u64) {
    let functions = if memory.starts_with("i64") {
        functions(WIDE, "(i64.extend_i32_u (local.get $d))")
    } else {
        functions(NARROW, "(local.get $d)")
    };
    let mut expected: Option<Vec<Outcome>> = None;
    // The interpreter is the first tier.
    for (mut config, name) in configurations() {
        config.wasm_custom_page_sizes(true);
        let got = outcomes(&config, memory, &functions, bytes);
        let Some(expected) = &expected else {
            expected = Some(got);
            continue;
        };
        for (i, (expected, got)) in expected.iter().zip(&got).enumerate() {
            let (case, function) = (i % CASES, &functions[i / CASES]);
            assert!(
                expected == got,
                "{name}, {memory}: {expected:?}, {got:?} of case {case} of {function}"
            );
        }
    }
}

#[test]
fn above_4_gib() {
    compare("i64 65538", GIB_4 + 2 * 65_536);
}

#[test]
fn above_4_gib_and_named_a_largest_size() {
    compare("i64 65538 65540", GIB_4 + 2 * 65_536);
}

#[test]
fn of_4_gib() {
    compare("i64 65536 65536", GIB_4);
}

#[test]
fn of_4_gib_with_32_bit_indices() {
    compare("65536", GIB_4);
}

#[test]
fn above_4_gib_in_pages_of_a_byte() {
    compare("i64 4294967996 (pagesize 1)", GIB_4 + 700);
}

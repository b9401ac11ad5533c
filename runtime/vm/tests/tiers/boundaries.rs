//! Loads and stores of every width around the end of a memory: the last valid byte, one past it,
//! sums near 2^32 and 2^64, before and after growth, 32-bit and 64-bit memories, of one or several.
//!
//! What must happen follows from index + offset + size alone; it is computed here, in 128 bits.

use crate::{configurations, instantiate};
use std::fmt::Write;
use zwasm::{TrapCode, Val};

const PAGE: u128 = 65_536;

/// Instruction, operand and result types, bytes accessed. A lane follows where there is one.
const LOADS: &[(&str, &str, u128)] = &[
    ("i32.load8_u", "i32", 1),
    ("i32.load8_s", "i32", 1),
    ("i32.load16_u", "i32", 2),
    ("i32.load16_s", "i32", 2),
    ("i32.load", "i32", 4),
    ("i64.load8_u", "i64", 1),
    ("i64.load8_s", "i64", 1),
    ("i64.load16_u", "i64", 2),
    ("i64.load16_s", "i64", 2),
    ("i64.load32_u", "i64", 4),
    ("i64.load32_s", "i64", 4),
    ("i64.load", "i64", 8),
    ("f32.load", "f32", 4),
    ("f64.load", "f64", 8),
    ("v128.load", "v128", 16),
    ("v128.load8x8_s", "v128", 8),
    ("v128.load16x4_u", "v128", 8),
    ("v128.load32x2_s", "v128", 8),
    ("v128.load8_splat", "v128", 1),
    ("v128.load16_splat", "v128", 2),
    ("v128.load32_splat", "v128", 4),
    ("v128.load64_splat", "v128", 8),
    ("v128.load32_zero", "v128", 4),
    ("v128.load64_zero", "v128", 8),
];
const LANE_LOADS: &[(&str, &str, u128)] = &[
    ("v128.load8_lane", "15", 1),
    ("v128.load16_lane", "7", 2),
    ("v128.load32_lane", "3", 4),
    ("v128.load64_lane", "1", 8),
];
const STORES: &[(&str, &str, u128)] = &[
    ("i32.store8", "i32", 1),
    ("i32.store16", "i32", 2),
    ("i32.store", "i32", 4),
    ("i64.store8", "i64", 1),
    ("i64.store16", "i64", 2),
    ("i64.store32", "i64", 4),
    ("i64.store", "i64", 8),
    ("f32.store", "f32", 4),
    ("f64.store", "f64", 8),
    ("v128.store", "v128", 16),
];
const LANE_STORES: &[(&str, &str, u128)] = &[
    ("v128.store8_lane", "15", 1),
    ("v128.store16_lane", "7", 2),
    ("v128.store32_lane", "3", 4),
    ("v128.store64_lane", "1", 8),
];

/// How many bytes each access touches, by the number of its function in one round of offsets.
fn accesses() -> Vec<u128> {
    [LOADS, LANE_LOADS, STORES, LANE_STORES]
        .concat()
        .iter()
        .map(|access| access.2)
        .collect()
}

fn operand(ty: &str) -> String {
    match ty {
        "v128" => "(v128.const i64x2 -1 -1)".to_owned(),
        "f32" | "f64" => format!("({ty}.const -1.5)"),
        _ => format!("({ty}.const -1)"),
    }
}

/// Functions of every access for each offset; with an index, or with one that the compiler sees.
fn module(is_64: bool, memory: u32, offsets: &[u64], constant: Option<u64>) -> String {
    let index_type = if is_64 { "i64" } else { "i32" };
    let mut text = String::from("(module");
    for index in 0..=memory {
        let ty = if index == memory { index_type } else { "i32" };
        let _ = write!(text, "(memory (export \"m{index}\") {ty} 1 3)");
    }
    let _ = write!(
        text,
        "(func (export \"grow\") (result {index_type})
            (memory.grow {memory} ({index_type}.const 1)))"
    );
    let index = match constant {
        Some(value) if is_64 => format!("(i64.const {})", value as i64),
        Some(value) => format!("(i32.const {})", value as u32),
        None => "(local.get 0)".to_owned(),
    };
    let mut number = 0;
    for offset in offsets {
        let mut add = |body: String| {
            let _ = write!(
                text,
                "(func (export \"f{number}\") (param {index_type}) {body})"
            );
            number += 1;
        };
        let place = format!("{memory} offset={offset}");
        for (name, _, _) in LOADS {
            add(format!("(drop ({name} {place} {index}))"));
        }
        for (name, lane, _) in LANE_LOADS {
            let vector = operand("v128");
            add(format!("(drop ({name} {place} {lane} {index} {vector}))"));
        }
        for (name, ty, _) in STORES {
            add(format!("({name} {place} {index} {})", operand(ty)));
        }
        for (name, lane, _) in LANE_STORES {
            let vector = operand("v128");
            add(format!("({name} {place} {lane} {index} {vector})"));
        }
    }
    text + ")"
}

/// Runs all functions with an index, and after growth again.
fn check(is_64: bool, memory: u32, offsets: &[u64], indices: &[u64], constant: bool) {
    let sizes = accesses();
    for (config, name) in configurations() {
        for &index in indices {
            let text = module(is_64, memory, offsets, constant.then_some(index));
            let (mut store, instance) = instantiate(&config, &text);
            let grow = instance.get_func(&store, "grow").expect("exported");
            let bytes = instance.get_memory(&store, &format!("m{memory}"));
            let bytes = bytes.expect("exported");
            let arg = if is_64 {
                Val::I64(index as i64)
            } else {
                Val::I32(index as u32 as i32)
            };
            for pages in 1..=2 {
                for (number, &offset) in offsets.iter().enumerate() {
                    for (access, &size) in sizes.iter().enumerate() {
                        let number = number * sizes.len() + access;
                        let func = instance.get_func(&store, &format!("f{number}"));
                        let result = func.expect("exported").call(&mut store, &[arg], &mut []);
                        let end = u128::from(index) + u128::from(offset) + size;
                        let what = || {
                            format!("{name}: access {access}, {index:#x} + {offset:#x}, {pages}")
                        };
                        if end <= pages * PAGE {
                            assert!(result.is_ok(), "{}: {result:?}", what());
                        } else {
                            let code = result.expect_err(&what()).trap_code();
                            assert_eq!(code, Some(TrapCode::MemoryOutOfBounds), "{}", what());
                        }
                    }
                }
                // A store that failed wrote nothing: what lies in front of the end is as before.
                let first = indices.iter().map(|i| u128::from(*i)).min().unwrap_or(0);
                if first >= pages * PAGE && offsets.contains(&0) {
                    assert!(bytes.data(&store).iter().all(|byte| *byte == 0), "{name}");
                }
                let mut old = [Val::I32(0)];
                grow.call(&mut store, &[], &mut old).expect("room to grow");
            }
        }
    }
}

#[test]
fn around_the_end() {
    for is_64 in [false, true] {
        for memory in [0, 1] {
            let indices: Vec<u64> = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17]
                .iter()
                .map(|back| 65_536 - back)
                .chain([65_536, 131_072 - 16, 131_072 - 1, 131_072])
                .collect();
            check(is_64, memory, &[0, 1], &indices, false);
        }
    }
}

#[test]
fn indices_that_the_compiler_sees() {
    for is_64 in [false, true] {
        let indices = [0, 65_520, 65_528, 65_532, 65_534, 65_535, 65_536, 131_071];
        check(is_64, 0, &[0, 1, 8, 65_519, 65_535], &indices, true);
        let far = [0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
        check(is_64, 0, &[0, 1, 0x7fff_fff0, 0xffff_ffff], &far, true);
    }
}

#[test]
fn sums_near_the_end_of_the_address_space() {
    let offsets = [
        65_520,
        65_535,
        65_536,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_0000,
        0xffff_fff0,
        0xffff_ffff,
    ];
    let indices = [
        0,
        1,
        15,
        65_535,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fff0,
        0xffff_ffff,
    ];
    check(false, 0, &offsets, &indices, false);
    check(false, 1, &offsets, &indices, false);
    check(true, 0, &offsets, &indices, false);
    let far = [
        0x1_0000_0000,
        0xffff_ffff_0000_0000,
        u64::MAX - 65_536,
        u64::MAX - 15,
        u64::MAX,
    ];
    check(true, 0, &far, &indices, false);
    check(true, 0, &offsets, &far, false);
    check(true, 0, &far, &far, false);
    check(true, 1, &far, &far, false);
}

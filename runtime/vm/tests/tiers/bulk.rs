//! Copies and fills of constant lengths, which compilers turn into loads and stores: every length up
//! to beyond what they do in line, overlapping both ways, and ranges that leave the memory by a byte.
//! Nothing is written by one that traps.

use crate::{configurations, instantiate};
use std::fmt::Write;
use zwasm::{Memory, Store, TrapCode, Val};

const LENGTHS: std::ops::RangeInclusive<usize> = 0..=140;
const PAGE: usize = 65_536;

fn module(index: &str) -> String {
    let mut text = format!("(module (memory (export \"memory\") {index} 1)");
    for length in LENGTHS {
        let _ = write!(
            text,
            "(func (export \"copy{length}\") (param {index} {index} i32)
                (memory.copy (local.get 0) (local.get 1) ({index}.const {length})))
             (func (export \"fill{length}\") (param {index} {index} i32)
                (memory.fill (local.get 0) (local.get 2) ({index}.const {length})))
             (func (export \"five{length}\") (param {index} {index} i32)
                (memory.fill (local.get 0) (i32.const 0xf05) ({index}.const {length})))"
        );
    }
    text + ")"
}

fn pattern(at: usize) -> u8 {
    (at * 37 + at / 251) as u8
}

fn is_in_memory(at: usize, length: usize) -> bool {
    at + length <= PAGE
}

struct Case<'c> {
    store: &'c mut Store<()>,
    memory: Memory,
    instance: zwasm::Instance,
    is_64: bool,
    name: &'c str,
}

impl Case<'_> {
    /// Runs one operation on fresh contents and compares the whole memory with what must be there.
    fn run(&mut self, operation: &str, length: usize, to: usize, from: usize) {
        let before: Vec<u8> = (0..PAGE).map(pattern).collect();
        self.memory
            .data_mut(&mut *self.store)
            .copy_from_slice(&before);
        let index = |at: usize| match self.is_64 {
            true => Val::I64(at as i64),
            false => Val::I32(at as u32 as i32),
        };
        let args = [index(to), index(from), Val::I32(0x1_a7)];
        let func = self
            .instance
            .get_func(&*self.store, &format!("{operation}{length}"));
        let result = func
            .expect("exported")
            .call(&mut *self.store, &args, &mut []);
        let is_copy = operation == "copy";
        let fits = is_in_memory(to, length) && (!is_copy || is_in_memory(from, length));
        let mut expected = before;
        if fits {
            result.expect("in bounds");
            match operation {
                "copy" => expected.copy_within(from..from + length, to),
                "fill" => expected[to..to + length].fill(0xa7),
                _ => expected[to..to + length].fill(0x05),
            }
        } else {
            let error = result.expect_err("out of bounds");
            assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
        }
        assert!(
            self.memory.data(&*self.store) == expected,
            "{}: {operation} of {length} from {from} to {to}",
            self.name
        );
    }
}

#[test]
fn copies_and_fills_of_constant_lengths() {
    for (config, name) in configurations() {
        for is_64 in [false, true] {
            let text = module(if is_64 { "i64" } else { "i32" });
            let (mut store, instance) = instantiate(&config, &text);
            let memory = instance.get_memory(&store, "memory").expect("exported");
            let store = &mut store;
            let mut case = Case {
                store,
                memory,
                instance,
                is_64,
                name: &name,
            };
            for length in LENGTHS {
                // Everything for some, the edges for all.
                let overlaps: &[usize] = match length {
                    1 | 7 | 24 | 33 | 100 | 128 => &[0, 1, 3, 8, 15, 16, 17],
                    _ => &[1, 16],
                };
                for &distance in overlaps {
                    case.run("copy", length, 1000 + distance, 1000);
                    case.run("copy", length, 1000, 1000 + distance);
                }
                let end = PAGE - length;
                for (to, from) in [(end, 0), (0, end), (end + 1, 0), (0, end + 1)] {
                    case.run("copy", length, to, from);
                }
                for to in [5, end, end + 1] {
                    case.run("fill", length, to, 0);
                    case.run("five", length, to, 0);
                }
            }
        }
    }
}

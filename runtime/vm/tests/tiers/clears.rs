//! Large blocks of memory that are cleared, by loops of stores and by `memory.fill`: pages that nobody
//! has touched stay out of the process's memory in every tier, and all that was there reads as zero.

use crate::{configurations, instantiate};
use std::fmt::Write;
use zwasm::{Instance, Memory, Store, Val};

const MIB: usize = 1 << 20;
const PAGE: usize = 65_536;
const PAGES: usize = 72 * MIB / PAGE;
/// What is cleared.
const START: usize = 4 * MIB + 4096;
const BYTES: usize = 64 * MIB;

/// How a loop ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The pointer is asked for behind a turn, and before it.
    Pointer,
    PointerBefore,
    /// The same for a count of bytes.
    Count,
    CountBefore,
    /// As long as more than a turn's bytes less one are left, as `memset` of C libraries has it.
    Left,
    /// From the end to the start, which only the optimizing tier leaves to the runtime.
    Down,
}

/// Where functions clear.
const MEMORY: &str = "$memory";
/// Of loops over this memory as well only the optimizing tier thinks.
const OTHER: &str = "$other";

/// The names of functions that clear `$n` bytes from `$p` to `$end`, and their text.
fn functions(index: &str, memory: &str) -> Vec<(String, String)> {
    let stores = [
        ("i32.store8", "i32", 1),
        ("i32.store16", "i32", 2),
        ("i32.store", "i32", 4),
        ("i64.store", "i64", 8),
        ("v128.store", "v128", 16),
    ];
    let ends = [
        ("pointer", End::Pointer),
        ("pointer before", End::PointerBefore),
        ("count", End::Count),
        ("count before", End::CountBefore),
        ("left", End::Left),
        ("down", End::Down),
    ];
    let mut functions = Vec::new();
    for (store, ty, size) in stores {
        for unrolled in [1, 2, 4, 8] {
            for (end_name, end) in ends {
                for is_constant in [true, false] {
                    let value = match (ty, is_constant) {
                        ("v128", true) => "(v128.const i64x2 0 0)",
                        ("v128", false) => continue,
                        ("i32", true) => "(i32.const 0)",
                        ("i64", true) => "(i64.const 0)",
                        ("i32", false) => "(local.get $value)",
                        (_, _) => "(local.get $wide)",
                    };
                    // Half of the variants with 64 bits say enough.
                    if index == "i64" && (!is_constant || unrolled == 2) {
                        continue;
                    }
                    let name = format!("{store} x{unrolled} {end_name} {value}");
                    let text = function(&name, index, (store, memory, value, size), unrolled, end);
                    functions.push((name, text));
                }
            }
        }
    }
    functions.push((
        "memory.fill".into(),
        format!(
            "(func (export \"memory.fill\") (param $p {index}) (param $end {index})
                (param $n {index}) (param $value i32) (result {index} {index})
                (memory.fill {memory} (local.get $p) (local.get $value) (local.get $n))
                (local.get $end) ({index}.const 0))"
        ),
    ));
    functions
}

fn function(
    name: &str,
    index: &str,
    (store, memory, value, size): (&str, &str, &str, usize),
    unrolled: usize,
    end: End,
) -> String {
    let stride = size * unrolled;
    let mut turn = String::new();
    for slot in 0..unrolled {
        let offset = slot * size;
        let memory = if memory == MEMORY { "" } else { memory };
        let _ = write!(
            turn,
            "({store} {memory} offset={offset} (local.get $p) {value})"
        );
    }
    let add = |local: &str, by: isize| {
        format!("(local.set ${local} ({index}.add (local.get ${local}) ({index}.const {by})))")
    };
    let down = add("p", -(stride as isize));
    let (up, less) = (add("p", stride as isize), add("n", -(stride as isize)));
    let looped = match end {
        End::Pointer => format!(
            "(loop $l {turn} {up} {less}
                (br_if $l ({index}.lt_u (local.get $p) (local.get $end))))"
        ),
        End::PointerBefore => format!(
            "(block $out (loop $l
                (br_if $out ({index}.eq (local.get $p) (local.get $end)))
                {turn} {up} {less} (br $l)))"
        ),
        End::Count => format!(
            "(loop $l {turn} {up}
                (br_if $l ({index}.ne
                    (local.tee $n ({index}.sub (local.get $n) ({index}.const {stride})))
                    ({index}.const 0))))"
        ),
        End::CountBefore => format!(
            "(block $out (loop $l
                (br_if $out ({index}.eqz (local.get $n)))
                {turn} {up} {less} (br $l)))"
        ),
        End::Down => format!(
            "(local.set $p (local.get $end))
            (loop $l {down} {turn} {less} (br_if $l ({index}.ne (local.get $n) ({index}.const 0))))
            (local.set $p ({index}.add (local.get $p) ({index}.sub (local.get $end) (local.get $p))))"
        ),
        End::Left => format!(
            "(loop $l {turn} {up} {less}
                (br_if $l ({index}.gt_u (local.get $n) ({index}.const {}))))",
            stride - 1
        ),
    };
    format!(
        "(func (export \"{name}\") (param $p {index}) (param $end {index})
            (param $n {index}) (param $value i32) (result {index} {index}) (local $wide i64)
            (local.set $wide (i64.extend_i32_u (local.get $value)))
            {looped} (local.get $p) (local.get $n))\n"
    )
}

/// How many bytes of a memory are in that of the process, where the system tells.
fn resident_bytes(bytes: &[u8]) -> Option<usize> {
    use std::io::{Read, Seek, SeekFrom};
    const SYSTEM_PAGE: usize = 4096;
    const IS_PRESENT: u64 = 1 << 63;
    let mut map = std::fs::File::open("/proc/self/pagemap").ok()?;
    let first = bytes.as_ptr().addr() / SYSTEM_PAGE;
    let mut entries = vec![0; bytes.len() / SYSTEM_PAGE * 8];
    map.seek(SeekFrom::Start(first as u64 * 8)).ok()?;
    map.read_exact(&mut entries).ok()?;
    let entries = entries.chunks_exact(8);
    let present = entries.filter(|entry| {
        let entry: [u8; 8] = (*entry).try_into().expect("eight bytes");
        u64::from_le_bytes(entry) & IS_PRESENT != 0
    });
    Some(present.count() * SYSTEM_PAGE)
}

fn is_all(bytes: &[u8], byte: u8) -> bool {
    let same = [byte; 4096];
    bytes.chunks(4096).all(|part| *part == same[..part.len()])
}

struct Machine {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    is_64: bool,
}

impl Machine {
    fn new(module: &zwasm::Module, memory: &str, is_64: bool) -> Machine {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[]).expect("no start function");
        let memory = instance.get_memory(&store, memory).expect("exported");
        Machine {
            store,
            instance,
            memory,
            is_64,
        }
    }

    /// Clears a range, and checks the variables behind the loop.
    fn clear(&mut self, name: &str, start: usize, bytes: usize) {
        let index = |at: usize| match self.is_64 {
            true => Val::I64(at as i64),
            false => Val::I32(at as i32),
        };
        let args = [
            index(start),
            index(start + bytes),
            index(bytes),
            Val::I32(0),
        ];
        let mut results = [Val::I32(0); 2];
        let func = self.instance.get_func(&self.store, name).expect("exported");
        func.call(&mut self.store, &args, &mut results)
            .expect("in bounds");
        let expected = [index(start + bytes), index(0)];
        assert_eq!(format!("{results:?}"), format!("{expected:?}"), "{name}");
    }
}

fn module(index: &str, functions: &[(String, String)]) -> String {
    let mut text = String::from("(module");
    for memory in [MEMORY, OTHER] {
        let _ = write!(
            text,
            "(memory {memory} (export \"{memory}\") {index} {PAGES} {PAGES})"
        );
    }
    functions.iter().for_each(|(_, function)| text += function);
    text + ")"
}

/// Whether a tier is to do it in one.
fn is_left_to_the_runtime(name: &str, memory: &str, tier: &str) -> bool {
    let is_for_all = memory == MEMORY && !name.contains("down");
    is_for_all || name == "memory.fill" || tier.starts_with("opt")
}

fn check(index: &str, memory: &str) {
    let functions = functions(index, memory);
    let text = module(index, &functions);
    let is_64 = index == "i64";
    for (config, tier) in configurations() {
        let (store, _) = instantiate(&config, &text);
        let module = zwasm::Module::new(store.engine(), &text).expect("valid");
        for (name, _) in &functions {
            if !is_left_to_the_runtime(name, memory, &tier) {
                continue;
            }
            let mut machine = Machine::new(&module, memory, is_64);
            machine.clear(name, START, BYTES);
            let bytes = machine.memory.data(&machine.store);
            // The system's large pages may be touched at both ends.
            if let Some(resident) = resident_bytes(bytes) {
                assert!(resident <= 5 * MIB, "{resident} bytes, {name}, {tier}");
            }
            let some = bytes.iter().step_by(PAGE - 1);
            assert_eq!(some.max(), Some(&0), "{name}, {tier}");
        }
    }
}

#[test]
fn what_is_cleared_before_use_takes_no_memory() {
    check("i32", MEMORY);
}

#[test]
fn what_is_cleared_before_use_takes_no_memory_with_64_bit_indices() {
    check("i64", MEMORY);
}

#[test]
fn what_is_cleared_before_use_takes_no_memory_elsewhere() {
    check("i32", OTHER);
}

#[test]
fn all_that_was_there_is_cleared_and_nothing_else() {
    clears_all_and_nothing_else("i32", MEMORY);
    clears_all_and_nothing_else("i64", MEMORY);
    clears_all_and_nothing_else("i32", OTHER);
}

fn clears_all_and_nothing_else(index: &str, memory: &str) {
    let functions = functions(index, memory);
    let text = module(index, &functions);
    const START: usize = 3 * MIB + 128;
    const BYTES: usize = 5 * MIB + 256;
    for (config, tier) in configurations() {
        let (store, _) = instantiate(&config, &text);
        let module = zwasm::Module::new(store.engine(), &text).expect("valid");
        let mut machine = Machine::new(&module, memory, index == "i64");
        for (name, _) in &functions {
            if !is_left_to_the_runtime(name, memory, &tier) {
                continue;
            }
            // Three pages of the system in each MiB of the rest, and two MiB as a whole.
            let bytes = machine.memory.data_mut(&mut machine.store);
            for at in (0..10 * MIB).step_by(MIB) {
                bytes[at + 4090..at + 12_300].fill(0xee);
            }
            bytes[5 * MIB + 77..7 * MIB + 99].fill(0xee);
            bytes[START - 64..START].fill(0xdd);
            bytes[START..START + 64].fill(0xcc);
            bytes[START + BYTES - 64..START + BYTES].fill(0xcc);
            bytes[START + BYTES..START + BYTES + 64].fill(0xdd);
            machine.clear(name, START, BYTES);
            let bytes = machine.memory.data(&machine.store);
            let end = START + BYTES;
            assert!(is_all(&bytes[START..end], 0), "{name}, {tier}");
            assert!(is_all(&bytes[START - 64..START], 0xdd), "{name}, {tier}");
            assert!(is_all(&bytes[end..end + 64], 0xdd), "{name}, {tier}");
            assert!(is_all(&bytes[4090..12_300], 0xee), "{name}, {tier}");
            let last = 9 * MIB;
            assert!(
                is_all(&bytes[last + 4090..last + 12_300], 0xee),
                "{name}, {tier}"
            );
        }
    }
}

/// Registers are what they were behind a large clear, in loops around it and in what follows.
#[test]
fn what_is_live_around_a_large_clear_stays() {
    let mut text = String::from(
        "(module (memory (export \"memory\") 80)
           (func (export \"f\") (param $value i32) (param $n i32) (result i64 f64)
             (local $p i32) (local $i i32) (local $sum f64) (local $bits i64)",
    );
    for i in 0..20 {
        let _ = write!(text, "(local $i{i} i64) (local $f{i} f64)");
    }
    for i in 0..20 {
        let _ = write!(
            text,
            "(local.set $i{i} (i64.mul (i64.extend_i32_u (local.get $n)) (i64.const {})))
             (local.set $f{i} (f64.mul (f64.convert_i32_u (local.get $n)) (f64.const {}.5)))",
            i + 3,
            i + 7
        );
    }
    text += "(loop $outer (local.set $p (i32.const 64))
         (loop $l (i32.store (local.get $p) (local.get $value))
            (br_if $l (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 4)))
                (local.get $n))))";
    for i in 0..20 {
        let _ = write!(
            text,
            "(local.set $bits (i64.add (i64.rotl (local.get $bits) (i64.const 1)) (local.get $i{i})))
             (local.set $sum (f64.add (local.get $sum) (local.get $f{i})))"
        );
    }
    text += "(local.set $bits (i64.add (local.get $bits) (i64.extend_i32_u (local.get $p))))
        (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (i32.const 3))))
        (local.get $bits) (local.get $sum)))";
    let n = 4 * MIB as i32 + 64;
    for value in [0, 7] {
        let mut expected = None;
        for (config, tier) in configurations() {
            let (mut store, instance) = instantiate(&config, &text);
            let func = instance.get_func(&store, "f").expect("exported");
            let mut results = [Val::I32(0); 2];
            func.call(&mut store, &[Val::I32(value), Val::I32(n)], &mut results)
                .expect("in bounds");
            let got = format!("{results:?}");
            let expected = expected.get_or_insert_with(|| got.clone());
            assert_eq!(got, *expected, "{tier}");
        }
    }
}

/// Part of what is cleared is that of a data segment, which may be an image of a file.
#[test]
fn data_segments_are_cleared_with_what_follows() {
    let functions = functions("i32", MEMORY);
    let data = "x".repeat(3 * MIB);
    let mut text = module("i32", &functions);
    text.pop();
    let _ = write!(text, "(data (i32.const 65536) \"{data}\"))");
    for (config, tier) in configurations() {
        let (store, _) = instantiate(&config, &text);
        let module = zwasm::Module::new(store.engine(), &text).expect("valid");
        for name in ["memory.fill", "i32.store x4 left (local.get $value)"] {
            let mut machine = Machine::new(&module, MEMORY, false);
            machine.clear(name, 2 * MIB, 60 * MIB);
            let bytes = machine.memory.data(&machine.store);
            if let Some(resident) = resident_bytes(bytes) {
                assert!(resident <= 8 * MIB, "{resident} bytes, {name}, {tier}");
            }
            let end = PAGE + 3 * MIB;
            assert!(is_all(&bytes[PAGE..2 * MIB], b'x'), "{name}, {tier}");
            assert!(is_all(&bytes[2 * MIB..end + MIB], 0), "{name}, {tier}");
        }
    }
}

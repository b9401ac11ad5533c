//! Loops that fill memory, which all tiers do in larger pieces: each leaves the memory, the variables
//! and the trap that the interpreter does, turn by turn.

use crate::{configurations, instantiate, turn_by_turn};
use zwasm::{Config, Instance, Memory, Store, TrapCode, Val};

const PAGE: u32 = 65_536;
const PAGES: u32 = 2;

/// Bodies of loops over `$p`, `$v` (`$w` is the same with 64 bits) and `$n` (`$c` is the same with 64
/// bits), up to the branch back. There is a block around each.
const LOOPS: &[&str] = &[
    "(i32.store (local.get $p) (local.get $v))
     (br_if 0 (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $n)))",
    "(i32.store16 offset=3 (local.get $p) (local.get $v))
     (br_if 0 (i32.gt_u (local.get $n) (local.tee $p (i32.add (i32.const 2) (local.get $p)))))",
    "(i32.store8 (local.get $p) (local.get $v))
     (i32.store8 (i32.add (local.get $p) (i32.const 3)) (local.get $v))
     (i32.store8 offset=1 (i32.add (local.get $p) (i32.const 1)) (local.get $v))
     (i32.store8 offset=1 (local.get $p) (local.get $v))
     (br_if 0 (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $n)))",
    "(i32.store8 (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))",
    "(local.set $q (i32.sub (local.get $q) (i32.const 7)))
     (i64.store offset=8 (local.get $p) (i64.const 0))
     (i64.store (local.get $p) (i64.const 0))
     (local.set $p (i32.add (local.get $p) (i32.const 16)))
     (br_if 0 (i32.gt_u (local.tee $n (i32.add (local.get $n) (i32.const -16))) (i32.const 15)))",
    "(local.set $p (i32.add (local.get $p) (i32.const 8)))
     (i64.store offset=1 (local.get $p) (local.get $w))
     (br_if 0 (i32.ne (local.get $p) (i32.add (local.get $n) (i32.const 8))))",
    // The condition first.
    "(br_if 1 (i32.ge_u (local.get $p) (local.get $n)))
     (i32.store (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 4)))
     (br 0)",
    "(br_if 1 (i32.eqz (local.get $n)))
     (i32.store8 offset=1 (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (local.set $n (i32.add (local.get $n) (i32.const -1)))
     (br 0)",
    "(br_if 1 (i32.eq (local.get $n) (local.get $p)))
     (i64.store16 (local.get $p) (local.get $w))
     (local.set $p (i32.add (local.get $p) (i32.const 2)))
     (br 0)",
    // By signed comparisons, and by those that hold at the bound.
    "(i32.store (local.get $p) (local.get $v))
     (br_if 0 (i32.lt_s (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $n)))",
    "(i32.store16 (local.get $p) (local.get $v))
     (br_if 0 (i32.ge_u (local.get $n) (local.tee $p (i32.add (local.get $p) (i32.const 2)))))",
    "(i32.store8 (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (br_if 0 (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 2))) (i32.const -9)))",
    "(i32.store8 (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (br_if 0 (i32.eqz (i32.lt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1)))
         (i32.const 3))))",
    // A counter of 64 bits, and one of both sizes that does not count.
    "(i64.store (local.get $p) (local.get $w))
     (local.set $p (i32.add (local.get $p) (i32.const 8)))
     (br_if 0 (i64.ne (local.tee $c (i64.sub (local.get $c) (i64.const 8))) (i64.const 0)))",
    "(i32.store (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 4)))
     (local.set $q (i32.add (local.get $q) (i32.const 3)))
     (br_if 0 (i64.gt_s (local.tee $c (i64.sub (local.get $c) (i64.const 1))) (i64.const -5)))",
    "(i32.store8 (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (local.set $c (i64.sub (local.get $c) (i64.const 0x100000003)))
     (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))",
    // A local of another type that is set to what it is.
    "(i32.store8 (local.get $p) (local.get $v))
     (local.set $f (local.get $f))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))",
    // Vectors.
    "(v128.store (local.get $p) (v128.const i64x2 0x3333333333333333 0x3333333333333333))
     (v128.store offset=16 (local.get $p) (v128.const i64x2 0x3333333333333333 0x3333333333333333))
     (br_if 0 (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 32))) (local.get $n)))",
    "(v128.store (local.get $p) (v128.const i64x2 0 1))
     (br_if 0 (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 16))) (local.get $n)))",
    // A counter with large steps.
    "(i32.store8 (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 1)))
     (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 0x40000000))))",
    // None of these fills: a gap, what is stored changes, two regions, the stores overlap.
    "(i32.store (local.get $p) (local.get $v))
     (br_if 0 (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 8))) (local.get $n)))",
    "(i32.store (local.get $p) (local.get $n))
     (local.set $p (i32.add (local.get $p) (i32.const 4)))
     (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))",
    "(i32.store8 (local.get $p) (local.get $v))
     (i32.store8 (local.get $q) (local.get $v))
     (local.set $q (i32.add (local.get $q) (i32.const 1)))
     (br_if 0 (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 1))) (local.get $n)))",
    "(i64.store (local.get $p) (local.get $w))
     (br_if 0 (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $n)))",
    // Away from the bound, and past it.
    "(i32.store (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 4)))
     (br_if 0 (i32.gt_u (local.tee $n (i32.add (local.get $n) (i32.const 4))) (local.get $q)))",
    "(i32.store (local.get $p) (local.get $v))
     (local.set $p (i32.add (local.get $p) (i32.const 4)))
     (br_if 0 (i32.ne (local.tee $n (i32.sub (local.get $n) (i32.const 4))) (local.get $q)))",
];

fn module(pages: u32) -> String {
    let mut text = format!(
        r#"(module (memory (export "memory") {pages})
           (global $p (export "p") (mut i32) (i32.const 0))
           (global $q (export "q") (mut i32) (i32.const 0))
           (global $n (export "n") (mut i32) (i32.const 0))
           (global $c (export "c") (mut i64) (i64.const 0))"#
    );
    for (i, body) in LOOPS.iter().enumerate() {
        text += &format!(
            r#"(func (export "f{i}") (param $p i32) (param $v i32) (param $n i32)
                 (local $w i64) (local $q i32) (local $c i64) (local $f f64)
                 (local.set $c (i64.extend_i32_u (local.get $n)))
                 (local.set $w (i64.extend_i32_u (local.get $v)))
                 (local.set $w (i64.or (local.get $w)
                     (i64.shl (local.get $w) (i64.const 32))))
                 (block (loop {body}))
                 (global.set $c (local.get $c))
                 (global.set $p (local.get $p))
                 (global.set $q (local.get $q))
                 (global.set $n (local.get $n)))"#
        );
    }
    text + ")"
}

struct Machine {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Machine {
    fn new(config: &Config, pages: u32) -> Machine {
        Machine::of(instantiate(config, module(pages)))
    }

    fn of((store, instance): (Store<()>, Instance)) -> Machine {
        let memory = instance.get_memory(&store, "memory").expect("exported");
        Machine {
            store,
            instance,
            memory,
        }
    }

    /// What a call of loop `which` gives: the trap, or the variables.
    fn call(&mut self, which: usize, args: [u32; 3]) -> Result<[u64; 4], TrapCode> {
        let args = args.map(|arg| Val::I32(arg as i32));
        let name = format!("f{which}");
        let func = self.instance.get_func(&mut self.store, &name);
        match func
            .expect("exported")
            .call(&mut self.store, &args, &mut [])
        {
            Ok(()) => Ok(["p", "q", "n", "c"].map(|name| {
                let global = self.instance.get_global(&mut self.store, name);
                match global.expect("exported").get(&mut self.store) {
                    Val::I32(value) => u64::from(value as u32),
                    Val::I64(value) => value as u64,
                    other => panic!("{other:?}"),
                }
            })),
            Err(error) => Err(error.trap_code().expect("a trap")),
        }
    }
}

#[test]
fn every_tier_fills_alike() {
    let end = PAGE * PAGES;
    let mut cases = Vec::new();
    for p in [0, 1, 5000, end - 1030, end - 3, 0xffff_f000] {
        for v in [0, 0x7777_7777, 0x1234_1234, 0x56] {
            for n in [
                0,
                1,
                p,
                p.wrapping_add(4),
                p.wrapping_add(516),
                p.wrapping_add(1024),
                p.wrapping_add(1026),
                2000,
                9 << 10,
                end,
                end + 64,
                0x7fff_fff0,
                u32::MAX,
            ] {
                cases.push([p, v, n]);
            }
        }
    }
    let mut oracle = Machine::of(turn_by_turn(&module(PAGES)));
    let mut machines: Vec<(Machine, String)> = configurations()
        .into_iter()
        .map(|(config, name)| (Machine::new(&config, PAGES), name))
        .collect();
    for which in 0..LOOPS.len() {
        for &args in &cases {
            oracle.memory.data_mut(&mut oracle.store).fill(0xee);
            let expected = oracle.call(which, args);
            for (machine, name) in &mut machines {
                machine.memory.data_mut(&mut machine.store).fill(0xee);
                let found = machine.call(which, args);
                assert_eq!(found, expected, "loop {which} of {args:x?}, {name}");
                let same = machine.memory.data(&machine.store) == oracle.memory.data(&oracle.store);
                assert!(same, "memory after loop {which} of {args:x?}, {name}");
            }
        }
    }
}

/// Addresses wrap around at 2^32, where a memory may end as well.
#[test]
fn fills_go_on_at_the_start_of_a_full_memory() {
    for (config, name) in configurations() {
        if name.contains("Some") {
            continue;
        }
        let mut machine = Machine::new(&config, 65_536);
        let start = u32::MAX - 2047;
        let end = machine.call(3, [start, 0x33, 4096]);
        assert_eq!(end, Ok([2048, 0, 0, 4096]), "{name}");
        let bytes = machine.memory.data(&machine.store);
        let filled = |range: core::ops::Range<usize>| bytes[range].iter().all(|&byte| byte == 0x33);
        assert!(filled(start as usize..1 << 32) && filled(0..2048), "{name}");
        assert_eq!([bytes[2048], bytes[start as usize - 1]], [0, 0], "{name}");
    }
}

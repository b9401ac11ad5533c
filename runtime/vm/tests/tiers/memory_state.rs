//! What loops and joins may assume of memories, tables and globals: nothing that a way through them
//! changes.

use crate::{configurations, instantiate};
use zwasm::TrapCode;

const MODULE: &str = r#"(module
    (memory $wide i64 1 3)
    (memory $other 1 4)
    (table $t 2 8 funcref)
    (type $result (func (result i32)))
    (global $g (mut i32) (i32.const 0))
    (func $one (result i32) i32.const 1)
    (func $two (result i32) i32.const 2)
    (elem (table $t) (i32.const 0) func $one $two)
    (func $grow (drop (memory.grow $other (i32.const 1))))

    ;; Reads the global in each iteration, and adds to it.
    (func (export "global") (param $n i32) (result i32)
        (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum) (global.get $g)))
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        local.get $sum)

    ;; Only one arm writes.
    (func (export "join") (param $way i32) (result i32)
        (local $before i32)
        (global.set $g (i32.const 5))
        (i32.store $other (i32.const 16) (i32.const 7))
        (local.set $before (i32.load $other (i32.const 16)))
        (if (local.get $way)
            (then
                (global.set $g (i32.const 6))
                (i32.store $other (i32.const 16) (i32.const 8))))
        (i32.add
            (i32.mul (i32.const 100) (global.get $g))
            (i32.add
                (i32.mul (i32.const 10) (local.get $before))
                (i32.load $other (i32.const 16)))))

    ;; Writes at an ever larger address, growing the memory when half way.
    (func (export "grows") (param $n i64) (param $grow i64) (result i64)
        (local $i i64)
        (loop $l
            (if (i64.eq (local.get $i) (local.get $grow))
                (then (drop (memory.grow $wide (i64.const 1)))))
            (i64.store $wide offset=8 (i64.mul (local.get $i) (i64.const 16)) (local.get $i))
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $l (i64.lt_u (local.get $i) (local.get $n))))
        (i64.add (i64.load $wide (i64.const 24)) (memory.size $wide)))

    ;; The same, with the growth in a callee.
    (func (export "callee grows") (param $n i32) (result i32)
        (local $i i32)
        (loop $l
            (call $grow)
            (i32.store8 $other (i32.mul (local.get $i) (i32.const 65536)) (local.get $i))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
        (memory.size $other))

    ;; Calls through an entry that the loop replaces.
    (func (export "table") (param $n i32) (result i32)
        (local $sum i32)
        (loop $l
            (local.set $sum (i32.add
                (i32.mul (local.get $sum) (i32.const 10))
                (call_indirect $t (type $result) (i32.const 0))))
            (table.set $t (i32.const 0) (ref.func $two))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        local.get $sum)

    ;; The size of a table that the loop grows.
    (func (export "table size") (param $n i32) (result i32)
        (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum) (table.size $t)))
            (drop (table.grow $t (ref.null func) (i32.const 1)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        local.get $sum)

    ;; The second access is within what the first one was checked for, the third is not.
    (func (export "checks") (param $at i64) (result i64)
        (i64.add
            (i64.load $wide offset=8 (local.get $at))
            (i64.add
                (i64.load32_u $wide offset=4 (local.get $at))
                (i64.load8_u $wide offset=16 (local.get $at))))))"#;

#[test]
fn loops_and_joins_see_what_changes() {
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, MODULE);
        let mut call = |name: &str, argument: i32| {
            let func = instance.get_typed_func::<i32, i32>(&store, name);
            func.expect("exported").call(&mut store, argument)
        };
        assert_eq!(call("global", 5).ok(), Some(10), "{name}");
        assert_eq!(call("join", 0).ok(), Some(577), "{name}");
        assert_eq!(call("join", 1).ok(), Some(678), "{name}");
        assert_eq!(call("callee grows", 4).ok(), Some(4), "{name}");
        assert_eq!(call("table", 3).ok(), Some(122), "{name}");
        assert_eq!(call("table size", 4).ok(), Some(2 + 3 + 4 + 5), "{name}");
    }
}

#[test]
fn bounds_change_in_loops() {
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, MODULE);
        let grows = instance
            .get_typed_func::<(i64, i64), i64>(&store, "grows")
            .expect("exported");
        // A page holds 4096 of them.
        assert_eq!(grows.call(&mut store, (4096, 9999)).ok(), Some(2), "{name}");
        let beyond = grows.call(&mut store, (4097, 9999)).expect_err("a trap");
        let out_of_bounds = Some(TrapCode::MemoryOutOfBounds);
        assert_eq!(beyond.trap_code(), out_of_bounds, "{name}");
        assert_eq!(grows.call(&mut store, (8192, 4000)).ok(), Some(3), "{name}");
        let beyond = grows.call(&mut store, (12_289, 8192));
        let beyond = beyond.expect_err("a trap");
        assert_eq!(beyond.trap_code(), out_of_bounds, "{name}");
    }
}

#[test]
fn checks_cover_what_they_cover() {
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, MODULE);
        let checks = instance
            .get_typed_func::<i64, i64>(&store, "checks")
            .expect("exported");
        assert_eq!(checks.call(&mut store, 65_536 - 17).ok(), Some(0), "{name}");
        for at in [65_536 - 16, 65_536 - 15, 65_536, -1, -8, -16, -17, i64::MIN] {
            let error = checks.call(&mut store, at).expect_err("a trap");
            let code = error.trap_code();
            assert_eq!(code, Some(TrapCode::MemoryOutOfBounds), "{name}, {at}");
        }
    }
}

/// The type of what a reference leads to is not looked at before the reference is.
#[test]
fn references_are_followed_where_they_are_checked() {
    let text = r#"(module
        (type $result (func (result i32)))
        (table $t 1 funcref)
        (global $null funcref (ref.null func))
        (func (export "run") (param $n i32) (param $call i32) (result i32)
            (loop $l
                (if (local.get $call)
                    (then
                        (table.set $t (i32.const 0) (global.get $null))
                        (return_call_indirect $t (type $result) (i32.const 0))))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            i32.const 7))"#;
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, text);
        let run = instance
            .get_typed_func::<(i32, i32), i32>(&store, "run")
            .expect("exported");
        assert_eq!(run.call(&mut store, (3, 0)).ok(), Some(7), "{name}");
        let error = run.call(&mut store, (3, 1)).expect_err("a trap");
        let code = error.trap_code();
        assert_eq!(code, Some(TrapCode::UninitializedElement), "{name}");
    }
}

/// More different values in one function than value numbering knows at a time, each computed twice:
/// right after the other one, and after all of them; behind a store half of the loads differ.
#[test]
fn more_values_than_are_known_at_a_time() {
    let count = 12_000;
    let turn: String = (1..=count)
        .map(|i| {
            format!(
                "(local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31))
                   (i32.add (i32.xor (local.get $x) (i32.const {i}))
                            (i32.xor (local.get $x) (i32.const {i})))))
                 (local.set $sum (i32.add (local.get $sum)
                   (i32.load offset={} (i32.const 0))))\n",
                4 * (i % 2)
            )
        })
        .collect();
    let text = format!(
        "(module (memory 1)
           (func (export \"f\") (param $x i32) (result i32) (local $sum i32)
             {turn} (i32.store (i32.const 0) (local.get $x)) {turn} (local.get $sum)))"
    );
    let x = 77_777_i32;
    let expected = [0, x].into_iter().fold(0_i32, |sum, stored| {
        (1..=count).fold(sum, |sum, i| {
            let sum = sum.wrapping_mul(31).wrapping_add((x ^ i).wrapping_mul(2));
            sum.wrapping_add(if i % 2 == 0 { stored } else { 0 })
        })
    });
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, &text);
        let f = instance
            .get_typed_func::<i32, i32>(&store, "f")
            .expect("exported");
        assert_eq!(f.call(&mut store, x).ok(), Some(expected), "{name}");
    }
}

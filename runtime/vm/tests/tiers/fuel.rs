//! Fuel costs the same in every tier, and runs out at the same operators.

use crate::configurations;
use std::fmt::Write;
use zwasm::{Caller, Config, Engine, Instance, Linker, Module, Store, Val};

/// Each export is called with every amount of fuel from none to what it costs.
const GUEST: &str = r#"(module
    (import "h" "note" (func $note (param i32)))
    (import "h" "refuel" (func $refuel (result i64)))
    (import "h" "leaf" (func $again))
    (type $v (func))
    (type $binary (func (param i32 i32) (result i32)))
    (memory 1)
    (tag $e (param i32))
    (table funcref (elem $leaf $tail_b))
    (elem declare func $leaf)
    (global $g (export "g") (mut i32) (i32.const 0))
    (func $leaf (export "leaf"))
    (func (export "straight") (result i32)
        (global.set $g (i32.const 1))
        (i32.add (i32.const 2) (i32.mul (i32.const 3) (i32.const 4))))
    (func (export "loop") (local i32)
        (local.set 0 (i32.const 5))
        (loop $l
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "empty_loop") (loop) (loop (loop) (nop)))
    (func (export "branches") (result i32) (local i32)
        (loop $l (result i32)
            (block $a (block $b (block $c
                (br_table $a $b $c (local.get 0)))
                (global.set $g (i32.add (global.get $g) (i32.const 100))))
                (global.set $g (i32.add (global.get $g) (i32.const 10))))
            (if (i32.and (local.get 0) (i32.const 1))
                (then (global.set $g (i32.add (global.get $g) (i32.const 1000))))
                (else (nop)))
            (if (i32.eqz (local.get 0)) (then (nop)))
            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br_if $l (i32.const 7) (i32.lt_u (local.get 0) (i32.const 4)))))
    (func (export "unreachable_code") (result i32)
        (block $b (result i32)
            (br $b (i32.const 1))
            (block (loop (br 0)) (nop))
            (i32.add (i32.const 3)))
        (block (return (i32.const 3)) (nop)))
    (func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add
                (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "calls") (result i32) (call $fib (i32.const 4)))
    (func (export "indirect_calls")
        (call_indirect (type $v) (i32.const 0))
        (call_ref $v (ref.func $leaf))
        (global.set $g (i32.const 1)))
    (func $tail_a (param i32 i32) (result i32)
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (return_call $tail_b (i32.sub (local.get 0) (i32.const 1)) (local.get 0)))
    (func $tail_b (param i32 i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
        (return_call $tail_a (local.get 0) (local.get 1)))
    (func (export "tail_calls") (result i32)
        (return_call_indirect (type $binary) (i32.const 3) (i32.const 0) (i32.const 1)))
    (func (export "host_calls") (local i32)
        (local.set 0 (i32.const 3))
        (loop $l
            (call $note (local.get 0))
            (call $again)
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $again))
    (func (export "refuelled") (result i64)
        (drop (call $refuel))
        (drop (call $fib (i32.const 5)))
        (call $refuel))
    (func (export "division_trap") (result i32)
        (global.set $g (i32.const 1))
        (i32.div_u (i32.const 1) (global.get $g))
        (i32.div_u (i32.const 1) (i32.sub (global.get $g) (i32.const 1)))
        (drop) (drop)
        (i32.const 1) (i32.const 2) (i32.add))
    (func (export "memory_trap")
        (i32.store (i32.const 8) (i32.load (i32.const 4)))
        (global.set $g (i32.const 1))
        (i32.store (i32.const -1) (i32.const 1))
        (global.set $g (i32.const 2)))
    (func (export "unreachable") (global.set $g (i32.const 1)) (unreachable))
    (func (export "bulk")
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 1000))
        (drop (memory.grow (i32.const 1)))
        (memory.copy (i32.const 1) (i32.const 0) (i32.const 1000)))
    (func $thrower (param i32) (global.set $g (i32.const 7)) (throw $e (local.get 0)))
    (func (export "exceptions") (result i32) (local i32)
        (block $caught (result i32)
            (try_table (catch $e $caught) (call $thrower (i32.const 4)))
            (i32.const 0))
        (local.set 0)
        (loop $l (param) (result i32)
            (block $again (result i32)
                (try_table (result i32) (catch $e $again)
                    (throw $e (i32.sub (local.get 0) (i32.const 1)))))
            (local.tee 0)
            (br_if $l)
            (i32.const 9)))
    (func (export "uncaught") (call $thrower (i32.const 1)))
    (func (export "null_branches")
        (block $null
            (br_on_null $null (ref.func $leaf)) (drop)
            (br_on_null $null (ref.null $v)) (drop))
        (block $some (result (ref $v))
            (br_on_non_null $some (ref.null $v))
            (br_on_non_null $some (ref.func $leaf))
            (ref.func $leaf))
        (drop))
    (func (export "long") (result i32)
        LONG))"#;

/// As it is called, what became of it, for each export and amount of fuel; at most `most` units.
fn outcomes(config: &Config, most: u64) -> String {
    // Beyond the longest piece, with a comparison across its end.
    let mut long = "(i32.const 1)".to_owned();
    long.extend((0..2046).map(|_| " (i32.const 1) (i32.add)"));
    long += " (i32.const 7) (i32.gt_u) (if (then (global.set $g (i32.const 3))))";
    long += " (i32.const 1)";
    let text = GUEST.replace("LONG", &long);
    let engine = Engine::new(config).expect("a valid configuration");
    let module = Module::new(&engine, text).expect("a valid module");
    let mut linker = Linker::<u64>::new(&engine);
    linker
        .func_wrap("h", "note", |mut caller: Caller<'_, u64>, n: i32| {
            let left = caller.get_fuel().expect("on");
            let noted = caller.data_mut();
            *noted = noted.wrapping_mul(31) + left + n as u64;
        })
        .unwrap();
    linker
        .func_wrap("h", "refuel", |mut caller: Caller<'_, u64>| {
            let left = caller.get_fuel().expect("on");
            caller.set_fuel(left + 150).expect("on");
            left
        })
        .unwrap();
    linker
        .func_wrap("h", "leaf", |mut caller: Caller<'_, u64>| {
            let leaf = caller.get_export("leaf").and_then(|leaf| leaf.into_func());
            let leaf = leaf
                .expect("exported")
                .typed::<(), ()>(&caller)
                .expect("its type");
            leaf.call(&mut caller, ())
        })
        .unwrap();
    let mut store = Store::new(&engine, 0);
    let instance: Instance = linker.instantiate(&mut store, &module).unwrap();
    let global = instance.get_global(&store, "g").expect("exported");
    let mut text = String::new();
    for (name, item) in instance.exports(&store) {
        let Some(func) = item.into_func() else {
            continue;
        };
        let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
        let mut last = 0;
        for units in 0..=most {
            *store.data_mut() = 0;
            global.set(&mut store, Val::I32(0)).expect("mutable");
            // The long one is interesting around what its pieces cost.
            let units = if name == "long" { 4000 + units } else { units };
            store.set_fuel(units).expect("on");
            let ending = match func.call(&mut store, &[], &mut results) {
                Ok(()) => format!("{results:?}"),
                Err(error) => {
                    let frames = error.backtrace().iter();
                    let offsets: Vec<_> = frames.map(|frame| frame.module_offset()).collect();
                    format!("{:?} {offsets:?}", error.trap_code())
                }
            };
            let left = store.get_fuel().expect("on");
            let (noted, value) = (*store.data(), global.get(&store));
            writeln!(
                text,
                "{name} {units}: {ending}, {left} left, {noted}, {value:?}"
            )
            .unwrap();
            last = left;
        }
        // Enough in the end, and not all of it at once.
        assert!(last > 0, "{name} costs more than {most}");
    }
    text
}

#[test]
fn every_amount_of_fuel_does_the_same_in_every_tier() {
    let mut expected: Option<String> = None;
    for (mut config, name) in configurations() {
        config.consume_fuel(true);
        let got = outcomes(&config, 400);
        let expected = expected.get_or_insert_with(|| got.clone());
        for (expected, got) in expected.lines().zip(got.lines()) {
            assert_eq!(expected, got, "{name}");
        }
    }
    let expected = expected.expect("there is the interpreter");
    // One operator is one unit: four constants, two arithmetic ones, `global.set`, `end`.
    assert!(expected.contains("straight 7: Some(OutOfFuel)"));
    assert!(expected.contains("straight 8: [I32(14)], 0 left"));
    assert!(expected.contains("unreachable_code 6: [I32(3)], 0 left"));
}

/// The detours of the compiler change nothing.
#[test]
fn fuel_costs_the_same_under_stress() {
    let mut results = Vec::new();
    for (mut config, _) in configurations() {
        config.consume_fuel(true);
        config.stress(zwasm::Stress {
            spill: true,
            few_registers: true,
            no_fold: true,
            frame_padding_bytes: 4080,
            far_branches: true,
            inline: true,
        });
        results.push(outcomes(&config, 400));
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

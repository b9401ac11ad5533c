//! Stopping a guest from another thread, whatever it is doing; fuel.

use crate::{engine, every_tier, every_tier_with_fuel};
use std::time::{Duration, Instant};
use zwasm::{Caller, Config, Error, Extern, Linker, Module, Store, Tier, TrapCode};

/// Everything that could go on for ever. `fill`, `fill_loop` and `copy` work on several pieces' worth at a time.
const ENDLESS: &str = r#"(module
    (import "h" "nothing" (func $nothing))
    (import "h" "back" (func $back (param i32)))
    (memory 640) (memory $small 1)
    (table $t 1000000 funcref)
    (type $v (func))
    (elem declare func $tail_ref)
    (elem (table $t) (i32.const 0) func $tail_indirect)
    (func (export "loop") (loop $l (br $l)))
    (func (export "loop_if") (loop $l (br_if $l (i32.const 1))))
    (func (export "loop_table") (loop $l (br_table $l $l (i32.const 1))))
    (func (export "loop_call") (loop $l (call $leaf) (br $l)))
    (func $leaf (export "leaf"))
    (func $tail (export "tail") (return_call $tail))
    (func $tail_indirect (export "tail_indirect") (return_call_indirect (type $v) (i32.const 0)))
    (func $tail_ref (export "tail_ref") (return_call_ref $v (ref.func $tail_ref)))
    (func $a (export "tail_pair") (return_call $b))
    (func $b (return_call $a))
    (func (export "loop_host") (loop $l (call $nothing) (br $l)))
    (func $th (export "tail_host") (call $nothing) (return_call $th))
    (func (export "back") (call $back (i32.const 0)))
    (func (export "fill") (loop $l
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x2800000)) (br $l)))
    (func (export "fill_loop") (local i32) (loop $l (local.set 0 (i32.const 0))
      (loop $clear (i64.store (local.get 0) (i64.const 0))
        (br_if $clear (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 8)))
          (i32.const 0x2800000))))
      (br $l)))
    (func (export "copy") (loop $l
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x27fffff)) (br $l)))
    (func (export "table_fill") (loop $l
      (table.fill $t (i32.const 0) (ref.null func) (i32.const 1000000)) (br $l)))
    (func (export "table_copy") (loop $l
      (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 999999)) (br $l)))
    (tag $e)
    (func (export "throw") (loop $l
      (block $h (try_table (catch $e $h) (throw $e)))
      (br $l)))
    (func $tree (export "tree") (param i64)
      (if (i64.eqz (local.get 0)) (then (return)))
      (call $tree (i64.sub (local.get 0) (i64.const 1)))
      (call $tree (i64.sub (local.get 0) (i64.const 1)))))"#;

fn endless(config: &Config) -> (Store<()>, zwasm::Instance) {
    let engine = engine(config);
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("h", "nothing", || {}).unwrap();
    // Calls the guest again and again, which returns at once each time.
    linker
        .func_wrap(
            "h",
            "back",
            |mut caller: Caller<'_, ()>, _: i32| -> Result<(), Error> {
                let leaf = caller
                    .get_export("leaf")
                    .and_then(Extern::into_func)
                    .unwrap();
                let leaf = leaf.typed::<(), ()>(&caller)?;
                loop {
                    leaf.call(&mut caller, ())?;
                }
            },
        )
        .unwrap();
    let module = Module::new(&engine, ENDLESS).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn every_endless_guest_is_stopped_by_another_thread() {
    every_tier(|config| {
        let (mut store, instance) = endless(&config);
        let exports = instance.exports(&store);
        for (name, item) in exports {
            if name == "leaf" {
                continue;
            }
            let func = item.into_func().unwrap();
            let args: Vec<_> = func
                .ty(&store)
                .params()
                .iter()
                .map(|_| zwasm::Val::I64(64))
                .collect();
            let handle = store.interrupt_handle();
            let stopper = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(30));
                handle.interrupt();
                Instant::now()
            });
            let error = func.call(&mut store, &args, &mut []).unwrap_err();
            let late = stopper.join().unwrap().elapsed();
            assert_eq!(
                error.trap_code(),
                Some(TrapCode::Interrupted),
                "{name}: {error}"
            );
            assert!(late < Duration::from_secs(5), "{name} went on for {late:?}");
            println!("{name}: stopped after {late:?}");
        }
    });
}

#[test]
fn an_early_interruption_stops_the_next_call_and_only_that() {
    every_tier(|config| {
        let (mut store, instance) = endless(&config);
        let tree = instance.get_typed_func::<i64, ()>(&store, "tree").unwrap();
        let handle = store.interrupt_handle();
        handle.interrupt();
        assert!(handle.is_interrupted());
        let error = tree.call(&mut store, 1).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
        assert!(!handle.is_interrupted());
        tree.call(&mut store, 1).unwrap();
        handle.interrupt();
        handle.clear();
        tree.call(&mut store, 1).unwrap();
        drop(store);
        handle.interrupt();
    });
}

#[test]
fn endless_guests_use_up_their_fuel() {
    every_tier_with_fuel(|config| {
        let (mut store, instance) = endless(&config);
        for (name, item) in instance.exports(&store) {
            if name == "leaf" {
                continue;
            }
            let func = item.into_func().unwrap();
            let args: Vec<_> = func
                .ty(&store)
                .params()
                .iter()
                .map(|_| zwasm::Val::I64(64))
                .collect();
            store.set_fuel(20_000).unwrap();
            // Bulk instructions may cost by size or by one; a round of these is slow enough.
            if ["fill", "copy", "table_fill", "table_copy"].contains(&name.as_str()) {
                store.set_fuel(20).unwrap();
            }
            let error = func.call(&mut store, &args, &mut []).unwrap_err();
            assert_eq!(
                error.trap_code(),
                Some(TrapCode::OutOfFuel),
                "{name}: {error}"
            );
            assert_eq!(store.get_fuel().unwrap(), 0, "{name}");
        }
    });
}

const COUNT: &str = r#"(module
    (func (export "count") (param i32) (result i32) (local i32)
      (loop $l
        (local.set 1 (i32.add (local.get 1) (i32.const 3)))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1))
    (func (export "branchy") (param i32) (result i32)
      (if (result i32) (i32.and (local.get 0) (i32.const 1))
        (then (i32.const 1) (i32.const 2) (i32.add))
        (else (i32.const 7)))))"#;

#[test]
fn fuel_is_the_same_every_time_and_can_be_refilled() {
    every_tier_with_fuel(|config| {
        let mut spent = Vec::new();
        for _ in 0..2 {
            let (mut store, instance) = crate::instance(&config, COUNT);
            let count = instance
                .get_typed_func::<i32, i32>(&store, "count")
                .unwrap();
            assert_eq!(
                count.call(&mut store, 1).unwrap_err().trap_code(),
                Some(TrapCode::OutOfFuel),
                "a store begins with none"
            );
            store.set_fuel(1_000_000).unwrap();
            for n in [1, 10, 1000] {
                let before = store.get_fuel().unwrap();
                assert_eq!(count.call(&mut store, n).unwrap(), 3 * n);
                spent.push(before - store.get_fuel().unwrap());
            }
            // Exactly enough, and one too few.
            let enough = spent[2];
            store.set_fuel(enough).unwrap();
            assert_eq!(count.call(&mut store, 1000).unwrap(), 3000);
            assert_eq!(store.get_fuel().unwrap(), 0);
            store.set_fuel(enough - 1).unwrap();
            assert_eq!(
                count.call(&mut store, 1000).unwrap_err().trap_code(),
                Some(TrapCode::OutOfFuel)
            );
            store.set_fuel(u64::MAX).unwrap();
            assert_eq!(count.call(&mut store, 1000).unwrap(), 3000);
        }
        assert_eq!(spent[..3], spent[3..]);
        assert!(spent[2] > spent[1] && spent[1] > spent[0]);
        // Linear in the iterations: nothing else is counted.
        assert_eq!((spent[2] - spent[0]) % 999, 0, "{spent:?}");
    });
}

#[test]
fn host_functions_see_and_set_fuel() {
    every_tier_with_fuel(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "refuel", |mut caller: Caller<'_, ()>| {
                use zwasm::AsContextMut;
                let mut context = caller.as_context_mut();
                let left = context.get_fuel().unwrap();
                context.set_fuel(10_000).unwrap();
                left
            })
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module (import "h" "refuel" (func $refuel (result i64)))
            (func (export "run") (result i64) (local i32)
              (drop (call $refuel))
              (local.set 0 (i32.const 500))
              (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
              (call $refuel)))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        store.set_fuel(100).unwrap();
        let run = instance.get_typed_func::<(), u64>(&store, "run").unwrap();
        let left = run.call(&mut store, ()).unwrap();
        assert!(left < 10_000 - 1000, "{left}");
    });
}

#[test]
fn fuel_needs_an_engine_that_counts_it() {
    let mut store = Store::new(&zwasm::Engine::default(), ());
    assert!(store.set_fuel(1).is_err());
    assert!(store.get_fuel().is_err());
}

/// Wherever the guest is (prologue, loop, helper, host function), a thousand interruptions end a
/// thousand runs, and the store works on.
#[test]
fn interruptions_at_arbitrary_places_leave_a_working_store() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "add", |a: i32, b: i32| a.wrapping_add(b))
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module
                (import "host" "add" (func $add (param i32 i32) (result i32)))
                (memory 1)
                (func $leaf (param i32 i32) (result i32)
                    (i32.mul (local.get 0) (i32.xor (local.get 1) (i32.const 7))))
                (func (export "mix") (local i32 i32)
                    (loop $again
                        (local.set 1 (call $leaf (local.get 0) (local.get 1)))
                        (i32.store (i32.const 64) (local.get 1))
                        (memory.fill (i32.const 128) (local.get 1) (i32.const 5))
                        (local.set 0 (call $add (local.get 0) (i32.const 1)))
                        (br $again)))
                (func (export "sum") (param i32) (result i32) (local i32)
                    (loop $again
                        (local.set 1 (call $add (local.get 1) (call $leaf (local.get 0) (i32.const 6))))
                        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                    (local.get 1)))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let mix = instance.get_typed_func::<(), ()>(&store, "mix").unwrap();
        let sum = instance.get_typed_func::<i32, i32>(&store, "sum").unwrap();
        let handle = store.interrupt_handle();
        let (start, started) = std::sync::mpsc::channel::<u64>();
        let stopper = std::thread::spawn(move || {
            while let Ok(round) = started.recv() {
                for _ in 0..(round * 2_654_435_761 % 4096) * 8 {
                    std::hint::spin_loop();
                }
                handle.interrupt();
            }
        });
        for round in 0..1000 {
            start.send(round).unwrap();
            let error = mix.call(&mut store, ()).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::Interrupted), "{error}");
        }
        drop(start);
        stopper.join().unwrap();
        assert_eq!(sum.call(&mut store, 10).unwrap(), 55);
    });
}

/// A module with a function that takes long to compile: many values alive at once, and as many blocks
/// in each of the rounds.
fn large_module(rounds: usize) -> String {
    const LOCALS: usize = 4000;
    let mut text = String::from(
        "(module (func $small (export \"small\") (result i32) (i32.const 7))
        (func (export \"large\") (param i32) (result i32)\n",
    );
    text += &format!("(local {}) (drop (call $small))\n", "i32 ".repeat(LOCALS));
    for local in (0..rounds).flat_map(|_| 1..=LOCALS) {
        text += &format!(
            "(local.set {local} (i32.mul (local.get 0) (i32.const {local})))
            (if (local.get {local}) (then (local.set 0 (i32.add (local.get 0) (i32.const 1)))))\n"
        );
    }
    text += "(local.get 0)";
    for local in 1..=LOCALS {
        text += &format!("(i32.add (local.get {local}))\n");
    }
    text + "))"
}

/// What is interrupted before its end leaves nothing behind, and is compiled when it is wanted again.
#[test]
fn compilation_ends_when_the_store_is_interrupted() {
    let text = large_module(1);
    let expected = std::cell::Cell::new(None);
    every_tier(|config| {
        let engine = engine(&config);
        let name = engine.tier();
        let module = Module::new(&engine, &text).unwrap();
        let mut store = Store::new(&engine, ());
        let handle = store.interrupt_handle();
        let is_interrupted = |result: Result<(), Error>| {
            let code = result.expect_err("it was interrupted").trap_code();
            assert_eq!(code, Some(TrapCode::Interrupted), "{name}");
        };
        // Ahead of the run.
        handle.interrupt();
        is_interrupted(module.compile_all_until(&handle));
        assert!(!handle.is_interrupted(), "{name}: it was noticed");
        assert_eq!(module.stats().functions_compiled, 0, "{name}");
        // By the first call: the interruption comes before it, in the middle, or behind.
        let instance = zwasm::Instance::new(&mut store, &module, &[]).unwrap();
        let large = instance
            .get_typed_func::<i32, i32>(&store, "large")
            .unwrap();
        handle.interrupt();
        is_interrupted(large.call(&mut store, 1).map(|_| ()));
        for delay_us in [0, 200, 1000, 3000] {
            let handle = handle.clone();
            let timer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(delay_us));
                handle.interrupt();
            });
            let result = large.call(&mut store, 1);
            timer.join().unwrap();
            if result.is_err() {
                is_interrupted(result.map(|_| ()));
            }
            store.interrupt_handle().clear();
        }
        let small = instance.get_typed_func::<(), i32>(&store, "small").unwrap();
        assert_eq!(small.call(&mut store, ()).unwrap(), 7, "{name}");
        let result = large.call(&mut store, 1).unwrap();
        // The interpreter is the first tier.
        assert_eq!(result, expected.get().unwrap_or(result), "{name}");
        expected.set(Some(result));
        module.compile_all_until(&handle).unwrap();
        assert_eq!(module.stats().functions_compiled, 2, "{name}");
    });
}

/// Compilers look for interruptions on their way through one function, too: of interruptions after
/// longer and shorter parts of the time that it takes, some are seen before its end.
#[test]
fn compilation_ends_in_the_middle_of_a_function() {
    let small = wat::parse_str(large_module(1)).unwrap();
    let large = wat::parse_str(large_module(30)).unwrap();
    every_tier(|config| {
        let mut config = config.clone();
        config.validation_threads(1);
        let engine = engine(&config);
        let name = engine.tier();
        // Long enough for a clock to end it in the middle.
        let is_optimizing = name.name() == "opt";
        let bytes = if is_optimizing { &small } else { &large };
        let store = Store::new(&engine, ());
        let start = Instant::now();
        Module::new(&engine, bytes).unwrap().compile_all().unwrap();
        let whole = start.elapsed();
        let mut ended = 0;
        // Checks of the allocation, in tests, take most of the optimizing compiler's time.
        for halvings in 1..8 {
            let module = Module::new(&engine, bytes).unwrap();
            let handle = store.interrupt_handle();
            let result = std::thread::scope(|scope| {
                let timer = scope.spawn(|| {
                    std::thread::sleep(whole / (1 << halvings));
                    handle.interrupt();
                });
                let result = module.compile_all_until(&handle);
                timer.join().unwrap();
                handle.clear();
                result
            });
            let compiled = module.stats().functions_compiled;
            match result {
                Ok(()) => assert_eq!(compiled, 2, "{name}"),
                Err(error) => {
                    assert_eq!(error.trap_code(), Some(TrapCode::Interrupted), "{name}");
                    assert!(compiled < 2, "{name}");
                    // The small function comes first: it was begun, so that the large one was.
                    ended += u32::from(compiled == 1);
                }
            }
            module.compile_all().unwrap();
            assert_eq!(module.stats().functions_compiled, 2, "{name}");
        }
        // The interpreter's translation does not look: it takes no longer than validation.
        assert!(ended > 0 || name == Tier::Interp, "{name}");
    });
}

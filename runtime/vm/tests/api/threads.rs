//! One module on many threads.

use crate::{engine, every_tier};
use std::sync::Barrier;
use zwasm::{Instance, Module, Store, TrapCode};

/// Every thread makes the first call of every function at once: each is translated exactly once,
/// and nobody runs half of it.
#[test]
fn threads_race_for_the_first_call_of_every_function() {
    every_tier(|config| {
        let functions = 200;
        let mut text = String::from("(module");
        for i in 0..functions {
            let next = if i + 1 < functions {
                format!("(call $f{} (local.get 0))", i + 1)
            } else {
                "(local.get 0)".to_owned()
            };
            text += &format!(
                "(func $f{i} (export \"f{i}\") (param i32) (result i32) (i32.add (i32.const {i}) {next}))"
            );
        }
        text.push(')');
        for round in 0..10 {
            let engine = engine(&config);
            let module = Module::new(&engine, &text).unwrap();
            if round == 9 {
                module.compile_all().unwrap();
                assert_eq!(module.stats().functions_compiled, functions);
            }
            let threads = 8;
            let barrier = Barrier::new(threads);
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (module, barrier) = (&module, &barrier);
                    scope.spawn(move || {
                        let mut store = Store::new(module.engine(), ());
                        let instance = Instance::new(&mut store, module, &[]).unwrap();
                        barrier.wait();
                        for i in 0..functions {
                            let i = (i + thread * 31) % functions;
                            let f = instance
                                .get_typed_func::<i32, i32>(&store, &format!("f{i}"))
                                .unwrap();
                            let expected: usize = (i..functions).sum();
                            assert_eq!(f.call(&mut store, 1).unwrap(), expected as i32 + 1);
                        }
                    });
                }
            });
            assert_eq!(module.stats().functions_compiled, functions);
        }
    });
}

#[test]
fn a_store_moves_between_threads_and_interruptions_hit_only_their_own() {
    every_tier(|config| {
        let text = r#"(module (func (export "run") (param i32) (result i32) (local i32)
            (loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get 1) (local.get 0)))) (local.get 1)))"#;
        let engine = engine(&config);
        let module = Module::new(&engine, text).unwrap();
        let make = || {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_typed_func::<u32, u32>(&store, "run").unwrap();
            (store, run)
        };
        let (mut stopped, run_stopped) = make();
        let (mut other, run_other) = make();
        let handle = stopped.interrupt_handle();
        let thread = std::thread::spawn(move || {
            let result = run_stopped.call(&mut stopped, u32::MAX);
            (stopped, result.map_err(|error| error.trap_code()))
        });
        let working = std::thread::spawn(move || run_other.call(&mut other, 200_000).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
        handle.interrupt();
        let (mut stopped, result) = thread.join().unwrap();
        assert!(matches!(result, Err(Some(TrapCode::Interrupted))));
        assert_eq!(working.join().unwrap(), 200_000);
        assert_eq!(run_stopped.call(&mut stopped, 10).unwrap(), 10);
    });
}

#[test]
fn modules_come_and_go_while_others_run() {
    every_tier(|config| {
        let engine = engine(&config);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let engine = &engine;
                scope.spawn(move || {
                    for i in 0..100 {
                        let text = format!(
                            "(module (func $g (result i32) (i32.const {i})) (func (export \"f\") (result i32) (i32.div_u (call $g) (i32.const {thread}))))"
                        );
                        let module = Module::new(engine, text).unwrap();
                        let mut store = Store::new(engine, ());
                        let instance = Instance::new(&mut store, &module, &[]).unwrap();
                        drop(module);
                        let f = instance.get_typed_func::<(), i32>(&store, "f").unwrap();
                        match f.call(&mut store, ()) {
                            Ok(value) => assert_eq!(value, i / thread),
                            Err(error) => {
                                assert_eq!(thread, 0);
                                assert_eq!(error.backtrace()[0].name(), Some("f"));
                            }
                        }
                    }
                });
            }
        });
    });
}

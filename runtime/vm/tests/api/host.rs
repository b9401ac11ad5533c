//! Host functions: arities, what they see of the guest, their errors, nesting.

use crate::{engine, every_tier};
use std::fmt;
use zwasm::{
    AsContextMut, Caller, Error, Extern, Func, FuncType, Instance, Linker, Memory, Module, Store,
    TrapCode, TypedFunc, Val, ValType,
};

#[derive(Debug, PartialEq)]
struct Refused(u32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl std::error::Error for Refused {}

#[test]
fn arguments_of_every_count_arrive_in_order() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "f0", || 7_i32)
            .unwrap()
            .func_wrap("h", "f1", |a: i32| a)
            .unwrap()
            .func_wrap("h", "f3", |a: i32, b: i64, c: f64| a as f64 + b as f64 * c)
            .unwrap()
            .func_wrap(
                "h",
                "f16",
                #[allow(clippy::too_many_arguments)]
                |a: i32,
                 b: i64,
                 c: f32,
                 d: f64,
                 e: u128,
                 f: i32,
                 g: i64,
                 h: f32,
                 i: f64,
                 j: u128,
                 k: i32,
                 l: i64,
                 m: f32,
                 n: f64,
                 o: u128,
                 p: i32| {
                    f64::from(a)
                        + b as f64 * 2.0
                        + f64::from(c) * 4.0
                        + d * 8.0
                        + e as f64 * 16.0
                        + f64::from(f) * 32.0
                        + g as f64 * 64.0
                        + f64::from(h) * 128.0
                        + i * 256.0
                        + j as f64 * 512.0
                        + f64::from(k) * 1024.0
                        + l as f64 * 2048.0
                        + f64::from(m) * 4096.0
                        + n * 8192.0
                        + o as f64 * 16384.0
                        + f64::from(p) * 32768.0
                },
            )
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module
            (import "h" "f0" (func $f0 (result i32)))
            (import "h" "f1" (func $f1 (param i32) (result i32)))
            (import "h" "f3" (func $f3 (param i32 i64 f64) (result f64)))
            (import "h" "f16" (func $f16 (param i32 i64 f32 f64 v128 i32 i64 f32 f64 v128 i32 i64 f32 f64 v128 i32) (result f64)))
            (func (export "few") (result i32) (i32.add (call $f0) (call $f1 (i32.const -9))))
            (func (export "three") (result f64) (call $f3 (i32.const 1) (i64.const -2) (f64.const 0.5)))
            (func (export "many") (result f64)
              (call $f16 (i32.const 1) (i64.const 1) (f32.const 1) (f64.const 1) (v128.const i64x2 1 0)
                (i32.const 1) (i64.const 1) (f32.const 1) (f64.const 1) (v128.const i64x2 1 0)
                (i32.const 1) (i64.const 1) (f32.const 1) (f64.const 1) (v128.const i64x2 1 0) (i32.const 1))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let few = instance.get_typed_func::<(), i32>(&store, "few").unwrap();
        assert_eq!(few.call(&mut store, ()).unwrap(), -2);
        let three = instance.get_typed_func::<(), f64>(&store, "three").unwrap();
        assert_eq!(three.call(&mut store, ()).unwrap(), 0.0);
        let many = instance.get_typed_func::<(), f64>(&store, "many").unwrap();
        assert_eq!(many.call(&mut store, ()).unwrap(), 65535.0);
    });
}

#[test]
fn several_results_go_both_ways() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "split", |v: i64| {
                (v as i32, (v >> 32) as i32, v as f64, 3_u128)
            })
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module
            (import "h" "split" (func $split (param i64) (result i32 i32 f64 v128)))
            (func (export "again") (param i64) (result v128 f64 i32 i32)
              (local i32 i32 f64 v128)
              (call $split (local.get 0))
              (local.set 4) (local.set 3) (local.set 2) (local.set 1)
              (local.get 4) (local.get 3) (local.get 2) (local.get 1)))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let again = instance
            .get_typed_func::<i64, (u128, f64, i32, i32)>(&store, "again")
            .unwrap();
        assert_eq!(
            again.call(&mut store, (5 << 32) | 4).unwrap(),
            (3, ((5_i64 << 32) | 4) as f64, 5, 4)
        );
        let mut results = [Val::I32(0); 4];
        again
            .func()
            .call(&mut store, &[Val::I64(1)], &mut results)
            .unwrap();
        assert_eq!(results[0].v128(), Some(3));
        assert_eq!(results[3].i32(), Some(1));
    });
}

#[test]
fn a_caller_reaches_memory_data_and_exports_of_the_calling_instance() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<String>::new(&engine);
        linker
            .func_wrap(
                "h",
                "log",
                |mut caller: Caller<'_, String>, at: u32, len: u32| -> Result<i32, Error> {
                    let memory = caller
                        .get_export("memory")
                        .and_then(Extern::into_memory)
                        .ok_or_else(|| Error::message("no memory"))?;
                    assert!(caller.get_export("nothing").is_none());
                    let (bytes, data) = memory.data_and_store_mut(&mut caller);
                    let text = &bytes[at as usize..(at + len) as usize];
                    data.push_str(std::str::from_utf8(text).unwrap());
                    bytes[at as usize] = b'!';
                    let grow = caller
                        .get_export("bump")
                        .and_then(Extern::into_func)
                        .unwrap();
                    grow.typed::<i32, i32>(&caller)?.call(&mut caller, 5)
                },
            )
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module
            (import "h" "log" (func $log (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 8) "hello")
            (func (export "bump") (param i32) (result i32) (i32.add (local.get 0) (i32.load8_u (i32.const 8))))
            (func (export "run") (result i32) (call $log (i32.const 8) (i32.const 5))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, String::new());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<(), i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 5 + i32::from(b'!'));
        assert_eq!(store.data(), "hello");
        let memory = instance.get_memory(&store, "memory").unwrap();
        assert_eq!(&memory.data(&store)[8..13], b"!ello");
    });
}

/// The host grows the memory while the guest is in a call: the guest sees the new size at once.
#[test]
fn a_memory_grown_by_the_host_is_larger_for_the_guest() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "grow", |mut caller: Caller<'_, ()>| {
                let memory = caller
                    .get_export("m")
                    .and_then(Extern::into_memory)
                    .unwrap();
                memory.grow(&mut caller, 1).unwrap() as i32
            })
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module (import "h" "grow" (func $grow (result i32)))
            (memory (export "m") 1)
            (func (export "run") (result i32)
              (drop (call $grow))
              (i32.store (i32.const 65536) (i32.const 42))
              (i32.add (i32.load (i32.const 65536)) (memory.size))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<(), i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 44);
    });
}

#[test]
fn a_host_error_passes_through_the_guest_unchanged_with_the_frames_it_crossed() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "refuse", |n: u32| -> Result<u32, Error> {
                Err(Error::host(Refused(n)))
            })
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module (import "h" "refuse" (func $refuse (param i32) (result i32)))
            (func $inner (param i32) (result i32) (call $refuse (local.get 0)))
            (func (export "outer") (result i32) (i32.add (call $inner (i32.const 9)) (i32.const 1))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let outer = instance.get_typed_func::<(), i32>(&store, "outer").unwrap();
        for _ in 0..3 {
            let error = outer.call(&mut store, ()).unwrap_err();
            assert_eq!(error.downcast_ref::<Refused>(), Some(&Refused(9)));
            assert!(error.as_trap().is_none());
            let names: Vec<_> = error.backtrace().iter().map(|frame| frame.name()).collect();
            assert_eq!(names, [Some("inner"), Some("outer")]);
        }
    });
}

#[test]
fn a_host_function_may_raise_a_trap_of_its_own() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let trap = Func::wrap(&mut store, || -> Result<(), Error> {
            Err(TrapCode::IntegerOverflow.into())
        });
        let module = Module::new(
            &engine,
            r#"(module (import "h" "f" (func $f)) (func (export "run") (call $f)))"#,
        )
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[trap.into()]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&store, "run").unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::IntegerOverflow));
        assert_eq!(error.backtrace()[0].name(), Some("run"));
    });
}

#[test]
fn dynamic_host_functions_check_what_they_return() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new([ValType::I32], [ValType::I64]);
        let liar = Func::new(&mut store, ty.clone(), |_: Caller<'_, ()>, _, results| {
            results[0] = Val::I32(1);
            Ok(())
        });
        let honest = Func::new(&mut store, ty, |_: Caller<'_, ()>, args, results| {
            results[0] = Val::I64(i64::from(args[0].i32().unwrap()) * 2);
            Ok(())
        });
        let mut results = [Val::I64(0)];
        assert!(liar.call(&mut store, &[Val::I32(1)], &mut results).is_err());
        honest
            .call(&mut store, &[Val::I32(21)], &mut results)
            .unwrap();
        assert_eq!(results[0].i64(), Some(42));
        assert!(
            honest
                .call(&mut store, &[Val::F32(1)], &mut results)
                .is_err(),
            "wrong type"
        );
        assert!(
            honest.call(&mut store, &[], &mut results).is_err(),
            "wrong count"
        );
        assert!(
            honest.call(&mut store, &[Val::I32(1)], &mut []).is_err(),
            "no room"
        );
    });
}

const NEST: &str = r#"(module
    (import "h" "again" (func $again (param i32) (result i32)))
    (memory (export "m") 1)
    (func (export "down") (param i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (if (result i32) (i32.eqz (local.get 0))
        (then (i32.const 0))
        (else (i32.add (local.get 0) (call $again (i32.sub (local.get 0) (i32.const 1))))))))"#;

/// host → guest → host → guest …, `again` calling `down` of its caller.
fn nest(config: &zwasm::Config) -> (Store<u32>, TypedFunc<i32, i32>) {
    let engine = engine(config);
    let mut linker = Linker::<u32>::new(&engine);
    linker
        .func_wrap(
            "h",
            "again",
            |mut caller: Caller<'_, u32>, n: i32| -> Result<i32, Error> {
                *caller.data_mut() += 1;
                let down = caller
                    .get_export("down")
                    .and_then(Extern::into_func)
                    .unwrap();
                let down = down.typed::<i32, i32>(&caller)?;
                down.call(&mut caller, n)
            },
        )
        .unwrap();
    let module = Module::new(&engine, NEST).unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let down = instance.get_typed_func::<i32, i32>(&store, "down").unwrap();
    (store, down)
}

#[test]
fn calls_nest_through_host_and_guest() {
    every_tier(|config| {
        let (mut store, down) = nest(&config);
        assert_eq!(down.call(&mut store, 20).unwrap(), 210);
        assert_eq!(*store.data(), 20);
        assert_eq!(down.call(&mut store, 0).unwrap(), 0);
    });
}

#[test]
fn endless_nesting_through_the_host_is_a_trap_and_the_store_stays_usable() {
    every_tier(|config| {
        let (mut store, down) = nest(&config);
        for _ in 0..2 {
            let error = down.call(&mut store, i32::MAX).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow), "{error}");
            assert!(error.backtrace().len() <= 64, "deep stacks are cut");
        }
        assert_eq!(down.call(&mut store, 3).unwrap(), 6);
    });
}

#[test]
fn deep_recursion_is_a_trap_with_a_cut_backtrace() {
    every_tier(|config| {
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module (func $deep (export "deep") (param i32) (result i32)
                (i32.add (i32.const 1) (call $deep (local.get 0))))
               (func (export "fine") (result i32) (i32.const 5)))"#,
        );
        let deep = instance.get_typed_func::<i32, i32>(&store, "deep").unwrap();
        let error = deep.call(&mut store, 0).unwrap_err();
        let trap = error.as_trap().expect("a trap");
        assert_eq!(trap.code(), TrapCode::StackOverflow);
        assert!(trap.backtrace().omitted() > 1000);
        assert_eq!(trap.backtrace().frames()[0].name(), Some("deep"));
        assert!(error.to_string().contains("call stack exhausted"));
        assert!(error.to_string().len() < 10_000);
        let fine = instance.get_typed_func::<(), i32>(&store, "fine").unwrap();
        assert_eq!(fine.call(&mut store, ()).unwrap(), 5);
    });
}

#[test]
fn a_trap_names_functions_from_the_inside_out_with_offsets_in_the_module() {
    every_tier(|config| {
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module
            (func $a (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
            (func $b (param i32) (result i32) (i32.add (i32.const 2) (call $a (local.get 0))))
            (func (export "c") (param i32) (result i32) (local i64 v128)
              (if (result i32) (local.get 0) (then (i32.const 0)) (else (call $b (local.get 0))))))"#,
        );
        let c = instance.get_typed_func::<i32, i32>(&store, "c").unwrap();
        assert_eq!(c.call(&mut store, 1).unwrap(), 0);
        let error = c.call(&mut store, 0).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::IntegerDivisionByZero));
        let frames = error.backtrace();
        let names: Vec<_> = frames.iter().map(|frame| frame.name().unwrap()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let offsets: Vec<_> = frames
            .iter()
            .map(|frame| frame.module_offset().unwrap())
            .collect();
        assert!(
            offsets[0] < offsets[1] && offsets[1] < offsets[2],
            "{offsets:?}"
        );
    });
}

/// A panic of a host function reaches the embedder, and the store can be used afterwards.
#[test]
fn a_panic_of_a_host_function_passes_through_the_guest() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "panic", |n: i32| {
                assert!(n == 0, "host bug {n}");
            })
            .unwrap();
        let module = Module::new(
            &engine,
            r#"(module (import "h" "panic" (func $panic (param i32)))
            (func (export "run") (param i32) (call $panic (local.get 0)))
            (func (export "tail") (param i32) (return_call $panic (local.get 0))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        for name in ["run", "tail"] {
            let run = instance.get_typed_func::<i32, ()>(&store, name).unwrap();
            let panic =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.call(&mut store, 3)))
                    .expect_err("the panic comes through");
            assert_eq!(
                panic.downcast_ref::<String>().map(String::as_str),
                Some("host bug 3")
            );
            run.call(&mut store, 0).unwrap();
        }
    });
}

/// Memory handles are plain values: contents are only borrowed through the store.
#[test]
fn contents_are_read_and_written_within_bounds_only() {
    let engine = zwasm::Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, zwasm::MemoryType::new(1, Some(2))).unwrap();
    memory.write(&mut store, 65532, &[1, 2, 3, 4]).unwrap();
    assert!(memory.write(&mut store, 65533, &[1, 2, 3, 4]).is_err());
    assert!(
        memory
            .write(store.as_context_mut(), usize::MAX, &[1])
            .is_err()
    );
    let mut four = [0; 4];
    memory.read(&store, 65532, &mut four).unwrap();
    assert_eq!(four, [1, 2, 3, 4]);
    assert!(memory.read(&store, 65533, &mut four).is_err());
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert!(memory.grow(&mut store, 1).is_err());
    assert!(memory.grow(&mut store, u64::MAX).is_err());
    assert_eq!(memory.data_size(&store), 2 << 16);
}

#[test]
fn hostile_names_and_messages_are_displayed_as_escapes() {
    const HOSTILE: &str = "\u{1b}[31m\n    0: forged\u{9b}\u{202e}\u{7f}";
    const SHOWN: &str = "\\u{1b}[31m\\n    0: forged\\u{9b}\\u{202e}\\u{7f}";
    let text = r#"(module
        (import "h" "f" (func $f))
        (func $"NAME" (export "trap") unreachable)
        (func $"NAME host" (export "host") (call $f)))"#;
    let text = text.replace("NAME", &HOSTILE.escape_unicode().to_string());
    every_tier(|config| {
        let engine = engine(&config);
        let module = Module::new(&engine, &text).unwrap();
        let mut linker = Linker::<()>::new(&engine);
        let missing = r#"(module (import "NAME" "NAME" (func)))"#;
        let missing = missing.replace("NAME", &HOSTILE.escape_unicode().to_string());
        let missing = Module::new(&engine, missing).unwrap();
        let mut store = Store::new(&engine, ());
        let unlinked = linker.instantiate(&mut store, &missing).unwrap_err();
        linker
            .func_wrap("h", "f", || -> Result<(), Error> {
                Err(Error::message(HOSTILE))
            })
            .unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let mut call = |name: &str| {
            let func = instance.get_typed_func::<(), ()>(&mut store, name);
            func.unwrap().call(&mut store, ()).unwrap_err()
        };
        let trap = call("trap");
        assert_eq!(trap.backtrace()[0].name(), Some(HOSTILE), "as it is");
        for (error, lines) in [(unlinked, 1), (trap, 3), (call("host"), 3)] {
            let (display, debug) = (error.to_string(), format!("{error:?}"));
            for text in [display, debug] {
                assert!(text.contains(SHOWN), "{text}");
                assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}']));
                assert_eq!(text.lines().count(), lines, "{text}");
            }
        }
        let unknown = instance.get_typed_func::<(), ()>(&mut store, HOSTILE);
        let unknown = unknown.map(drop).unwrap_err().to_string();
        assert!(unknown.contains(SHOWN), "{unknown}");
    });
}

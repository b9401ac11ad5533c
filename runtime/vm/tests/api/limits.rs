//! What a store may hold, and the small reservation of address space.

use crate::{engine, every_tier};
use zwasm::{
    Caller, Engine, Instance, Limits, Linker, Memory, MemoryType, Module, Ref, RefType,
    ResourceLimiter, Store, Table, TableType, TrapCode,
};

const GROWS: &str = r#"(module
    (memory (export "m") 1) (table (export "t") 2 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

#[test]
fn limits_refuse_growth_with_minus_one_and_creation_with_an_error() {
    every_tier(|config| {
        let engine = engine(&config);
        let module = Module::new(&engine, GROWS).unwrap();
        let limits = Limits::new()
            .max_memory_bytes(3 << 16)
            .max_table_elements(5);
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance
            .get_typed_func::<i32, i32>(&store, "memory")
            .unwrap();
        let table = instance
            .get_typed_func::<i32, i32>(&store, "table")
            .unwrap();
        assert_eq!(memory.call(&mut store, 2).unwrap(), 1);
        assert_eq!(memory.call(&mut store, 1).unwrap(), -1);
        assert_eq!(memory.call(&mut store, -1).unwrap(), -1);
        assert_eq!(memory.call(&mut store, 0).unwrap(), 3);
        assert_eq!(table.call(&mut store, 3).unwrap(), 2);
        assert_eq!(table.call(&mut store, 1).unwrap(), -1);
        assert_eq!(table.call(&mut store, -1).unwrap(), -1);

        assert!(Memory::new(&mut store, MemoryType::new(4, None)).is_err());
        let ty = TableType {
            minimum: 6,
            ..instance.get_table(&store, "t").unwrap().ty(&store)
        };
        assert!(Table::new(&mut store, ty, Ref::Func(None)).is_err());
        let large = Module::new(&engine, "(module (memory 4))").unwrap();
        assert!(Instance::new(&mut store, &large, &[]).is_err());
        let large = Module::new(&engine, "(module (table 6 externref))").unwrap();
        assert!(Instance::new(&mut store, &large, &[]).is_err());
    });
}

/// Counts what it is asked.
#[derive(Default)]
struct Recorder(Vec<(usize, usize, Option<usize>)>);

impl ResourceLimiter for Recorder {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        self.0.push((current, desired, maximum));
        true
    }
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        self.0.push((current, desired, maximum));
        true
    }
}

#[test]
fn a_limiter_is_asked_with_sizes_in_bytes_and_elements() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory 1 4) (table 2 9 funcref)
        (func (export "run") (drop (memory.grow (i32.const 1))) (drop (table.grow (ref.null func) (i32.const 3)))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, Recorder::default());
    store.limiter(|recorder| recorder);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    instance
        .get_typed_func::<(), ()>(&store, "run")
        .unwrap()
        .call(&mut store, ())
        .unwrap();
    let page = 1 << 16;
    assert_eq!(
        store.data().0,
        [
            (0, page, Some(4 * page)),
            (0, 2, Some(9)),
            (page, 2 * page, Some(4 * page)),
            (2, 5, Some(9)),
        ]
    );
}

#[test]
fn absurd_sizes_are_errors_not_allocations() {
    let engine = Engine::default();
    for text in [
        "(module (memory 65536) (memory 65536) (memory i64 0x1000000000000))",
        "(module (memory i64 0xffffffffffff))",
        "(module (table 4294967295 funcref))",
        "(module (table i64 0xffffffffffffffff funcref))",
    ] {
        let Ok(module) = Module::new(&engine, text) else {
            continue;
        };
        let mut store = Store::new(&engine, ());
        assert!(Instance::new(&mut store, &module, &[]).is_err(), "{text}");
    }
    let (mut store, instance) = crate::instance(
        engine.config(),
        r#"(module (memory i64 1) (table $t i64 1 externref)
        (func (export "m") (param i64) (result i64) (memory.grow (local.get 0)))
        (func (export "t") (param i64) (result i64) (table.grow $t (ref.null extern) (local.get 0))))"#,
    );
    for name in ["m", "t"] {
        let grow = instance.get_typed_func::<i64, i64>(&store, name).unwrap();
        for delta in [i64::MAX, -1, 1 << 48, (1 << 47) - 1, i64::MIN] {
            assert_eq!(grow.call(&mut store, delta).unwrap(), -1, "{name} {delta}");
        }
        assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    }
}

/// Loads and stores of each width at the end of a memory, with and without reserved address space.
#[test]
fn accesses_at_the_end_of_a_memory_trap_under_every_reservation() {
    every_tier(|mut config| {
        for reservation in [None, Some(0), Some(1 << 16), Some(1 << 20)] {
            if let Some(bytes) = reservation {
                config.memory_reservation(bytes);
            }
            let (mut store, instance) = crate::instance(
                &config,
                r#"(module (memory (export "m") 1)
                (func (export "l1") (param i32) (drop (i32.load8_u (local.get 0))))
                (func (export "l2") (param i32) (drop (i32.load16_u offset=4 (local.get 0))))
                (func (export "l4") (param i32) (drop (i32.load (local.get 0))))
                (func (export "l8") (param i32) (drop (i64.load offset=65535 (local.get 0))))
                (func (export "l16") (param i32) (drop (v128.load (local.get 0))))
                (func (export "far") (param i32) (drop (i32.load8_u offset=4294967295 (local.get 0))))
                (func (export "s4") (param i32) (i32.store offset=1 (local.get 0) (i32.const -1)))
                (func (export "s16") (param i32) (v128.store (local.get 0) (v128.const i64x2 1 1)))
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
            );
            // (name, largest address that works)
            let bounds = [
                ("l1", 65535),
                ("l2", 65530),
                ("l4", 65532),
                ("l16", 65520),
                ("s4", 65531),
                ("s16", 65520),
            ];
            for (name, last) in bounds {
                let access = instance.get_typed_func::<u32, ()>(&store, name).unwrap();
                access.call(&mut store, last).unwrap();
                for address in [last + 1, 65536, 1 << 31, u32::MAX - 15, u32::MAX] {
                    let error = access.call(&mut store, address).unwrap_err();
                    assert_eq!(
                        error.trap_code(),
                        Some(TrapCode::MemoryOutOfBounds),
                        "{name} {address} {reservation:?}"
                    );
                }
            }
            for name in ["l8", "far"] {
                let access = instance.get_typed_func::<u32, ()>(&store, name).unwrap();
                for address in [0, 1, u32::MAX] {
                    assert!(
                        access.call(&mut store, address).is_err(),
                        "{name} {address}"
                    );
                }
            }
            let grow = instance.get_typed_func::<i32, i32>(&store, "grow").unwrap();
            let grown = grow.call(&mut store, 1).unwrap();
            match reservation {
                Some(bytes) if bytes < 2 << 16 => assert_eq!(grown, -1),
                _ => {
                    assert_eq!(grown, 1);
                    let access = instance.get_typed_func::<u32, ()>(&store, "l4").unwrap();
                    access.call(&mut store, 65533).unwrap();
                    access.call(&mut store, 131_068).unwrap();
                    assert!(access.call(&mut store, 131_069).is_err());
                }
            }
        }
    });
}

#[test]
fn a_small_value_stack_is_enough_or_a_trap() {
    every_tier(|mut config| {
        config.max_wasm_stack(4096);
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module (func $f (export "f") (param i32) (result i32)
                (if (result i32) (local.get 0)
                  (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
                  (else (i32.const 0)))))"#,
        );
        let f = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
        assert_eq!(f.call(&mut store, 20).unwrap(), 20);
        let error = f.call(&mut store, 100_000).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
    });
    let mut config = zwasm::Config::new();
    config.max_wasm_stack(1);
    assert!(Engine::new(&config).is_err());
    let _ = RefType::FUNCREF;
}

/// A frame larger than the whole stack is a trap of the call, not an overflow of anything.
#[test]
fn enormous_frames_are_traps() {
    every_tier(|config| {
        let text = large_frame(5_000);
        let mut small = config.clone();
        small.max_wasm_stack(64 << 10);
        let (mut store, instance) = crate::instance(&small, &text);
        let f = instance.get_typed_func::<(), i64>(&store, "f").unwrap();
        let error = f.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        let (mut store, instance) = crate::instance(&config, &text);
        let f = instance.get_typed_func::<(), i64>(&store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 0);
    });
}

/// A function `f` with as many vectors that live across a call: no tier does without 16 bytes of
/// frame for each.
pub(crate) fn large_frame(vectors: usize) -> String {
    use std::fmt::Write;
    let mut text =
        String::from("(module (memory 2) (func $none) (func (export \"f\") (result i64)");
    let _ = write!(text, "(local{})", " v128".repeat(vectors));
    for i in 0..vectors {
        let _ = write!(text, "(local.set {i} (v128.load offset={i} (i32.const 0)))");
    }
    text.push_str("(call $none) (local.get 0)");
    for i in 1..vectors {
        let _ = write!(text, "(v128.xor (local.get {i}))");
    }
    text.push_str("(i64x2.extract_lane 0)))");
    text
}

/// Panics when asked the `n`-th time.
#[derive(Default)]
struct Panics {
    left: usize,
    asked: usize,
}

impl Panics {
    fn ask(&mut self) -> bool {
        self.asked += 1;
        self.left = self.left.wrapping_sub(1);
        assert!(self.left != 0, "the limiter panics");
        true
    }
}

impl ResourceLimiter for Panics {
    fn memory_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> bool {
        self.ask()
    }
    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> bool {
        self.ask()
    }
    fn exceptions_growing(&mut self, _: usize, _: usize) -> bool {
        self.ask()
    }
}

/// Every way to ask: the guest grows a memory or table or throws, directly and under a host function,
/// instances are made, the host makes and grows. The panic reaches the caller, nothing has grown, and
/// the next time the limiter is asked again.
#[test]
fn a_panic_of_a_limiter_reaches_the_caller_and_leaves_it_in_place() {
    every_tier(|config| {
        let engine = engine(&config);
        let text = r#"(module
            (import "h" "again" (func $again (param i32)))
            (memory (export "m") 1) (table (export "t") 1 funcref) (tag $e)
            (table $throwers funcref (elem $thrower))
            (func $memory (export "memory") (drop (memory.grow (i32.const 1))))
            (func $table (export "table") (drop (table.grow (ref.null func) (i32.const 1))))
            (func $throw (export "throw")
              (block $h (try_table (catch_all $h) (call_indirect $throwers (i32.const 0)))))
            (func $thrower (throw $e))
            (func (export "nested") (param i32)
              (block $h (try_table (catch_all $h) (call $again (local.get 0))))))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, Panics::default());
        store.limiter(|limiter| limiter);
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap(
                "h",
                "again",
                |mut caller: Caller<'_, Panics>, which: i32| {
                    let name = ["memory", "table", "throw"][which as usize];
                    let func = caller.get_export(name).and_then(zwasm::Extern::into_func);
                    func.map(|func| func.call(&mut caller, &[], &mut []));
                },
            )
            .unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let memory = instance.get_memory(&store, "m").unwrap();
        let table = instance.get_table(&store, "t").unwrap();
        let nested = instance
            .get_typed_func::<i32, ()>(&store, "nested")
            .unwrap();
        type Act<'a> = Box<dyn Fn(&mut Store<Panics>) + 'a>;
        let mut acts: Vec<Act<'_>> = Vec::new();
        for (which, name) in (0..).zip(["memory", "table", "throw"]) {
            let func = instance.get_typed_func::<(), ()>(&store, name).unwrap();
            acts.push(Box::new(move |store| func.call(store, ()).unwrap()));
            acts.push(Box::new(move |store| nested.call(store, which).unwrap()));
        }
        acts.push(Box::new(|store| {
            memory.grow(store, 1).unwrap();
        }));
        acts.push(Box::new(|store| {
            table.grow(store, 1, Ref::Func(None)).unwrap();
        }));
        acts.push(Box::new(|store| {
            Memory::new(store, MemoryType::new(1, None)).unwrap();
        }));
        acts.push(Box::new(|store| {
            let ty = table.ty(&*store);
            Table::new(store, ty, Ref::Func(None)).unwrap();
        }));
        acts.push(Box::new(|store| {
            linker.instantiate(store, &module).unwrap();
        }));
        for (i, act) in acts.iter().enumerate() {
            let sizes = |store: &Store<Panics>| (memory.size(store), table.size(store));
            let before = sizes(&store);
            store.data_mut().left = 1;
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(&mut store)))
                .expect_err("the panic comes through");
            assert_eq!(
                panic.downcast_ref::<&str>(),
                Some(&"the limiter panics"),
                "{i}"
            );
            assert_eq!(sizes(&store), before, "{i}");
            let asked = store.data().asked;
            act(&mut store);
            assert!(store.data().asked > asked, "{i}: it is asked again");
        }
    });
}

/// A limiter that panics in its own closure is one that panics.
#[test]
fn a_panic_before_the_limiter_is_reached_comes_through_too() {
    every_tier(|config| {
        let (mut store, instance) = crate::instance(&config, GROWS);
        store.limiter(|_: &mut ()| -> &mut Limits { panic!("no limiter") });
        let grow = instance
            .get_typed_func::<i32, i32>(&store, "memory")
            .unwrap();
        for _ in 0..3 {
            let call = std::panic::AssertUnwindSafe(|| grow.call(&mut store, 1));
            assert!(std::panic::catch_unwind(call).is_err());
        }
    });
}

const THROWS: &str = r#"(module
    (tag $e (param i64 i64)) (table (export "t") 0 exnref) (memory 1)
    (func $throw (throw $e (i64.const 1) (i64.const 2)))
    (func $one (result exnref) (local $x exnref)
      (block $h (result i64 i64 exnref) (try_table (catch_ref $e $h) (call $throw)) (unreachable))
      (local.set $x) (drop) (drop) (local.get $x))
    (func (export "caught") (param i32)
      (loop $l (drop (call $one)) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "kept") (param i32)
      (loop $l
        (if (i32.eq (i32.const -1) (table.grow (call $one) (i32.const 1))) (then unreachable))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

/// Exceptions that a guest keeps are refused beyond the limit; those that it drops are not counted
/// for long.
#[test]
fn exceptions_are_counted_and_refused_with_a_trap() {
    every_tier(|config| {
        let engine = engine(&config);
        let module = Module::new(&engine, THROWS).unwrap();
        for limits in [
            Limits::new().max_exception_bytes(64 << 10),
            Limits::new().max_total_bytes((64 << 10) + (1 << 16)),
        ] {
            let mut store = Store::new(&engine, limits);
            store.limiter(|limits| limits);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let [caught, kept] = ["caught", "kept"]
                .map(|name| instance.get_typed_func::<i32, ()>(&store, name).unwrap());
            caught.call(&mut store, 3_000).unwrap();
            let error = kept.call(&mut store, 1_000_000).unwrap_err();
            // A table that cannot grow is the guest's to see.
            let code = error.trap_code();
            assert!(
                matches!(code, Some(TrapCode::ResourceLimit | TrapCode::Unreachable)),
                "{error}"
            );
            let table = instance.get_table(&store, "t").unwrap();
            let count = table.size(&store);
            assert!((200..2000).contains(&count), "{count}");
            let error = caught.call(&mut store, 10_000).err();
            assert!(
                error.is_none_or(|error| error.trap_code() == Some(TrapCode::ResourceLimit)),
                "nothing else"
            );
            // What the guest forgets may be thrown again.
            for i in 0..count {
                table.set(&mut store, i, Ref::Exn(None)).unwrap();
            }
            caught.call(&mut store, 3_000).unwrap();
        }
    });
}

#[test]
fn all_that_a_store_holds_counts_together() {
    every_tier(|config| {
        let engine = engine(&config);
        let text = r#"(module (memory 1) (table 0 externref)
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "table") (param i32) (result i32) (table.grow (ref.null extern) (local.get 0))))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, Limits::new().max_total_bytes(10 << 16));
        store.limiter(|limits| limits);
        let one = Instance::new(&mut store, &module, &[]).unwrap();
        let other = Instance::new(&mut store, &module, &[]).unwrap();
        let func = |instance: &Instance, store: &Store<Limits>, name: &str| {
            instance.get_typed_func::<i32, i32>(store, name).unwrap()
        };
        let (grow, table) = (func(&one, &store, "grow"), func(&other, &store, "table"));
        assert_eq!(grow.call(&mut store, 6).unwrap(), 1, "eight pages");
        assert_eq!(table.call(&mut store, 8192).unwrap(), 0, "nine");
        assert_eq!(grow.call(&mut store, 2).unwrap(), -1);
        assert_eq!(table.call(&mut store, 8193).unwrap(), -1);
        assert_eq!(table.call(&mut store, -1).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 1).unwrap(), 7, "ten");
        assert_eq!(table.call(&mut store, 1).unwrap(), -1);
        assert_eq!(table.call(&mut store, 0).unwrap(), 8192);
        assert!(Instance::new(&mut store, &module, &[]).is_err());
        assert!(Memory::new(&mut store, MemoryType::new(1, None)).is_err());
        Memory::new(&mut store, MemoryType::new(0, None)).unwrap();
    });
}

#[test]
fn limiters_bound_how_many_of_each_kind_there_are() {
    let engine = Engine::default();
    let module = Module::new(&engine, "(module (memory 0) (table 0 funcref))").unwrap();
    let empty = Module::new(&engine, "(module)").unwrap();
    for (limits, words) in [
        (Limits::new().max_instances(2), "instance 3"),
        (Limits::new().max_memories(2), "memory"),
        (Limits::new().max_tables(2), "table"),
    ] {
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        for _ in 0..2 {
            Instance::new(&mut store, &module, &[]).unwrap();
        }
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(
            Instance::new(&mut store, &empty, &[]).is_err(),
            words == "instance 3"
        );
    }
}

/// The start function is a guest like any other.
#[test]
fn a_panic_of_a_limiter_comes_through_a_start_function() {
    every_tier(|config| {
        let engine = engine(&config);
        let text = r#"(module (memory 1) (func (drop (memory.grow (i32.const 1)))) (start 0))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, Panics::default());
        store.limiter(|limiter| limiter);
        store.data_mut().left = 2;
        let make = std::panic::AssertUnwindSafe(|| Instance::new(&mut store, &module, &[]));
        assert!(std::panic::catch_unwind(make).is_err());
        Instance::new(&mut store, &module, &[]).unwrap();
    });
}

/// Memories take gigabytes of address space each: when that is used up, the error says so, and what
/// there is goes on.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn memories_beyond_the_address_space_are_an_error_that_says_so() {
    crate::every_tier_alone(|config| {
        let engine = engine(&config);
        let mut stores = Vec::new();
        let error = 'full: loop {
            let mut store = Store::new(&engine, ());
            loop {
                match Memory::new(&mut store, MemoryType::new(1, None)) {
                    Ok(_) => {}
                    Err(error) if error.to_string().contains("at most 4096 memories") => break,
                    Err(error) => break 'full error,
                }
            }
            stores.push(store);
            assert!(stores.len() < 20, "that is more than 47 bits");
        };
        assert!(error.to_string().contains("address space"), "{error}");
        stores.pop();
        let mut store = Store::new(&engine, ());
        Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    });
}

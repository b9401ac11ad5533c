//! Numbers from the embedder: whatever they are, an error at worst.

use crate::{engine, every_tier};
use zwasm::{
    Caller, Config, Engine, Error, Func, FuncType, Instance, Linker, Memory, MemoryType, Module,
    Ref, RefType, Store, Table, TableType, TrapCode, Val, ValType,
};

const NUMBERS: &[u64] = &[
    0,
    1,
    65_535,
    65_536,
    65_537,
    131_073,
    131_074,
    131_075,
    (1 << 32) - 1,
    1 << 32,
    (1 << 47) - 1,
    (1 << 48) - 1,
    1 << 48,
    (1 << 48) + 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// What a module of the same type may be, a memory that the host makes may be, and nothing else.
#[test]
fn memories_are_what_modules_can_have_or_errors() {
    let mut config = Config::new();
    // So that none of them takes the machine's memory.
    config.memory_reservation(0);
    let engine = engine(&config);
    for memory64 in [false, true] {
        for page_size_log2 in [0, 1, 15, 16, 17, 63, 64, 255] {
            for &minimum in NUMBERS {
                for maximum in [None, Some(0), Some(1 << 16), Some(1 << 32), Some(u64::MAX)] {
                    let ty = MemoryType {
                        minimum,
                        maximum,
                        memory64,
                        page_size_log2,
                    };
                    if u128::from(minimum) << u32::from(page_size_log2.min(16)) > 1 << 30
                        && u128::from(minimum) << u32::from(page_size_log2.min(16)) < 1 << 47
                    {
                        // Address space for it may be had or not; emulators use memory for it.
                        if !crate::reservations_are_dear() {
                            let mut store = Store::new(&engine, ());
                            let _ = Memory::new(&mut store, ty);
                        }
                        continue;
                    }
                    let text = format!(
                        "(module (memory {} {minimum} {} (pagesize {})))",
                        if memory64 { "i64" } else { "i32" },
                        maximum.map_or(String::new(), |max| max.to_string()),
                        1_u128 << page_size_log2.min(31),
                    );
                    let mut store = Store::new(&engine, ());
                    let valid = Module::new(&engine, &text)
                        .is_ok_and(|module| Instance::new(&mut store, &module, &[]).is_ok());
                    let made = Memory::new(&mut store, ty);
                    assert_eq!(made.is_ok(), valid, "{text}: {:?}", made.err());
                    let Ok(memory) = made else { continue };
                    for &delta in NUMBERS {
                        let size = memory.size(&store);
                        match memory.grow(&mut store, delta) {
                            Ok(old) => assert_eq!(old, size),
                            Err(_) => assert_eq!(memory.size(&store), size),
                        }
                    }
                }
            }
        }
    }
}

/// The size of a memory of bytes stays a number of its index type.
#[test]
fn memories_of_single_bytes_do_not_reach_what_32_bits_cannot_tell() {
    every_tier(|config| {
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module (memory (export "m") 1 (pagesize 1))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "size") (result i32) memory.size))"#,
        );
        let grow = instance.get_typed_func::<u32, u32>(&store, "grow").unwrap();
        let size = instance.get_typed_func::<(), u32>(&store, "size").unwrap();
        assert_eq!(
            grow.call(&mut store, u32::MAX).unwrap(),
            u32::MAX,
            "refused"
        );
        assert_eq!(grow.call(&mut store, u32::MAX - 1).unwrap(), 1);
        assert_eq!(size.call(&mut store, ()).unwrap(), u32::MAX);
        assert_eq!(grow.call(&mut store, 1).unwrap(), u32::MAX, "refused");
        let memory = instance.get_memory(&store, "m").unwrap();
        assert!(memory.grow(&mut store, 1).is_err());
        assert_eq!(memory.size(&store), u64::from(u32::MAX));
    });
}

#[test]
fn tables_are_what_modules_can_have_or_errors() {
    let engine = Engine::default();
    for table64 in [false, true] {
        for &minimum in NUMBERS {
            for maximum in [None, Some(0), Some(1 << 16), Some(1 << 32), Some(u64::MAX)] {
                let ty = TableType {
                    element: RefType::EXTERNREF,
                    minimum,
                    maximum,
                    table64,
                };
                let text = format!(
                    "(module (table {} {minimum} {} externref))",
                    if table64 { "i64" } else { "i32" },
                    maximum.map_or(String::new(), |max| max.to_string()),
                );
                let mut store = Store::new(&engine, ());
                let valid = Module::new(&engine, &text)
                    .is_ok_and(|module| Instance::new(&mut store, &module, &[]).is_ok());
                let made = Table::new(&mut store, ty, Ref::Extern(None));
                assert_eq!(made.is_ok(), valid, "{text}: {:?}", made.err());
                let Ok(table) = made else { continue };
                for &delta in NUMBERS {
                    let size = table.size(&store);
                    match table.grow(&mut store, delta, Ref::Extern(None)) {
                        Ok(old) => assert_eq!(old, size),
                        Err(_) => assert_eq!(table.size(&store), size),
                    }
                    assert!(table.get(&store, u64::MAX).is_none());
                    let end = table.size(&store);
                    assert!(table.set(&mut store, end, Ref::Extern(None)).is_err());
                }
            }
        }
    }
}

#[test]
fn offsets_near_the_end_of_the_address_space_are_errors() {
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(1))).unwrap();
    for offset in [65_533, 65_536, usize::MAX / 2, usize::MAX - 3, usize::MAX] {
        assert!(memory.read(&store, offset, &mut [0; 4]).is_err());
        assert!(memory.write(&mut store, offset, &[0; 4]).is_err());
        assert_eq!(
            memory.read(&store, offset, &mut []).is_ok(),
            offset <= 65_536
        );
    }
    memory.write(&mut store, 65_532, &[1; 4]).unwrap();
}

/// Configurations at the ends of their ranges run a guest, or say why not.
#[test]
fn configurations_at_their_ends_are_errors_or_work() {
    fn check(config: &Config) -> Result<(), Error> {
        let engine = Engine::new(config)?;
        let module = Module::new(
            &engine,
            r#"(module (memory 1) (memory $i64 i64 1) (table 1 funcref)
            (func (export "f") (result i32)
              (i32.store (i32.const 8) (i32.const 5)) (i32.load (i32.const 8))))"#,
        )?;
        module.compile_all()?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let f = instance.get_typed_func::<(), i32>(&store, "f")?;
        assert_eq!(f.call(&mut store, ())?, 5);
        Ok(())
    }
    every_tier(|config| {
        let is_native = engine(&config).tier() != zwasm::Tier::Interp;
        let with = |change: &dyn Fn(&mut Config)| {
            let mut config = config.clone();
            change(&mut config);
            check(&config)
        };
        for bytes in [0, 1, 4095, usize::MAX, usize::MAX - 15, 1 << 40] {
            let error = with(&|config| {
                config.max_wasm_stack(bytes);
            });
            assert!(error.is_err(), "{bytes}");
        }
        with(&|config| {
            config.max_wasm_stack(4097);
        })
        .unwrap();
        let error = with(&|config| {
            config.max_native_stack(0);
        });
        assert_eq!(
            error.err().and_then(|error| error.trap_code()),
            is_native.then_some(TrapCode::StackOverflow)
        );
        for bytes in [0, 1, 4095, 4097, 65_536, 1 << 40, 1 << 60, u64::MAX] {
            if bytes > 65_536 && crate::reservations_are_dear() {
                continue;
            }
            with(&|config| {
                config.memory_reservation(bytes);
            })
            .unwrap();
        }
        with(&|config| {
            config.max_table_elements(u64::MAX);
        })
        .unwrap();
        for threads in [1, 3, usize::MAX] {
            with(&|config| {
                config.validation_threads(threads);
            })
            .unwrap();
        }
        assert!(
            with(&|config| {
                config.validation_threads(0);
            })
            .is_err()
        );
        with(&|config| {
            config.max_function_code(u32::MAX);
        })
        .unwrap();
        let none = with(&|config| {
            config.max_function_code(0);
        });
        assert_eq!(none.is_err(), is_native);
    });
}

#[test]
fn fuel_is_kept_within_63_bits() {
    crate::every_tier_with_fuel(|config| {
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module (func (export "f") (result i32) (i32.const 1)))"#,
        );
        let f = instance.get_typed_func::<(), i32>(&store, "f").unwrap();
        for fuel in [u64::MAX, 1 << 63, i64::MAX as u64] {
            store.set_fuel(fuel).unwrap();
            assert_eq!(store.get_fuel().unwrap(), i64::MAX as u64);
            f.call(&mut store, ()).unwrap();
            assert!(store.get_fuel().unwrap() < i64::MAX as u64);
        }
        store.set_fuel(0).unwrap();
        let error = f.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::OutOfFuel));
    });
}

/// Host functions have as many parameters and results as functions of modules may have.
#[test]
fn host_functions_of_a_thousand_values_work_and_of_more_are_errors() {
    every_tier(|config| {
        let engine = engine(&config);
        let kinds = [ValType::I32, ValType::F64, ValType::V128, ValType::I64];
        let many = |count: usize| {
            kinds
                .iter()
                .copied()
                .cycle()
                .take(count)
                .collect::<Vec<_>>()
        };
        let identity = |_: Caller<'_, ()>, args: &[Val], results: &mut [Val]| {
            results.copy_from_slice(args);
            Ok(())
        };
        let mut store = Store::new(&engine, ());
        let func = Func::new(&mut store, FuncType::new(many(1000), many(1000)), identity);
        let names: Vec<String> = many(1000).iter().map(ToString::to_string).collect();
        let names = names.join(" ");
        let gets: String = (0..1000).map(|i| format!("(local.get {i})")).collect();
        let text = format!(
            r#"(module (import "" "" (func $h (param {names}) (result {names})))
            (func (export "f") (param {names}) (result {names}) (call $h {gets})))"#
        );
        let module = Module::new(&engine, text).unwrap();
        let instance = Instance::new(&mut store, &module, &[func.into()]).unwrap();
        let through = instance.get_func(&store, "f").unwrap();
        let args: Vec<Val> = many(1000)
            .iter()
            .zip(0..)
            .map(|(ty, i)| match ty {
                ValType::I32 => Val::I32(i),
                ValType::I64 => Val::I64(i.into()),
                ValType::F64 => Val::F64(i as u64),
                _ => Val::V128(i as u128),
            })
            .collect();
        for func in [func, through] {
            let mut results = vec![Val::I32(-1); 1000];
            func.call(&mut store, &args, &mut results).unwrap();
            assert_eq!(format!("{args:?}"), format!("{results:?}"));
        }
        let mut linker = Linker::<()>::new(&engine);
        for (params, results) in [(1001, 0), (0, 1001), (100_000, 100_000)] {
            let ty = FuncType::new(many(params), many(results));
            let error = linker
                .func_new("h", "f", ty, identity)
                .map(drop)
                .unwrap_err();
            assert!(error.to_string().contains("1000"), "{error}");
        }
    });
}

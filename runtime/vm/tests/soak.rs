//! Instances that come and go on four threads of one process, with everything that can end a call:
//! what they leave behind must not add up.
//!
//! `ZWASM_SOAK_INSTANCES=n` sets their number, in each tier.
//!
//! Under the address sanitizer (`RUSTFLAGS=-Zsanitizer=address`, with `--target`), the engine keeps its
//! handlers of faults, and what the sanitizer holds back would count as left behind:
//! `ASAN_OPTIONS=handle_segv=0:allow_user_segv_handler=1:detect_leaks=0:quarantine_size_mb=8`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zwasm::{Caller, Config, Engine, Error, Extern, Limits, Linker, Module, Store, Tier, TrapCode};

const THREADS: u64 = 4;

/// Held by a test that counts what the process has.
static ALONE: Mutex<()> = Mutex::new(());

/// A module, one of a few hundred that differ in their types and code.
fn module(number: u64) -> String {
    let params = "i64 ".repeat((number % 7) as usize);
    format!(
        r#"(module
        (type $odd (func (param {params}) (result i32 f64)))
        (import "h" "back" (func $back (param i32) (result i32)))
        (import "h" "fail" (func $fail (param i32)))
        (memory (export "memory") 1 100) (table (export "table") 2 1000 funcref)
        (tag $e (param i64)) (global $g (mut i32) (i32.const {number}))
        (data (i32.const 100) "{data}")
        (func $odd (type $odd) (i32.const {number}) (f64.const {number}))
        (func (export "add") (param i32) (result i32)
            (global.set $g (i32.add (global.get $g) (local.get 0))) (global.get $g))
        (func (export "trap") (drop (i32.load (i32.const 6553600))))
        (func (export "divide") (result i32) (i32.div_u (i32.const {number}) (i32.const 0)))
        (func $deep (export "deep") (param i64) (result i64)
            (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
        (func (export "loop") (loop $l (i32.store8 (i32.const 5) (i32.const 1)) (br $l)))
        (func (export "throw") (param i32) (result i64)
            (loop $l (result i64)
                (block $caught (result i64)
                    (try_table (catch $e $caught) (throw $e (i64.extend_i32_u (local.get 0))))
                    (unreachable))
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "escape") (throw $e (i64.const {number})))
        (func (export "grow") (param i32) (result i32)
            (drop (table.grow (ref.func $odd) (i32.const 3)))
            (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536))
            (memory.grow (local.get 0)))
        (func (export "callback") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func (export "back") (param i32) (result i32) (return_call $back (local.get 0)))
        (func (export "fail") (call $fail (i32.const 1)))
        (elem declare func $odd))"#,
        data = "x".repeat((number % 50) as usize * 40),
    )
}

fn linker(engine: &Engine) -> Linker<Limits> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(
            "h",
            "back",
            |mut caller: Caller<'_, Limits>, n: i32| -> Result<i32, Error> {
                let Some(Extern::Func(f)) = caller.get_export("callback") else {
                    return Err(Error::host(std::io::Error::other("no callback")));
                };
                f.typed::<i32, i32>(&caller)?.call(&mut caller, n)
            },
        )
        .expect("a new name");
    linker
        .func_wrap("h", "fail", |_: i32| -> Result<(), Error> {
            Err(Error::host(std::io::Error::other("as it is told to")))
        })
        .expect("a new name");
    linker
}

/// Makes an instance, does to it what its number says, and drops it.
fn one(linker: &Linker<Limits>, module: &Module, number: u64) {
    let limits = Limits::new().max_memory_bytes(50 << 16);
    let mut store = Store::new(module.engine(), limits);
    store.limiter(|limits| limits);
    let instance = linker.instantiate(&mut store, module).expect("links");
    macro_rules! call {
        ($name:literal, $args:expr, $from:ty => $to:ty) => {{
            let f = instance.get_typed_func::<$from, $to>(&store, $name);
            f.expect("exported").call(&mut store, $args)
        }};
    }
    let trap = |error: Error| error.trap_code();
    let own = number % 300;
    assert_eq!(call!("add", 5, i32 => i32).ok(), Some(own as i32 + 5));
    match number % 11 {
        0 => assert_eq!(
            call!("trap", (), () => ()).map_err(trap),
            Err(Some(TrapCode::MemoryOutOfBounds))
        ),
        1 => assert_eq!(
            call!("divide", (), () => i32).map_err(trap),
            Err(Some(TrapCode::IntegerDivisionByZero))
        ),
        2 => assert_eq!(
            call!("deep", 0, i64 => i64).map_err(trap),
            Err(Some(TrapCode::StackOverflow))
        ),
        3 if number % 4 == 3 => {
            let handle = store.interrupt_handle();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_micros(number % 700));
                    handle.interrupt();
                });
                let ended = call!("loop", (), () => ()).map_err(trap);
                assert_eq!(ended, Err(Some(TrapCode::Interrupted)));
            });
        }
        4 | 5 => assert_eq!(call!("throw", 200, i32 => i64).ok(), Some(1)),
        6 => assert!(
            call!("escape", (), () => ())
                .expect_err("thrown")
                .is_exception()
        ),
        7 => assert_eq!(call!("grow", 3, i32 => i32).ok(), Some(1)),
        8 => assert_eq!(call!("grow", 60, i32 => i32).ok(), Some(-1)),
        9 => assert_eq!(call!("back", 8, i32 => i32).ok(), Some(9)),
        _ => assert!(call!("fail", (), () => ()).is_err()),
    }
    assert_eq!(call!("add", 0, i32 => i32).ok(), Some(own as i32 + 5));
}

/// Resident memory of this process.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn instances_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let instances: u64 =
        std::env::var("ZWASM_SOAK_INSTANCES").map_or(400, |text| text.parse().expect("a number"));
    for &tier in Tier::ALL {
        let mut config = Config::new();
        config.tier(tier).validation_threads(1);
        let engine = Engine::new(&config).expect("a valid configuration");
        let linker = linker(&engine);
        let next = AtomicU64::new(0);
        // After a tenth everything has been done often enough.
        let warm = instances / 10;
        let after_warm_up = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= instances {
                            return;
                        }
                        if number == warm {
                            let resident = resident_bytes().unwrap_or(0);
                            after_warm_up.store(resident, Ordering::Relaxed);
                        }
                        let text = module(number % 300);
                        let module = Module::new(&engine, text).expect("a valid module");
                        for i in 0..3 {
                            one(&linker, &module, number + 300 * i);
                        }
                    }
                });
            }
        });
        let before = after_warm_up.into_inner();
        if let Some(now) = resident_bytes().filter(|_| before != 0) {
            let grown = now.saturating_sub(before);
            println!("{tier}: {instances} modules and three instances of each, {grown} bytes more");
            assert!(
                grown < 24 << 20,
                "{tier}: {grown} bytes more than after a tenth"
            );
        }
    }
}

/// Threads of this process that make better code.
#[cfg(target_os = "linux")]
fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    let names = tasks.filter_map(name);
    names
        .filter(|name| name.trim_end() == "zwasm tier-up")
        .count()
}

/// The threads that make better code end, with their engine or when there is nothing to do, and begin again.
#[test]
#[cfg(target_os = "linux")]
fn threads_end_with_their_engine_or_their_work() {
    const ENGINES: usize = 100;
    const LOOP: &str = r#"(module (func (export "run") (param i32)
        (loop $next (br_if $next
            (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
    if !Tier::ALL.contains(&Tier::Auto) {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut config = Config::new();
    config.tier(Tier::Auto).tier_up_after(100);
    // So that there is one for each engine.
    config.validation_threads(2);
    let better = |engine: &Engine| {
        let module = Module::new(engine, LOOP).expect("a valid module");
        let mut store = Store::new(engine, ());
        let linker = Linker::new(engine);
        let instance = linker.instantiate(&mut store, &module).expect("no start");
        let run = instance.get_typed_func::<i32, ()>(&store, "run");
        let run = run.expect("exported");
        while module.stats().functions_tiered_up == 0 {
            run.call(&mut store, 1000).expect("an end");
        }
    };
    let until_none = || {
        for _ in 0..6_000 {
            if workers() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} threads that do not end", workers());
    };
    for _ in 0..ENGINES {
        better(&Engine::new(&config).expect("a valid configuration"));
    }
    until_none();
    let kept = Engine::new(&config).expect("a valid configuration");
    for _ in 0..2 {
        better(&kept);
        until_none();
    }
}

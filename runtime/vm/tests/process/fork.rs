//! Parents and children that share an engine's pages of code.

use crate::{End, alone, every_tier, in_child, instantiate};
use std::time::Duration;
use zwasm::{Config, Engine, Func, Instance, Linker, Module, Store, Tier, TrapCode};

/// Functions that are told apart by what they return.
fn numbers() -> String {
    let mut text = String::from("(module (memory 1)");
    for i in 0..40 {
        text += &format!(
            "(func (export \"f{i}\") (param i32) (result i32)
                (i32.store (i32.const 0) (i32.const {i}))
                (i32.add (i32.mul (local.get 0) (i32.const 1000)) (i32.load (i32.const 0))))"
        );
    }
    text += "(func (export \"loop\") (loop $l (i32.store8 (i32.const 3) (i32.const 1)) (br $l)))";
    text.push(')');
    text
}

fn check(store: &mut Store<()>, instance: &Instance, functions: impl Iterator<Item = i32>) {
    for i in functions {
        let f = instance.get_typed_func::<i32, i32>(&mut *store, &format!("f{i}"));
        let result = f.expect("exported").call(&mut *store, 7);
        assert_eq!(result.ok(), Some(7000 + i));
    }
}

/// Ends an endless loop from another thread, and tells that it did.
fn check_interruption(store: &mut Store<()>, endless: &Func) {
    let handle = store.interrupt_handle();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            handle.interrupt();
        });
        let error = endless
            .call(&mut *store, &[], &mut [])
            .expect_err("endless");
        assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
    });
}

/// Both go on compiling after a fork, neither over what the other runs; children of children too.
#[test]
fn parents_and_children_compile_apart() {
    every_tier(|config| {
        let (mut store, instance) = instantiate(config, &numbers());
        check(&mut store, &instance, 0..5);
        let child = in_child(|| {
            check(&mut store, &instance, 5..20);
            let grandchild = in_child(|| {
                check(&mut store, &instance, (0..40).rev());
            });
            check(&mut store, &instance, 20..30);
            assert_eq!(grandchild.wait(), End::Exit(0));
            check(&mut store, &instance, 0..40);
        });
        check(&mut store, &instance, (10..40).rev());
        assert_eq!(child.wait(), End::Exit(0));
        check(&mut store, &instance, 0..40);
        // Code of new modules does not lie where a child still runs what was there.
        let engine = store.engine().clone();
        let child = in_child(|| {
            for _ in 0..20 {
                check(&mut store, &instance, 0..40);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        drop(instance_of(&engine, "(module (func (export \"g\")))"));
        for i in 0..20 {
            let text = format!("(module (func (export \"g\") (result i32) (i32.const {i})))");
            let (mut other, instance) = instance_of(&engine, &text);
            let g = instance.get_typed_func::<(), i32>(&other, "g");
            assert_eq!(g.expect("exported").call(&mut other, ()).ok(), Some(i));
        }
        assert_eq!(child.wait(), End::Exit(0));
    });
}

fn instance_of(engine: &Engine, text: &str) -> (Store<()>, Instance) {
    let module = Module::new(engine, text).expect("a valid module");
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("instantiates");
    (store, instance)
}

/// Interruptions arrive in a child: its thread has another number than its parent's, and the thread
/// that sends signals again has to be its own.
#[test]
fn interruptions_arrive_in_children() {
    every_tier(|config| {
        let (mut store, instance) = instantiate(config, &numbers());
        let endless = instance.get_func(&store, "loop").expect("exported");
        // The parent has all that it takes.
        check_interruption(&mut store, &endless);
        let child = in_child(|| {
            check_interruption(&mut store, &endless);
            check(&mut store, &instance, 0..40);
            check_interruption(&mut store, &endless);
        });
        assert_eq!(child.wait(), End::Exit(0));
        check_interruption(&mut store, &endless);
    });
}

/// A host function that forks returns twice, into the same guest.
#[test]
fn a_host_function_forks() {
    every_tier(|config| {
        let text = r#"(module
            (import "h" "fork" (func $fork (result i32)))
            (func (export "run") (result i32)
                (if (i32.eqz (call $fork)) (then (loop $l (br $l))))
                (i32.add (call $later (i32.const 20)) (i32.const 1)))
            (func $later (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
        run_forking(config, text);
    });
}

fn run_forking(config: &Config, text: &str) {
    let engine = Engine::new(config).expect("a valid configuration");
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("h", "fork", || -> i32 {
            // SAFETY: as in `in_child`; the child leaves below.
            unsafe { libc::fork() }
        })
        .expect("a new name");
    let module = Module::new(&engine, text).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("links");
    let run = instance.get_typed_func::<(), i32>(&store, "run");
    let run = run.expect("exported");
    let parent = std::process::id();
    let handle = store.interrupt_handle();
    let watch = move || {
        std::thread::sleep(Duration::from_millis(30));
        handle.interrupt();
    };
    // The thread that interrupts does not survive the fork: the child's has to be started by a child.
    let child = in_child(|| {
        let result = run_with_fork_inside(&mut store, &run, watch);
        // SAFETY: leaves at once.
        unsafe { libc::_exit(result) }
    });
    assert_eq!(child.wait(), End::Exit(0));
    assert_eq!(std::process::id(), parent);
}

/// In the process that the guest makes, its loop is stopped by a timer's signal handler, which is all
/// that there is; the process itself waits for it.
fn run_with_fork_inside(
    store: &mut Store<()>,
    run: &zwasm::TypedFunc<(), i32>,
    interrupt: impl Fn() + Send + Sync + 'static,
) -> i32 {
    use std::sync::OnceLock;
    static INTERRUPT: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
    assert!(
        INTERRUPT.set(Box::new(interrupt)).is_ok(),
        "once in a process"
    );
    extern "C" fn child() {
        std::thread::spawn(|| INTERRUPT.get().expect("set before")());
    }
    // SAFETY: the handler runs in the child after the C library's own, with one thread.
    unsafe { libc::pthread_atfork(None, None, Some(child)) };
    let process = std::process::id();
    match run.call(store, ()) {
        Ok(value) => {
            let mut status = 0;
            // SAFETY: waits for the only child, and writes to a local.
            unsafe { libc::waitpid(-1, &mut status, 0) };
            let is_right = value == 41 && libc::WIFEXITED(status);
            if is_right {
                libc::WEXITSTATUS(status)
            } else {
                1
            }
        }
        Err(error) => {
            assert_ne!(
                std::process::id(),
                process,
                "only the child's loop is endless"
            );
            i32::from(error.trap_code() != Some(TrapCode::Interrupted))
        }
    }
}

/// Functions whose loops run as often as they are told.
fn loops(functions: u32) -> String {
    let mut text = String::from("(module");
    for f in 0..functions {
        text += &format!(
            "(func (export \"f{f}\") (param i32) (result i32) (local i32)
                (loop $l
                    (local.set 1 (i32.add (local.get 1) (i32.const {f})))
                    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 1))"
        );
    }
    text.push(')');
    text
}

/// What waits for better code when the process forks, or is in the hands of a thread that only the
/// parent has, gets it in both; and so does what comes later, when those threads have slept at the fork.
#[test]
fn both_processes_get_better_code_after_a_fork() {
    const FUNCTIONS: u32 = 100;
    if !Tier::ALL.contains(&Tier::Auto) {
        return;
    }
    let _alone = alone();
    for done_before in [0, FUNCTIONS / 2] {
        let mut config = Config::new();
        config.tier(Tier::Auto).tier_up_after(100);
        let (mut store, instance) = instantiate(&config, &loops(FUNCTIONS));
        let module = instance.module(&store).clone();
        let run = |store: &mut Store<()>, f: u32, iterations: i32| {
            let function = instance.get_typed_func::<i32, i32>(&mut *store, &format!("f{f}"));
            let result = function.expect("exported").call(&mut *store, iterations);
            assert_eq!(result.ok(), Some(iterations.wrapping_mul(f as i32)));
        };
        let become_better = |store: &mut Store<()>, functions: u32| {
            for _ in 0..600 {
                if module.stats().functions_tiered_up == functions as usize {
                    return;
                }
                // One that still runs the old code sees to it that somebody is at work.
                (0..functions).for_each(|f| run(store, f, 20_000));
                std::thread::sleep(Duration::from_millis(10));
            }
            panic!("{:?}", module.stats());
        };
        become_better(&mut store, done_before);
        if done_before == 0 {
            (0..FUNCTIONS).for_each(|f| run(&mut store, f, 200));
        }
        let child = in_child(|| become_better(&mut store, FUNCTIONS));
        become_better(&mut store, FUNCTIONS);
        assert_eq!(child.wait(), End::Exit(0));
    }
}

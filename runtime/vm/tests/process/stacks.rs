//! Stacks of threads that others have made, and stores that go to another thread in the middle of a
//! call.

use crate::{every_tier, instantiate};
use std::ffi::c_void;
use std::fmt::Write;
use std::time::Duration;
use zwasm::{AsContextMut, Func};
use zwasm::{
    Caller, Config, Engine, Error, Extern, Linker, Module, Store, StoreContextMut, TrapCode,
};

/// Recursion without end through frames of these many bytes, and a helper in each.
fn recursion(frame_bytes: usize) -> String {
    let mut text = String::from(
        "(module (memory 1) (func $f (export \"run\") (param i64) (result i64) (local",
    );
    for _ in 0..frame_bytes / 8 {
        text += " i64";
    }
    text += ")\n";
    // Each local lives across the call.
    for local in (1..=frame_bytes / 8).step_by(97) {
        let _ = writeln!(
            text,
            "(local.set {local} (i64.add (local.get 0) (i64.const {local})))"
        );
    }
    text += "(memory.fill (i32.const 0) (i32.const 1) (i32.wrap_i64 (i64.and (local.get 0) (i64.const 63))))
        (call $f (i64.add (local.get 0) (i64.const 1)))";
    for local in (1..=frame_bytes / 8).step_by(97) {
        let _ = writeln!(text, "(i64.add (local.get {local}))");
    }
    text += "))";
    text
}

const CANARY: u8 = 0xa5;
/// What lies below the stack, and belongs to others: more than any frame here.
const BELOW_BYTES: usize = 8 << 20;

/// Runs code on a thread that Rust knows nothing about, with a stack of these many bytes, directly
/// above memory that must stay as it is. Returns whether it did.
fn on_foreign_stack(stack_bytes: usize, run: &mut (dyn FnMut() + Send)) -> bool {
    extern "C" fn start(argument: *mut c_void) -> *mut c_void {
        // SAFETY: the caller waits, and passes a pointer to its closure.
        let run = unsafe { &mut *argument.cast::<&mut (dyn FnMut() + Send)>() };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        usize::from(result.is_err()) as *mut c_void
    }
    let total = BELOW_BYTES + stack_bytes;
    let mut run = run;
    // SAFETY: the mapping is this function's, and outlives the thread, which is waited for; the
    // attributes are initialised before they are used.
    unsafe {
        let memory = libc::mmap(
            core::ptr::null_mut(),
            total,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        );
        assert_ne!(memory, libc::MAP_FAILED);
        let below = core::slice::from_raw_parts_mut(memory.cast::<u8>(), BELOW_BYTES);
        below.fill(CANARY);
        let mut attributes = core::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        let low = memory.byte_add(BELOW_BYTES);
        assert_eq!(
            libc::pthread_attr_setstack(&mut attributes, low, stack_bytes),
            0
        );
        let mut thread = core::mem::zeroed();
        let argument = (&raw mut run).cast();
        assert_eq!(
            libc::pthread_create(&mut thread, &attributes, start, argument),
            0
        );
        let mut panicked = core::ptr::null_mut();
        libc::pthread_join(thread, &mut panicked);
        libc::pthread_attr_destroy(&mut attributes);
        assert!(panicked.is_null(), "the thread panicked");
        let is_whole = below.iter().all(|&byte| byte == CANARY);
        libc::munmap(memory, total);
        is_whole
    }
}

/// A guest that uses up the stack of a small thread ends in a trap, whatever the size of its frames,
/// and nothing below the stack changes: neither by the guest, nor by a helper, nor by the kernel's
/// record of the thread.
#[test]
fn overflow_stays_on_the_stack() {
    every_tier(|config| {
        for frame_bytes in [0, 800, 4000, 4200, 40_000, 300_000] {
            let (mut store, instance) = instantiate(config, &recursion(frame_bytes));
            let run = instance.get_typed_func::<i64, i64>(&store, "run");
            let run = run.expect("exported");
            for stack_kib in [128, 256, 1024, 4096] {
                let mut check = || {
                    for _ in 0..3 {
                        let error = run.call(&mut store, 0).expect_err("endless");
                        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
                    }
                };
                let is_whole = on_foreign_stack(stack_kib << 10, &mut check);
                assert!(is_whole, "frames of {frame_bytes} on {stack_kib} KiB");
            }
        }
    });
}

/// Interruptions and faults on threads of others.
#[test]
fn signals_arrive_on_foreign_stacks() {
    let text = r#"(module (memory 1)
        (func (export "loop") (loop $l (br $l)))
        (func (export "out") (drop (i32.load (i32.const 65536)))))"#;
    every_tier(|config| {
        let (mut store, instance) = instantiate(config, text);
        let endless = instance.get_typed_func::<(), ()>(&store, "loop");
        let endless = endless.expect("exported");
        let out = instance.get_typed_func::<(), ()>(&store, "out");
        let out = out.expect("exported");
        let handle = store.interrupt_handle();
        let mut check = || {
            let error = out.call(&mut store, ()).expect_err("a trap");
            assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
            let handle = handle.clone();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                handle.interrupt();
            });
            let error = endless.call(&mut store, ()).expect_err("endless");
            assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
            thread.join().expect("it ended");
        };
        assert!(on_foreign_stack(256 << 10, &mut check));
    });
}

const NESTED: &str = r#"(module
    (import "h" "hand_over" (func $hand_over (param i32)))
    (tag $e (param i64))
    (func $deep (export "deep") (param i64) (result i64)
        (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
    (func (export "loop") (loop $l (br $l)))
    (func (export "small") (result i64) (i64.const 42))
    ;; Throws and drops as many exceptions.
    (func (export "litter") (param i32) (result i64)
        (loop $again
            (block $caught (result i64)
                (try_table (catch $e $caught) (throw $e (i64.const 1)))
                (unreachable))
            (drop)
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i64.const 42))
    (func $make (param i64) (result exnref)
        (block $caught (result i64 exnref)
            (try_table (catch_ref $e $caught) (throw $e (local.get 0)))
            (unreachable))
        (local.set 0 (i64.const 0))
        (return (call $second)))
    (func $second (param i64 exnref) (result exnref) (local.get 1))
    ;; Holds an exception while the store is elsewhere.
    (func (export "run") (param i32) (result i64) (local $x exnref) (local $y exnref)
        (local.set $x (call $make (i64.const 1234)))
        (local.set $y (call $make (i64.const 4321)))
        (call $hand_over (local.get 0))
        (i64.sub
            (block $caught (result i64)
                (try_table (catch $e $caught) (throw_ref (local.get $y)))
                (unreachable))
            (block $caught (result i64)
                (try_table (catch $e $caught) (throw_ref (local.get $x)))
                (unreachable))))
    (func (export "run_deep") (param i32) (result i64)
        (call $hand_over (local.get 0))
        (call $deep (i64.const 0))))"#;

/// What the other thread calls.
const WHAT: [&str; 5] = ["deep", "loop", "small", "litter", "run"];

/// Calls an export on another thread, and waits.
fn hand_over(mut caller: Caller<'_, u32>, what: i32) -> Result<(), Error> {
    let Some(Extern::Func(f)) = caller.get_export(WHAT[what as usize]) else {
        return Err(Error::host(std::io::Error::other("no such export")));
    };
    let handle = caller.interrupt_handle();
    let mut context: StoreContextMut<'_, u32> = caller.as_context_mut();
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().stack_size(300 << 10);
        let other = other.spawn_scoped(scope, move || call(&mut context, &f, what));
        let other = other.expect("a thread can be had");
        if WHAT[what as usize] == "loop" {
            std::thread::sleep(Duration::from_millis(20));
            handle.interrupt();
        }
        other.join().expect("it does not panic");
    });
    Ok(())
}

fn call(context: &mut StoreContextMut<'_, u32>, f: &Func, what: i32) {
    let overflow = Some(TrapCode::StackOverflow);
    let context = context.as_context_mut();
    match WHAT[what as usize] {
        "deep" => {
            let f = f.typed::<i64, i64>(&context).expect("its type");
            let mut context = context;
            for _ in 0..3 {
                let error = f.call(&mut context, 0).expect_err("endless");
                assert_eq!(error.trap_code(), overflow);
            }
        }
        "loop" => {
            let f = f.typed::<(), ()>(&context).expect("its type");
            let error = f.call(context, ()).expect_err("endless");
            assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
        }
        "litter" => {
            let f = f.typed::<i32, i64>(&context).expect("its type");
            assert_eq!(f.call(context, 50_000).ok(), Some(42));
        }
        "run" => {
            let f = f.typed::<i32, i64>(&context).expect("its type");
            // On to a third thread, which leaves litter.
            assert_eq!(f.call(context, 3).ok(), Some(4321 - 1234));
        }
        _ => {
            let f = f.typed::<(), i64>(&context).expect("its type");
            assert_eq!(f.call(context, ()).ok(), Some(42));
        }
    }
}

fn nested(config: &Config) -> (Store<u32>, zwasm::Instance) {
    let engine = Engine::new(config).expect("a valid configuration");
    let mut linker = Linker::<u32>::new(&engine);
    linker
        .func_wrap("h", "hand_over", hand_over)
        .expect("a new name");
    let module = Module::new(&engine, NESTED).expect("a valid module");
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).expect("links");
    (store, instance)
}

/// A call on another thread has that thread's limits, and this thread has its own again afterwards;
/// what this thread holds stays alive meanwhile.
#[test]
fn calls_on_other_threads_have_their_own_limits() {
    every_tier(|config| {
        let (mut store, instance) = nested(config);
        let run = instance.get_typed_func::<i32, i64>(&store, "run");
        let run = run.expect("exported");
        let run_deep = instance.get_typed_func::<i32, i64>(&store, "run_deep");
        let run_deep = run_deep.expect("exported");
        for what in 0..WHAT.len() as i32 {
            assert_eq!(run.call(&mut store, what).ok(), Some(4321 - 1234));
            let error = run_deep.call(&mut store, what).expect_err("endless");
            assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        }
        // From a thread with a large stack, too.
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        let thread = thread.spawn(move || {
            for what in 0..WHAT.len() as i32 {
                assert_eq!(run.call(&mut store, what).ok(), Some(4321 - 1234));
            }
            let error = run_deep.call(&mut store, 0).expect_err("endless");
            assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        });
        thread
            .expect("a thread can be had")
            .join()
            .expect("it ended");
    });
}

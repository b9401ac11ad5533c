//! Signals that are not the guest's faults.

use crate::{End, every_tier, in_child, instantiate};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;
use zwasm::TrapCode;

const GUEST: &str = r#"(module (memory 1)
    (func (export "out") (result i32) (i32.load (i32.const 65533)))
    (func (export "loop")
        (local i32)
        (loop $l
            (i32.store (i32.and (local.get 0) (i32.const 0xfffc)) (local.get 0))
            (local.set 0 (i32.add (local.get 0)
                (i32.load (i32.and (i32.mul (local.get 0) (i32.const 28)) (i32.const 0xfffc)))))
            (br $l))))"#;

/// Sends a signal to this thread while a guest runs on it, again and again, from another thread.
fn send_while_running(config: &zwasm::Config, signal: i32) {
    let (mut store, instance) = instantiate(config, GUEST);
    // Traps of the guest's own stay what they are.
    let out = instance.get_typed_func::<(), i32>(&store, "out");
    let error = out
        .expect("exported")
        .call(&mut store, ())
        .expect_err("a trap");
    assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
    let endless = instance.get_typed_func::<(), ()>(&store, "loop");
    let endless = endless.expect("exported");
    // SAFETY: the calls take numbers only.
    let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
    let handle = store.interrupt_handle();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..200 {
                std::thread::sleep(Duration::from_micros(500));
                // SAFETY: as above.
                unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
            }
            handle.interrupt();
        });
        let error = endless.call(&mut store, ()).expect_err("endless");
        assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
    });
}

/// A signal of the kind that faults raise, sent by somebody, does what it does without us: it ends the
/// process, wherever the guest is.
#[test]
fn sent_signals_end_the_process() {
    every_tier(|config| {
        for signal in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGTRAP,
            libc::SIGFPE,
        ] {
            let child = in_child(|| send_while_running(config, signal));
            assert_eq!(child.wait(), End::Signal(signal));
            let child = in_child(|| {
                drop(instantiate(config, GUEST));
                // SAFETY: takes a number only.
                unsafe { libc::raise(signal) };
            });
            assert_eq!(child.wait(), End::Signal(signal));
        }
    });
}

static SEEN: AtomicI32 = AtomicI32::new(0);
static COUNTS: AtomicBool = AtomicBool::new(false);

/// The embedder's handler, which is there before the first engine: counts, or gives way to the default
/// as Rust's own does.
pub(crate) fn install_handler() {
    extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel passes a valid record; a zeroed `sigaction` is the default.
        unsafe {
            if COUNTS.load(Ordering::Relaxed) && (*info).si_code <= 0 {
                SEEN.fetch_add(1, Ordering::Relaxed);
            } else {
                let default: libc::sigaction = core::mem::zeroed();
                libc::sigaction(signal, &default, core::ptr::null_mut());
            }
        }
    }
    // SAFETY: a zeroed `sigaction` is valid; the handler has the signature that the flag asks for.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &action, core::ptr::null_mut());
    }
}

/// The embedder's handler gets what somebody sends, and the guest goes on when it returns.
#[test]
fn sent_signals_reach_the_handler_from_before() {
    every_tier(|config| {
        let child = in_child(|| {
            COUNTS.store(true, Ordering::Relaxed);
            send_while_running(config, libc::SIGSEGV);
            // Two of the same kind may become one while the thread waits for a processor.
            assert!(SEEN.load(Ordering::Relaxed) > 20);
        });
        assert_eq!(child.wait(), End::Exit(0));
    });
}

//! What belongs to a process or a thread as a whole: stacks, signals and forks, for every tier.
#![cfg(target_os = "linux")]

mod fork;
mod signals;
mod stacks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// The process to itself, while this is held: a child inherits what other tests hold. The embedder's handler of
/// signals is there, and was before the first engine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static HANDLER: Once = Once::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    HANDLER.call_once(signals::install_handler);
    alone
}

/// Runs a test under every tier of this build, alone.
fn every_tier(test: impl Fn(&Config)) {
    let _alone = alone();
    for &tier in Tier::ALL {
        let mut config = Config::new();
        config.tier(tier).validation_threads(1);
        // Threads of the engine's own are at work whenever there is something to do.
        config.tier_up_after(0);
        test(&config);
    }
}

/// An instance of a module without imports in a store of its own.
fn instantiate(config: &Config, text: &str) -> (Store<()>, Instance) {
    let engine = Engine::new(config).expect("a valid configuration");
    let module = Module::new(&engine, text).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("instantiates");
    (store, instance)
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Exit(i32),
    Signal(i32),
}

/// Runs code in a child of this process, which exits with 0 at its end, or with 101 when it panics.
/// The child is killed when it takes longer than a minute.
fn in_child(run: impl FnOnce()) -> Child {
    // SAFETY: other tests of this process wait meanwhile. The child has this thread only, and leaves
    // without running anybody's clean-up.
    unsafe {
        let process = libc::fork();
        assert!(process >= 0, "a process can be had");
        if process == 0 {
            libc::alarm(60);
            let result = catch_unwind(AssertUnwindSafe(run));
            libc::_exit(if result.is_ok() { 0 } else { 101 });
        }
        Child(process)
    }
}

struct Child(libc::pid_t);

impl Child {
    fn wait(self) -> End {
        let mut status = 0;
        // SAFETY: writes to a local.
        let waited = unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert_eq!(waited, self.0, "the child is ours");
        if libc::WIFSIGNALED(status) {
            End::Signal(libc::WTERMSIG(status))
        } else {
            End::Exit(libc::WEXITSTATUS(status))
        }
    }
}

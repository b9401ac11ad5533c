//! Better code for functions that run often: who asks for it, and who makes it.
//!
//! Code of the first tier counts calls and iterations down in its function's entry and comes here when
//! nothing is left. The function is put into its engine's queue, threads that live as long as there is
//! work make better code of it, and its entry leads there from then on. Calls that run already go on in
//! the old code, which stays until its module goes.
//!
//! A guest never waits here: what is in somebody's hands is asked for once more a little later. A thread
//! does nothing with locks of the engine while the process forks ([`fork::background`]), since it
//! would not be there in the child to give them back.

use super::{Draft, ModuleCode};
use crate::module::{Module, ModuleInner};
use crate::parallel;
use crate::sys::{fork, stack};
use core::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::thread;

/// When functions are to have better code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TierUp {
    /// How many iterations a function may do before; a call counts as ten.
    pub(crate) units: u32,
    /// Whether other threads make the code; else it is there for the next call.
    pub(crate) in_background: bool,
}

impl Default for TierUp {
    fn default() -> TierUp {
        TierUp {
            units: 20_000,
            in_background: true,
        }
    }
}

/// What nobody counts down to zero.
const NEVER: usize = isize::MAX as usize;

/// After how many units who found the queue in somebody's hands asks again.
const AGAIN: usize = 100;

/// A function that waits for better code.
#[derive(Debug)]
struct Job {
    module: Weak<ModuleInner>,
    defined: u32,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    workers: usize,
    /// The process that they are threads of: a fork leaves them there.
    process: u32,
}

/// The functions of an engine that wait for better code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(Arc<Mutex<State>>);

impl Queue {
    /// Adds a function; false, and nothing, while another thread is at the queue.
    fn push(&self, job: Job, threads: usize) -> bool {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Poisoned(_)) => unreachable!("no panic while locked"),
        };
        let process = std::process::id();
        if state.process != process {
            *state = State {
                process,
                ..State::default()
            };
        }
        state.jobs.push_back(job);
        if state.workers >= threads {
            return true;
        }
        state.workers += 1;
        drop(state);
        let queue = self.clone();
        let builder = thread::Builder::new().name("zwasm tier-up".to_owned());
        if builder.spawn(move || queue.work()).is_err() {
            // Others may do it, or somebody who asks later.
            self.lock().workers -= 1;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while locked")
    }

    /// Makes better code until none is wanted.
    fn work(&self) {
        while let Some(Job { module, defined }) = fork::background(|| self.next()) {
            let Some(module) = module.upgrade() else {
                continue;
            };
            let better = better(&module, defined);
            fork::background(|| {
                module.code.replace(&module, defined, better);
                // Nobody else may have it any more.
                drop(module);
            });
        }
    }

    /// The next function, or none, and then this thread is no worker any more.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.workers -= 1;
        }
        job
    }
}

impl ModuleCode {
    /// A function's count has run out.
    pub(crate) fn tier_up(&self, module: &Module, defined: u32) {
        let inner = module.inner();
        let engine = &inner.engine;
        let entry = &self.entries[defined as usize];
        entry.own.store(NEVER, Ordering::Relaxed);
        if self.asked[defined as usize].swap(true, Ordering::Relaxed) {
            return;
        }
        if !engine.config().tier_up.in_background {
            let better = stack::with_room_for_compiler(|| better(inner, defined));
            self.replace(inner, defined, better);
            return;
        }
        let job = Job {
            module: Arc::downgrade(inner),
            defined,
        };
        let cores = parallel::threads(engine.config().validation_threads, usize::MAX);
        // One is left to the guest.
        let threads = (cores - 1).max(1);
        let queue = engine.tier_ups();
        if !stack::with_room_for_compiler(|| queue.push(job, threads)) {
            self.asked[defined as usize].store(false, Ordering::Relaxed);
            entry.own.store(AGAIN, Ordering::Relaxed);
        }
    }

    /// Leads calls of a function to better code from now on. Where the host has no memory for that, they
    /// go where they went.
    fn replace(&self, module: &ModuleInner, defined: u32, better: Option<Box<dyn Draft>>) {
        let Some(better) = better else { return };
        let mut functions = self.functions.lock().expect("no panic while locked");
        if let Ok(code) = better.publish(module) {
            let range = code.range();
            self.code_bytes.fetch_add(range.len(), Ordering::Relaxed);
            functions.push(code);
            let entry = &self.entries[defined as usize];
            entry.code.store(range.start as *mut u32, Ordering::Release);
        }
    }
}

/// Better code for a function; none where it is beyond a limit.
fn better(module: &ModuleInner, defined: u32) -> Option<Box<dyn Draft>> {
    let supply = module.engine.supply();
    supply.improve(module, defined).ok().flatten()
}

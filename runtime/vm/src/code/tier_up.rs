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
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::thread;
use zwasm_core::TrapCode;

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

/// After how many units a function is asked for again while somebody else is at the queue.
const AGAIN: usize = 100;

/// The same where the system has no thread for it; and how often code that still runs sees to it that
/// somebody is at work: a fork may have left them behind.
const MUCH_LATER: usize = 1_000_000;

/// A function that waits for better code.
#[derive(Clone, Debug)]
struct Job {
    module: Weak<ModuleInner>,
    defined: u32,
}

impl Job {
    fn is(&self, other: &Job) -> bool {
        self.defined == other.defined && self.module.ptr_eq(&other.module)
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// What workers are at.
    in_work: Vec<Job>,
    workers: usize,
    /// Of the process that they are threads of: a fork leaves them there.
    generation: u32,
}

impl State {
    /// Takes over what a parent's threads were at, who do their work there. Whether there was a fork.
    fn come_to_this_process(&mut self) -> bool {
        let generation = fork::generation();
        if self.generation == generation {
            return false;
        }
        self.generation = generation;
        self.workers = 0;
        self.waiting.extend(self.in_work.drain(..));
        true
    }
}

/// The functions of an engine that wait for better code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(Arc<Mutex<State>>);

impl Queue {
    /// Adds a function.
    ///
    /// # Errors
    /// After how many units it is to be tried again.
    fn push(&self, job: Job, threads: usize) -> Result<(), usize> {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::WouldBlock) => return Err(AGAIN),
            Err(TryLockError::Poisoned(_)) => unreachable!("no panic while locked"),
        };
        state.come_to_this_process();
        state.waiting.push_back(job.clone());
        if state.workers >= threads {
            return Ok(());
        }
        state.workers += 1;
        drop(state);
        if self.start_worker() {
            return Ok(());
        }
        let mut state = self.lock();
        if state.workers > 0 {
            return Ok(());
        }
        state.waiting.retain(|other| !other.is(&job));
        Err(MUCH_LATER)
    }

    /// Sees to it that what waits is worked at, in a child of the process where it was asked for.
    fn revive(&self) {
        if let Ok(mut state) = self.0.try_lock()
            && state.come_to_this_process()
            && !state.waiting.is_empty()
        {
            state.workers += 1;
            drop(state);
            self.start_worker();
        }
    }

    /// Starts a worker, who is counted already.
    fn start_worker(&self) -> bool {
        let queue = self.clone();
        let builder = thread::Builder::new()
            .name("zwasm tier-up".to_owned())
            .stack_size(2 * stack::COMPILER_BYTES);
        let is_started = builder.spawn(move || queue.work()).is_ok();
        if !is_started {
            self.lock().workers -= 1;
        }
        is_started
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while locked")
    }

    /// Makes better code until none is wanted.
    fn work(&self) {
        /// A worker that is none any more, whatever ends it.
        struct Worker<'q>(&'q Queue);
        impl Drop for Worker<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    fork::background(|| self.0.lock().workers -= 1);
                }
            }
        }
        let _worker = Worker(self);
        while let Some(job) = fork::background(|| self.next()) {
            let module = job.module.upgrade();
            let better = module
                .as_ref()
                .and_then(|module| better(module, job.defined, None).ok().flatten());
            fork::background(|| {
                if let (Some(module), Some(better)) = (&module, better) {
                    module.code.replace(module, job.defined, better);
                }
                self.lock().in_work.retain(|other| !other.is(&job));
                // Nobody else may have it any more.
                drop(module);
            });
        }
    }

    /// The next function, or none, and then this thread is no worker any more.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let job = state.waiting.pop_front();
        match &job {
            Some(job) => state.in_work.push(job.clone()),
            None => state.workers -= 1,
        }
        job
    }
}

impl ModuleCode {
    /// A function's count has run out. Where the guest waits for better code, `interrupt` ends that once
    /// it is other than zero.
    pub(crate) fn tier_up(&self, module: &Module, defined: u32, interrupt: &AtomicU64) {
        let entry = &self.entries[defined as usize];
        // Others may count at this moment, and write what they have read before. That must not be
        // the number that stays.
        entry.own.store(AGAIN, Ordering::Relaxed);
        let asked = &self.asked[defined as usize];
        if asked.swap(true, Ordering::Relaxed) {
            entry.own.store(MUCH_LATER, Ordering::Relaxed);
            module.inner().engine.tier_ups().revive();
            return;
        }
        let own = match self.ask(module, defined, interrupt) {
            Ok(()) => MUCH_LATER,
            Err(units) => {
                asked.store(false, Ordering::Relaxed);
                units
            }
        };
        entry.own.store(own, Ordering::Relaxed);
    }

    /// Has better code made; or says after how many units that is to be tried again.
    fn ask(&self, module: &Module, defined: u32, interrupt: &AtomicU64) -> Result<(), usize> {
        let inner = module.inner();
        let engine = &inner.engine;
        if !engine.config().tier_up.in_background {
            let make = || better(inner, defined, Some(interrupt));
            let Ok(better) = stack::with_room_for_compiler(make) else {
                return Err(AGAIN);
            };
            if let Some(better) = better {
                self.replace(inner, defined, better);
            }
            return Ok(());
        }
        let job = Job {
            module: Arc::downgrade(inner),
            defined,
        };
        let cores = parallel::threads(engine.config().validation_threads, usize::MAX);
        // One is left to the guest.
        engine.tier_ups().push(job, (cores - 1).max(1))
    }

    /// Leads calls of a function to better code from now on. Where the host has no memory for that, they
    /// go where they went.
    fn replace(&self, module: &ModuleInner, defined: u32, better: Box<dyn Draft>) {
        let mut functions = self.functions.lock().expect("no panic while locked");
        let _ = self.put_in_place(module, defined, better, &mut functions);
    }
}

/// Better code for a function; none where it is beyond a limit.
///
/// # Errors
/// Interrupted.
fn better(
    module: &ModuleInner,
    defined: u32,
    interrupt: Option<&AtomicU64>,
) -> Result<Option<Box<dyn Draft>>, TrapCode> {
    let supply = module.engine.supply();
    match supply.improve(module, defined, interrupt) {
        Ok(better) => Ok(better),
        Err(error) => match error.trap_code() {
            Some(code) => Err(code),
            None => Ok(None),
        },
    }
}

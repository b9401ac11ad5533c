//! Better code for functions that run often: who asks for it, and who makes it.
//!
//! Code of the first tier counts calls and iterations down in its function's entry and comes here when
//! nothing is left. The function is put into its engine's queue, threads make better code of it, and its
//! entry leads there from then on. What is asked for most often comes first. The threads begin with the
//! first work, and end a while after the last.
//!
//! Calls that run already go on in the old code, which goes when they are over ([`retire`](super::retire)). Those that come to the
//! head of a loop again and again after that get code of their own, which is entered there
//! ([`midway`](zwasm_jit::contract::midway)).
//!
//! A guest never waits here: what is in somebody's hands is asked for once more a little later. A thread
//! does nothing with locks of the engine while the process forks ([`fork::background`]), since it
//! would not be there in the child to give them back.

use super::{Draft, ModuleCode};
use crate::module::{Module, ModuleInner};
use crate::parallel;
use crate::sys::{cpu, fork, stack};
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::thread::{self, Thread};
use zwasm_core::TrapCode;
use zwasm_core::tier_up::{self, AGAIN, IDLE, LOOPS_ELSEWHERE, LOOPS_MAX, MUCH_LATER};
use zwasm_jit::contract::midway::Place;

/// When functions are to have better code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TierUp {
    /// How many iterations a function may do before; a call counts as ten.
    pub(crate) units: u32,
    /// Whether other threads make the code; else it is there for the next call.
    pub(crate) in_background: bool,
    /// Whether calls get better code, too, or loops only.
    pub(crate) of_calls: bool,
}

impl Default for TierUp {
    fn default() -> TierUp {
        TierUp {
            units: tier_up::UNITS,
            in_background: true,
            of_calls: true,
        }
    }
}

/// Better code of a module's functions, and of what runs in them, by the functions' index among the defined ones.
#[derive(Debug, Default)]
pub(super) struct Better(HashMap<u32, Pieces>);

impl Better {
    /// How many functions and loops there are that have some.
    pub(super) fn count(&self) -> (usize, usize) {
        let made = |(_, piece): &(&Place, &Piece)| matches!(piece, Piece::At(_));
        let all = || self.0.values().flat_map(|of| &of.by_place).filter(made);
        let functions = all().filter(|(place, _)| **place == Place::START).count();
        (functions, all().count() - functions)
    }
}

/// Better code of one function.
#[derive(Debug, Default)]
struct Pieces {
    by_place: HashMap<Place, Piece>,
    /// How often the function came from a loop without any, while another had some.
    elsewhere: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    Waits,
    /// Where it is entered.
    At(usize),
    /// There is none, and will not be.
    None,
}

/// What to do for a function whose count has run out.
enum Step {
    /// Ask for the piece at this place.
    Ask(Place),
    /// The same once more.
    AskAgain(Place),
    /// Go on there.
    Go(usize),
    /// Come again when the count has run out once more.
    OnceMore,
    /// Come again after so many units.
    Later(usize),
}

impl Pieces {
    fn next(&mut self, place: Place, how: TierUp) -> Step {
        if place == Place::START && !how.of_calls {
            return Step::OnceMore;
        }
        let of_function = self.by_place.get(&Place::START);
        let wanted = match of_function {
            Some(Piece::At(_)) => place,
            _ if how.of_calls => Place::START,
            _ => place,
        };
        match self.by_place.get(&wanted) {
            Some(Piece::At(_)) if wanted == Place::START => Step::OnceMore,
            Some(Piece::At(code)) => Step::Go(*code),
            Some(Piece::Waits) => Step::AskAgain(wanted),
            Some(Piece::None) => Step::Later(MUCH_LATER),
            None if wanted == Place::START => Step::Ask(wanted),
            None => self.next_loop(wanted, how),
        }
    }

    /// A loop that has no code yet.
    fn next_loop(&mut self, place: Place, how: TierUp) -> Step {
        let loops = self.by_place.keys().filter(|&&place| place != Place::START);
        let loops = loops.count();
        // A guest that waits is asked at every loop, so that what it does is the same each time.
        if how.in_background && loops > 0 {
            self.elsewhere += 1;
            if loops >= LOOPS_MAX || self.elsewhere < LOOPS_ELSEWHERE {
                return Step::Later(AGAIN);
            }
            self.elsewhere = 0;
        }
        Step::Ask(place)
    }
}

/// A function that waits for better code, or one of its loops.
#[derive(Clone, Debug)]
struct Job {
    module: Weak<ModuleInner>,
    defined: u32,
    place: Place,
    /// How often it was asked for.
    asked: u32,
}

impl Job {
    fn is(&self, other: &Job) -> bool {
        (self.defined, self.place) == (other.defined, other.place)
            && self.module.ptr_eq(&other.module)
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Job>,
    /// What workers are at.
    in_work: Vec<Job>,
    /// How many there are, those without work among them.
    workers: usize,
    /// Workers without work, who sleep.
    idle: Vec<Thread>,
    /// Whether the engine is gone.
    is_over: bool,
    /// Of the process that the workers are threads of: a fork leaves them there.
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
        self.idle.clear();
        self.waiting.append(&mut self.in_work);
        true
    }
}

/// What a worker does next.
enum Next {
    Work(Job),
    Sleep,
    End,
}

/// The functions of an engine that wait for better code. The engine's end is that of its workers.
#[derive(Debug, Default)]
pub(crate) struct Queue(Arc<Shared>);

impl Queue {
    /// Adds a function.
    ///
    /// # Errors
    /// After how many units it is to be tried again.
    fn push(&self, job: Job, threads: usize) -> Result<(), usize> {
        let mut state = match self.0.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::WouldBlock) => return Err(AGAIN),
            Err(TryLockError::Poisoned(_)) => unreachable!("no panic while locked"),
        };
        state.come_to_this_process();
        state.waiting.push(job.clone());
        if let Some(worker) = state.idle.pop() {
            drop(state);
            worker.unpark();
            return Ok(());
        }
        if state.workers >= threads {
            return Ok(());
        }
        state.workers += 1;
        drop(state);
        if self.0.start_worker() {
            return Ok(());
        }
        let mut state = self.0.lock();
        if state.workers > 0 {
            return Ok(());
        }
        state.waiting.retain(|other| !other.is(&job));
        Err(MUCH_LATER)
    }

    /// A function that waits has run for as long once more. Sees to it that what waits is worked at, in a
    /// child of the process where it was asked for.
    fn ask_again(&self, job: &Job) {
        let Ok(mut state) = self.0.state.try_lock() else {
            return;
        };
        if let Some(waiting) = state.waiting.iter_mut().find(|waiting| waiting.is(job)) {
            waiting.asked += 1;
        }
        if state.come_to_this_process() && !state.waiting.is_empty() {
            state.workers += 1;
            drop(state);
            self.0.start_worker();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Who is at the queue now may be a thread of this process' parent, and is never done. Workers that are
        // not told end without that, later.
        let Ok(mut state) = self.0.state.try_lock() else {
            return;
        };
        state.is_over = true;
        let idle = core::mem::take(&mut state.idle);
        drop(state);
        idle.iter().for_each(Thread::unpark);
    }
}

/// What an engine and its workers share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

impl Shared {
    /// Starts a worker, who is counted already.
    fn start_worker(self: &Arc<Shared>) -> bool {
        let shared = self.clone();
        let builder = thread::Builder::new()
            .name("zwasm tier-up".to_owned())
            .stack_size(2 * stack::COMPILER_BYTES);
        match builder.spawn(move || shared.work()) {
            Ok(worker) => {
                cpu::start_elsewhere(&worker);
                true
            }
            Err(_) => {
                self.lock().workers -= 1;
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while locked")
    }

    /// Makes better code until none is wanted for a while.
    fn work(&self) {
        /// A worker that is none any more, whatever ends it.
        struct Worker<'q>(&'q Shared);
        impl Drop for Worker<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    fork::background(|| self.0.lock().workers -= 1);
                }
            }
        }
        let _worker = Worker(self);
        loop {
            match fork::background(|| self.next()) {
                Next::Work(job) => self.improve(&job),
                Next::Sleep => {
                    thread::park_timeout(IDLE);
                    if fork::background(|| self.leave()) {
                        return;
                    }
                }
                Next::End => return,
            }
        }
    }

    fn improve(&self, job: &Job) {
        let module = job.module.upgrade();
        let better = module
            .as_ref()
            .and_then(|module| better(module, job.defined, job.place, None).ok().flatten());
        fork::background(|| {
            if let Some(module) = &module {
                module
                    .code
                    .take_better(module, job.defined, job.place, better);
            }
            self.lock().in_work.retain(|other| !other.is(job));
            // Nobody else may have it any more.
            drop(module);
        });
    }

    /// The next function; else this thread is without work, or no worker any more.
    fn next(&self) -> Next {
        let mut state = self.lock();
        // Of several, the first.
        let most = state.waiting.iter().map(|job| job.asked).max();
        let next = state.waiting.iter().position(|job| Some(job.asked) == most);
        if let Some(next) = next {
            let job = state.waiting.remove(next);
            state.in_work.push(job.clone());
            return Next::Work(job);
        }
        if state.is_over {
            state.workers -= 1;
            return Next::End;
        }
        state.idle.push(thread::current());
        Next::Sleep
    }

    /// Whether this thread, which has slept, is no worker any more, since nobody has woken it.
    fn leave(&self) -> bool {
        let mut state = self.lock();
        let own = thread::current().id();
        let Some(place) = state.idle.iter().position(|idle| idle.id() == own) else {
            return false;
        };
        state.idle.remove(place);
        state.workers -= 1;
        true
    }
}

/// A function whose count has run out.
struct Asking<'m> {
    module: &'m Arc<ModuleInner>,
    defined: u32,
    /// Ends the making of code, once it is other than zero.
    interrupt: &'m AtomicU64,
    how: TierUp,
}

impl Asking<'_> {
    fn job(&self, place: Place) -> Job {
        Job {
            module: Arc::downgrade(self.module),
            defined: self.defined,
            place,
            asked: 1,
        }
    }
}

impl ModuleCode {
    /// A function's count has run out at this place. Returns where the call is to go on, if that is
    /// elsewhere. Where the guest waits for better code, `interrupt` ends that once it is other than zero.
    pub(crate) fn tier_up(
        &self,
        module: &Module,
        defined: u32,
        place: Place,
        interrupt: &AtomicU64,
    ) -> Option<usize> {
        let own = &self.entries[defined as usize].own;
        // Others may count at this moment, and write what they have read before. That must not be
        // the number that stays.
        own.store(AGAIN, Ordering::Relaxed);
        let module = module.inner();
        let how = module.engine.config().tier_up;
        let asking = Asking {
            module,
            defined,
            interrupt,
            how,
        };
        let (code, units) = self.advance(&asking, place);
        own.store(units, Ordering::Relaxed);
        code
    }

    /// Where to go on, if anywhere else, and after how many units to come again.
    fn advance(&self, asking: &Asking<'_>, place: Place) -> (Option<usize>, usize) {
        let how = asking.how;
        let once_more = if how.in_background {
            AGAIN.max(how.units as usize)
        } else {
            how.units as usize
        };
        loop {
            let Ok(mut better) = self.better.try_lock() else {
                return (None, AGAIN);
            };
            let pieces = better.0.entry(asking.defined).or_default();
            let step = pieces.next(place, how);
            if let Step::Ask(place) = step {
                pieces.by_place.insert(place, Piece::Waits);
            }
            drop(better);
            match step {
                Step::Go(code) => return (Some(code), AGAIN.min(once_more)),
                Step::OnceMore => return (None, once_more),
                Step::Later(units) => return (None, units),
                Step::AskAgain(place) => {
                    let queue = asking.module.engine.tier_ups();
                    queue.ask_again(&asking.job(place));
                    return (None, once_more);
                }
                Step::Ask(place) => {
                    if let Err(units) = self.ask(asking, place) {
                        self.better().0.entry(asking.defined).and_modify(|pieces| {
                            pieces.by_place.remove(&place);
                        });
                        return (None, units);
                    }
                    if how.in_background {
                        return (None, once_more);
                    }
                }
            }
        }
    }

    pub(super) fn better(&self) -> MutexGuard<'_, Better> {
        self.better.lock().expect("no panic while locked")
    }

    /// Has better code made; or says after how many units that is to be tried again.
    fn ask(&self, asking: &Asking<'_>, place: Place) -> Result<(), usize> {
        let engine = &asking.module.engine;
        if !asking.how.in_background {
            let make = || better(asking.module, asking.defined, place, Some(asking.interrupt));
            let Ok(better) = stack::with_room_for_compiler(make) else {
                return Err(AGAIN);
            };
            self.take_better(asking.module, asking.defined, place, better);
            return Ok(());
        }
        let cores = parallel::threads(engine.config().validation_threads, usize::MAX);
        // One is left to the guest.
        let threads = (cores - 1).max(1);
        engine.tier_ups().push(asking.job(place), threads)
    }

    /// Publishes better code. Calls of the function lead to it from now on, or those that come to the loop go on
    /// in it. Where the host has no memory for that, they go where they went.
    fn take_better(
        &self,
        module: &ModuleInner,
        defined: u32,
        place: Place,
        better: Option<Box<dyn Draft>>,
    ) {
        let code = better.and_then(|better| {
            let mut functions = self.functions.lock().expect("no panic while locked");
            if place != Place::START {
                return self.publish(module, better, &mut functions).ok();
            }
            let old = self.entries[defined as usize].code().addr();
            let range = self.put_in_place(module, defined, better, &mut functions);
            let range = range.ok()?;
            self.retire(module, old, &mut functions);
            Some(range)
        });
        let piece = code.map_or(Piece::None, |range| Piece::At(range.start));
        self.reclaim(module.engine.supply());
        let mut all = self.better();
        all.0
            .entry(defined)
            .or_default()
            .by_place
            .insert(place, piece);
        drop(all);
        // Calls that run are to see it soon.
        self.entries[defined as usize]
            .own
            .store(AGAIN, Ordering::Relaxed);
    }
}

/// Better code for a function, or from one of its loops on; none where it is beyond a limit.
///
/// # Errors
/// Interrupted.
fn better(
    module: &ModuleInner,
    defined: u32,
    place: Place,
    interrupt: Option<&AtomicU64>,
) -> Result<Option<Box<dyn Draft>>, TrapCode> {
    let supply = module.engine.supply();
    match supply.improve(module, defined, place, interrupt) {
        Ok(better) => Ok(better),
        Err(error) => match error.trap_code() {
            Some(code) => Err(code),
            None => Ok(None),
        },
    }
}

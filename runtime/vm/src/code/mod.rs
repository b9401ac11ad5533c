//! The life of a function's code, whatever the tier: an entry that calls go through, code that is made
//! when it is first called or asked for, and its end with the module.
//!
//! What code is, how it is made and where it lies is a [`Supply`]'s: the interpreter's, or that of
//! machine code. Neither is known here.

pub(crate) mod artifact;
pub(crate) mod cache;
pub(crate) mod compiler;
mod feedback;
pub(crate) mod registry;
pub(crate) mod retire;
pub(crate) mod tier_up;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::layout::declare;
use crate::module::ModuleInner;
use crate::parallel;
use artifact::Setting;
use compiler::Compilation;
use core::any::Any;
use core::fmt::Debug;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use feedback::Cells;
use retire::Retired;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tier_up::Better;
use zwasm_core::{SigId, TrapCode};
use zwasm_jit::contract::Compiled;
use zwasm_jit::contract::midway::Place;
use zwasm_jit::isa;
use zwasm_jit::opt::PassTimes;

/// Who makes the code of an engine's functions.
pub(crate) trait Supply: Any + Debug + Send + Sync {
    /// What [`FuncEntry::own`] is to be.
    fn own_word(&self) -> usize;

    /// Where calls of a function go that has no code yet.
    fn first_code(&self, entry: &FuncEntry) -> *const u32;

    /// Makes the code of a function, which nobody can call yet.
    ///
    /// # Errors
    /// When the function is beyond a limit. [`TrapCode::Interrupted`], once `interrupt` is other than
    /// zero.
    fn make(
        &self,
        module: &ModuleInner,
        defined: u32,
        interrupt: Option<&AtomicU64>,
    ) -> Result<Box<dyn Draft>>;

    /// Makes better code for a function that has some, or for a call of it that is at the head of a loop, if
    /// there is any.
    ///
    /// # Errors
    /// As [`Supply::make`].
    fn improve(
        &self,
        module: &ModuleInner,
        defined: u32,
        place: Place,
        interrupt: Option<&AtomicU64>,
    ) -> Result<Option<Box<dyn Draft>>> {
        let _ = (module, defined, place, interrupt);
        Ok(None)
    }

    /// What machine code of this engine is made for; none if it makes none.
    fn setting(&self, engine: &Engine) -> Option<Setting> {
        let _ = engine;
        None
    }

    /// The best machine code of a function, to be kept.
    ///
    /// # Errors
    /// As [`Supply::make`], and where there is no [`Supply::setting`].
    fn compiled(&self, module: &ModuleInner, defined: u32) -> Result<Compiled> {
        let _ = (module, defined);
        Err(Error::usage("this tier makes no machine code"))
    }

    /// Machine code that was made, as it was before it was put in place; none of other code, and of what was kept,
    /// which is where it was.
    fn as_compiled(&self, code: &dyn Code) -> Option<Compiled> {
        let _ = code;
        None
    }

    /// Gives up the code of a module that is gone: no store has an instance of it, so nothing runs it.
    fn give_up(&self, functions: &[Arc<dyn Code>]);

    /// Forgets types that are gone.
    fn forget(&self, types: &[SigId]) {
        let _ = types;
    }

    /// What this machine's processor has, if it is one for x86-64 and code may use it.
    fn x86_64_features(&self) -> isa::x86_64::Features {
        isa::x86_64::Features::default()
    }
}

/// Code that was made and cannot be called yet.
pub(crate) trait Draft {
    /// What the passes of the optimizing compiler took, where the configuration has it recorded.
    fn take_passes(&mut self) -> Option<PassTimes> {
        None
    }

    /// Whether it was made now, and not kept before.
    fn is_fresh(&self) -> bool {
        true
    }

    /// Puts the code where it can be run, and makes it known.
    ///
    /// # Errors
    /// When the host has no memory for it.
    fn publish(self: Box<Self>, module: &ModuleInner) -> Result<Arc<dyn Code>>;
}

/// Code of a function that can be run.
pub(crate) trait Code: Any + Debug + Send + Sync {
    /// Where it lies. It is entered at its start.
    fn range(&self) -> Range<usize>;

    /// Whose code it is, by the index among all functions of its module.
    fn func_index(&self) -> u32;
}

zwasm_core::vm_layout!(func_entry, declare);

impl FuncEntry {
    /// The address to enter the function at.
    #[inline(always)]
    pub(crate) fn code(&self) -> *const u32 {
        self.code.load(Ordering::Acquire)
    }

    /// The address of the word that belongs to the tier.
    pub(crate) fn own(&self) -> *const usize {
        self.own.as_ptr()
    }

    /// The entry whose own word lies there.
    ///
    /// # Safety
    /// The address is that of an entry's own word.
    pub(crate) unsafe fn of_own(own: *const usize) -> *const FuncEntry {
        // SAFETY: forwarded.
        unsafe { own.byte_sub(core::mem::offset_of!(FuncEntry, own)) }.cast()
    }
}

/// How much code a module has.
pub(crate) struct CodeStats {
    /// Functions with code.
    pub(crate) functions: usize,
    /// Those of them with better code than they had first.
    pub(crate) tiered_up: usize,
    /// Loops that calls go on at in better code.
    pub(crate) loops: usize,
    /// Bytes of the bodies of the former.
    pub(crate) body_bytes: usize,
    /// Bytes of all code.
    pub(crate) code_bytes: usize,
}

/// All code of a module.
#[derive(Debug)]
pub(crate) struct ModuleCode {
    entries: Box<[FuncEntry]>,
    /// What functions count in whose code does.
    cells: Mutex<HashMap<u32, Cells>>,
    better: Mutex<Better>,
    /// Pieces of code that others have replaced, and calls may still be in.
    retired: Mutex<Vec<Retired>>,
    /// All other pieces of code.
    functions: Mutex<Vec<Arc<dyn Code>>>,
    /// How many functions have code.
    made: AtomicUsize,
    code_bytes: AtomicUsize,
    /// Bytes of code that was made since somebody asked.
    fresh_bytes: AtomicUsize,
    /// Bytes of the bodies that the code was made from.
    body_bytes: AtomicUsize,
    making_ns: AtomicU64,
    /// What was compiled, where the configuration says so.
    compilations: Mutex<Vec<Compilation>>,
}

impl ModuleCode {
    /// For so many functions, none of which has code.
    pub(crate) fn new(functions: usize, supply: &dyn Supply) -> ModuleCode {
        let own = supply.own_word();
        let entry = |_| FuncEntry {
            code: AtomicPtr::new(core::ptr::null_mut()),
            own: AtomicUsize::new(own),
            cells: AtomicPtr::new(core::ptr::null_mut()),
        };
        let entries: Box<[FuncEntry]> = (0..functions).map(entry).collect();
        for entry in &entries {
            let first = supply.first_code(entry).cast_mut();
            entry.code.store(first, Ordering::Relaxed);
        }
        ModuleCode {
            entries,
            cells: Mutex::default(),
            better: Mutex::default(),
            retired: Mutex::default(),
            functions: Mutex::default(),
            made: AtomicUsize::new(0),
            code_bytes: AtomicUsize::new(0),
            fresh_bytes: AtomicUsize::new(0),
            body_bytes: AtomicUsize::new(0),
            making_ns: AtomicU64::new(0),
            compilations: Mutex::default(),
        }
    }

    pub(crate) fn entries(&self) -> *const FuncEntry {
        self.entries.as_ptr()
    }

    /// The entry of a function by its index among the defined ones.
    pub(crate) fn entry(&self, defined: u32) -> *const FuncEntry {
        &raw const self.entries[defined as usize]
    }

    /// The index of a function among the defined ones by its entry.
    ///
    /// # Safety
    /// It is one of this module's.
    pub(crate) unsafe fn defined(&self, entry: *const FuncEntry) -> u32 {
        // SAFETY: forwarded.
        let index = unsafe { entry.offset_from(self.entries()) };
        u32::try_from(index).expect("the entry lies in the array")
    }

    /// What there is by now.
    pub(crate) fn stats(&self) -> CodeStats {
        let (tiered_up, loops) = self.better().count();
        CodeStats {
            functions: self.made.load(Ordering::Relaxed),
            tiered_up,
            loops,
            body_bytes: self.body_bytes.load(Ordering::Relaxed),
            code_bytes: self.code_bytes.load(Ordering::Relaxed),
        }
    }

    /// How functions were compiled, where the configuration has it recorded.
    pub(crate) fn compilations(&self) -> Vec<Compilation> {
        let compilations = self.compilations.lock().expect("no panic while locked");
        compilations.clone()
    }

    /// Time spent making code.
    pub(crate) fn making_time(&self) -> Duration {
        Duration::from_nanos(self.making_ns.load(Ordering::Relaxed))
    }

    /// Makes the code of a function unless it has some, and returns where to enter it. Once `interrupt`
    /// is other than zero, that ends with [`TrapCode::Interrupted`], and the function is as it was.
    pub(crate) fn ensure(
        &self,
        module: &ModuleInner,
        defined: u32,
        interrupt: Option<&AtomicU64>,
    ) -> Result<*const u32> {
        let entry = &self.entries[defined as usize];
        let supply = module.engine.supply();
        let first = supply.first_code(entry);
        let published = entry.code();
        if published != first {
            return Ok(published);
        }
        let start = Instant::now();
        let mut draft = supply.make(module, defined, interrupt)?;
        let time = start.elapsed();
        let mut functions = self.functions.lock().expect("no panic while locked");
        // Another thread may have been faster.
        if entry.code() == first {
            let passes = draft.take_passes();
            let code = self.put_in_place(module, defined, draft, &mut functions)?;
            let body = module.info.bodies[defined as usize].len();
            self.body_bytes.fetch_add(body, Ordering::Relaxed);
            self.made.fetch_add(1, Ordering::Relaxed);
            if let Some(passes) = passes {
                let mut compilations = self.compilations.lock().expect("no panic while locked");
                compilations.push(Compilation {
                    function: module.info.imported_funcs + defined,
                    time,
                    code_bytes: code.len(),
                    passes,
                });
            }
        }
        drop(functions);
        let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.making_ns.fetch_add(elapsed, Ordering::Relaxed);
        Ok(entry.code())
    }

    /// Publishes code and leads calls of the function to it; answers where it lies.
    fn put_in_place(
        &self,
        module: &ModuleInner,
        defined: u32,
        draft: Box<dyn Draft>,
        functions: &mut Vec<Arc<dyn Code>>,
    ) -> Result<Range<usize>> {
        let range = self.publish(module, draft, functions)?;
        let entry = &self.entries[defined as usize];
        entry.code.store(range.start as *mut u32, Ordering::Release);
        Ok(range)
    }

    /// Code that was entered at this address was replaced: it goes once no call is in it.
    fn retire(&self, module: &ModuleInner, start: usize, functions: &mut Vec<Arc<dyn Code>>) {
        let place = functions
            .iter()
            .position(|code| code.range().start == start);
        if let Some(place) = place {
            let replaced = module.engine.runs().replaced(functions.swap_remove(place));
            self.retired().push(replaced);
        }
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Retired>> {
        self.retired.lock().expect("no panic while locked")
    }

    /// Gives up code that was replaced and that no call can be in any more.
    fn reclaim(&self, supply: &dyn Supply) {
        let mut free: Vec<Arc<dyn Code>> = Vec::new();
        self.retired().retain_mut(|retired| {
            let is_free = retired.is_free();
            if is_free {
                free.push(retired.code.clone());
            }
            !is_free
        });
        let bytes = free.iter().map(|code| code.range().len()).sum();
        self.code_bytes.fetch_sub(bytes, Ordering::Relaxed);
        supply.give_up(&free);
    }

    /// Publishes code; answers where it lies.
    fn publish(
        &self,
        module: &ModuleInner,
        draft: Box<dyn Draft>,
        functions: &mut Vec<Arc<dyn Code>>,
    ) -> Result<Range<usize>> {
        let is_fresh = draft.is_fresh();
        let code = draft.publish(module)?;
        let range = code.range();
        if is_fresh {
            self.fresh_bytes.fetch_add(range.len(), Ordering::Relaxed);
        }
        self.code_bytes.fetch_add(range.len(), Ordering::Relaxed);
        functions.push(code);
        Ok(range)
    }

    /// How many bytes of code were made, not kept before, since this was asked last.
    pub(crate) fn take_fresh_bytes(&self) -> usize {
        self.fresh_bytes.swap(0, Ordering::Relaxed)
    }

    /// The code that calls of functions lead to now, where there is any, by the index among those with a
    /// body.
    pub(crate) fn newest(&self, module: &ModuleInner) -> Vec<Option<Arc<dyn Code>>> {
        let mut newest = vec![None; self.entries.len()];
        for code in &*self.functions.lock().expect("no panic while locked") {
            let defined = (code.func_index() - module.info.imported_funcs) as usize;
            if self.entries[defined].code().addr() == code.range().start {
                newest[defined] = Some(code.clone());
            }
        }
        newest
    }

    /// Makes the code of every function that is asked for, on all cores; of several errors, one is
    /// returned. Once `interrupt` is other than zero, that is [`TrapCode::Interrupted`].
    pub(crate) fn ensure_all(
        &self,
        module: &ModuleInner,
        interrupt: Option<&AtomicU64>,
        which: impl Fn(u32) -> bool + Sync,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let error: Mutex<Option<Error>> = Mutex::new(None);
        let is_interrupted = || interrupt.is_some_and(|cell| cell.load(Ordering::Relaxed) != 0);
        let asked = module.engine.config().validation_threads;
        let threads = parallel::threads(asked, self.entries.len());
        parallel::run(threads, || {
            loop {
                let defined = next.fetch_add(1, Ordering::Relaxed);
                if defined >= self.entries.len() {
                    return;
                }
                let made = if is_interrupted() {
                    Err(TrapCode::Interrupted.into())
                } else if which(defined as u32) {
                    self.ensure(module, defined as u32, interrupt).map(drop)
                } else {
                    Ok(())
                };
                if let Err(e) = made {
                    *error.lock().expect("no panic while locked") = Some(e);
                    next.store(self.entries.len(), Ordering::Relaxed);
                }
            }
        });
        let error = error.into_inner().expect("no panic while locked");
        error.map_or(Ok(()), Err)
    }

    /// Gives up all code: the module is gone.
    pub(crate) fn give_up(&self, supply: &dyn Supply) {
        supply.give_up(&self.functions.lock().expect("no panic while locked"));
        let retired = self
            .retired()
            .drain(..)
            .map(|retired| retired.code)
            .collect::<Vec<_>>();
        supply.give_up(&retired);
    }
}

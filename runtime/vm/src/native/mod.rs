//! Native code: where machine code of the JIT meets the runtime.
//!
//! [`NativeEngine`] holds an engine's code memory, stubs and helper table, and supplies code;
//! [`NativeCalls`] runs it, by [`call`], the way in from the host. A function is compiled on its first
//! call, by [`compile_entry`], which the first code of every entry leads to.

mod code;
mod frame;
mod helpers;
mod interrupt;
mod memory;
mod pages;
mod profile;
mod registers;
mod signal_stack;
mod signals;
mod stub_cache;
mod thread;
mod unwind;

use crate::activation::limits::{NativeRun, StoreLimits};
use crate::activation::{Conclusion, HostReference, Runner};
use crate::code::artifact::Setting;
use crate::code::compiler::Wanted;
use crate::code::{Code, Draft, FuncEntry, Supply};
use crate::engine::{Config, Engine, Tier};
use crate::error::{Error, Kind, Result};
use crate::func::{HostCall, HostFunc};
use crate::module::ModuleInner;
use crate::store::StoreOpaque;
use crate::sys::mmap::page_size;
use crate::sys::{fork, stack};
use crate::vmctx::{FuncRef, VmContext};
use code::{CompiledFunc, KeptFunc, NativeCode};
use core::any::Any;
use core::sync::atomic::AtomicU64;
use frame::Frame;
use memory::CodeMemory;
use profile::Profile;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use stub_cache::Stubs;
use zwasm_core::{FuncType, Outcome, SigId, TrapCode};
use zwasm_jit::contract::Compiled;
use zwasm_jit::contract::feedback::Observed;
use zwasm_jit::contract::midway::Place;
use zwasm_jit::masm::Masm;
use zwasm_jit::opt::PassTimes;
use zwasm_jit::stubs;

#[cfg(target_arch = "x86_64")]
type HostMasm = zwasm_jit::isa::x86_64::X64Masm;
#[cfg(target_arch = "aarch64")]
type HostMasm = zwasm_jit::isa::aarch64::A64Masm;

/// What an engine needs to run native code.
#[derive(Debug)]
pub(crate) struct NativeEngine {
    features: <HostMasm as Masm>::Features,
    memory: Mutex<CodeMemory>,
    entry_stubs: Stubs,
    host_stubs: Stubs,
    compile_stub: usize,
    /// How many units functions may run before they are to have better code; none in tiers with one
    /// kind of code.
    tier_up_units: Option<u32>,
    profile: Option<Profile>,
    table: Box<[usize]>,
    /// What the context register holds while a host function runs.
    host_context: Box<VmContext>,
}

// SAFETY: the raw pointers in `host_context` are null or lead to `table`.
unsafe impl Send for NativeEngine {}
// SAFETY: as above; everything that changes is behind a lock.
unsafe impl Sync for NativeEngine {}

type EntryStub = unsafe extern "C" fn(*mut VmContext, *const FuncEntry, *mut u64) -> Outcome;

/// Where calls of a host function go: the shape of a [`FuncEntry`] with the function behind it.
#[repr(C)]
#[derive(Debug)]
struct HostEntry {
    code: usize,
    _own: usize,
    _cells: usize,
    func: *const HostFunc,
}

// SAFETY: the function is the store's, as the entry is.
unsafe impl Send for HostEntry {}
// SAFETY: as above; nothing changes.
unsafe impl Sync for HostEntry {}

impl NativeEngine {
    pub(crate) fn new(tier: Tier, config: &Config) -> Result<NativeEngine> {
        fork::watch();
        signals::install();
        let mut memory = CodeMemory::default();
        let mut publish = |code: Vec<u8>| memory.publish(&code).map_err(no_code_memory);
        let raise = publish(stubs::raise::<HostMasm>())? as usize;
        let compile_stub = publish(stubs::compile::<HostMasm>())? as usize;
        let ask_tier_up = publish(stubs::ask_tier_up::<HostMasm>())? as usize;
        let first = [
            raise,
            compile_entry as *const () as usize,
            host_call as *const () as usize,
            take_trace as *const () as usize,
        ];
        let table = helpers::table(first, [ask_tier_up, tier_up as *const () as usize]);
        let host_context = Box::new(VmContext {
            limits: core::ptr::null(),
            memory0_base: core::ptr::null_mut(),
            memory0: core::ptr::null_mut(),
            instance: core::ptr::null_mut(),
            helpers: table.as_ptr().cast(),
            entries: core::ptr::null(),
        });
        let features = if config.portable_code {
            <HostMasm as Masm>::Features::default()
        } else {
            host_features()
        };
        Ok(NativeEngine {
            features,
            memory: Mutex::new(memory),
            entry_stubs: Mutex::default(),
            host_stubs: Mutex::default(),
            compile_stub,
            // Fuel is counted by the baseline compiler alone.
            tier_up_units: (tier == Tier::Auto && !config.consume_fuel)
                .then_some(config.tier_up.units),
            profile: config.profiler.map(Profile::open).transpose()?,
            table,
            host_context,
        })
    }

    /// That of an engine of a native tier.
    fn of(engine: &Engine) -> &NativeEngine {
        let supply: &dyn Any = engine.supply();
        supply.downcast_ref().expect("the engine's tier is native")
    }
}

impl Supply for NativeEngine {
    fn own_word(&self) -> usize {
        self.tier_up_units.unwrap_or_default() as usize
    }

    fn first_code(&self, _: &FuncEntry) -> *const u32 {
        self.compile_stub as *const u32
    }

    fn make(
        &self,
        module: &ModuleInner,
        defined: u32,
        interrupt: Option<&AtomicU64>,
    ) -> Result<Box<dyn Draft>> {
        if let Some(kept) = module.kept.as_ref().filter(|kept| kept.has(defined)) {
            match kept.function(defined) {
                Ok(function) => {
                    return Ok(Box::new(KeptFunc {
                        defined,
                        kept: kept.clone(),
                        function,
                    }));
                }
                Err(error) if !module.has_bodies() => return Err(error),
                // It is made once more.
                Err(_) => {}
            }
        }
        let records = module.engine.config().record_compilation;
        let mut passes = records.then(PassTimes::default);
        let times = passes.as_mut();
        let wanted = Wanted::new(module, defined, interrupt);
        let compiled = match self.tier_up_units {
            Some(_) => wanted.baseline::<HostMasm>(self.features, true)?,
            None => wanted.compile::<HostMasm>(self.features, times)?,
        };
        Ok(Box::new(CompiledFunc {
            defined,
            compiled,
            passes,
        }))
    }

    fn improve(
        &self,
        module: &ModuleInner,
        defined: u32,
        place: Place,
        interrupt: Option<&AtomicU64>,
    ) -> Result<Option<Box<dyn Draft>>> {
        if self.tier_up_units.is_none() {
            return Ok(None);
        }
        let wanted = Wanted::new(module, defined, interrupt);
        let observed = Some(&module.code as &dyn Observed);
        let optimised = wanted.optimised::<HostMasm>(self.features, place, observed, None)?;
        Ok(optimised.map(|compiled| -> Box<dyn Draft> {
            Box::new(CompiledFunc {
                defined,
                compiled,
                passes: None,
            })
        }))
    }

    fn setting(&self, engine: &Engine) -> Option<Setting> {
        let config = engine.config();
        // Whatever decides what code is like, and what it takes for granted.
        let sources = [
            zwasm_core::SOURCES,
            zwasm_jit::SOURCES,
            env!("ZWASM_SOURCES"),
        ];
        let words = |it: &dyn core::fmt::Debug| format!("{it:?}").replace(", ", " ");
        Some(Setting::of(&[
            ("version", &env!("CARGO_PKG_VERSION")),
            ("build", &sources.join("-")),
            ("system", &std::env::consts::OS),
            ("instruction set", &std::env::consts::ARCH),
            ("processor", &words(&self.features)),
            ("page", &page_size()),
            ("guard regions", &config.memory_reservation_bytes.is_none()),
            ("fuel", &config.consume_fuel),
            ("proposals", &format!("{:x}", engine.features().bits())),
            ("detours", &words(&config.stress)),
        ]))
    }

    fn compiled(&self, module: &ModuleInner, defined: u32) -> Result<Compiled> {
        Wanted::new(module, defined, None).compile::<HostMasm>(self.features, None)
    }

    fn as_compiled(&self, code: &dyn Code) -> Option<Compiled> {
        let code: &dyn Any = code;
        let code: &NativeCode = code.downcast_ref()?;
        code.compiled(|start, length_bytes| {
            let memory = self.memory.lock().expect("no panic while locked");
            memory.read(start, length_bytes)
        })
    }

    fn give_up(&self, functions: &[Arc<dyn Code>]) {
        self.unpublish(functions);
    }

    fn forget(&self, types: &[SigId]) {
        self.forget_stubs(types);
    }

    #[cfg(target_arch = "x86_64")]
    fn x86_64_features(&self) -> zwasm_jit::isa::x86_64::Features {
        self.features
    }
}

/// The native tiers, as who runs functions.
#[derive(Debug)]
pub(crate) struct NativeCalls;

impl Runner for NativeCalls {
    fn call(&self, store: &mut StoreOpaque, func: &FuncRef, slots: &mut [u64]) -> Result<()> {
        call(store, func, slots)
    }

    fn helpers(&self, engine: &Engine) -> *const u8 {
        NativeEngine::of(engine).table.as_ptr().cast()
    }

    fn host_reference(
        &self,
        engine: &Engine,
        func: &HostFunc,
        ty: &FuncType,
    ) -> Result<HostReference> {
        let native = NativeEngine::of(engine);
        let code = native.stub(&native.host_stubs, func.sig, || stubs::host::<HostMasm>(ty))?;
        let entry = Box::new(HostEntry {
            code,
            _own: 0,
            _cells: 0,
            func: core::ptr::from_ref(func),
        });
        Ok(HostReference {
            entry: (&raw const *entry).cast(),
            context: (&raw const *native.host_context).cast_mut(),
            _keep: Some(entry),
        })
    }

    fn stop(&self, limits: &Arc<StoreLimits>) {
        interrupt::stop(limits);
    }
}

/// What the processor has.
#[cfg(target_arch = "x86_64")]
fn host_features() -> <HostMasm as Masm>::Features {
    use std::arch::is_x86_feature_detected as has;
    zwasm_jit::isa::x86_64::Features {
        lzcnt: has!("lzcnt"),
        bmi1: has!("bmi1"),
        bmi2: has!("bmi2"),
        popcnt: has!("popcnt"),
        // AMD's processors, which alone have SSE4a, take half a dozen.
        fast_shld: !has!("sse4a"),
        sse42: has!("sse4.2"),
        avx: has!("avx"),
        fma: has!("fma") && has!("avx"),
    }
}

/// What the processor has: code for ARM64 needs nothing beyond the architecture's first version.
#[cfg(target_arch = "aarch64")]
fn host_features() -> <HostMasm as Masm>::Features {}

fn no_signal_stack(error: std::io::Error) -> Error {
    Error::resource(format!(
        "the host has no memory for a signal stack: {error}"
    ))
}

fn no_code_memory(error: std::io::Error) -> Error {
    Error::resource(format!("the host has no memory for machine code: {error}"))
}

/// Calls a wasm function with raw arguments in `slots`, where the results end up.
fn call(store: &mut StoreOpaque, func: &FuncRef, slots: &mut [u64]) -> Result<()> {
    let (sig, mut stub) = store.entry_stub;
    if sig != func.sig() || stub == 0 {
        let engine = store.engine();
        let native = NativeEngine::of(engine);
        stub = native.stub(&native.entry_stubs, func.sig(), || {
            stubs::entry::<HostMasm>(&engine.inner().types.get(func.sig()))
        })?;
        store.entry_stub = (func.sig(), stub);
    }
    signal_stack::ensure().map_err(no_signal_stack)?;
    let outer = store.limits.native_run();
    let is_first_here = store.begin_activation(stack::frame_address())?;
    if is_first_here {
        store.limits.runs().begin();
    }
    let guest_limit = store.activations.guest_limit();
    let guest_limit = guest_limit.expect("just begun") as u64;
    let thread = interrupt::current_thread();
    if store.limits.begin_native(guest_limit, thread) {
        if is_first_here {
            end(store, outer);
        }
        return Err(Error::from(TrapCode::Interrupted));
    }
    let entry_frame = store.limits.entry_frame.get();
    let store_pointer = core::ptr::from_mut(store);
    // SAFETY: the stub was made for the function's signature, whose slots the caller brings; the
    // function belongs to this store, so its context and code are live. While code runs it reaches
    // the store through the same pointer.
    let outcome = unsafe {
        let stub = core::mem::transmute::<usize, EntryStub>(stub);
        stub(func.context, func.entry, slots.as_mut_ptr())
    };
    // SAFETY: the run is over.
    let store = unsafe { &mut *store_pointer };
    store.limits.entry_frame.set(entry_frame);
    let conclusion = Conclusion::of(store, outcome, |store| store.activations.take_trace());
    if is_first_here {
        end(store, outer);
    }
    conclusion.give()
}

/// Ends a run on this thread's stack.
fn end(store: &mut StoreOpaque, outer: NativeRun) {
    store.limits.runs().end();
    store.activations.end();
    store.limits.end_native(outer);
}

/// The runtime's compiler, as the compile stub calls it with its frame.
unsafe extern "C" fn compile_entry(
    cx: *mut VmContext,
    entry: *const FuncEntry,
    frame: Frame,
) -> Outcome {
    // SAFETY: the instance is live, and the entry lies in its module's array; the frame is in
    // place, and no borrow of the store is held across the call.
    unsafe {
        let instance = (*cx).instance;
        let module = (*instance).module.inner();
        let defined = module.code.defined(entry);
        let interrupt = &(*(*cx).limits).cells.interrupt;
        let compile = || module.code.ensure(module, defined, Some(interrupt));
        let error = match stack::with_room_for_compiler(compile) {
            Ok(_) => return Outcome::DONE,
            Err(error) => error,
        };
        let store = &mut *(*instance).store;
        frame.record_call(&store.limits);
        let trace = unwind::backtrace(store);
        store.activations.set_trace(trace);
        if error.trap_code() == Some(TrapCode::Interrupted) {
            return Outcome::trap(TrapCode::Interrupted);
        }
        store.activations.fail(error)
    }
}

/// A function's count has run out: it is to have better code. Returns 1 where the call is to go on in other
/// code, which `limits.resume_pc` names, with its state at `limits.resume_stack`; else 0.
unsafe extern "C" fn tier_up(cx: *mut VmContext, word: u64, slots_word: u64, stub: Frame) -> u64 {
    let (entry_offset, place) = Place::from_words(word, slots_word);
    // SAFETY: the instance is live, and the entry lies in its module's array; no borrow of the store is
    // held across the call.
    unsafe {
        let module = &(*(*cx).instance).module;
        let code = &module.inner().code;
        let entry = (*cx).entries.byte_add(entry_offset as usize);
        let interrupt = &(*(*cx).limits).cells.interrupt;
        let Some(code) = code.tier_up(module, code.defined(entry), place, interrupt) else {
            return 0;
        };
        let store = &mut *(*(*cx).instance).store;
        let bottom = stub.caller().pointer().sub(place.slots_below as usize);
        let count = place.slots as usize;
        let slots = core::slice::from_raw_parts(bottom.cast::<u64>().sub(count), count);
        // Nothing else runs in this store until the code has read it.
        let Some(copy) = store.activations.keep_state(slots) else {
            return 0;
        };
        store.limits.resume_pc.set(code as u64);
        store.limits.resume_stack.set(copy as u64);
    }
    1
}

/// Takes the backtrace of a trap while the frames are in place, as the `raise` stub asks.
///
/// A frame that does not fit because of an interruption is one: the handle moves the limit.
unsafe extern "C" fn take_trace(cx: *mut VmContext, outcome: Outcome) -> Outcome {
    let Some(code) = outcome.trap_code() else {
        return outcome;
    };
    // SAFETY: the context is of a live instance, and the frames of its activation are in place.
    let store = unsafe { &mut *(*(*cx).instance).store };
    // SAFETY: as above.
    let trace = unsafe { unwind::backtrace(store) };
    store.activations.set_trace(trace);
    if code == TrapCode::StackOverflow && store.limits.stack_limit_moved() {
        return Outcome::trap(TrapCode::Interrupted);
    }
    outcome
}

/// The runtime's way to host functions, as host stubs call it with their caller's context.
unsafe extern "C" fn host_call(
    cx: *mut VmContext,
    slots: *mut u64,
    entry: *const HostEntry,
    frame: Frame,
) -> Outcome {
    // SAFETY: the stub passes its caller's context, as many slots as the signature needs, its own
    // entry and its frame; no borrow of the store is held across the call.
    unsafe {
        let instance = (*cx).instance;
        let store = (*instance).store;
        let host = &*(*entry).func;
        let call = HostCall {
            store,
            caller: instance,
            slots,
        };
        // What the guest has in registers lies here, or in frames above, if another thread looks.
        let registers = stack::saved_registers();
        core::hint::black_box(&registers);
        let bottom = stack::frame_address();
        let outer_bottom = (*store).activations.set_bottom(bottom);
        // Machine code cannot unwind: a panic waits in the store until the run has ended.
        let result = catch_unwind(AssertUnwindSafe(|| host.call(call)));
        (*store).activations.set_bottom(outer_bottom);
        let limits = &(*store).limits;
        if matches!(result, Ok(Ok(()))) && !limits.is_interrupted() {
            return Outcome::DONE;
        }
        frame.record_call(limits);
        let error = match result {
            // A guest that does little but call the host is hardly ever seen in its own code.
            Ok(Ok(())) => return Outcome::trap(TrapCode::Interrupted),
            Ok(Err(error)) => error,
            Err(panic) => {
                return (*store).activations.panicked(panic);
            }
        };
        // An exception of another store is an error like any other.
        if let Kind::Exception { exn, store: of, .. } = error.kind()
            && *of == (*store).id()
        {
            return unwind::raise_exception(&mut *store, *exn);
        }
        let trace = unwind::backtrace(&*store);
        (*store).activations.set_trace(trace);
        (*store).activations.fail(error)
    }
}

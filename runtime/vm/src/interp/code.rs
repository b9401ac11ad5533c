//! Translated code: who owns it, how a call finds it, and how an address finds its function.

use super::handlers::call::translate_first;
use super::machine::{Handler, Ip};
use super::translate;
use crate::compiler::Compilation;
use crate::module::ModuleInner;
#[cfg(zwasm_native)]
use crate::native::registry::NativeCode;
use crate::parallel;
use crate::vmctx::VmContext;
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::collections::BTreeMap;
#[cfg(zwasm_native)]
use std::sync::Arc;
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};
use zwasm_core::TrapCode;
use zwasm_core::module::ModuleInfo;
#[cfg(zwasm_native)]
use zwasm_jit::opt::PassTimes;

/// Where calls of a function go.
///
/// `code` leads at first to the word behind it, an instruction that translates the function; then
/// to the function's own code.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct FuncEntry {
    code: AtomicPtr<u32>,
    first: Handler,
}

impl FuncEntry {
    /// The instruction to enter the function at.
    #[inline(always)]
    pub(crate) fn code(&self) -> Ip {
        self.code.load(Ordering::Acquire)
    }
}

/// The code of one function.
#[derive(Debug)]
pub(crate) struct FuncCode {
    pub(crate) words: Box<[u32]>,
    pub(crate) func_index: u32,
    /// The module; it owns this code, so the pointer is good while the code is.
    pub(crate) module: *const ModuleInner,
    /// Byte offset of the frame's header slot, which holds the return address.
    pub(crate) header: u32,
    /// (word, offset in the module) of instructions that trap or call, ascending.
    pub(crate) positions: Box<[(u32, u32)]>,
    /// Exception handlers, innermost first.
    pub(crate) catches: Box<[CatchRange]>,
}

// SAFETY: immutable after it was made; the module pointer leads to the owner.
unsafe impl Send for FuncCode {}
// SAFETY: as above.
unsafe impl Sync for FuncCode {}

/// The handlers of one `try_table`.
#[derive(Debug)]
pub(crate) struct CatchRange {
    /// Words that it covers.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) clauses: Box<[CatchClause]>,
}

/// One handler.
#[derive(Debug)]
pub(crate) struct CatchClause {
    /// The tag, or any.
    pub(crate) tag: Option<u32>,
    /// Whether the exception itself follows the payload.
    pub(crate) with_ref: bool,
    /// Where it goes on, in words.
    pub(crate) target: u32,
    /// Byte offset of the slot where the payload goes.
    pub(crate) payload: u32,
}

impl FuncCode {
    /// The offset in the module of the instruction that contains a word.
    pub(crate) fn module_offset(&self, word: u32) -> Option<usize> {
        let after = self.positions.partition_point(|&(at, _)| at <= word);
        Some(self.positions[after.checked_sub(1)?].1 as usize)
    }

    /// The index of the word at an address.
    pub(crate) fn word_of(&self, ip: Ip) -> u32 {
        let bytes = ip.addr() - self.words.as_ptr().addr();
        u32::try_from(bytes / 4).expect("code is shorter than 16 GiB")
    }
}

/// All code of a module.
#[derive(Debug)]
pub(crate) struct ModuleCode {
    entries: Box<[FuncEntry]>,
    /// Boxed, because the registry points at them.
    #[allow(clippy::vec_box, reason = "the addresses must not change")]
    functions: Mutex<Vec<Box<FuncCode>>>,
    /// Machine code, in native tiers.
    #[cfg(zwasm_native)]
    native: Mutex<Vec<Arc<NativeCode>>>,
    code_bytes: AtomicUsize,
    /// Bytes of the bodies that the code was made from.
    body_bytes: AtomicUsize,
    translation_ns: AtomicU64,
    /// What was compiled, where the configuration says so.
    #[cfg(zwasm_native)]
    compilations: Mutex<Vec<Compilation>>,
}

impl ModuleCode {
    pub(crate) fn new(functions: usize) -> ModuleCode {
        let entries: Box<[FuncEntry]> = (0..functions)
            .map(|_| FuncEntry {
                code: AtomicPtr::new(core::ptr::null_mut()),
                first: translate_first,
            })
            .collect();
        for entry in &entries {
            let first = (&raw const entry.first).cast_mut().cast();
            entry.code.store(first, Ordering::Relaxed);
        }
        ModuleCode {
            entries,
            functions: Mutex::default(),
            #[cfg(zwasm_native)]
            native: Mutex::default(),
            code_bytes: AtomicUsize::new(0),
            body_bytes: AtomicUsize::new(0),
            translation_ns: AtomicU64::new(0),
            #[cfg(zwasm_native)]
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

    /// The number of translated functions, the bytes of their bodies and those of their code.
    pub(crate) fn stats(&self) -> [usize; 3] {
        let functions = self.functions.lock().expect("no panic while locked").len();
        #[cfg(zwasm_native)]
        let functions = functions + self.native.lock().expect("no panic while locked").len();
        let [bodies, code] = [&self.body_bytes, &self.code_bytes];
        [
            functions,
            bodies.load(Ordering::Relaxed),
            code.load(Ordering::Relaxed),
        ]
    }

    /// What was compiled to machine code, where the configuration has it recorded.
    pub(crate) fn compilations(&self) -> Vec<Compilation> {
        #[cfg(zwasm_native)]
        return self
            .compilations
            .lock()
            .expect("no panic while locked")
            .clone();
        #[cfg(not(zwasm_native))]
        Vec::new()
    }

    /// Time spent translating.
    pub(crate) fn compile_time(&self) -> Duration {
        Duration::from_nanos(self.translation_ns.load(Ordering::Relaxed))
    }

    /// Translates a function unless another thread was faster, and returns its code.
    fn translate(&self, module: &ModuleInner, defined: u32) -> Ip {
        let mut functions = self.functions.lock().expect("no panic while locked");
        let entry = &self.entries[defined as usize];
        let first = (&raw const entry.first).cast();
        let published = entry.code();
        if published != first {
            return published;
        }
        let start = Instant::now();
        let code = Box::new(translate::translate(module, defined));
        let ip = code.words.as_ptr();
        module.engine.inner().code.register(&code);
        self.count_bytes(module, defined, size_of_val(&*code.words));
        functions.push(code);
        entry.code.store(ip.cast_mut(), Ordering::Release);
        self.count_time(start);
        ip
    }

    /// Makes every function begin with this code.
    #[cfg(zwasm_native)]
    pub(crate) fn start_with(&self, first: Ip) {
        for entry in &self.entries {
            entry.code.store(first.cast_mut(), Ordering::Relaxed);
        }
    }

    /// Compiles a function to machine code unless another thread was faster. Once `interrupt` is other
    /// than zero, it ends with [`TrapCode::Interrupted`], and the function is as it was.
    #[cfg(zwasm_native)]
    pub(crate) fn compile_native(
        &self,
        module: &ModuleInner,
        defined: u32,
        interrupt: Option<&AtomicU64>,
    ) -> crate::Result<()> {
        let entry = &self.entries[defined as usize];
        let engine = module.engine.native().expect("only native tiers compile");
        let is_new = || entry.code() == engine.compile_stub();
        if !is_new() {
            return Ok(());
        }
        let start = Instant::now();
        let records = module.engine.config().record_compilation;
        let mut passes = records.then(PassTimes::default);
        let compiled = crate::compiler::compile::<crate::native::Isa>(
            module,
            engine.features,
            defined,
            false,
            passes.as_mut(),
            interrupt,
        )?;
        let time = start.elapsed();
        let mut functions = self.native.lock().expect("no panic while locked");
        if is_new() {
            let code = crate::native::publish(module, defined, compiled)?;
            self.count_bytes(module, defined, code.length_bytes);
            entry.code.store(code.start as *mut u32, Ordering::Release);
            if let Some(passes) = passes {
                let compilation = Compilation {
                    function: code.func_index,
                    time,
                    code_bytes: code.length_bytes,
                    passes,
                };
                let mut compilations = self.compilations.lock().expect("no panic while locked");
                compilations.push(compilation);
            }
            functions.push(code);
        }
        self.count_time(start);
        Ok(())
    }

    /// Makes the code of every function, on all cores; of several errors, one is returned. Once
    /// `interrupt` is other than zero, that is [`TrapCode::Interrupted`].
    pub(crate) fn compile_all(
        &self,
        module: &ModuleInner,
        interrupt: Option<&AtomicU64>,
    ) -> crate::Result<()> {
        let next = AtomicUsize::new(0);
        let error: Mutex<Option<crate::Error>> = Mutex::new(None);
        let threads = parallel::threads(module.engine.config().validation_threads);
        parallel::run(threads.min(self.entries.len()).max(1), || {
            loop {
                let defined = next.fetch_add(1, Ordering::Relaxed);
                if defined >= self.entries.len() {
                    return;
                }
                if let Err(e) = self.compile_one(module, defined as u32, interrupt) {
                    *error.lock().expect("no panic while locked") = Some(e);
                    next.store(self.entries.len(), Ordering::Relaxed);
                }
            }
        });
        let error = error.into_inner().expect("no panic while locked");
        error.map_or(Ok(()), Err)
    }

    fn compile_one(
        &self,
        module: &ModuleInner,
        defined: u32,
        interrupt: Option<&AtomicU64>,
    ) -> crate::Result<()> {
        if interrupt.is_some_and(|cell| cell.load(Ordering::Relaxed) != 0) {
            return Err(TrapCode::Interrupted.into());
        }
        #[cfg(zwasm_native)]
        if module.engine.native().is_some() {
            return self.compile_native(module, defined, interrupt);
        }
        self.translate(module, defined);
        Ok(())
    }

    fn count_bytes(&self, module: &ModuleInner, defined: u32, code: usize) {
        let body = module.info.bodies[defined as usize].len();
        self.body_bytes.fetch_add(body, Ordering::Relaxed);
        self.code_bytes.fetch_add(code, Ordering::Relaxed);
    }

    fn count_time(&self, start: Instant) {
        let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.translation_ns.fetch_add(elapsed, Ordering::Relaxed);
    }

    pub(crate) fn unregister(&self, registry: &CodeRegistry) {
        for code in self.functions.lock().expect("no panic while locked").iter() {
            registry.unregister(code);
        }
        #[cfg(zwasm_native)]
        for code in self.native.lock().expect("no panic while locked").iter() {
            crate::native::registry::unregister(code.start);
        }
    }
}

/// Translates the function whose entry's own instruction is at `ip`.
///
/// # Safety
/// `cx` is the context of an instance of the entry's module.
#[inline(never)]
pub(crate) unsafe extern "C" fn translate_entry(cx: *mut VmContext, ip: Ip) -> Ip {
    // SAFETY: the instance is live, and the entry lies in its module's array.
    unsafe {
        let module = (*(*cx).instance).module.inner();
        let entry = ip
            .byte_sub(core::mem::offset_of!(FuncEntry, first))
            .cast::<FuncEntry>();
        let defined = entry.offset_from((*cx).entries);
        let defined = u32::try_from(defined).expect("the entry lies in the array");
        module.code.translate(module, defined)
    }
}

/// Finds functions by code address, for backtraces and unwinding.
#[derive(Debug, Default)]
pub(crate) struct CodeRegistry {
    by_start: RwLock<BTreeMap<usize, CodePointer>>,
}

#[derive(Clone, Copy, Debug)]
struct CodePointer(*const FuncCode);
// SAFETY: the pointee is `Sync`.
unsafe impl Send for CodePointer {}
// SAFETY: as above.
unsafe impl Sync for CodePointer {}

impl CodeRegistry {
    fn register(&self, code: &FuncCode) {
        let mut map = self.by_start.write().expect("no panic while locked");
        map.insert(
            code.words.as_ptr().addr(),
            CodePointer(core::ptr::from_ref(code)),
        );
    }

    fn unregister(&self, code: &FuncCode) {
        let mut map = self.by_start.write().expect("no panic while locked");
        map.remove(&code.words.as_ptr().addr());
    }

    /// The function whose code contains the address.
    pub(crate) fn find(&self, ip: Ip) -> Option<*const FuncCode> {
        let map = self.by_start.read().expect("no panic while locked");
        let (_, &CodePointer(code)) = map.range(..=ip.addr()).next_back()?;
        // SAFETY: registered code is unregistered before it is dropped.
        let words = unsafe { &(*code).words };
        (ip.addr() < words.as_ptr().addr() + size_of_val(&**words)).then_some(code)
    }
}

/// The index space that a defined function's index belongs to.
pub(crate) fn func_index(info: &ModuleInfo, defined: u32) -> u32 {
    info.imported_funcs + defined
}

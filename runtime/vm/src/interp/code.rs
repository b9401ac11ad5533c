//! Translated code, and the interpreter as who makes it.

use super::handlers::call::translate_first;
use super::machine::Ip;
use super::translate;
use crate::code::registry::Registry;
use crate::code::{Code, Draft, FuncEntry, Supply};
use crate::error::Result;
use crate::module::ModuleInner;
use crate::sys::stack;
use crate::vmctx::VmContext;
use core::ops::Range;
use core::sync::atomic::AtomicU64;
use std::sync::Arc;

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

impl Code for FuncCode {
    fn func_index(&self) -> u32 {
        self.func_index
    }

    fn range(&self) -> Range<usize> {
        let start = self.words.as_ptr().addr();
        start..start + size_of_val(&*self.words)
    }
}

static REGISTRY: Registry<FuncCode> = Registry::new();

/// The code that contains an instruction.
pub(super) fn find(ip: Ip) -> Option<Arc<FuncCode>> {
    REGISTRY.find(ip.addr())
}

impl Draft for FuncCode {
    fn publish(self: Box<Self>, _: &ModuleInner) -> Result<Arc<dyn Code>> {
        let code = Arc::new(*self);
        REGISTRY.register(code.clone());
        Ok(code)
    }
}

/// The interpreter, as who supplies code.
#[derive(Debug)]
pub(crate) struct Translations;

impl Supply for Translations {
    /// An instruction that translates the function.
    fn own_word(&self) -> usize {
        translate_first as *const () as usize
    }

    fn first_code(&self, entry: &FuncEntry) -> Ip {
        entry.own().cast()
    }

    fn make(
        &self,
        module: &ModuleInner,
        defined: u32,
        _: Option<&AtomicU64>,
    ) -> Result<Box<dyn Draft>> {
        Ok(Box::new(translate::translate(module, defined)))
    }

    fn give_up(&self, functions: &[Arc<dyn Code>]) {
        let starts = functions.iter().map(|code| code.range().start);
        starts.for_each(|start| REGISTRY.unregister(start));
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
        let defined = module.code.defined(FuncEntry::of_own(ip.cast()));
        let made = stack::with_room_for_compiler(|| module.code.ensure(module, defined, None));
        made.expect("translation has no limits")
    }
}

//! The VM context as a Rust type: the `repr(C)` twin of `zwasm_core::vmctx`, and its allocation.
//!
//! The layout test at the end is what keeps the two in step; machine code only knows the offsets.

use crate::activation::limits::StoreLimits;
use crate::code::FuncEntry;
use crate::func::HostFunc;
use crate::instance::InstanceData;
use crate::memory::MemoryInst;
use crate::table::TableInst;
use crate::tag::TagInst;
use core::ops::Range;
use core::ptr::NonNull;
use std::alloc::Layout;
use zwasm_core::vmctx::VmOffsets;
use zwasm_core::{SigId, TrapCode};

/// The header of an instance's context; arrays follow it, see [`VmOffsets`].
#[repr(C)]
#[derive(Debug)]
pub(crate) struct VmContext {
    pub(crate) limits: *const StoreLimits,
    pub(crate) memory0_base: *mut u8,
    pub(crate) memory0: *mut MemoryDef,
    pub(crate) instance: *mut InstanceData,
    pub(crate) helpers: *const u8,
    pub(crate) entries: *const FuncEntry,
}

/// A linear memory as running code sees it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct MemoryDef {
    pub(crate) base: *mut u8,
    pub(crate) length_bytes: usize,
}

impl MemoryDef {
    /// A range of it, in bytes.
    ///
    /// # Errors
    /// [`TrapCode::MemoryOutOfBounds`].
    pub(crate) fn range(&self, start: u64, count: u64) -> Result<Range<usize>, TrapCode> {
        let length = self.length_bytes as u64;
        checked_range(start, count, length).ok_or(TrapCode::MemoryOutOfBounds)
    }
}

/// A table as running code sees it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct TableDef {
    pub(crate) base: *mut u64,
    pub(crate) length: u64,
}

impl TableDef {
    /// A range of its elements.
    ///
    /// # Errors
    /// [`TrapCode::TableOutOfBounds`].
    pub(crate) fn range(&self, start: u64, count: u64) -> Result<Range<usize>, TrapCode> {
        checked_range(start, count, self.length).ok_or(TrapCode::TableOutOfBounds)
    }
}

/// `start..start + count`, when it lies within `available`.
pub(crate) fn checked_range(start: u64, count: u64, available: u64) -> Option<Range<usize>> {
    let end = start.checked_add(count)?;
    if end > available {
        return None;
    }
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

/// What a `funcref` value points to.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct FuncRef {
    pub(crate) entry: *const FuncEntry,
    pub(crate) context: *mut VmContext,
    pub(crate) signature: u64,
    pub(crate) host: *const HostFunc,
}

impl FuncRef {
    pub(crate) fn sig(&self) -> SigId {
        SigId::from_bits(self.signature)
    }
}

impl VmContext {
    /// The address `offset` bytes into the context.
    ///
    /// # Safety
    /// `this` is a context whose layout contains a `T` at `offset`.
    #[inline(always)]
    pub(crate) unsafe fn at<T>(this: *mut VmContext, offset: u32) -> *mut T {
        // SAFETY: in bounds of the allocation by the caller's word.
        unsafe { this.byte_add(offset as usize).cast() }
    }

    /// The definition of memory `index`.
    ///
    /// # Safety
    /// `this` is live and its module has that memory.
    #[inline(always)]
    pub(crate) unsafe fn memory(this: *mut VmContext, offset: u32) -> *mut MemoryDef {
        // SAFETY: forwarded.
        unsafe { *VmContext::at::<*mut MemoryDef>(this, offset) }
    }
}

/// An owned context allocation, zeroed at first.
#[derive(Debug)]
pub(crate) struct VmContextBox {
    pointer: NonNull<VmContext>,
    layout: Layout,
}

impl VmContextBox {
    /// Allocates a zeroed context with room for the arrays.
    pub(crate) fn new(offsets: &VmOffsets) -> VmContextBox {
        let layout = Layout::from_size_align(offsets.size as usize, 16).expect("size fits u32");
        // SAFETY: the layout has a non-zero size: the header is part of it.
        let raw = unsafe { std::alloc::alloc_zeroed(layout) };
        let Some(pointer) = NonNull::new(raw.cast()) else {
            std::alloc::handle_alloc_error(layout)
        };
        VmContextBox { pointer, layout }
    }

    pub(crate) fn as_ptr(&self) -> *mut VmContext {
        self.pointer.as_ptr()
    }
}

impl Drop for VmContextBox {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout.
        unsafe { std::alloc::dealloc(self.pointer.as_ptr().cast(), self.layout) }
    }
}

// The records that arrays of the context point to begin with the part that running code sees.
const _: () = assert!(core::mem::offset_of!(MemoryInst, def) == 0);
const _: () = assert!(core::mem::offset_of!(TableInst, def) == 0);
const _: () = assert!(core::mem::align_of::<TagInst>() >= 8);

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::{offset_of, size_of};
    use zwasm_core::vmctx;

    macro_rules! check {
        ($ty:ty, $module:ident, [$($field:ident),*]) => {
            $(assert_eq!(offset_of!($ty, $field) as u32, vmctx::$module::offset::$field, stringify!($ty.$field));)*
            assert_eq!([$(stringify!($field)),*], vmctx::$module::FIELDS, stringify!($ty));
        };
    }

    #[test]
    fn layout_matches_the_contract() {
        check!(
            VmContext,
            context,
            [limits, memory0_base, memory0, instance, helpers, entries]
        );
        check!(MemoryDef, memory, [base, length_bytes]);
        check!(TableDef, table, [base, length]);
        check!(FuncRef, func_ref, [entry, context, signature, host]);
        check!(
            StoreLimits,
            limits,
            [
                interrupt,
                fuel,
                stack_limit,
                trap_pc,
                trap_fp,
                stack_top,
                native_stack_limit,
                entry_frame,
                resume_pc,
                resume_frame,
                resume_stack
            ]
        );
        assert_eq!(size_of::<VmContext>() as u32, vmctx::context::SIZE);
        assert_eq!(size_of::<FuncRef>() as u32, vmctx::func_ref::SIZE);
    }
}

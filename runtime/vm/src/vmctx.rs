//! The VM context as a Rust type, what it points to, and its allocation.

use crate::activation::limits::StoreLimits;
use crate::code::FuncEntry;
use crate::func::HostFunc;
use crate::instance::InstanceData;
use crate::layout::declare;
use crate::memory::MemoryInst;
use crate::table::TableInst;
use crate::tag::TagInst;
use core::ops::Range;
use core::ptr::NonNull;
use std::alloc::Layout;
use zwasm_core::vmctx::VmOffsets;
use zwasm_core::{SigId, TrapCode};

zwasm_core::vm_layout!(context, declare);
zwasm_core::vm_layout!(memory, declare);
zwasm_core::vm_layout!(table, declare);
zwasm_core::vm_layout!(func_ref, declare);

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

//! The layout of the VM context: what machine code and interpreter handlers reach from one pointer.
//!
//! Every structure is written once, in [`vm_layout`](crate::vm_layout). From a row come the offset
//! that compilers use, here, and the field of the runtime's `repr(C)` structure, which the same list
//! declares there, and which is checked against the offset when it is compiled. All fields are 8 bytes
//! wide, so the layout is the same on both 64-bit ISAs.
//!
//! An instance's context is one allocation: the fixed [`context`] header, then arrays whose sizes
//! depend on the module; [`VmOffsets`] computes where each starts.
//!
//! Invariant: the base of memory 0 never moves while its instance lives.

/// The structures that running code shares with the runtime: gives one of them to a macro, as
/// documented rows of `field: type`. The types are the runtime's.
#[macro_export]
macro_rules! vm_layout {
    // The fixed header of an instance's VM context.
    (context, $m:ident) => {
        $m! {
            context VmContext {
                /// State of the store.
                limits: *const StoreLimits,
                /// Base address of memory 0 (dangling when there is none).
                memory0_base: *mut u8,
                /// Memory 0, null when there is none.
                memory0: *mut MemoryDef,
                /// The runtime's own record.
                instance: *mut InstanceData,
                /// The array of host helpers, for machine code.
                helpers: *const u8,
                /// The array of the module's function entries.
                entries: *const FuncEntry,
            }
        }
    };
    // State of a store that running code polls, and what it leaves there for the runtime.
    (limits, $m:ident) => {
        $m! {
            limits LimitCells {
                /// Non-zero when another thread wants the guest to stop.
                interrupt: AtomicU64,
                /// Fuel left; traps when negative.
                fuel: Cell<i64>,
                /// End of the interpreter's value stack.
                stack_limit: Cell<u64>,
                /// Where the last trap happened: interpreter instruction or machine code address.
                trap_pc: Cell<u64>,
                /// The frame of the last trap.
                trap_fp: Cell<u64>,
                /// First free slot of the interpreter's value stack, kept across host calls.
                stack_top: Cell<u64>,
                /// Native code: the lowest stack address a frame may reach; above all addresses when
                /// another thread wants the guest to stop.
                native_stack_limit: AtomicU64,
                /// Native code: the frame of the innermost entry from the host.
                entry_frame: Cell<u64>,
                /// Native code: where a caught exception goes on.
                resume_pc: Cell<u64>,
                /// Its frame pointer.
                resume_frame: Cell<u64>,
                /// Its stack pointer.
                resume_stack: Cell<u64>,
            }
        }
    };
    // A linear memory as running code sees it.
    (memory, $m:ident) => {
        $m! {
            memory MemoryDef {
                /// Base address.
                base: *mut u8,
                /// Current size in bytes.
                length_bytes: usize,
            }
        }
    };
    // A table as running code sees it.
    (table, $m:ident) => {
        $m! {
            table TableDef {
                /// Address of the first 8-byte element.
                base: *mut u64,
                /// Current number of elements.
                length: u64,
            }
        }
    };
    // A function reference: what a `funcref` value points to.
    (func_ref, $m:ident) => {
        $m! {
            func_ref FuncRef {
                /// A function entry of the callee's module; of the host, where machine code enters, null
                /// for the interpreter.
                entry: *const FuncEntry,
                /// VM context of the callee; the engine's or null for the host.
                context: *mut VmContext,
                /// Canonical signature number, in the low 32 bits.
                signature: u64,
                /// Of host functions, else null.
                host: *const HostFunc,
            }
        }
    };
    // Where calls of a function go.
    (func_entry, $m:ident) => {
        $m! {
            func_entry FuncEntry {
                /// The code.
                code: AtomicPtr<u32>,
                /// What the tier keeps beside the code's address: the interpreter an instruction, tiers
                /// that replace code how many units are left until then, as a signed number.
                own: AtomicUsize,
                /// Where the code counts, if it does.
                cells: AtomicPtr<u32>,
            }
        }
    };
}

/// Offsets of a structure, as a module.
macro_rules! offsets {
    ($module:ident $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty,)* }) => {
        #[doc = concat!("Of the runtime's `", stringify!($name), "`.")]
        #[allow(non_upper_case_globals, missing_docs, reason = "the names are the fields' own")]
        pub mod $module {
            #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "an index per field")]
            enum Index { $($field,)* count }
            /// Offsets in bytes.
            pub mod offset {
                $($(#[$doc])* pub const $field: u32 = super::Index::$field as u32 * 8;)*
            }
            /// The size in bytes.
            pub const SIZE: u32 = Index::count as u32 * 8;
        }
    };
}

vm_layout!(context, offsets);
vm_layout!(limits, offsets);
vm_layout!(memory, offsets);
vm_layout!(table, offsets);
vm_layout!(func_ref, offsets);
vm_layout!(func_entry, offsets);

/// Where the variable-sized arrays of an instance's VM context start, in bytes from its base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmOffsets {
    /// `*mut MemoryDef` per memory.
    pub memories: u32,
    /// `*mut TableDef` per table.
    pub tables: u32,
    /// `*mut FuncRef` per imported function.
    pub imported_funcs: u32,
    /// Address of the value, per imported global.
    pub imported_globals: u32,
    /// `*mut TagDef` per tag.
    pub tags: u32,
    /// A `FuncRef` per function of the module that escapes (exported, or `ref.func`).
    pub func_refs: u32,
    /// A 16-byte value per global the module defines, 16-byte aligned.
    pub globals: u32,
    /// The canonical number of a signature per type that indirect calls name, in the low 32 bits. Behind
    /// all else, which code names more often: short offsets reach that.
    pub called_types: u32,
    /// Total size.
    pub size: u32,
}

/// How many of each thing an instance's VM context holds.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "counts named after the arrays of `VmOffsets`")]
pub struct VmCounts {
    pub memories: u32,
    pub tables: u32,
    pub imported_funcs: u32,
    pub imported_globals: u32,
    pub tags: u32,
    pub called_types: u32,
    pub func_refs: u32,
    pub globals: u32,
}

impl VmOffsets {
    /// Lays the arrays out behind the header.
    #[must_use]
    pub fn new(counts: &VmCounts) -> VmOffsets {
        let mut next = context::SIZE;
        let mut array = |count: u32, size_bytes: u32| {
            let start = next;
            next += count * size_bytes;
            start
        };
        let memories = array(counts.memories, 8);
        let tables = array(counts.tables, 8);
        let imported_funcs = array(counts.imported_funcs, 8);
        let imported_globals = array(counts.imported_globals, 8);
        let tags = array(counts.tags, 8);
        let func_refs = array(counts.func_refs, func_ref::SIZE);
        let globals = next.next_multiple_of(16);
        let called_types = globals + counts.globals * 16;
        let size = called_types + counts.called_types * 8;
        VmOffsets {
            memories,
            tables,
            imported_funcs,
            imported_globals,
            tags,
            func_refs,
            globals,
            called_types,
            size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_do_not_overlap_and_globals_are_aligned() {
        let offsets = VmOffsets::new(&VmCounts {
            memories: 1,
            tables: 2,
            imported_funcs: 3,
            imported_globals: 1,
            tags: 1,
            called_types: 3,
            func_refs: 5,
            globals: 2,
        });
        assert_eq!(offsets.memories, context::SIZE);
        assert_eq!(offsets.tables, offsets.memories + 8);
        assert_eq!(offsets.func_refs, offsets.tags + 8);
        assert_eq!(offsets.globals % 16, 0);
        assert!(offsets.globals >= offsets.func_refs + 5 * func_ref::SIZE);
        assert_eq!(offsets.called_types, offsets.globals + 32);
        assert_eq!(offsets.size, offsets.called_types + 24);
    }
}

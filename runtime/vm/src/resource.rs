//! Limits that the embedder sets on what a store may hold.

/// Decides what may be made in a store, and whether it may grow.
///
/// A panic of the limiter reaches whoever called the guest, or asked for the growth. Nothing has
/// grown then, and the store and its limiter can be used afterwards.
pub trait ResourceLimiter {
    /// Whether a memory may go from `current` to `desired` bytes (`maximum`: as declared).
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool;

    /// Whether a table may go from `current` to `desired` elements (`maximum`: as declared).
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool;

    /// Whether all exceptions that guests have thrown, and that are still there, may go from
    /// `current` to `desired` bytes. Where this, or [`ResourceLimiter::total_bytes`], refuses one,
    /// unreachable ones are collected first; if that does not help, the guest ends with
    /// [`TrapCode::ResourceLimit`](crate::TrapCode::ResourceLimit).
    fn exceptions_growing(&mut self, _current: usize, _desired: usize) -> bool {
        true
    }

    /// How many bytes all memories, tables (8 bytes per element) and exceptions of the store may
    /// take together.
    fn total_bytes(&self) -> usize {
        usize::MAX
    }

    /// How many instances may be made in the store.
    fn instances(&self) -> usize {
        DEFAULT_COUNT
    }

    /// How many tables may be made in the store.
    fn tables(&self) -> usize {
        DEFAULT_COUNT
    }

    /// How many memories may be made in the store.
    fn memories(&self) -> usize {
        DEFAULT_COUNT
    }
}

/// How many instances, tables and memories a limiter allows that does not say.
const DEFAULT_COUNT: usize = 10_000;

/// A [`ResourceLimiter`] of fixed bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    memory_bytes: usize,
    table_elements: usize,
    exception_bytes: usize,
    total_bytes: usize,
    instances: usize,
    tables: usize,
    memories: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new()
    }
}

macro_rules! bounds {
    ($($(#[$doc:meta])* $method:ident $field:ident;)*) => {
        impl Limits {
            /// No bounds.
            #[must_use]
            pub const fn new() -> Limits {
                Limits { $($field: usize::MAX,)* }
            }

            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $method(mut self, bound: usize) -> Limits {
                    self.$field = bound;
                    self
                }
            )*
        }
    };
}
bounds! {
    /// No memory may be larger than this many bytes.
    max_memory_bytes memory_bytes;
    /// No table may have more elements than this.
    max_table_elements table_elements;
    /// Exceptions may not take more bytes than this.
    max_exception_bytes exception_bytes;
    /// Memories, tables (8 bytes per element) and exceptions may not take more bytes than this
    /// together.
    max_total_bytes total_bytes;
    /// No more instances than this may be made.
    max_instances instances;
    /// No more tables than this may be made.
    max_tables tables;
    /// No more memories than this may be made.
    max_memories memories;
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> bool {
        desired <= self.memory_bytes
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> bool {
        desired <= self.table_elements
    }

    fn exceptions_growing(&mut self, _: usize, desired: usize) -> bool {
        desired <= self.exception_bytes
    }

    fn total_bytes(&self) -> usize {
        self.total_bytes
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

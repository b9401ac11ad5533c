//! Limits that the embedder sets on what a store may hold.

/// Decides whether memories and tables may be made or grow.
pub trait ResourceLimiter {
    /// Whether a memory may go from `current` to `desired` bytes (`maximum`: as declared).
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool;

    /// Whether a table may go from `current` to `desired` elements (`maximum`: as declared).
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool;
}

/// A [`ResourceLimiter`] of fixed bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    max_memory_bytes: Option<usize>,
    max_table_elements: Option<usize>,
}

impl Limits {
    /// No bounds.
    #[must_use]
    pub fn new() -> Limits {
        Limits::default()
    }

    /// No memory may be larger than this many bytes.
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: usize) -> Limits {
        self.max_memory_bytes = Some(bytes);
        self
    }

    /// No table may have more elements than this.
    #[must_use]
    pub fn max_table_elements(mut self, elements: usize) -> Limits {
        self.max_table_elements = Some(elements);
        self
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> bool {
        self.max_memory_bytes.is_none_or(|limit| desired <= limit)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> bool {
        self.max_table_elements.is_none_or(|limit| desired <= limit)
    }
}

//! Wasm backtraces: function names and module offsets, innermost frame first.

use core::fmt;
use std::sync::Arc;
use zwasm_core::Printable;

/// How many frames a backtrace keeps from each end of a deep stack.
const KEPT: usize = 32;

/// Names of a module's functions. Most backtraces are of guests that end as they should, and are never
/// looked at: names are read when somebody does.
pub(crate) trait Names: Send + Sync {
    /// That of a function, by its index among all.
    fn function(&self, index: u32) -> Option<&str>;
}

/// One wasm frame.
#[derive(Clone)]
pub struct Frame {
    pub(crate) func_index: u32,
    pub(crate) names: Arc<dyn Names>,
    pub(crate) module_offset: Option<usize>,
}

impl PartialEq for Frame {
    fn eq(&self, other: &Frame) -> bool {
        let place = |frame: &Frame| (frame.func_index, frame.module_offset);
        place(self) == place(other) && self.name() == other.name()
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("func_index", &self.func_index)
            .field("name", &self.name())
            .field("module_offset", &self.module_offset)
            .finish()
    }
}

impl Frame {
    /// The function's index in its module.
    #[must_use]
    pub fn func_index(&self) -> u32 {
        self.func_index
    }

    /// The function's name in the module's name section, as it stands there: print it by
    /// [`Printable`].
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.names.function(self.func_index)
    }

    /// The offset of the instruction in the module's bytes.
    #[must_use]
    pub fn module_offset(&self) -> Option<usize> {
        self.module_offset
    }
}

/// The wasm frames of a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasmBacktrace {
    frames: Vec<Frame>,
    /// Frames left out after the first [`KEPT`].
    omitted: usize,
}

impl WasmBacktrace {
    /// The frames, innermost first. A deep stack is cut after its innermost frames.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The number of frames that were cut.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    pub(crate) fn is_full(&self) -> bool {
        self.frames.len() >= KEPT
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        if self.is_full() {
            self.omitted += 1
        } else {
            self.frames.push(frame)
        }
    }

    pub(crate) fn omit_one(&mut self) {
        self.omitted += 1;
    }

    /// Appends the frames of the activation that called the one these frames are of.
    pub(crate) fn extend_outwards(&mut self, outer: WasmBacktrace) {
        for frame in outer.frames {
            self.push(frame);
        }
        self.omitted += outer.omitted;
    }
}

impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames.is_empty() {
            return Ok(());
        }
        f.write_str("\nwasm backtrace:")?;
        for (i, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {i:>3}: ")?;
            if let Some(offset) = frame.module_offset {
                write!(f, "{offset:#8x} - ")?;
            }
            match frame.name() {
                Some(name) => write!(f, "{}", Printable::name(name))?,
                None => write!(f, "<function {}>", frame.func_index)?,
            }
        }
        if self.omitted > 0 {
            write!(f, "\n  ... {} more frames", self.omitted)?;
        }
        Ok(())
    }
}

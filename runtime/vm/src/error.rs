//! What can go wrong, in one type that tells a bad module, a guest fault, a host error and a
//! mistake of the embedder apart.
//!
//! Messages hold names of modules and of the host. They are kept as they are and escaped when they
//! are displayed: see [`Printable`].

use crate::backtrace::WasmBacktrace;
use crate::handle::StoreId;
use core::fmt;
use std::error::Error as StdError;
use std::sync::Arc;
use zwasm_core::{Printable, TrapCode};

/// A `Result` with zwasm's [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// An error of the runtime.
pub struct Error(Box<Kind>);

#[derive(Debug)]
pub(crate) enum Kind {
    Trap(Trap),
    Module {
        message: String,
        offset: usize,
    },
    Unsupported(String),
    Text(String),
    Link(String),
    Resource(String),
    Usage(String),
    Exception {
        exn: u64,
        /// The store it belongs to: elsewhere its number means nothing.
        store: StoreId,
        _hold: Hold,
        backtrace: WasmBacktrace,
    },
    Host {
        error: Box<dyn StdError + Send + Sync>,
        backtrace: WasmBacktrace,
    },
}

/// A guest fault: why, and where.
#[derive(Clone, Debug)]
pub struct Trap {
    code: TrapCode,
    backtrace: WasmBacktrace,
}

impl Trap {
    /// Why the guest was stopped.
    #[must_use]
    pub fn code(&self) -> TrapCode {
        self.code
    }

    /// The wasm frames at the fault, innermost first.
    #[must_use]
    pub fn backtrace(&self) -> &WasmBacktrace {
        &self.backtrace
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm trap: {}{}", self.code, self.backtrace)
    }
}

impl StdError for Trap {}

impl From<TrapCode> for Error {
    /// A trap raised by a host function.
    fn from(code: TrapCode) -> Error {
        Error::trap(code, WasmBacktrace::default())
    }
}

/// Keeps an exception from being collected.
#[derive(Debug)]
pub(crate) struct Hold(#[allow(dead_code, reason = "only its being alive counts")] Arc<()>);

impl Hold {
    /// For as long as this token lives.
    pub(crate) fn new(token: Arc<()>) -> Hold {
        Hold(token)
    }
}

impl Error {
    fn new(kind: Kind) -> Error {
        Error(Box::new(kind))
    }

    /// Wraps an error of a host function, so that it passes through the guest to the embedder,
    /// who finds it again with [`Error::downcast_ref`].
    pub fn host(error: impl StdError + Send + Sync + 'static) -> Error {
        Error::new(Kind::Host {
            error: Box::new(error),
            backtrace: WasmBacktrace::default(),
        })
    }

    /// A host error that is only a message.
    pub fn message(message: impl Into<String>) -> Error {
        Error::new(Kind::Host {
            error: message.into().into(),
            backtrace: WasmBacktrace::default(),
        })
    }

    pub(crate) fn trap(code: TrapCode, backtrace: WasmBacktrace) -> Error {
        Error::new(Kind::Trap(Trap { code, backtrace }))
    }

    pub(crate) fn module(message: impl Into<String>, offset: usize) -> Error {
        Error::new(Kind::Module {
            message: message.into(),
            offset,
        })
    }

    pub(crate) fn unsupported(feature: impl Into<String>) -> Error {
        Error::new(Kind::Unsupported(feature.into()))
    }

    #[cfg(feature = "wat")]
    pub(crate) fn text(message: impl Into<String>) -> Error {
        Error::new(Kind::Text(message.into()))
    }

    pub(crate) fn link(message: impl Into<String>) -> Error {
        Error::new(Kind::Link(message.into()))
    }

    pub(crate) fn resource(message: impl Into<String>) -> Error {
        Error::new(Kind::Resource(message.into()))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage(message.into()))
    }

    pub(crate) fn exception(exn: u64, store: StoreId, hold: Hold) -> Error {
        Error::new(Kind::Exception {
            exn,
            store,
            _hold: hold,
            backtrace: WasmBacktrace::default(),
        })
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Adds the wasm frames that a host error passed through.
    pub(crate) fn set_backtrace(&mut self, trace: WasmBacktrace) {
        match &mut *self.0 {
            Kind::Trap(Trap { backtrace, .. })
            | Kind::Exception { backtrace, .. }
            | Kind::Host { backtrace, .. } => backtrace.extend_outwards(trace),
            _ => {}
        }
    }

    /// The trap, when the guest was stopped by one.
    #[must_use]
    pub fn as_trap(&self) -> Option<&Trap> {
        match self.kind() {
            Kind::Trap(trap) => Some(trap),
            _ => None,
        }
    }

    /// The trap's code, when the guest was stopped by one.
    #[must_use]
    pub fn trap_code(&self) -> Option<TrapCode> {
        self.as_trap().map(Trap::code)
    }

    /// The host error of type `E` inside, if that is what this is.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match self.kind() {
            Kind::Host { error, .. } => error.downcast_ref(),
            _ => None,
        }
    }

    /// Whether the guest threw an exception that nothing caught.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        matches!(self.kind(), Kind::Exception { .. })
    }

    /// Whether the module itself is malformed, invalid, or needs a feature zwasm lacks.
    #[must_use]
    pub fn is_bad_module(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Module { .. } | Kind::Unsupported(_) | Kind::Text(_)
        )
    }

    /// Whether the module is well-formed but needs a feature zwasm lacks.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self.kind(), Kind::Unsupported(_))
    }

    /// Whether imports and exports did not fit.
    #[must_use]
    pub fn is_link(&self) -> bool {
        matches!(self.kind(), Kind::Link(_))
    }

    /// The wasm frames, innermost first; empty when no guest was running.
    #[must_use]
    pub fn backtrace(&self) -> &[crate::Frame] {
        match self.kind() {
            Kind::Trap(Trap { backtrace, .. })
            | Kind::Exception { backtrace, .. }
            | Kind::Host { backtrace, .. } => backtrace.frames(),
            _ => &[],
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Trap(trap) => trap.fmt(f),
            Kind::Module { message, offset } => {
                let message = Printable::name(message);
                write!(f, "invalid module: {message} (at offset {offset:#x})")
            }
            Kind::Unsupported(feature) => {
                write!(f, "unsupported feature: {}", Printable::name(feature))
            }
            // Shows the line of the text, and the place in it on another.
            Kind::Text(message) => write!(f, "invalid text: {}", Printable::text(message)),
            Kind::Link(message) => write!(f, "cannot instantiate: {}", Printable::name(message)),
            Kind::Resource(message) | Kind::Usage(message) => Printable::name(message).fmt(f),
            Kind::Exception { backtrace, .. } => write!(f, "unhandled exception{backtrace}"),
            Kind::Host { error, backtrace } => {
                let message = error.to_string();
                write!(f, "{}{backtrace}", Printable::name(&message))
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.kind() {
            Kind::Host { error, .. } => error.source(),
            _ => None,
        }
    }
}

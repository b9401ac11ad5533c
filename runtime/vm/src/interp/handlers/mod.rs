//! The handlers of the interpreter, by family. Each is reached only through code that the
//! translator emitted; the operands each one takes are listed in its comment, in word order.

pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod memory;
pub(crate) mod ops;
pub(crate) mod simd;
pub(crate) mod variable;

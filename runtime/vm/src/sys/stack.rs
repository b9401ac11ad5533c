//! How much of the native stack is left, approximately.

/// An address close to the current top of the native stack.
#[inline(never)]
pub(crate) fn native_stack_pointer() -> usize {
    let marker = 0_u8;
    core::ptr::from_ref(&marker).addr()
}

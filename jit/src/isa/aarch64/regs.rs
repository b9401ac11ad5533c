//! Which register is for what on ARM64.
//!
//! `x14`, `x15`, `v29` and `v30` are the backend's: constants and addresses that no instruction can hold
//! are made in them, so that a load may keep both scratch registers. `x18` belongs to the platform.
//! Callees preserve the lower halves of `v8` to `v15` under the C ABI; our code does not.

use crate::masm::{Fpr, Gpr, RegisterFile};

/// A register that operations may overwrite and that is never an operand.
pub(super) const PRIVATE: Gpr = Gpr(15);
/// Another one, for sequences that need two.
pub(super) const PRIVATE_2: Gpr = Gpr(14);
pub(super) const X16: Gpr = Gpr(16);
pub(super) const X17: Gpr = Gpr(17);
pub(super) const FP: Gpr = Gpr(29);
/// Number 31 is the stack pointer in addresses and in additions of constants.
pub(super) const SP: Gpr = Gpr(31);
/// Number 31 is zero everywhere else.
pub(super) const ZERO: Gpr = Gpr(31);

/// The float register that operations may overwrite and that is never an operand.
pub(super) const FLOAT_PRIVATE: Fpr = Fpr(30);
/// Another one, for sequences that need two; the register before the first.
pub(super) const FLOAT_PRIVATE_2: Fpr = Fpr(29);

/// The registers from `first` on.
const fn floats<const N: usize>(first: u8) -> [Fpr; N] {
    let mut registers = [Fpr(0); N];
    let mut i = 0;
    while i < N {
        registers[i] = Fpr(first + i as u8);
        i += 1;
    }
    registers
}

/// The registers from `first` on.
const fn generals<const N: usize>(first: u8) -> [Gpr; N] {
    let mut registers = [Gpr(0); N];
    let mut i = 0;
    while i < N {
        registers[i] = Gpr(first + i as u8);
        i += 1;
    }
    registers
}

/// The roles.
pub(super) static FILE: RegisterFile = RegisterFile {
    context: Gpr(28),
    memory_base: Gpr(27),
    frame: FP,
    stack: SP,
    scratch: [X16, X17],
    float_scratch: Fpr(31),
    c_saved: &generals::<10>(19),
    c_float_saved: &floats::<8>(8),
    saved: &generals::<8>(19),
    // Not x0, in which results arrive and C functions answer.
    rare: &[],
    temporary: &generals::<13>(1),
    float_temporary: &floats::<29>(0),
    arguments: &generals::<8>(0),
    float_arguments: &floats::<8>(0),
    result: Gpr(0),
    callee: Gpr(9),
    caller: Gpr(10),
    float_result: Fpr(0),
};

//! Which register is for what on x86_64.
//!
//! `rcx` and `rdx` are the backend's: variable shifts and divisions need them in fixed roles. They
//! appear as operands of moves only, to pass arguments, unless they are allocated by name
//! (`Masm::allocate_rare`), as the second scratch register may be too. `rax` is the first one because
//! a division overwrites it and a call returns in it. `xmm13` and `xmm14` are the backend's, too.

use crate::masm::{Fpr, Gpr, RegisterFile};

pub(super) const RAX: Gpr = Gpr(0);
pub(super) const RCX: Gpr = Gpr(1);
pub(super) const RDX: Gpr = Gpr(2);
const RBX: Gpr = Gpr(3);
pub(super) const RSP: Gpr = Gpr(4);
pub(super) const RBP: Gpr = Gpr(5);
const RSI: Gpr = Gpr(6);
const RDI: Gpr = Gpr(7);
const R8: Gpr = Gpr(8);
const R9: Gpr = Gpr(9);
const R10: Gpr = Gpr(10);
pub(super) const R11: Gpr = Gpr(11);
const R12: Gpr = Gpr(12);
const R13: Gpr = Gpr(13);
const R14: Gpr = Gpr(14);
const R15: Gpr = Gpr(15);

/// The float register that operations may overwrite and that is never an operand.
pub(super) const XMM_PRIVATE: Fpr = Fpr(14);
/// Another one, for sequences that need two.
pub(super) const XMM_PRIVATE_2: Fpr = Fpr(13);

/// The roles.
pub(super) static FILE: RegisterFile = RegisterFile {
    context: R14,
    memory_base: R15,
    frame: RBP,
    stack: RSP,
    scratch: [RAX, R11],
    float_scratch: Fpr(15),
    c_saved: &[RBX, R12, R13, R14, R15],
    c_float_saved: &[],
    saved: &[RBX, R12, R13],
    rare: &[RCX, RDX, R11],
    temporary: &[RSI, RDI, R8, R9, R10],
    float_temporary: &[
        Fpr(0),
        Fpr(1),
        Fpr(2),
        Fpr(3),
        Fpr(4),
        Fpr(5),
        Fpr(6),
        Fpr(7),
        Fpr(8),
        Fpr(9),
        Fpr(10),
        Fpr(11),
        Fpr(12),
    ],
    arguments: &[RDI, RSI, RDX, RCX, R8, R9],
    float_arguments: &[
        Fpr(0),
        Fpr(1),
        Fpr(2),
        Fpr(3),
        Fpr(4),
        Fpr(5),
        Fpr(6),
        Fpr(7),
    ],
    result: RAX,
    callee: R10,
    caller: RAX,
    float_result: Fpr(0),
};

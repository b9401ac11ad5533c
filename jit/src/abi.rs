//! Where arguments and results of wasm functions travel.
//!
//! Integers and references go in general registers, floats and vectors in float registers, in
//! order of their class; what does not fit goes to the stack, in order, 8 bytes each (16 for
//! vectors). Of the results, the first of each class comes back in a register, the others in the
//! caller's outgoing area, from its start on: where they lie must not depend on the arguments,
//! because a tail call puts a callee with other arguments in its caller's place. The arguments are
//! dead by then. The context is pinned and no argument.

use crate::masm::{Fpr, Gpr, RegisterFile};
use smallvec::SmallVec;
use zwasm_core::{FuncType, ValType};

/// The places of a list of values.
pub type Places = SmallVec<[Place; 8]>;

/// Where a value travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a general register.
    Gpr(Gpr),
    /// In a float register.
    Fpr(Fpr),
    /// In the caller's outgoing area, at this offset in bytes.
    Stack(u32),
}

/// The places of a signature.
#[derive(Clone, Debug)]
pub struct Abi {
    /// Of the parameters.
    pub params: Places,
    /// Of the results.
    pub results: Places,
    /// Size of the outgoing area in bytes.
    pub stack_bytes: u32,
}

/// Whether values of a type travel in float registers.
#[must_use]
pub fn is_float(ty: ValType) -> bool {
    matches!(ty, ValType::F32 | ValType::F64 | ValType::V128)
}

impl Abi {
    /// Classifies a signature.
    #[must_use]
    pub fn of(ty: &FuncType, file: &RegisterFile) -> Abi {
        let assign = |types: &[ValType], gprs: &[Gpr], fprs: &[Fpr]| -> (Places, u32) {
            let mut stack_bytes = 0;
            let (mut gprs, mut fprs) = (gprs.iter(), fprs.iter());
            let places = types.iter().map(|&ty| {
                let register = if is_float(ty) {
                    fprs.next().map(|&fpr| Place::Fpr(fpr))
                } else {
                    gprs.next().map(|&gpr| Place::Gpr(gpr))
                };
                register.unwrap_or_else(|| {
                    let at = stack_bytes;
                    stack_bytes += ty.slots() * 8;
                    Place::Stack(at)
                })
            });
            (places.collect(), stack_bytes)
        };
        let (params, param_bytes) = assign(ty.params(), file.arguments, file.float_arguments);
        let (results, result_bytes) = assign(ty.results(), &[file.result], &[file.float_result]);
        Abi {
            params,
            results,
            stack_bytes: param_bytes.max(result_bytes),
        }
    }
}

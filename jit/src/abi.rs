//! Where arguments and results of wasm functions travel.
//!
//! Integers and references go in general registers, floats and vectors in float registers, in
//! order of their class; what does not fit goes to the stack, in order, 8 bytes each (16 for
//! vectors). The context is pinned and no argument.
//!
//! Of the results, the first of each class comes back in a register, the others at the end of the
//! caller's outgoing area, where its arguments were. A tail call puts a callee with other arguments
//! in its caller's place: it moves the return address, so that the callee's area ends where the
//! caller's did. That end is what does not depend on the arguments, and the caller finds its stack
//! pointer elsewhere after the call (`calls::TailCall`).

use crate::masm::{FloatPart, Fpr, Gpr, RegisterFile, Width};
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
    /// Size of the outgoing area in bytes, a multiple of 16.
    pub stack_bytes: u32,
}

/// Whether values of a type travel in float registers.
#[must_use]
pub fn is_float(ty: ValType) -> bool {
    matches!(ty, ValType::F32 | ValType::F64 | ValType::V128)
}

/// The width of an integer or reference type.
pub(crate) fn width_of(ty: ValType) -> Width {
    match ty {
        ValType::I32 => Width::W32,
        _ => Width::W64,
    }
}

/// How much of a float register a type takes.
pub(crate) fn part_of(ty: ValType) -> FloatPart {
    match ty {
        ValType::F32 => FloatPart::F32,
        ValType::F64 => FloatPart::F64,
        _ => FloatPart::V128,
    }
}

impl Abi {
    /// Classifies a signature.
    #[must_use]
    pub fn of(ty: &FuncType, file: &RegisterFile) -> Abi {
        Abi::of_types(ty.params(), ty.results(), file)
    }

    /// Classifies the signature with these parameters and results.
    #[must_use]
    pub fn of_types(params: &[ValType], results: &[ValType], file: &RegisterFile) -> Abi {
        let assign = |types: &[ValType], gprs: &[Gpr], fprs: &[Fpr]| -> (Places, u32) {
            let mut places = Placing::new(types, gprs, fprs);
            let all = places.by_ref().collect();
            (all, places.stack_bytes)
        };
        let (params, param_bytes) = assign(params, file.arguments, file.float_arguments);
        let (mut results, result_bytes) = assign(
            results,
            core::slice::from_ref(&file.result),
            core::slice::from_ref(&file.float_result),
        );
        let result_bytes = result_bytes.next_multiple_of(16);
        let stack_bytes = param_bytes.next_multiple_of(16).max(result_bytes);
        for place in &mut results {
            if let Place::Stack(at) = place {
                *at += stack_bytes - result_bytes;
            }
        }
        Abi {
            params,
            results,
            stack_bytes,
        }
    }
}

/// The places of parameters, in order.
pub(crate) fn params<'t>(types: &'t [ValType], file: &'t RegisterFile) -> Placing<'t> {
    Placing::new(types, file.arguments, file.float_arguments)
}

/// Gives places to values of these types, one after the other.
pub(crate) struct Placing<'t> {
    types: core::slice::Iter<'t, ValType>,
    gprs: core::slice::Iter<'t, Gpr>,
    fprs: core::slice::Iter<'t, Fpr>,
    stack_bytes: u32,
}

impl<'t> Placing<'t> {
    fn new(types: &'t [ValType], gprs: &'t [Gpr], fprs: &'t [Fpr]) -> Placing<'t> {
        Placing {
            types: types.iter(),
            gprs: gprs.iter(),
            fprs: fprs.iter(),
            stack_bytes: 0,
        }
    }
}

impl Iterator for Placing<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let &ty = self.types.next()?;
        let register = if is_float(ty) {
            self.fprs.next().map(|&fpr| Place::Fpr(fpr))
        } else {
            self.gprs.next().map(|&gpr| Place::Gpr(gpr))
        };
        Some(register.unwrap_or_else(|| {
            let at = self.stack_bytes;
            self.stack_bytes += ty.slots() * 8;
            Place::Stack(at)
        }))
    }
}

//! Code between the host and wasm functions.
//!
//! | stub | one per | entered by |
//! |---|---|---|
//! | [`entry`] | signature | the host, to call a wasm function |
//! | [`host`] | signature | wasm code, to call a host function |
//! | [`compile`] | engine | the first call of a function |
//! | [`raise`] | engine | whatever ends or diverts an activation |
//! | [`ask_tier_up`] | engine | code that has run for long enough to be replaced |
//!
//! Their frames are like those of functions ([`Frame`](crate::frame)). Who calls a host function is not
//! asked of a frame: a caller that has left by a tail call has none.

use crate::abi::{Abi, Place, is_float, part_of, width_of};
use crate::calls;
use crate::contract::helpers::{COMPILE, HOST_CALL, TIER_UP, TRACE};
use crate::frame::{self, Frame};
use crate::masm::{
    Cond, FloatPart, Fpr, Gpr, LoadOp, Masm, Mem, Operand, SMALL_FRAME_BYTES, StoreOp, Width,
};
use crate::moves::{self, RegisterMoves};
use crate::runtime::{self, call_table, context_field};
use zwasm_core::vmctx::{context, limits};
use zwasm_core::{FuncType, Outcome, ValType};

/// The frame of [`entry`], which keeps the registers that C code expects back.
fn entry_frame<M: Masm>() -> Frame {
    Frame::new(
        M::FILE,
        M::FILE.c_saved.len() + M::FILE.c_float_saved.len(),
        0,
    )
}

fn save_c_registers<M: Masm>(masm: &mut M) {
    let frame = entry_frame::<M>();
    for (i, &register) in M::FILE.c_saved.iter().enumerate() {
        masm.store(StoreOp::B8, register, frame.saved(i));
    }
    let first = M::FILE.c_saved.len();
    for (i, &register) in M::FILE.c_float_saved.iter().enumerate() {
        masm.float_store(FloatPart::F64, register, frame.saved(first + i));
    }
}

fn restore_c_registers<M: Masm>(masm: &mut M) {
    let frame = entry_frame::<M>();
    for (i, &register) in M::FILE.c_saved.iter().enumerate() {
        masm.load(LoadOp::U64, register, frame.saved(i));
    }
    let first = M::FILE.c_saved.len();
    for (i, &register) in M::FILE.c_float_saved.iter().enumerate() {
        masm.float_load(FloatPart::F64, register, frame.saved(first + i));
    }
}

/// The size of a stub's frame with room for so many bytes. A large one is a few whole pages, for
/// values of a signature, and compared with nothing: so much is always free below the limit.
fn frame_size(bytes: u32) -> u32 {
    if bytes < SMALL_FRAME_BYTES - 15 {
        bytes.next_multiple_of(16)
    } else {
        bytes.next_multiple_of(SMALL_FRAME_BYTES)
    }
}

/// Copies between a slot of an array and a place of a signature.
fn load_place<M: Masm>(masm: &mut M, ty: ValType, slot: Mem, place: Place, area: Mem) {
    match place {
        Place::Gpr(dst) => masm.load(load_op(ty), dst, slot),
        Place::Fpr(dst) => masm.float_load(part_of(ty), dst, slot),
        Place::Stack(at) => {
            let to = Mem::at(area.base, area.displacement + at as i32);
            copy(masm, ty, slot, to);
        }
    }
}

fn store_place<M: Masm>(masm: &mut M, ty: ValType, place: Place, area: Mem, slot: Mem) {
    match place {
        Place::Gpr(src) => masm.store(StoreOp::B8, src, slot),
        Place::Fpr(src) => masm.float_store(part_of(ty), src, slot),
        Place::Stack(at) => {
            let from = Mem::at(area.base, area.displacement + at as i32);
            copy(masm, ty, from, slot);
        }
    }
}

fn copy<M: Masm>(masm: &mut M, ty: ValType, from: Mem, to: Mem) {
    if is_float(ty) {
        let scratch = M::FILE.float_scratch;
        masm.float_load(part_of(ty), scratch, from);
        masm.float_store(part_of(ty), scratch, to);
    } else {
        let scratch = M::FILE.scratch[0];
        masm.load(load_op(ty), scratch, from);
        masm.store(StoreOp::B8, scratch, to);
    }
}

fn load_op(ty: ValType) -> LoadOp {
    match width_of(ty) {
        Width::W32 => LoadOp::U32,
        Width::W64 => LoadOp::U64,
    }
}

/// The types with their first slot in an array of raw values.
fn slots(types: &[ValType]) -> impl Iterator<Item = (ValType, i32)> + '_ {
    types.iter().scan(0, |next, &ty| {
        let slot = *next;
        *next += ty.slots() as i32;
        Some((ty, slot))
    })
}

/// `extern "C" fn(context, entry, slots) -> outcome`: calls the wasm function of a signature with
/// the raw arguments in `slots`, where the results end up. The outcome says
/// what ended it.
#[must_use]
pub fn entry<M: Masm>(ty: &FuncType) -> Vec<u8> {
    let file = M::FILE;
    let abi = Abi::of(ty, file);
    let mut masm = M::new();
    let frame = entry_frame::<M>();
    let unsized_frame = masm.enter();
    let size = frame_size(frame.distance(0) + abi.stack_bytes);
    masm.set_frame_size(unsized_frame, size);
    save_c_registers(&mut masm);
    let array = file.saved[0];
    masm.mov(Width::W64, file.callee, file.arguments[1]);
    masm.mov(Width::W64, array, file.arguments[2]);
    masm.mov(Width::W64, file.context, file.arguments[0]);
    masm.store(StoreOp::B8, file.context, frame.context());
    calls::load_memory_base(&mut masm);
    let scratch = file.scratch[0];
    masm.load(
        LoadOp::U64,
        scratch,
        context_field::<M>(context::offset::limits),
    );
    masm.store(
        StoreOp::B8,
        file.frame,
        Mem::at(scratch, limits::offset::entry_frame as i32),
    );
    // Tail calls may have moved the stack pointer when the call returns.
    let area = Mem::at(file.frame, -(size as i32));
    for ((ty, slot), &place) in slots(ty.params()).zip(&abi.params) {
        load_place(&mut masm, ty, Mem::at(array, slot * 8), place, area);
    }
    masm.call(calls::entry_code::<M>());
    for ((ty, slot), &place) in slots(ty.results()).zip(&abi.results) {
        store_place(&mut masm, ty, place, area, Mem::at(array, slot * 8));
    }
    masm.imm(file.result, Outcome::DONE.number().into());
    restore_c_registers(&mut masm);
    masm.leave();
    masm.finish()
}

/// Calls the host function whose entry the callee register holds, through the runtime's
/// [`HOST_CALL`].
#[must_use]
pub fn host<M: Masm>(ty: &FuncType) -> Vec<u8> {
    let file = M::FILE;
    let abi = Abi::of(ty, file);
    let mut masm = M::new();
    let frame = Frame::new(file, 0, 0);
    let unsized_frame = masm.enter();
    let count = ty.param_slots().max(ty.result_slots());
    masm.set_frame_size(unsized_frame, frame_size(frame.distance(count)));
    // The context register holds the host's.
    masm.mov(Width::W64, file.context, file.caller);
    masm.store(StoreOp::B8, file.context, frame.context());
    // The runtime reads and writes an array, whose first element is lowest.
    let slot_mem = |slot: i32| frame.below(count - slot as u32);
    let area = frame.stack_area(0);
    for ((ty, slot), &place) in slots(ty.params()).zip(&abi.params) {
        store_place(&mut masm, ty, place, area, slot_mem(slot));
    }
    let [first, second, third, fourth] = file.arguments[..4] else {
        unreachable!("C passes four arguments in registers everywhere")
    };
    masm.mov(Width::W64, third, file.callee);
    masm.mov(Width::W64, fourth, file.frame);
    masm.mov(Width::W64, first, file.context);
    masm.address(second, slot_mem(0));
    call_table(&mut masm, HOST_CALL);
    let raise = masm.label();
    masm.branch_if(Cond::Ne, Width::W32, file.result, Operand::Imm(0), raise);
    // Copies to the stack go through scratch registers, of which the first result's is one.
    let (on_stack, in_registers): (Vec<_>, Vec<_>) = slots(ty.results())
        .zip(&abi.results)
        .partition(|(_, place)| matches!(place, Place::Stack(_)));
    for ((ty, slot), &place) in on_stack.into_iter().chain(in_registers) {
        load_place(&mut masm, ty, slot_mem(slot), place, area);
    }
    masm.leave();
    masm.bind(raise);
    runtime::raise(&mut masm);
    masm.finish()
}

/// Registers that a stub keeps in its frame over a call of the runtime, all their bits.
struct Kept {
    frame: Frame,
    gprs: Vec<Gpr>,
    fprs: Vec<Fpr>,
}

impl Kept {
    fn new<M: Masm>(gprs: Vec<Gpr>, fprs: Vec<Fpr>) -> Self {
        let frame = Frame::new(M::FILE, gprs.len(), 0);
        Self { frame, gprs, fprs }
    }

    fn float_slots(&self) -> impl Iterator<Item = (Fpr, Mem)> + '_ {
        let slot = |i: usize| self.frame.slot(2 * i as u32, 2);
        self.fprs
            .iter()
            .enumerate()
            .map(move |(i, &r)| (r, slot(i)))
    }

    /// Saves them, with the context.
    fn save<M: Masm>(&self, masm: &mut M) {
        masm.store(StoreOp::B8, M::FILE.context, self.frame.context());
        for (i, &register) in self.gprs.iter().enumerate() {
            masm.store(StoreOp::B8, register, self.frame.saved(i));
        }
        for (register, slot) in self.float_slots() {
            masm.float_store(FloatPart::V128, register, slot);
        }
    }

    fn restore<M: Masm>(&self, masm: &mut M) {
        frame::restore_saved(masm, self.frame, &self.gprs);
        for (register, slot) in self.float_slots() {
            masm.float_load(FloatPart::V128, register, slot);
        }
    }

    fn frame_size(&self) -> u32 {
        frame_size(self.frame.distance(2 * self.fprs.len() as u32))
    }
}

/// Compiles the function whose entry the callee register holds, and enters it with all arguments
/// as they are; or ends the activation with the outcome that the compiler answers.
#[must_use]
pub fn compile<M: Masm>() -> Vec<u8> {
    let file = M::FILE;
    let mut masm = M::new();
    let unsized_frame = masm.enter();
    let gprs: Vec<Gpr> = file
        .arguments
        .iter()
        .copied()
        .chain([file.callee])
        .collect();
    let kept = Kept::new::<M>(gprs, file.float_arguments.to_vec());
    kept.save(&mut masm);
    masm.mov(Width::W64, file.arguments[1], file.callee);
    masm.mov(Width::W64, file.arguments[0], file.context);
    masm.mov(Width::W64, file.arguments[2], file.frame);
    call_table(&mut masm, COMPILE);
    let raise = masm.label();
    masm.branch_if(Cond::Ne, Width::W32, file.result, Operand::Imm(0), raise);
    kept.restore(&mut masm);
    masm.leave_to(calls::entry_code::<M>());
    masm.bind(raise);
    runtime::raise(&mut masm);
    masm.set_frame_size(unsized_frame, kept.frame_size());
    masm.finish()
}

/// Tells the runtime that a function is to have better code: the second scratch register and the first
/// temporary one hold the words of a [`Place`](crate::contract::midway::Place). Afterwards the second scratch
/// register says whether the runtime has code to go on in. Keeps all registers but the scratch ones.
#[must_use]
pub fn ask_tier_up<M: Masm>() -> Vec<u8> {
    let file = M::FILE;
    let mut masm = M::new();
    let unsized_frame = masm.enter();
    let mut gprs: Vec<Gpr> = [file.arguments, file.temporary].concat();
    gprs.extend([file.callee, file.caller]);
    gprs.sort_unstable_by_key(|register| register.0);
    gprs.dedup();
    gprs.retain(|register| !file.scratch.contains(register));
    let mut fprs: Vec<Fpr> = [file.float_arguments, file.float_temporary].concat();
    fprs.sort_unstable_by_key(|register| register.0);
    fprs.dedup();
    let kept = Kept::new::<M>(gprs, fprs);
    kept.save(&mut masm);
    let [context, word, slots, frame] = file.arguments[..4] else {
        unreachable!("C passes four arguments in registers everywhere")
    };
    let [_, answer] = file.scratch;
    let mut moves = RegisterMoves::new();
    moves.push((word, answer));
    moves.push((slots, file.temporary[0]));
    moves.push((context, file.context));
    moves.push((frame, file.frame));
    moves::parallel(moves, file.scratch[0], |dst, src| {
        masm.mov(Width::W64, dst, src);
    });
    call_table(&mut masm, TIER_UP);
    masm.mov(Width::W64, answer, file.result);
    kept.restore(&mut masm);
    masm.leave();
    masm.set_frame_size(unsized_frame, kept.frame_size());
    masm.finish()
}

/// Ends the activation with the outcome in the result register; or, with [`Outcome::RESUME`], goes on
/// in the frame that the store's limits name. The context register holds a context of the store.
#[must_use]
pub fn raise<M: Masm>() -> Vec<u8> {
    let file = M::FILE;
    let mut masm = M::new();
    let [value, state] = file.scratch;
    let resume = masm.label();
    let limits_at = context_field::<M>(context::offset::limits);
    masm.load(LoadOp::U64, state, limits_at);
    let is_resume = Operand::Imm(Outcome::RESUME.number() as i32);
    masm.branch_if(Cond::Eq, Width::W32, file.result, is_resume, resume);
    masm.mov(Width::W64, file.arguments[1], file.result);
    masm.mov(Width::W64, file.arguments[0], file.context);
    call_table(&mut masm, TRACE);
    masm.load(LoadOp::U64, state, limits_at);
    let entry_frame = Mem::at(state, limits::offset::entry_frame as i32);
    masm.load(LoadOp::U64, file.frame, entry_frame);
    restore_c_registers(&mut masm);
    masm.leave();
    masm.bind(resume);
    masm.load(
        LoadOp::U64,
        file.frame,
        Mem::at(state, limits::offset::resume_frame as i32),
    );
    masm.load(
        LoadOp::U64,
        value,
        Mem::at(state, limits::offset::resume_stack as i32),
    );
    masm.mov(Width::W64, file.stack, value);
    calls::restore_context(&mut masm);
    masm.jump_to(Mem::at(state, limits::offset::resume_pc as i32));
    masm.finish()
}

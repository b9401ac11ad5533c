//! The baseline compiler: one pass over the operators, no intermediate form.
//!
//! The operand stack is abstract: a value is a constant, lies in a register, is a local that has
//! not been assigned since, or lies in the canonical frame slot of its height. The most used
//! locals of a function (weighted by loop depth, counted during validation) live in registers all
//! through it; the others in frame slots. Where control flow joins, values lie in canonical slots,
//! so labels need no state.
//!
//! What an instruction set does in one or two instructions is emitted inline; everything else
//! calls a helper of the runtime through the context, with its operands in canonical slots
//! ([`helpers`](crate::contract::helpers)). A frame's slots ([`frame`]) are the locals', then the
//! operands'.

mod control;
mod detours;
mod feedback;
mod fill;
mod fuel;
mod helpers;
mod memory;
mod numeric;
mod tail;
mod tier_up;
mod truncate;
mod values;
mod vector;
mod visit;

use crate::abi::{Abi, Place, part_of, width_of};
use crate::contract::{CompileError, Compiled, Env, MAX_FRAME_BYTES, Scope, Site, Stress};
use crate::frame::{self, Frame, Prologue};
use crate::interruption::Watch;
use crate::masm::{Charge, FloatPart, Gpr, LoadOp, Masm, Mem, Operand, StoreOp, Target, Width};
use crate::moves::{self, RegisterMoves};
use crate::runtime;
use crate::truncate::Slow;
use control::ControlFrame;
use std::sync::Arc;
use values::{Home, LocalState, Marks, Pending, Registers, StackValue};
use wasmparser::{BinaryReader, FunctionBody, Operator, OperatorsReader};
use zwasm_core::{FuncType, TrapCode, ValType};

/// Why reading a body cannot fail.
const VALIDATED: &str = "the body was validated when the module was loaded";

/// Compiles a function for processors with these features.
///
/// # Errors
/// When the code or the frame would be too large; the body is valid nevertheless.
pub fn compile<'m, M: Masm>(
    env: Env<'m>,
    features: M::Features,
    func: u32,
    body: &FunctionBody<'m>,
) -> Result<Compiled, CompileError> {
    let attempt = |masm: M| {
        let mut compiler = Compiler::new(env, masm, func, body);
        compiler.run(body)?;
        Ok(compiler.finish())
    };
    if !env.stress.far_branches
        && let Some(compiled) = attempt(M::with_features(features))?
    {
        return Ok(compiled);
    }
    Ok(attempt(M::with_far_branches(features))?
        .expect("far branches reach all over the largest code"))
}

/// A trap at the end of the function that branches lead to.
struct TrapExit<L> {
    label: L,
    code: TrapCode,
    module_offset: u32,
}

struct Compiler<'m, M: Masm> {
    env: Env<'m>,
    /// The function's index.
    func: u32,
    target: Target,
    masm: M,
    signature: Arc<FuncType>,
    abi: Abi,
    locals: Vec<LocalState>,
    /// Those whose home is a register that callees do not preserve.
    volatile_locals: Vec<u32>,
    stack: Vec<StackValue>,
    marks: Marks,
    control: Vec<ControlFrame<M::Label>>,
    registers: Registers,
    /// A comparison that the next operator consumes.
    pending: Option<Pending>,
    /// Values of the stack that are locals.
    pending_locals: u32,
    next_slot: u32,
    max_slot: u32,
    outgoing_bytes: u32,
    saved: Vec<Gpr>,
    frame: Frame,
    /// Until the size of the frame is known.
    prologue: Option<Prologue<M::Label>>,
    prologue_bytes: u32,
    reachable: bool,
    skipped_blocks: u32,
    module_offset: u32,
    /// The body from behind the first byte of the operator that is visited.
    behind_opcode: &'m [u8],
    sites: Vec<Site>,
    operators: Vec<(u32, u32)>,
    trap_exits: Vec<TrapExit<M::Label>>,
    /// The ways of helpers that failed to the end of the activation, with their operators' offsets
    /// in the module.
    raise_exits: Vec<(M::Label, u32)>,
    slow_truncations: Vec<Slow<M::Label>>,
    tier_ups: Vec<tier_up::TierUp<M::Label>>,
    /// What code that asks for better code is to store: locals that live in registers, each time, and so many
    /// constants in all.
    register_locals: usize,
    constants_to_store: usize,
    /// The operators that cells belong to, and indirect calls that note their callees in some.
    counted: Vec<u32>,
    other_callees: Vec<feedback::OtherCallee<M::Label>>,
    /// The piece that the next operator belongs to, with its units so far.
    charge: Option<(Charge, u32)>,
    clauses: Vec<control::PendingClause>,
    catches: Vec<control::PendingRange>,
}

impl<'m, M: Masm> Compiler<'m, M> {
    fn new(env: Env<'m>, masm: M, func: u32, body: &FunctionBody<'_>) -> Self {
        let signature = env.types[env.info.funcs[func as usize] as usize].clone();
        let mut types: Vec<ValType> = signature.params().to_vec();
        for group in body.get_locals_reader().expect(VALIDATED) {
            let (count, ty) = group.expect(VALIDATED);
            let ty = (env.val_type)(ty, env.info);
            types.extend((0..count).map(|_| ty));
        }
        let (locals, registers, saved, slots) =
            values::place_locals::<M>(&types, env.usage, env.stress);
        let volatile_locals = values::volatile_locals::<M>(&locals);
        let in_register = |local: &&LocalState| local.home != Home::Slot;
        let register_locals = locals.iter().filter(in_register).count();
        let cells_bytes = if env.tiers_up {
            feedback::HOME_BYTES
        } else {
            0
        };
        let padding_bytes = env.stress.frame_padding_bytes + cells_bytes;
        Compiler {
            env,
            func,
            target: M::target(masm.features()),
            masm,
            abi: Abi::of(&signature, M::FILE),
            signature,
            locals,
            volatile_locals,
            stack: Vec::new(),
            marks: Marks::default(),
            control: Vec::new(),
            registers,
            pending: None,
            pending_locals: 0,
            next_slot: slots,
            max_slot: slots,
            outgoing_bytes: 0,
            frame: Frame::new(M::FILE, saved.len(), padding_bytes),
            saved,
            prologue: None,
            prologue_bytes: 0,
            reachable: true,
            skipped_blocks: 0,
            module_offset: 0,
            behind_opcode: &[],
            sites: Vec::new(),
            operators: Vec::new(),
            trap_exits: Vec::new(),
            raise_exits: Vec::new(),
            slow_truncations: Vec::new(),
            tier_ups: Vec::new(),
            register_locals,
            constants_to_store: 0,
            counted: Vec::new(),
            other_callees: Vec::new(),
            charge: None,
            clauses: Vec::new(),
            catches: Vec::new(),
        }
    }

    fn run(&mut self, body: &FunctionBody<'m>) -> Result<(), CompileError> {
        // Code is about as long as the body, or twice that.
        self.masm.reserve(64 + 2 * body.as_bytes().len());
        self.prologue();
        self.push_function_frame();
        let mut reader = body.get_operators_reader().expect(VALIDATED);
        let (bytes, start) = (body.as_bytes(), body.range().start);
        let watch = Watch::of(self.env.interrupt);
        while !reader.eof() {
            if watch.step() {
                return Err(CompileError::Interrupted);
            }
            let position = reader.original_position();
            self.module_offset = position as u32;
            if self.env.record_operators {
                self.operators
                    .push((self.masm.offset(), self.module_offset));
            }
            if self.reachable {
                self.reachable_operator(&mut reader, &bytes[(position - start) as usize..]);
            } else {
                let op = reader.read();
                self.skip(op.as_ref().expect(VALIDATED));
            }
            self.check_size()?;
        }
        debug_assert!(
            self.control.is_empty(),
            "the last `end` closes the function"
        );
        Ok(())
    }

    /// Compiles the operator that `bytes` begin with and reads it.
    fn reachable_operator(&mut self, reader: &mut OperatorsReader<'m>, bytes: &'m [u8]) {
        const FIRST_PREFIX: u8 = 0xfb;
        if self.env.consume_fuel {
            let op = reader.get_binary_reader().peek_operator(reader);
            self.take_fuel(op.as_ref().expect(VALIDATED));
        }
        if bytes[0] < FIRST_PREFIX {
            self.behind_opcode = &bytes[1..];
            let visited = reader.visit_operator(self);
            visited.expect(VALIDATED);
        } else {
            let start = reader.original_position();
            // In its place: moving an operator that was written just now waits for the writing.
            let op = reader.read();
            let length = (reader.original_position() - start) as usize;
            let next = self.next(&bytes[length..]);
            self.operator(op.as_ref().expect(VALIDATED), next);
        }
        if self.env.stress != Stress::default() {
            self.take_detours();
        }
    }

    /// Compiles an operator that [`visit`] has no method for.
    fn operator(&mut self, op: &Operator<'_>, next: Next) {
        let known = self.control_operator(op)
            || self.memory_operator(op, next)
            || self.truncation(op, next)
            || self.vector_operator(op, next)
            || self.helper_operator(op);
        assert!(
            known,
            "validation with the engine's features rejects {op:?}"
        );
    }

    /// What the operator that `rest` begins with does with the result of the one before.
    fn next(&self, rest: &[u8]) -> Next {
        if self.env.stress.no_fold {
            Next::Other
        } else {
            Next::of(rest)
        }
    }

    /// An operator in unreachable code: only block structure counts.
    fn skip(&mut self, op: &Operator<'_>) {
        match op {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => self.skipped_blocks += 1,
            Operator::End if self.skipped_blocks > 0 => self.skipped_blocks -= 1,
            Operator::End => self.end(),
            Operator::Else if self.skipped_blocks == 0 => self.else_(),
            _ => {}
        }
    }

    // --- frame ---

    /// The memory of a value's lowest byte, whose first slot is `slot`.
    fn slot_mem(&self, slot: u32, ty: ValType) -> Mem {
        self.frame.slot(slot, ty.slots())
    }

    fn prologue(&mut self) {
        self.prologue = Some(Prologue::begin(&mut self.masm, self.frame, &self.saved));
        self.receive_parameters();
        self.prologue_bytes = self.masm.offset();
        self.begin_counting();
        self.count_call();
    }

    /// Moves parameters from where the caller put them to their homes, and zeroes the other locals.
    fn receive_parameters(&mut self) {
        let params = self.abi.params.clone();
        let mut gprs = RegisterMoves::new();
        let mut fprs = RegisterMoves::new();
        for (i, place) in params.iter().enumerate() {
            let LocalState { ty, home, slot, .. } = self.locals[i];
            match (*place, home) {
                (Place::Gpr(src), Home::Gpr(dst)) => gprs.push((dst, src)),
                (Place::Fpr(src), Home::Fpr(dst)) => fprs.push((dst, src)),
                (Place::Gpr(src), _) => self.store_gpr(src, self.slot_mem(slot, ty)),
                (Place::Fpr(src), _) => {
                    let part = part_of(ty);
                    let mem = self.slot_mem(slot, ty);
                    self.masm.float_store(part, src, mem);
                }
                (Place::Stack(_), _) => {}
            }
        }
        let masm = &mut self.masm;
        moves::parallel(gprs, M::FILE.scratch[0], |dst, src| {
            masm.mov(Width::W64, dst, src)
        });
        moves::parallel(fprs, M::FILE.float_scratch, |dst, src| {
            masm.float_mov(FloatPart::V128, dst, src);
        });
        for (i, place) in params.iter().enumerate() {
            if let Place::Stack(at) = *place {
                self.load_stack_parameter(i, at);
            }
        }
        self.zero_locals(params.len());
    }

    fn load_stack_parameter(&mut self, index: usize, at: u32) {
        let LocalState { ty, home, slot, .. } = self.locals[index];
        let source = self.frame.stack_area(at);
        match home {
            Home::Gpr(dst) => self.load_gpr(dst, ty, source),
            Home::Fpr(dst) => self.masm.float_load(part_of(ty), dst, source),
            Home::Slot => {
                let target = self.slot_mem(slot, ty);
                self.copy_memory(ty, source, target);
            }
        }
    }

    fn zero_locals(&mut self, params: usize) {
        let scratch = M::FILE.scratch[0];
        let mut zero_ready = false;
        for index in params..self.locals.len() {
            let LocalState { ty, home, slot, .. } = self.locals[index];
            match home {
                Home::Gpr(register) => self.masm.imm(register, 0),
                Home::Fpr(register) => self.masm.vector_imm(register, 0, 0),
                Home::Slot => {
                    if !zero_ready {
                        self.masm.imm(scratch, 0);
                        zero_ready = true;
                    }
                    for part in 0..ty.slots() {
                        let mem = self.slot_mem(slot + part, ValType::I64);
                        self.masm.store(StoreOp::B8, scratch, mem);
                    }
                }
            }
        }
    }

    /// Copies a value between two places in memory.
    fn copy_memory(&mut self, ty: ValType, from: Mem, to: Mem) {
        if ty == ValType::V128 {
            let scratch = M::FILE.float_scratch;
            self.masm.float_load(FloatPart::V128, scratch, from);
            self.masm.float_store(FloatPart::V128, scratch, to);
        } else {
            let scratch = M::FILE.scratch[0];
            self.load_gpr(scratch, ty, from);
            self.store_gpr(scratch, to);
        }
    }

    fn load_gpr(&mut self, dst: Gpr, ty: ValType, mem: Mem) {
        let op = if width_of(ty) == Width::W32 {
            LoadOp::U32
        } else {
            LoadOp::U64
        };
        self.masm.load(op, dst, mem);
    }

    /// Stores 8 bytes: the upper half of a 32-bit value is clear, and whole slots may be read back.
    fn store_gpr(&mut self, src: Gpr, mem: Mem) {
        self.masm.store(StoreOp::B8, src, mem);
    }

    fn epilogue(&mut self) {
        frame::restore_saved(&mut self.masm, self.frame, &self.saved);
        self.masm.leave();
    }

    // --- traps ---

    /// A label whose code traps.
    fn trap_label(&mut self, code: TrapCode) -> M::Label {
        let label = self.masm.label();
        self.trap_exits.push(TrapExit {
            label,
            code,
            module_offset: self.module_offset,
        });
        label
    }

    /// Records a place of the current operator's.
    fn site(&mut self, offset: u32, trap: Option<TrapCode>) {
        self.sites.push(Site {
            offset,
            trap,
            module_offset: self.module_offset,
            scope: Scope::FUNCTION,
        });
    }

    /// Records that the next instruction may fault.
    fn may_fault(&mut self, code: TrapCode) {
        self.site(self.masm.offset(), Some(code));
    }

    /// Records that the load or store just emitted may fault.
    fn may_have_faulted(&mut self, code: TrapCode) {
        self.site(self.masm.last_access(), Some(code));
    }

    /// Records the return address of a call just emitted.
    fn returns_here(&mut self) {
        self.site(self.masm.offset(), None);
    }

    /// The code, if its branches reach.
    fn finish(mut self) -> Option<Compiled> {
        self.finish_truncations();
        let prologue = self.prologue.take().expect("the function has begun");
        self.masm.bind(prologue.overflow());
        self.may_fault(TrapCode::StackOverflow);
        self.masm.trap(TrapCode::StackOverflow);
        for exit in core::mem::take(&mut self.trap_exits) {
            self.masm.bind(exit.label);
            self.module_offset = exit.module_offset;
            self.may_fault(exit.code);
            self.masm.trap(exit.code);
        }
        self.emit_raise_exits();
        self.emit_other_callees();
        self.emit_tier_ups();
        let frame_bytes = self.frame.bytes(self.max_slot, self.outgoing_bytes);
        prologue.finish(&mut self.masm, frame_bytes);
        let catches = control::resolve(&self.catches, &self.clauses);
        Site::sort(&mut self.sites);
        self.masm.in_reach().then(|| Compiled {
            code: self.masm.finish(),
            sites: self.sites,
            catches,
            frame_bytes,
            prologue_bytes: self.prologue_bytes,
            operators: self.operators,
            inlined: Vec::new(),
            relocations: Vec::new(),
            counted: self.counted,
        })
    }

    /// A label whose code ends the activation with the outcome in the result register.
    fn raise_label(&mut self) -> M::Label {
        let label = self.masm.label();
        self.raise_exits.push((label, self.module_offset));
        label
    }

    /// Each exit says where it is; the rest is common to all.
    fn emit_raise_exits(&mut self) {
        if self.raise_exits.is_empty() {
            return;
        }
        let raise = self.masm.label();
        for (label, module_offset) in core::mem::take(&mut self.raise_exits) {
            self.module_offset = module_offset;
            self.masm.bind(label);
            self.place_here();
            self.masm.jump(raise);
        }
        self.masm.bind(raise);
        self.record_place();
        runtime::raise(&mut self.masm);
    }

    /// Puts a code address that belongs to the current operator into the callee register.
    fn place_here(&mut self) {
        self.site(self.masm.offset(), None);
        self.masm.here(M::FILE.callee);
    }

    /// Tells the runtime the place in the callee register, for backtraces and unwinding. Keeps the
    /// result register.
    fn record_place(&mut self) {
        runtime::record_frame(&mut self.masm);
        runtime::record_address(&mut self.masm);
    }

    // --- limits ---

    /// Whether the code has as many bytes as it may have.
    fn is_too_large(&self) -> bool {
        let behind =
            self.slow_truncation_bytes() + self.tier_up_bytes() + self.other_callees_bytes();
        let code = u64::from(self.masm.offset()) + behind;
        code > u64::from(self.env.code_limit())
    }

    /// Looks at the sizes after an operator.
    fn check_size(&self) -> Result<(), CompileError> {
        if self.is_too_large() {
            return Err(CompileError::CodeTooLarge(self.env.code_limit()));
        }
        if self.max_slot > MAX_FRAME_BYTES / 8 {
            return Err(CompileError::FrameTooLarge(MAX_FRAME_BYTES));
        }
        Ok(())
    }
}

/// What the following operator does with the result of this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Assigns it to a local.
    Local(u32),
    /// Branches on it, or selects by it, or negates it.
    Condition,
    /// Something else.
    Other,
}

impl Next {
    /// Of valid bytes: reading the operator itself, which its own turn does, would take time twice.
    fn of(rest: &[u8]) -> Next {
        const IF: u8 = 0x04;
        const BR_IF: u8 = 0x0d;
        const SELECT: u8 = 0x1b;
        const TYPED_SELECT: u8 = 0x1c;
        const LOCAL_SET: u8 = 0x21;
        const LOCAL_TEE: u8 = 0x22;
        const I32_EQZ: u8 = 0x45;
        match rest {
            [LOCAL_SET | LOCAL_TEE, index @ ..] => match BinaryReader::new(index, 0).read_var_u32()
            {
                Ok(index) => Next::Local(index),
                Err(_) => Next::Other,
            },
            [BR_IF | IF | SELECT | TYPED_SELECT | I32_EQZ, ..] => Next::Condition,
            _ => Next::Other,
        }
    }
}

/// An integer constant that an instruction can hold.
fn immediate(bits: u64, width: Width) -> Option<Operand> {
    let value = match width {
        Width::W32 => i64::from(bits as i32),
        Width::W64 => bits as i64,
    };
    i32::try_from(value).ok().map(Operand::Imm)
}

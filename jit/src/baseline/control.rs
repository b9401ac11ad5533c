//! Structured control flow, branches, calls, `select`, exceptions' tables.

use super::values::{Held, HeldOperand, Home, Loc, LocalState, Pending, StackValue};
use super::{Compiler, Next, VALIDATED};
use crate::abi::{Abi, Place, is_float, part_of, width_of};
use crate::calls::{self, Entrance};
use crate::contract::{CatchClause, CatchRange};
use crate::masm::{AluOp, Cond, FloatPart, Fpr, Gpr, LoadOp, Masm, Mem, Operand, StoreOp, Width};
use crate::moves::{self, RegisterMoves};
use crate::runtime::context_field;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use wasmparser::{BlockType, BrTable, Catch, Operator, TryTable};
use zwasm_core::vmctx::{func_ref, table};
use zwasm_core::{BlockSignature, FuncType, TrapCode, ValType};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Function,
    Block,
    Loop,
    If,
    /// Code from `start` is covered by the clauses.
    Try {
        start: u32,
        clauses: (usize, usize),
    },
}

/// A block being compiled.
#[derive(Clone, Debug)]
pub(super) struct ControlFrame<L> {
    kind: Kind,
    signature: BlockSignature,
    /// Height of the operand stack below the parameters.
    height: usize,
    /// Canonical slot of that height.
    base_slot: u32,
    /// The end, or the head of a loop.
    label: L,
    /// Whether anything leads to the label.
    used: bool,
    /// Whether something does that nobody counts where it comes from.
    is_counted: bool,
    /// Where `if` goes when the condition is zero, until `else` binds it.
    to_else: Option<L>,
    /// Catch clauses that lead to the end of this block.
    clauses: Vec<usize>,
}

impl<L> ControlFrame<L> {
    fn label_types(&self) -> &[ValType] {
        match self.kind {
            Kind::Loop => self.signature.params(),
            _ => self.signature.results(),
        }
    }
}

/// A catch clause whose target may not be known yet.
#[derive(Debug)]
pub(super) struct PendingClause {
    tag: Option<u32>,
    with_ref: bool,
    target: Option<u32>,
    payload_below_frame: u32,
}

/// A finished `try_table`.
#[derive(Debug)]
pub(super) struct PendingRange {
    start: u32,
    end: u32,
    clauses: (usize, usize),
}

/// Puts the clauses into their ranges.
pub(super) fn resolve(ranges: &[PendingRange], clauses: &[PendingClause]) -> Vec<CatchRange> {
    let clause = |pending: &PendingClause| CatchClause {
        tag: pending.tag,
        with_ref: pending.with_ref,
        target: pending.target.expect("every label was bound"),
        payload_below_frame: pending.payload_below_frame,
    };
    ranges
        .iter()
        .map(|range| CatchRange {
            start: range.start,
            end: range.end,
            clauses: clauses[range.clauses.0..range.clauses.1]
                .iter()
                .map(clause)
                .collect(),
        })
        .collect()
}

impl<M: Masm> Compiler<'_, M> {
    pub(super) fn push_function_frame(&mut self) {
        let signature = BlockSignature::Func(self.signature.clone());
        let label = self.masm.label();
        self.push_frame(Kind::Function, signature, 0, label);
    }

    fn push_frame(
        &mut self,
        kind: Kind,
        signature: BlockSignature,
        params: usize,
        label: M::Label,
    ) {
        let height = self.stack.len() - params;
        let base_slot = self
            .stack
            .get(height)
            .map_or(self.next_slot, |value| value.slot);
        self.control.push(ControlFrame {
            kind,
            signature,
            height,
            base_slot,
            label,
            used: false,
            is_counted: false,
            to_else: None,
            clauses: Vec::new(),
        });
    }

    fn block_signature(&self, ty: BlockType) -> BlockSignature {
        match ty {
            BlockType::Empty => BlockSignature::Empty,
            BlockType::Type(ty) => BlockSignature::Result((self.env.val_type)(ty, self.env.info)),
            BlockType::FuncType(index) => {
                BlockSignature::Func(self.env.types[index as usize].clone())
            }
        }
    }

    /// The rarer control operators; false for all others.
    pub(super) fn control_operator(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::Unreachable => {
                let label = self.trap_label(TrapCode::Unreachable);
                self.masm.jump(label);
                self.reachable = false;
            }
            Operator::TypedSelect { ty } => {
                let ty = (self.env.val_type)(*ty, self.env.info);
                self.select(ty);
            }
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::BrOnNull { relative_depth } => {
                let value = self.pop();
                let held = self.hold(value);
                self.branch_to(*relative_depth, |this, negated, label| {
                    this.branch_null(held, negated, label);
                });
                self.push_held(value.ty, held);
                self.count_passage();
            }
            Operator::BrOnNonNull { relative_depth } => {
                self.settle_top(1);
                let value = *self.stack.last().expect(VALIDATED);
                let scratch = M::FILE.scratch[0];
                let mem = self.slot_mem(value.slot, value.ty);
                self.masm.load(LoadOp::U64, scratch, mem);
                self.branch_to(*relative_depth, |this, negated, label| {
                    let cond = if negated { Cond::Eq } else { Cond::Ne };
                    this.masm
                        .branch_if(cond, Width::W64, scratch, Operand::Imm(0), label);
                });
                self.pop();
                self.count_passage();
            }
            // All references are alike to the code: eight bytes, null is zero.
            Operator::RefNull { .. } => self.push_const(ValType::FUNCREF, 0),
            Operator::RefIsNull => {
                self.push_const(ValType::I64, 0);
                let b = self.pop_operand(Width::W64);
                let a = self.pop_gpr();
                let pending = Pending::Int {
                    cond: Cond::Eq,
                    width: Width::W64,
                    a,
                    b,
                };
                self.push_compare(pending, Next::Other);
            }
            Operator::RefAsNonNull => {
                let value = self.pop();
                let held = self.hold(value);
                let null = self.trap_label(TrapCode::NullReference);
                self.masm
                    .branch_if(Cond::Eq, Width::W64, held.reg, Operand::Imm(0), null);
                self.push_held(value.ty, held);
            }
            Operator::CallRef { type_index } => {
                let ty = self.env.types[*type_index as usize].clone();
                self.reference_callee();
                self.note_callee();
                self.emit_call(&ty, Entrance::Reference);
            }
            Operator::ReturnCall { function_index } => self.return_call(*function_index),
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                let ty = self.env.types[*type_index as usize].clone();
                self.indirect_callee(*type_index, *table_index);
                self.note_callee();
                self.emit_return_call(&ty, Entrance::Reference);
            }
            Operator::ReturnCallRef { type_index } => {
                let ty = self.env.types[*type_index as usize].clone();
                self.reference_callee();
                self.note_callee();
                self.emit_return_call(&ty, Entrance::Reference);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn drop_value(&mut self) {
        let value = self.pop();
        self.discard(value);
    }

    /// Pushes a value that was held; it keeps its register when it owns one.
    pub(super) fn push_held(&mut self, ty: ValType, held: Held) {
        if held.is_owned() {
            self.push(ty, Loc::Gpr(held.reg));
        } else {
            let reg = self.alloc_gpr();
            self.masm.mov(Width::W64, reg, held.reg);
            self.push(ty, Loc::Gpr(reg));
        }
    }

    // --- blocks ---

    fn begin_block(&mut self, signature: &BlockSignature) -> usize {
        let params = signature.params().len();
        self.settle_all();
        self.settle_top(params);
        params
    }

    pub(super) fn block(&mut self, ty: BlockType) {
        let signature = self.block_signature(ty);
        let params = self.begin_block(&signature);
        let label = self.masm.label();
        self.push_frame(Kind::Block, signature, params, label);
    }

    pub(super) fn loop_(&mut self, ty: BlockType) {
        let signature = self.block_signature(ty);
        let params = self.begin_block(&signature);
        let label = self.masm.label();
        self.masm.bind(label);
        self.count_passage();
        self.count_iteration();
        self.push_frame(Kind::Loop, signature, params, label);
    }

    pub(super) fn if_(&mut self, ty: BlockType) {
        let signature = self.block_signature(ty);
        let cond = self.pop();
        let params = self.begin_block(&signature);
        let to_else = self.masm.label();
        self.branch_on(cond, true, to_else);
        self.count_passage();
        let label = self.masm.label();
        self.push_frame(Kind::If, signature, params, label);
        self.control.last_mut().expect("pushed").to_else = Some(to_else);
    }

    pub(super) fn else_(&mut self) {
        let index = self.control.len() - 1;
        if self.reachable {
            self.branch(0);
        }
        let frame = &mut self.control[index];
        let (height, signature) = (frame.height, frame.signature.clone());
        let to_else = frame
            .to_else
            .take()
            .expect("validated: `else` belongs to an `if`");
        self.truncate(height);
        self.masm.bind(to_else);
        self.reachable = true;
        for &ty in signature.params() {
            self.push(ty, Loc::Slot);
        }
    }

    pub(super) fn end(&mut self) {
        let frame = self.control.last().expect(VALIDATED);
        if frame.kind == Kind::Function {
            self.end_function();
            return;
        }
        let results = frame.signature.results().len();
        let is_loop = frame.kind == Kind::Loop;
        let joins = !is_loop && (frame.used || frame.to_else.is_some());
        if self.reachable && joins {
            self.settle_top(results);
        }
        let frame = self.control.pop().expect(VALIDATED);
        if let Kind::Try { start, clauses } = frame.kind {
            self.catches.push(PendingRange {
                start,
                end: self.masm.offset(),
                clauses,
            });
        }
        if !joins && self.reachable {
            return;
        }
        self.truncate(frame.height);
        if joins {
            if let Some(to_else) = frame.to_else {
                self.masm.bind(to_else);
            }
            self.masm.bind(frame.label);
            self.bind_clauses(&frame.clauses);
            self.reachable = true;
            if frame.is_counted {
                self.count_passage();
            }
        }
        for &ty in frame.signature.results() {
            self.push(ty, Loc::Slot);
        }
    }

    fn bind_clauses(&mut self, clauses: &[usize]) {
        for &clause in clauses {
            self.clauses[clause].target = Some(self.masm.offset());
        }
    }

    fn end_function(&mut self) {
        if self.reachable {
            self.return_();
        }
        let frame = self.control.pop().expect(VALIDATED);
        self.truncate(0);
        if !frame.clauses.is_empty() {
            // Catch clauses that lead out of the function: the payload is what it returns.
            self.bind_clauses(&frame.clauses);
            self.next_slot = frame.base_slot;
            for &ty in frame.signature.results() {
                self.push(ty, Loc::Slot);
            }
            self.return_();
            self.truncate(0);
        }
    }

    // --- branches ---

    /// Branches on an `i32`, or on the pending comparison.
    fn branch_on(&mut self, cond: StackValue, negated: bool, target: M::Label) {
        if cond.loc != Loc::Pending {
            let held = self.hold(cond);
            let when = if negated { Cond::Eq } else { Cond::Ne };
            self.masm
                .branch_if(when, Width::W32, held.reg, Operand::Imm(0), target);
            self.release(held);
            return;
        }
        match self.pending.take().expect("a value says so") {
            Pending::Int { cond, width, a, b } => {
                let cond = if negated { cond.negate() } else { cond };
                self.masm.branch_if(cond, width, a.reg, b.operand(), target);
                self.release(a);
                self.release_operand(b);
            }
            Pending::Float {
                cond,
                negated: not,
                width,
                a,
                b,
            } => {
                let negated = negated != not;
                self.masm
                    .float_branch_if(cond, negated, width, a.reg, b.reg, target);
                self.release_float(a);
                self.release_float(b);
            }
        }
    }

    fn branch_null(&mut self, held: Held, negated: bool, target: M::Label) {
        let cond = if negated { Cond::Ne } else { Cond::Eq };
        self.masm
            .branch_if(cond, Width::W64, held.reg, Operand::Imm(0), target);
    }

    fn target_index(&self, depth: u32) -> usize {
        self.control.len() - 1 - depth as usize
    }

    /// Whether a branch needs nothing but a jump.
    fn is_direct(&self, target: usize) -> bool {
        let frame = &self.control[target];
        if frame.kind == Kind::Function {
            return false;
        }
        let first = self.stack.len() - frame.label_types().len();
        let mut slot = frame.base_slot;
        self.stack[first..].iter().all(|value| {
            let fits = value.loc == Loc::Slot && value.slot == slot;
            slot += value.ty.slots();
            fits
        })
    }

    /// An unconditional branch. The operand stack is left as it is.
    fn branch(&mut self, depth: u32) {
        let target = self.target_index(depth);
        if self.control[target].kind == Kind::Function {
            self.return_();
            return;
        }
        // Ascending order is safe: a value never lies below its destination.
        let first = self.stack.len() - self.control[target].label_types().len();
        let mut slot = self.control[target].base_slot;
        for index in first..self.stack.len() {
            let value = self.stack[index];
            let mem = self.slot_mem(slot, value.ty);
            if !(value.loc == Loc::Slot && value.slot == slot) {
                self.copy_to_memory(value, mem);
            }
            slot += value.ty.slots();
        }
        self.control[target].used = true;
        let label = self.control[target].label;
        self.masm.jump(label);
    }

    /// A conditional branch, given how to emit it: `emit(negated, label)`.
    fn branch_to(&mut self, depth: u32, emit: impl FnOnce(&mut Self, bool, M::Label)) {
        let target = self.target_index(depth);
        if self.is_direct(target) {
            self.control[target].used = true;
            let label = self.control[target].label;
            emit(self, false, label);
            return;
        }
        let skip = self.masm.label();
        emit(self, true, skip);
        self.branch(depth);
        self.masm.bind(skip);
    }

    pub(super) fn br(&mut self, depth: u32) {
        self.branch(depth);
        self.reachable = false;
    }

    pub(super) fn br_if(&mut self, depth: u32) {
        let cond = self.pop();
        self.branch_to(depth, |this, negated, label| {
            this.branch_on(cond, negated, label);
        });
        self.count_passage();
    }

    pub(super) fn br_table(&mut self, targets: &BrTable<'_>) {
        let index = self.pop_gpr();
        let depths: Vec<u32> = targets
            .targets()
            .collect::<Result<_, _>>()
            .expect(VALIDATED);
        // Where each depth leads: a table may name one of them a million times.
        let mut known: HashMap<u32, M::Label> = HashMap::new();
        let mut pads: Vec<(u32, M::Label)> = Vec::new();
        let mut label_of = |this: &mut Self, depth: u32| {
            if let Some(&label) = known.get(&depth) {
                return label;
            }
            let target = this.target_index(depth);
            this.control[target].is_counted = true;
            let label = if this.is_direct(target) {
                this.control[target].used = true;
                this.control[target].label
            } else {
                let label = this.masm.label();
                pads.push((depth, label));
                label
            };
            known.insert(depth, label);
            label
        };
        let labels: Vec<M::Label> = depths.iter().map(|&depth| label_of(self, depth)).collect();
        let default = label_of(self, targets.default());
        let count = Operand::Imm(labels.len() as i32);
        self.masm
            .branch_if(Cond::GeU, Width::W32, index.reg, count, default);
        if !labels.is_empty() {
            self.masm.jump_table(index.reg, &labels);
        }
        self.release(index);
        for (depth, label) in pads {
            if self.is_too_large() {
                break;
            }
            self.masm.bind(label);
            self.branch(depth);
        }
        self.reachable = false;
    }

    pub(super) fn return_operator(&mut self) {
        self.return_();
        self.reachable = false;
    }

    /// Returns from the function. The operand stack is left as it is.
    pub(super) fn return_(&mut self) {
        let results = self.abi.results.clone();
        let first = self.stack.len() - results.len();
        for (i, place) in results.iter().enumerate() {
            if let Place::Stack(at) = *place {
                let mem = self.frame.stack_area(at);
                self.copy_to_memory(self.stack[first + i], mem);
            }
        }
        for (i, place) in results.iter().enumerate() {
            match *place {
                Place::Gpr(dst) => self.copy_to_gpr(self.stack[first + i], dst),
                Place::Fpr(dst) => self.copy_to_fpr(self.stack[first + i], dst),
                Place::Stack(_) => {}
            }
        }
        self.epilogue();
    }

    // --- copies that leave the stack as it is ---

    fn copy_to_memory(&mut self, value: StackValue, mem: Mem) {
        match value.loc {
            Loc::Gpr(reg) => self.masm.store(StoreOp::B8, reg, mem),
            Loc::Fpr(reg) => self.masm.float_store(part_of(value.ty), reg, mem),
            Loc::Const { low, high } => self.store_const(value.ty, low, high, mem),
            Loc::Slot => {
                let from = self.slot_mem(value.slot, value.ty);
                self.copy_memory(value.ty, from, mem);
            }
            Loc::Local(local) => {
                let LocalState { home, slot, ty, .. } = self.locals[local as usize];
                match home {
                    Home::Gpr(reg) => self.masm.store(StoreOp::B8, reg, mem),
                    Home::Fpr(reg) => self.masm.float_store(part_of(ty), reg, mem),
                    Home::Slot => {
                        let from = self.slot_mem(slot, ty);
                        self.copy_memory(ty, from, mem);
                    }
                }
            }
            Loc::Pending => unreachable!("the next operator consumed it"),
        }
    }

    fn copy_to_gpr(&mut self, value: StackValue, dst: Gpr) {
        match value.loc {
            Loc::Gpr(reg) => self.masm.mov(Width::W64, dst, reg),
            Loc::Const { low, .. } => self.masm.imm(dst, low),
            Loc::Slot => {
                let mem = self.slot_mem(value.slot, value.ty);
                self.load_gpr(dst, value.ty, mem);
            }
            Loc::Local(local) => {
                let LocalState { home, slot, ty, .. } = self.locals[local as usize];
                match home {
                    Home::Gpr(reg) => self.masm.mov(width_of(ty), dst, reg),
                    _ => {
                        let mem = self.slot_mem(slot, ty);
                        self.load_gpr(dst, ty, mem);
                    }
                }
            }
            Loc::Fpr(_) | Loc::Pending => unreachable!("not an integer in a place of its own"),
        }
    }

    fn copy_to_fpr(&mut self, value: StackValue, dst: Fpr) {
        let part = part_of(value.ty);
        match value.loc {
            Loc::Fpr(reg) => self.masm.float_mov(part, dst, reg),
            Loc::Const { low, high } => self.masm.vector_imm(dst, low, high),
            Loc::Slot => {
                let mem = self.slot_mem(value.slot, value.ty);
                self.masm.float_load(part, dst, mem);
            }
            Loc::Local(local) => {
                let LocalState { home, slot, ty, .. } = self.locals[local as usize];
                match home {
                    Home::Fpr(reg) => self.masm.float_mov(part, dst, reg),
                    _ => {
                        let mem = self.slot_mem(slot, ty);
                        self.masm.float_load(part, dst, mem);
                    }
                }
            }
            Loc::Gpr(_) | Loc::Pending => unreachable!("not a float"),
        }
    }

    // --- calls ---

    /// The callee of a direct call; an imported one's reference goes to the callee register.
    fn direct_callee(&mut self, func: u32) -> (Arc<FuncType>, Entrance) {
        let info = self.env.info;
        let ty = self.env.types[info.funcs[func as usize] as usize].clone();
        match info.defined_func(func) {
            Some(defined) => (ty, Entrance::Defined(defined)),
            None => {
                let mem = context_field::<M>(info.offsets.imported_funcs + func * 8);
                self.masm.load(LoadOp::U64, M::FILE.callee, mem);
                (ty, Entrance::Reference)
            }
        }
    }

    pub(super) fn call(&mut self, func: u32) {
        let (ty, callee) = self.direct_callee(func);
        self.emit_call(&ty, callee);
    }

    pub(super) fn call_indirect(&mut self, type_index: u32, table_index: u32) {
        let ty = self.env.types[type_index as usize].clone();
        self.indirect_callee(type_index, table_index);
        self.note_callee();
        self.emit_call(&ty, Entrance::Reference);
    }

    fn return_call(&mut self, func: u32) {
        let (ty, callee) = self.direct_callee(func);
        self.emit_return_call(&ty, callee);
    }

    /// Pops the index of an indirect call and puts the function reference into the callee register.
    fn indirect_callee(&mut self, type_index: u32, table_index: u32) {
        let (callee, scratch) = (M::FILE.callee, M::FILE.scratch[0]);
        let index = self.pop_gpr();
        let undefined = self.trap_label(TrapCode::UndefinedElement);
        let null = self.trap_label(TrapCode::UninitializedElement);
        let mismatch = self.trap_label(TrapCode::IndirectCallTypeMismatch);
        let info = self.env.info;
        let def = context_field::<M>(info.offsets.tables + table_index * 8);
        let w64 = Width::W64;
        self.masm.load(LoadOp::U64, scratch, def);
        let length = Mem::at(scratch, table::offset::length as i32);
        self.masm.load(LoadOp::U64, callee, length);
        self.masm
            .branch_if(Cond::GeU, w64, index.reg, Operand::Reg(callee), undefined);
        self.masm.load(
            LoadOp::U64,
            scratch,
            Mem::at(scratch, table::offset::base as i32),
        );
        self.masm
            .alu(AluOp::Shl, w64, callee, index.reg, Operand::Imm(3));
        self.release(index);
        let element = Mem {
            base: scratch,
            index: Some(callee),
            displacement: 0,
        };
        self.masm.load(LoadOp::U64, callee, element);
        self.masm
            .branch_if(Cond::Eq, w64, callee, Operand::Imm(0), null);
        let expected = context_field::<M>(info.called_type_offset(type_index));
        self.masm.load(LoadOp::U32, scratch, expected);
        let signature = Operand::Mem(Mem::at(callee, func_ref::offset::signature as i32));
        self.masm
            .branch_if(Cond::Ne, Width::W32, scratch, signature, mismatch);
    }

    /// Pops a function reference into the callee register.
    fn reference_callee(&mut self) {
        let null = self.trap_label(TrapCode::NullFunctionReference);
        let value = self.pop();
        self.copy_to_gpr(value, M::FILE.callee);
        self.discard(value);
        let callee = M::FILE.callee;
        self.masm
            .branch_if(Cond::Eq, Width::W64, callee, Operand::Imm(0), null);
    }

    fn emit_call(&mut self, ty: &FuncType, callee: Entrance) {
        let abi = Abi::of(ty, M::FILE);
        let count = ty.params().len();
        self.settle_registers(count);
        self.spill_locals(true);
        self.outgoing_bytes = self.outgoing_bytes.max(abi.stack_bytes);
        self.pass_arguments(&abi, count, Mem::at(M::FILE.stack, 0));
        let entry = calls::enter_callee(&mut self.masm, callee);
        self.masm.call(entry);
        self.returns_here();
        // Even a direct callee may have left by a tail call, into another instance or to a function
        // with other arguments.
        let is_elsewhere = !matches!(callee, Entrance::Defined(_));
        if is_elsewhere || self.env.info.has_tail_calls {
            self.masm.restore_stack();
        }
        if is_elsewhere || self.env.info.leaves_by_tail_call {
            calls::restore_context(&mut self.masm);
        }
        self.receive_results(ty, &abi);
        self.spill_locals(false);
    }

    /// Moves the topmost values to where the callee expects them, and pops them. `area` is where
    /// its stack arguments begin.
    pub(super) fn pass_arguments(&mut self, abi: &Abi, count: usize, area: Mem) {
        let first = self.stack.len() - count;
        let values: SmallVec<[StackValue; 8]> = self.stack[first..].iter().copied().collect();
        for (value, place) in values.iter().zip(&abi.params) {
            if let Place::Stack(at) = *place {
                let mem = Mem::at(area.base, area.displacement + at as i32);
                self.copy_to_memory(*value, mem);
            }
        }
        let mut gprs = RegisterMoves::new();
        let mut fprs = RegisterMoves::new();
        let mut loads: SmallVec<[(StackValue, Place); 8]> = SmallVec::new();
        for (value, place) in values.iter().zip(&abi.params) {
            match (*place, self.register_of(*value)) {
                (Place::Gpr(dst), Some(Place::Gpr(src))) => gprs.push((dst, src)),
                (Place::Fpr(dst), Some(Place::Fpr(src))) => fprs.push((dst, src)),
                (Place::Stack(_), _) => {}
                (place, _) => loads.push((*value, place)),
            }
        }
        let masm = &mut self.masm;
        moves::parallel(gprs, M::FILE.scratch[0], |dst, src| {
            masm.mov(Width::W64, dst, src)
        });
        moves::parallel(fprs, M::FILE.float_scratch, |dst, src| {
            masm.float_mov(FloatPart::V128, dst, src);
        });
        for (value, place) in loads {
            match place {
                Place::Gpr(dst) => self.copy_to_gpr(value, dst),
                Place::Fpr(dst) => self.copy_to_fpr(value, dst),
                Place::Stack(_) => unreachable!("passed above"),
            }
        }
        self.truncate(first);
    }

    /// The register that a value lies in.
    fn register_of(&self, value: StackValue) -> Option<Place> {
        match value.loc {
            Loc::Gpr(reg) => Some(Place::Gpr(reg)),
            Loc::Fpr(reg) => Some(Place::Fpr(reg)),
            Loc::Local(local) => match self.locals[local as usize].home {
                Home::Gpr(reg) => Some(Place::Gpr(reg)),
                Home::Fpr(reg) => Some(Place::Fpr(reg)),
                Home::Slot => None,
            },
            Loc::Const { .. } | Loc::Slot | Loc::Pending => None,
        }
    }

    /// Pushes the results of a call, in canonical slots when there are several.
    fn receive_results(&mut self, ty: &FuncType, abi: &Abi) {
        if let ([result], [place]) = (ty.results(), &abi.results[..]) {
            match *place {
                Place::Gpr(src) => {
                    let dst = self.alloc_gpr();
                    self.masm.mov(Width::W64, dst, src);
                    self.push(*result, Loc::Gpr(dst));
                }
                Place::Fpr(src) => {
                    let dst = self.alloc_fpr();
                    if dst != src {
                        self.masm.float_mov(part_of(*result), dst, src);
                    }
                    self.push(*result, Loc::Fpr(dst));
                }
                Place::Stack(_) => unreachable!("the first result of a class is in a register"),
            }
            return;
        }
        let mut from_stack = Vec::new();
        for (&result, place) in ty.results().iter().zip(&abi.results) {
            let mem = self.slot_mem(self.next_slot, result);
            match *place {
                Place::Gpr(src) => self.masm.store(StoreOp::B8, src, mem),
                Place::Fpr(src) => self.masm.float_store(part_of(result), src, mem),
                Place::Stack(at) => from_stack.push((result, at, mem)),
            }
            self.push(result, Loc::Slot);
        }
        for (result, at, mem) in from_stack {
            self.copy_memory(result, Mem::at(M::FILE.stack, at as i32), mem);
        }
    }

    // --- select ---

    pub(super) fn untyped_select(&mut self) {
        let ty = self.stack[self.stack.len() - 2].ty;
        self.select(ty);
    }

    fn select(&mut self, ty: ValType) {
        let cond = self.pop();
        if is_float(ty) {
            self.float_select(ty, cond);
            return;
        }
        let (when, width, a, b) = self.select_condition(cond);
        let y = self.pop_gpr();
        let x = self.pop_gpr();
        let dst = match b {
            HeldOperand::Reg(held) => self.result_gpr(Next::Other, &[x, y, a, held]),
            HeldOperand::Imm(_) => self.result_gpr(Next::Other, &[x, y, a]),
        };
        self.masm
            .select(when, width, a.reg, b.operand(), dst, x.reg, y.reg);
        self.push(ty, Loc::Gpr(dst));
    }

    /// The condition as a comparison of at most one temporary: with the values to choose from,
    /// more would not fit.
    fn select_condition(&mut self, cond: StackValue) -> (Cond, Width, Held, HeldOperand) {
        if cond.loc == Loc::Pending
            && let Some(Pending::Int { cond, width, a, b }) = self.pending
        {
            let both = matches!(b, HeldOperand::Reg(held) if held.is_owned()) && a.is_owned();
            if !both {
                self.pending = None;
                return (cond, width, a, b);
            }
        }
        let held = self.hold(cond);
        (Cond::Ne, Width::W32, held, HeldOperand::Imm(0))
    }

    fn float_select(&mut self, ty: ValType, cond: StackValue) {
        // A pending comparison of floats keeps its registers until the branch.
        let y = self.pop_fpr();
        let x = self.pop_fpr();
        let dst = if x.is_owned() {
            x.reg
        } else {
            let dst = self.alloc_fpr();
            self.masm.float_mov(part_of(ty), dst, x.reg);
            dst
        };
        let done = self.masm.label();
        self.branch_on(cond, false, done);
        self.masm.float_mov(part_of(ty), dst, y.reg);
        self.masm.bind(done);
        self.release_float(y);
        self.push(ty, Loc::Fpr(dst));
    }

    // --- exceptions ---

    fn try_table(&mut self, try_table: &TryTable) {
        let signature = self.block_signature(try_table.ty);
        let params = self.begin_block(&signature);
        let first = self.clauses.len();
        for catch in &try_table.catches {
            let (tag, with_ref, depth) = match *catch {
                Catch::One { tag, label } => (Some(tag), false, label),
                Catch::OneRef { tag, label } => (Some(tag), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            let target = self.target_index(depth);
            let clause = self.clauses.len();
            let below = self.frame.distance(self.control[target].base_slot);
            let frame = &mut self.control[target];
            let slots: u32 = frame.label_types().iter().map(|ty| ty.slots()).sum();
            self.max_slot = self.max_slot.max(frame.base_slot + slots);
            let target_offset = match frame.kind {
                // The head of a loop is bound: a pad jumps to it.
                Kind::Loop => Some(self.catch_pad_to_loop(target)),
                _ => {
                    frame.used = true;
                    frame.is_counted = true;
                    frame.clauses.push(clause);
                    None
                }
            };
            self.clauses.push(PendingClause {
                tag,
                with_ref,
                target: target_offset,
                payload_below_frame: below,
            });
        }
        let clauses = (first, self.clauses.len());
        let start = self.masm.offset();
        let label = self.masm.label();
        self.push_frame(Kind::Try { start, clauses }, signature, params, label);
    }

    /// Emits a jump to the head of a loop, off the path, and returns its offset.
    fn catch_pad_to_loop(&mut self, target: usize) -> u32 {
        let over = self.masm.label();
        self.masm.jump(over);
        let offset = self.masm.offset();
        let head = self.control[target].label;
        self.masm.jump(head);
        self.masm.bind(over);
        offset
    }
}

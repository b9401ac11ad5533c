//! Structured control flow, branches, calls, exceptions.

use super::emit::{Fusible, with_slot_type};
use super::operand::{Form, Place, StackValue};
use super::{Translator, slot_offset};
use crate::interp::handlers::{call, control as handlers};
use crate::interp::machine::HANDLER_WORDS;
use crate::module::convert_val_type;
use wasmparser::{BlockType, BrTable, Catch, Operator, TryTable};
use zwasm_core::{BlockSignature, FuncType, TrapCode, ValType};

/// What kind of block a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Function,
    Block,
    /// Branches go back to the word.
    Loop {
        header: usize,
    },
    /// The branch that skips the first arm, until `else` binds it.
    If {
        to_else: Option<Patch>,
    },
    /// Words from `start` are covered by the clauses.
    Try {
        start: usize,
        clauses: (usize, usize),
    },
}

/// A branch whose target is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// First word of the instruction.
    start: usize,
    /// The word that holds the distance.
    word: usize,
}

/// A block being translated.
#[derive(Debug)]
pub(super) struct ControlFrame {
    kind: BlockKind,
    signature: BlockSignature,
    /// Height of the operand stack below the parameters.
    height: usize,
    /// Canonical slot of that height: where parameters and results begin.
    base_slot: u32,
    patches: Vec<Patch>,
    /// Catch clauses that lead to the end of this block.
    clause_patches: Vec<usize>,
}

impl ControlFrame {
    /// The types that a branch to this block carries.
    fn label_types(&self) -> &[ValType] {
        match self.kind {
            BlockKind::Loop { .. } => self.signature.params(),
            _ => self.signature.results(),
        }
    }
}

/// A catch clause whose target may not be known yet.
#[derive(Debug)]
pub(super) struct PendingClause {
    pub(super) tag: Option<u32>,
    pub(super) with_ref: bool,
    pub(super) target: Option<u32>,
    pub(super) payload_slot: u32,
}

impl Translator<'_> {
    pub(super) fn push_function_frame(&mut self) {
        let signature = BlockSignature::Func(self.signature.clone());
        self.push_frame(BlockKind::Function, signature, 0);
    }

    fn push_frame(&mut self, kind: BlockKind, signature: BlockSignature, params: usize) {
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
            patches: Vec::new(),
            clause_patches: Vec::new(),
        });
    }

    fn block_signature(&self, ty: BlockType) -> BlockSignature {
        match ty {
            BlockType::Empty => BlockSignature::Empty,
            BlockType::Type(ty) => {
                BlockSignature::Result(convert_val_type(ty, &self.module.info.types, usize::MAX))
            }
            BlockType::FuncType(index) => {
                BlockSignature::Func(self.module.types[index as usize].clone())
            }
        }
    }

    /// Control operators; false for all others.
    pub(super) fn control_operator(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.emit_trap(TrapCode::Unreachable);
                self.set_unreachable();
            }
            Operator::Block { blockty } => {
                let signature = self.block_signature(*blockty);
                self.enter_block(signature, |_| BlockKind::Block);
            }
            Operator::Loop { blockty } => {
                let signature = self.block_signature(*blockty);
                self.enter_block(signature, |this| {
                    this.bind_here();
                    BlockKind::Loop {
                        header: this.code.len(),
                    }
                });
            }
            Operator::If { blockty } => self.if_(*blockty),
            Operator::Else => self.else_(),
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.set_unreachable();
            }
            Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
            Operator::BrTable { targets } => self.br_table(targets),
            Operator::BrOnNull { relative_depth } => self.br_on_null(*relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(*relative_depth),
            Operator::Return => {
                self.return_();
                self.set_unreachable();
            }
            Operator::Call { function_index } => self.call(*function_index),
            Operator::CallIndirect {
                type_index,
                table_index,
            } => {
                self.call_indirect(*type_index, *table_index);
            }
            Operator::CallRef { type_index } => self.call_ref(*type_index),
            Operator::ReturnCall { function_index } => self.return_call(*function_index),
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                self.return_call_indirect(*type_index, *table_index);
            }
            Operator::ReturnCallRef { type_index } => self.return_call_ref(*type_index),
            Operator::Throw { tag_index } => self.throw(*tag_index),
            Operator::ThrowRef => {
                let value = self.pop();
                let exn = self.consume_slot(value);
                self.begin_trapping(call::throw_ref);
                self.slot_word(exn);
                self.set_unreachable();
            }
            _ => return false,
        }
        true
    }

    fn emit_trap(&mut self, code: TrapCode) {
        self.begin_trapping(handlers::trap);
        self.word(code as u32);
    }

    fn set_unreachable(&mut self) {
        self.reachable = false;
        self.forget_accumulators();
    }

    /// A place that branches come to.
    fn bind_here(&mut self) {
        self.forget_accumulators();
    }

    fn patch(&mut self, patch: Patch) {
        let distance = i32::try_from(self.code.len() as i64 - patch.start as i64);
        self.code[patch.word] = distance.expect("code is shorter than 2^31 words") as u32;
    }

    // --- blocks ---

    fn enter_block(
        &mut self,
        signature: BlockSignature,
        kind: impl FnOnce(&mut Self) -> BlockKind,
    ) {
        let params = signature.params().len();
        self.settle_locals(None);
        self.settle_top(params);
        self.forget_elidable();
        let kind = kind(self);
        self.push_frame(kind, signature, params);
    }

    fn if_(&mut self, ty: BlockType) {
        let signature = self.block_signature(ty);
        let params = signature.params().len();
        let cond = self.pop();
        self.settle_locals(None);
        self.settle_top(params);
        let to_else = Some(self.conditional(cond, true, false));
        self.push_frame(BlockKind::If { to_else }, signature, params);
    }

    pub(super) fn else_(&mut self) {
        let index = self.control.len() - 1;
        let BlockKind::If { to_else } = self.control[index].kind else {
            unreachable!("validated: `else` belongs to an `if`")
        };
        if self.reachable {
            self.branch(0);
        }
        self.truncate(self.control[index].height);
        if let Some(patch) = to_else {
            self.patch(patch);
        }
        self.control[index].kind = BlockKind::If { to_else: None };
        self.bind_here();
        self.reachable = true;
        let signature = self.control[index].signature.clone();
        for &ty in signature.params() {
            self.push(ty, Place::Canonical);
        }
    }

    pub(super) fn end(&mut self) {
        let frame = self.control.last().expect("validated");
        let (kind, height) = (frame.kind, frame.height);
        let skips_to_end = matches!(kind, BlockKind::If { to_else: Some(_) });
        let joins = !frame.patches.is_empty() || !frame.clause_patches.is_empty() || skips_to_end;
        if kind == BlockKind::Function {
            self.end_function();
            return;
        }
        if self.reachable && joins && !matches!(kind, BlockKind::Loop { .. }) {
            let results = self
                .control
                .last()
                .expect("validated")
                .signature
                .results()
                .len();
            self.settle_top(results);
        }
        let frame = self.control.pop().expect("validated");
        if let BlockKind::Try { start, clauses } = kind {
            self.catches
                .push((start as u32, self.code.len() as u32, clauses.0..clauses.1));
            // What follows must not be mistaken for covered code, nor redirect its last move.
            self.forget_elidable();
        }
        if !joins {
            if self.reachable {
                return;
            }
            self.truncate(height);
            for &ty in frame.signature.results() {
                self.push(ty, Place::Canonical);
            }
            return;
        }
        self.truncate(height);
        if let BlockKind::If {
            to_else: Some(patch),
        } = kind
        {
            self.patch(patch);
        }
        self.bind_label(&frame);
        for &ty in frame.signature.results() {
            self.push(ty, Place::Canonical);
        }
        self.reachable = true;
    }

    fn bind_label(&mut self, frame: &ControlFrame) {
        self.bind_here();
        for &patch in &frame.patches {
            self.patch(patch);
        }
        let here = self.code.len() as u32;
        for &clause in &frame.clause_patches {
            self.clauses[clause].target = Some(here);
        }
    }

    fn end_function(&mut self) {
        if self.reachable {
            self.return_();
        }
        let frame = self.control.pop().expect("validated");
        debug_assert!(frame.patches.is_empty(), "branches to the function return");
        // Catch clauses that lead out of the function: the payload is what it returns.
        if !frame.clause_patches.is_empty() {
            self.truncate(frame.height);
            self.bind_label(&frame);
            for &ty in frame.signature.results() {
                self.push(ty, Place::Canonical);
            }
            self.return_();
        }
    }

    // --- branches ---

    /// Emits a branch on an `i32` with an unknown target.
    fn conditional(&mut self, cond: StackValue, negated: bool, back: bool) -> Patch {
        if let Some((last, Fusible::Compare(compare))) = self.fusible(cond) {
            // The comparison was the last instruction: it becomes the branch.
            let negated = negated != compare.negated;
            self.absorb(last, (compare.branch)(compare.a, compare.b, negated, back));
            if back {
                self.positions.push((last.start as u32, self.offset as u32));
            }
            self.word(0);
            let patch = Patch {
                start: last.start,
                word: self.code.len() - 1,
            };
            self.after_branch();
            return patch;
        }
        let operand = self.consume(cond);
        let start = self.begin(handlers::pick_branch_if(operand.form, negated, back));
        if back {
            self.positions.push((start as u32, self.offset as u32));
        }
        self.operand_words(operand);
        self.word(0);
        let patch = Patch {
            start,
            word: self.code.len() - 1,
        };
        self.after_branch();
        patch
    }

    fn after_branch(&mut self) {
        self.forget_elidable();
    }

    fn target_index(&self, depth: u32) -> usize {
        self.control.len() - 1 - depth as usize
    }

    /// Whether the values that a branch carries already lie where its target wants them.
    fn in_place(&self, target: usize) -> bool {
        let frame = &self.control[target];
        let count = frame.label_types().len();
        let first = self.stack.len() - count;
        let mut slot = frame.base_slot;
        self.stack[first..].iter().all(|value| {
            let fits = value.place == Place::Canonical && value.slot == slot;
            slot += value.ty.slots();
            fits
        })
    }

    /// Moves the values that a branch carries to where its target wants them. Ascending order is
    /// safe: a value never lies below its destination.
    fn move_to_label(&mut self, target: usize) {
        let frame = &self.control[target];
        let first = self.stack.len() - frame.label_types().len();
        let mut slot = frame.base_slot;
        for index in first..self.stack.len() {
            let value = self.stack[index];
            self.move_value(value, slot);
            slot += value.ty.slots();
        }
    }

    /// Lets a branch lead to a block.
    fn link(&mut self, target: usize, patch: Patch) {
        match self.control[target].kind {
            BlockKind::Loop { header } => {
                let distance = i32::try_from(header as i64 - patch.start as i64);
                self.code[patch.word] = distance.expect("code is shorter than 2^31 words") as u32;
            }
            _ => self.control[target].patches.push(patch),
        }
    }

    fn goes_back(&self, target: usize) -> bool {
        matches!(self.control[target].kind, BlockKind::Loop { .. })
    }

    /// An unconditional branch. The operand stack is left as it is.
    fn branch(&mut self, depth: u32) {
        let target = self.target_index(depth);
        if self.control[target].kind == BlockKind::Function {
            self.return_();
            return;
        }
        self.move_to_label(target);
        let back = self.goes_back(target);
        let handler = if back {
            handlers::branch::<true>
        } else {
            handlers::branch::<false>
        };
        let start = if back {
            self.begin_trapping(handler)
        } else {
            self.begin(handler)
        };
        self.word(0);
        self.link(
            target,
            Patch {
                start,
                word: start + HANDLER_WORDS,
            },
        );
        self.after_branch();
    }

    /// Emits a conditional branch to a block, given how to emit the condition: `emit(negated,
    /// back)`.
    fn branch_if(&mut self, depth: u32, emit: impl FnOnce(&mut Self, bool, bool) -> Patch) {
        let target = self.target_index(depth);
        let is_function = self.control[target].kind == BlockKind::Function;
        if !is_function && self.in_place(target) {
            let back = self.goes_back(target);
            let patch = emit(self, false, back);
            self.link(target, patch);
            return;
        }
        let skip = emit(self, true, false);
        self.branch(depth);
        self.patch(skip);
        self.bind_here();
    }

    fn br_if(&mut self, depth: u32) {
        let cond = self.pop();
        self.branch_if(depth, |this, negated, back| {
            this.conditional(cond, negated, back)
        });
    }

    fn branch_null(&mut self, reference: u32, negated: bool, back: bool) -> Patch {
        let start = self.begin(handlers::pick_branch_null(negated, back));
        if back {
            self.positions.push((start as u32, self.offset as u32));
        }
        self.slot_word(reference);
        self.word(0);
        self.after_branch();
        Patch {
            start,
            word: self.code.len() - 1,
        }
    }

    fn br_on_null(&mut self, depth: u32) {
        self.settle_top(1);
        let value = self.pop();
        self.branch_if(depth, |this, negated, back| {
            this.branch_null(value.slot, negated, back)
        });
        self.push(value.ty, Place::Canonical);
    }

    fn br_on_non_null(&mut self, depth: u32) {
        self.settle_top(1);
        let reference = self.stack.last().expect("validated").slot;
        self.branch_if(depth, |this, negated, back| {
            this.branch_null(reference, !negated, back)
        });
        self.pop();
    }

    fn br_table(&mut self, targets: &BrTable<'_>) {
        let index = self.pop();
        let operand = self.consume(index);
        let start = self.begin_trapping(handlers::pick_branch_table(operand.form));
        self.operand_words(operand);
        self.word(targets.len());
        let first_word = self.code.len();
        let depths: Vec<u32> = targets
            .targets()
            .chain(core::iter::once(Ok(targets.default())))
            .collect::<Result<_, _>>()
            .expect(super::VALIDATED);
        for _ in &depths {
            self.word(0);
        }
        self.after_branch();
        let acc = self.acc;
        // Targets that want values moved (or the function left) get a piece of code each.
        let mut pads: Vec<(u32, usize)> = Vec::new();
        for (i, &depth) in depths.iter().enumerate() {
            let patch = Patch {
                start,
                word: first_word + i,
            };
            let target = self.target_index(depth);
            let is_function = self.control[target].kind == BlockKind::Function;
            if !is_function && self.in_place(target) {
                self.link(target, patch);
                continue;
            }
            let pad = match pads.iter().find(|pad| pad.0 == depth) {
                Some(&(_, pad)) => pad,
                None => {
                    let pad = self.code.len();
                    pads.push((depth, pad));
                    self.acc = acc;
                    self.forget_elidable();
                    self.branch(depth);
                    pad
                }
            };
            let distance = i32::try_from(pad - start).expect("code is shorter than 2^31 words");
            self.code[patch.word] = distance as u32;
        }
        self.set_unreachable();
    }

    /// Returns from the function. The operand stack is left as it is.
    fn return_(&mut self) {
        let count = self.signature.results().len();
        match count {
            0 => {
                self.begin(handlers::return_none);
                self.slot_word(self.header_slot);
            }
            1 => {
                let value = *self.stack.last().expect("validated");
                let operand = self.consume(value);
                let form: Form = operand.form;
                let handler = with_slot_type!(value.ty, T => handlers::pick_return_one::<T>(form));
                self.begin(handler);
                self.operand_words(operand);
                self.slot_word(self.header_slot);
            }
            _ => {
                let first = self.stack.len() - count;
                let values: Vec<StackValue> = self.stack[first..].to_vec();
                let from = values[0].slot;
                let slots = values.iter().map(|value| value.ty.slots()).sum();
                for value in values {
                    // Not `settle`: when the branch is conditional, the values stay where they are.
                    self.move_value(value, value.slot);
                }
                self.emit_return_many(from, slots);
            }
        }
        self.after_branch();
    }

    fn emit_return_many(&mut self, from: u32, slots: u32) {
        self.begin(handlers::return_many);
        self.slot_word(from);
        self.word(slots);
        self.slot_word(self.header_slot);
    }

    // --- calls ---

    /// Settles the arguments of a call and returns the first one's slot.
    fn arguments(&mut self, ty: &FuncType) -> u32 {
        self.settle_top(ty.params().len());
        let first = self.stack.len() - ty.params().len();
        self.stack
            .get(first)
            .map_or(self.next_slot, |value| value.slot)
    }

    /// Ends a call instruction with the distance between the frames, and pushes the results.
    fn finish_call(&mut self, ty: &FuncType, first: u32) {
        self.word(slot_offset(first));
        self.has_calls = true;
        self.truncate(self.stack.len() - ty.params().len());
        self.forget_accumulators();
        for &result in ty.results() {
            self.push(result, Place::Canonical);
        }
        if let [result] = ty.results() {
            self.acc_holds(*result, first);
        }
    }

    fn call(&mut self, func: u32) {
        let ty = self.module.func_type(func).clone();
        let first = self.arguments(&ty);
        match self.module.info.defined_func(func) {
            Some(defined) => {
                self.begin_trapping(call::call);
                self.word64(self.module.code.entry(defined) as u64);
            }
            None => {
                self.begin_trapping(call::call_import);
                self.word(self.module.info.offsets.imported_funcs + func * 8);
            }
        }
        self.finish_call(&ty, first);
    }

    /// The operands that select the callee of an indirect call.
    fn indirect_words(&mut self, index: u32, type_index: u32, table: u32) {
        self.slot_word(index);
        self.word(self.module.info.offsets.tables + table * 8);
        self.word(u32::from(
            self.module.info.tables[table as usize].ty.table64,
        ));
        self.word(self.module.info.types[type_index as usize].number());
    }

    /// Pops the value that selects the callee, settles the arguments and gives its slot. The slot
    /// stays reserved: it lies above the arguments.
    fn callee_slot(&mut self, ty: &FuncType) -> (u32, u32) {
        let value = self.pop();
        let slot = self.consume_slot(value);
        let first = self.arguments(ty);
        (slot, first)
    }

    fn call_indirect(&mut self, type_index: u32, table: u32) {
        let ty = self.module.types[type_index as usize].clone();
        let (index, first) = self.callee_slot(&ty);
        self.begin_trapping(call::call_indirect);
        self.indirect_words(index, type_index, table);
        self.finish_call(&ty, first);
    }

    fn call_ref(&mut self, type_index: u32) {
        let ty = self.module.types[type_index as usize].clone();
        let (reference, first) = self.callee_slot(&ty);
        self.begin_trapping(call::call_ref);
        self.slot_word(reference);
        self.finish_call(&ty, first);
    }

    /// Ends a tail call with the place of the arguments.
    fn finish_return_call(&mut self, ty: &FuncType, first: u32) {
        self.slot_word(first);
        self.word(ty.param_slots());
        self.slot_word(self.header_slot);
        self.has_calls = true;
        self.max_slot = self.max_slot.max(first + ty.result_slots());
        self.set_unreachable();
    }

    fn return_call(&mut self, func: u32) {
        let ty = self.module.func_type(func).clone();
        let first = self.arguments(&ty);
        match self.module.info.defined_func(func) {
            Some(defined) => {
                self.begin_trapping(call::return_call);
                self.word64(self.module.code.entry(defined) as u64);
            }
            None => {
                self.begin_trapping(call::return_call_import);
                self.word(self.module.info.offsets.imported_funcs + func * 8);
            }
        }
        self.finish_return_call(&ty, first);
    }

    fn return_call_indirect(&mut self, type_index: u32, table: u32) {
        let ty = self.module.types[type_index as usize].clone();
        let (index, first) = self.callee_slot(&ty);
        self.begin_trapping(call::return_call_indirect);
        self.indirect_words(index, type_index, table);
        self.finish_return_call(&ty, first);
    }

    fn return_call_ref(&mut self, type_index: u32) {
        let ty = self.module.types[type_index as usize].clone();
        let (reference, first) = self.callee_slot(&ty);
        self.begin_trapping(call::return_call_ref);
        self.slot_word(reference);
        self.finish_return_call(&ty, first);
    }

    // --- exceptions ---

    fn try_table(&mut self, try_table: &TryTable) {
        let signature = self.block_signature(try_table.ty);
        let params = signature.params().len();
        self.settle_locals(None);
        self.settle_top(params);
        self.forget_elidable();
        let first_clause = self.clauses.len();
        for catch in &try_table.catches {
            let (tag, with_ref, depth) = match *catch {
                Catch::One { tag, label } => (Some(tag), false, label),
                Catch::OneRef { tag, label } => (Some(tag), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            let target = self.target_index(depth);
            let frame = &mut self.control[target];
            let slots: u32 = frame.label_types().iter().map(|ty| ty.slots()).sum();
            self.max_slot = self.max_slot.max(frame.base_slot + slots);
            let mut clause = PendingClause {
                tag,
                with_ref,
                target: None,
                payload_slot: frame.base_slot,
            };
            match frame.kind {
                BlockKind::Loop { header } => clause.target = Some(header as u32),
                _ => frame.clause_patches.push(self.clauses.len()),
            }
            self.clauses.push(clause);
        }
        let clauses = (first_clause, self.clauses.len());
        self.push_frame(
            BlockKind::Try {
                start: self.code.len(),
                clauses,
            },
            signature,
            params,
        );
    }

    fn throw(&mut self, tag: u32) {
        let ty = self.module.tag_type(tag).clone();
        let first = self.arguments(&ty);
        self.begin_trapping(call::throw);
        self.word(self.module.info.offsets.tags + tag * 8);
        self.slot_word(first);
        self.word(ty.param_slots());
        self.set_unreachable();
    }
}

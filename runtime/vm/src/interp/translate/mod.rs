//! From a validated function body to register code, in one pass over the operators.
//!
//! Local *i* has a fixed slot, and so has each height of the operand stack (its canonical slot);
//! between them lies the header slot with the return address. `local.get` and constants emit
//! nothing: the value on the operand stack says where it lies, and the instruction that consumes it
//! takes it from there. Where control flow joins, values lie in their canonical slots.
//!
//! Unreachable code is skipped. [`emit`] has the instruction level, [`control`] structured control
//! flow, [`numeric`] and [`access`] the operators, [`fill`] loops that fill memory.

mod access;
mod control;
mod emit;
mod fill;
mod numeric;
pub(crate) mod operand;

use super::code::{CatchClause, CatchRange, FuncCode};
use super::handlers::control as handlers;
use crate::module::{ModuleInner, convert_val_type};
use control::{ControlFrame, PendingClause};
use emit::{CLASSES, Elidable, LastDef};
use operand::{Place, StackValue};
use std::sync::Arc;
use wasmparser::{BinaryReader, FunctionBody, Operator};
use zwasm_core::{FuncType, ValType, fuel};

/// A local's type and slot.
#[derive(Clone, Copy, Debug)]
struct Local {
    ty: ValType,
    slot: u32,
    /// How many values of the operand stack are this local.
    pending: u32,
}

/// The byte offset of a slot from the frame base.
fn slot_offset(slot: u32) -> u32 {
    slot.checked_mul(8)
        .expect("validation bounds locals and heights")
}

struct Translator<'m> {
    module: &'m ModuleInner,
    signature: Arc<FuncType>,
    code: Vec<u32>,
    positions: Vec<(u32, u32)>,
    locals: Vec<Local>,
    stack: Vec<StackValue>,
    control: Vec<ControlFrame>,
    /// The canonical slot of the next value.
    next_slot: u32,
    /// One past the highest slot used.
    max_slot: u32,
    /// Values of the stack that are locals.
    pending_locals: u32,
    reachable: bool,
    /// Blocks begun in unreachable code.
    skipped_blocks: u32,
    header_slot: u32,
    has_calls: bool,
    acc: [Option<u32>; CLASSES],
    elidable: [Option<Elidable>; CLASSES],
    last: Option<LastDef>,
    /// Offset in the module of the current operator.
    offset: u64,
    clauses: Vec<PendingClause>,
    catches: Vec<(u32, u32, core::ops::Range<usize>)>,
    /// The operand word of the fuel instruction of the piece that the next operator belongs to.
    fuel_word: Option<usize>,
    consume_fuel: bool,
}

/// Translates a function by its index among the defined ones.
pub(crate) fn translate(module: &ModuleInner, defined: u32) -> FuncCode {
    let func = module.info.imported_funcs + defined;
    let range = module.info.bodies[defined as usize].clone();
    let reader = BinaryReader::new_features(
        module.bytes.get(&range),
        range.start as u64,
        module.engine.features(),
    );
    let body = FunctionBody::new(reader);
    let mut translator = Translator::new(module, func, &body);
    translator.run(&body);
    translator.finish(func)
}

impl<'m> Translator<'m> {
    fn new(module: &'m ModuleInner, func: u32, body: &FunctionBody<'_>) -> Translator<'m> {
        let ty = module.func_type(func);
        let mut locals = Vec::new();
        let mut slot = 0;
        let mut add = |ty: ValType| {
            locals.push(Local {
                ty,
                slot,
                pending: 0,
            });
            slot += ty.slots();
        };
        ty.params().iter().for_each(|&ty| add(ty));
        for group in body.get_locals_reader().expect(VALIDATED) {
            let (count, ty) = group.expect(VALIDATED);
            let ty = convert_val_type(ty, &module.info.types, usize::MAX);
            (0..count).for_each(|_| add(ty));
        }
        Translator {
            module,
            signature: ty.clone(),
            code: Vec::with_capacity(64),
            positions: Vec::new(),
            locals,
            stack: Vec::new(),
            control: Vec::new(),
            next_slot: slot + 1,
            max_slot: slot + 1,
            pending_locals: 0,
            reachable: true,
            skipped_blocks: 0,
            header_slot: slot,
            has_calls: false,
            acc: [None; CLASSES],
            elidable: [None; CLASSES],
            last: None,
            offset: 0,
            clauses: Vec::new(),
            catches: Vec::new(),
            fuel_word: None,
            consume_fuel: module.engine.config().consume_fuel,
        }
    }

    fn run(&mut self, body: &FunctionBody<'_>) {
        self.enter_function();
        let mut reader = body.get_operators_reader().expect(VALIDATED);
        let (bytes, start) = (body.as_bytes(), body.range().start);
        while !self.control.is_empty() {
            self.offset = reader.original_position();
            let op = reader.read().expect(VALIDATED);
            if self.reachable {
                self.take_fuel(&op);
                if matches!(op, Operator::Loop { .. }) {
                    self.fill_loop(&bytes[(self.offset - start) as usize + 1..]);
                }
                self.operator(&op);
            } else {
                self.skip(&op);
            }
        }
    }

    /// The function's first instruction; its operands are known at the end.
    fn enter_function(&mut self) {
        self.begin(handlers::enter::<false>);
        for _ in 0..4 {
            self.word(0);
        }
        self.push_function_frame();
    }

    fn finish(mut self, func: u32) -> FuncCode {
        let ty = self.module.func_type(func);
        let params = ty.param_slots();
        let frame = self.max_slot.max(ty.result_slots());
        if self.has_calls {
            self.set_handler(0, handlers::enter::<true>);
        }
        self.code[2] = slot_offset(frame);
        self.code[3] = slot_offset(self.header_slot);
        self.code[4] = slot_offset(params);
        self.code[5] = self.header_slot - params;
        let clause = |pending: &PendingClause| CatchClause {
            tag: pending.tag,
            with_ref: pending.with_ref,
            target: pending.target.expect("every label was bound"),
            payload: slot_offset(pending.payload_slot),
        };
        let catches = self
            .catches
            .iter()
            .map(|(start, end, clauses)| CatchRange {
                start: *start,
                end: *end,
                clauses: self.clauses[clauses.clone()].iter().map(clause).collect(),
            })
            .collect();
        FuncCode {
            words: self.code.into(),
            func_index: func,
            module: core::ptr::from_ref(self.module),
            header: slot_offset(self.header_slot),
            positions: self.positions.into(),
            catches,
        }
    }

    // --- the operand stack ---

    fn push(&mut self, ty: ValType, place: Place) {
        let slot = self.next_slot;
        if let Place::Local(local) = place {
            self.locals[local as usize].pending += 1;
            self.pending_locals += 1;
        }
        self.stack.push(StackValue { ty, place, slot });
        self.next_slot += ty.slots();
        self.max_slot = self.max_slot.max(self.next_slot);
    }

    fn push_const(&mut self, ty: ValType, bits: u64) {
        self.push(ty, Place::Const { low: bits, high: 0 });
    }

    fn pop(&mut self) -> StackValue {
        let value = self.stack.pop().expect(VALIDATED);
        self.next_slot = value.slot;
        self.unlink(value);
        value
    }

    fn unlink(&mut self, value: StackValue) {
        if let Place::Local(local) = value.place {
            self.locals[local as usize].pending -= 1;
            self.pending_locals -= 1;
        }
    }

    /// Cuts the operand stack.
    fn truncate(&mut self, height: usize) {
        while self.stack.len() > height {
            self.pop();
        }
    }

    /// Puts the value at `index` into its canonical slot.
    fn settle(&mut self, index: usize) {
        let value = self.stack[index];
        if value.place == Place::Canonical {
            return;
        }
        let operand = self.consume(value);
        self.emit_move(operand, value.slot);
        // Nothing may redirect this move: the value stays on the stack.
        self.last = None;
        self.unlink(value);
        self.stack[index].place = Place::Canonical;
    }

    /// Puts the topmost `count` values into their canonical slots.
    fn settle_top(&mut self, count: usize) {
        for index in self.stack.len() - count..self.stack.len() {
            self.settle(index);
        }
    }

    /// Puts values that are locals into their canonical slots: all of them, or those of one local
    /// that is about to be assigned.
    fn settle_locals(&mut self, only: Option<u32>) {
        let mut left = match only {
            Some(local) => self.locals[local as usize].pending,
            None => self.pending_locals,
        };
        let mut index = self.stack.len();
        while left > 0 {
            index -= 1;
            if let Place::Local(local) = self.stack[index].place
                && only.is_none_or(|only| only == local)
            {
                self.settle(index);
                left -= 1;
            }
        }
    }

    // --- fuel ---

    /// Charges an operator to the piece that it belongs to.
    fn take_fuel(&mut self, op: &Operator<'_>) {
        if !self.consume_fuel {
            return;
        }
        let word = match self.fuel_word {
            Some(word) => word,
            None => {
                self.begin_trapping(handlers::fuel);
                self.word(0);
                self.code.len() - 1
            }
        };
        self.code[word] += 1;
        self.fuel_word = (!fuel::ends_piece(op, self.code[word])).then_some(word);
    }

    // --- operators ---

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

    fn operator(&mut self, op: &Operator<'_>) {
        if self.control_operator(op) || self.access_operator(op) || self.numeric_operator(op) {
            return;
        }
        unreachable!("validation with the engine's features rejects {op:?}");
    }
}

/// Why reading a body cannot fail.
const VALIDATED: &str = "the body was validated when the module was loaded";

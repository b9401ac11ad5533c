//! Function bodies: a walk that knows the types on the operand stack and the open blocks.

use super::ops::{self, Nan, Op};
use super::{Event, Shape, Signature};
use crate::values::{float_bits, integer, single_bits, vector};
use fastrand::Rng;
use std::borrow::Cow;
use wasm_encoder::Instruction as I;
use wasm_encoder::{
    AbstractHeapType, BlockType, Catch, ConstExpr, Function, HeapType, Ieee32, Ieee64, RefType,
    ValType,
};

const MAX_NESTING: usize = 5;

/// The type of what a handler with the exception itself gets.
const EXCEPTION: ValType = ValType::Ref(RefType::EXNREF);
const NO_EXCEPTION: HeapType = HeapType::Abstract {
    shared: false,
    ty: AbstractHeapType::Exn,
};

/// An open block.
pub(super) struct Frame {
    /// What a branch to it takes.
    label: Vec<ValType>,
    results: Vec<ValType>,
    /// Height of the operand stack below its parameters.
    height: usize,
}

impl Frame {
    /// Without parameters and results.
    pub(super) fn plain(height: usize) -> Frame {
        Frame {
            label: Vec::new(),
            results: Vec::new(),
            height,
        }
    }
}

/// A function body in the making.
pub(super) struct Body<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) shape: &'a mut Shape,
    pub(super) stack: Vec<ValType>,
    function: Function,
    locals: Vec<ValType>,
    pub(super) frames: Vec<Frame>,
    /// Four `i32` and four `i64` that loops over memory count with.
    pub(super) counters: u32,
    /// Scratch locals of `f32`, `f64` and `v128`, in this order.
    scratch: u32,
    results: Vec<ValType>,
    /// Steps left.
    budget: usize,
    /// Neither calls nor loops, so that it need not count fuel: what compilers inline.
    is_small: bool,
}

/// A constant of a type, as an initial value.
pub(super) fn constant_expression(rng: &mut Rng, ty: ValType) -> ConstExpr {
    match ty {
        ValType::I32 => ConstExpr::i32_const(integer(rng) as i32),
        ValType::I64 => ConstExpr::i64_const(integer(rng)),
        ValType::F32 => ConstExpr::f32_const(Ieee32::new(single_bits(rng))),
        ValType::F64 => ConstExpr::f64_const(Ieee64::new(float_bits(rng))),
        ValType::V128 => ConstExpr::v128_const(vector(rng) as i128),
        ValType::Ref(_) => ConstExpr::ref_null(HeapType::FUNC),
    }
}

impl<'a> Body<'a> {
    /// The body of a function.
    pub(super) fn generate(rng: &'a mut Rng, shape: &'a mut Shape, func: u32) -> Function {
        let (params, results) = shape.signature(func).clone();
        let is_small = rng.u8(..3) == 0;
        let most = [0, 2, 6, 16][rng.usize(..4)];
        let mut declared = shape.random_types(rng, most);
        let counters = (params.len() + declared.len()) as u32;
        let scratch = counters + 8;
        declared.extend([ValType::I32; 4]);
        declared.extend([ValType::I64; 4]);
        declared.extend([ValType::F32, ValType::F64, ValType::V128]);
        if !shape.vectors {
            declared.pop();
        }
        let mut locals = params;
        locals.extend(&declared);
        // These locals are nobody else's.
        locals.truncate(counters as usize);
        let budget = if is_small {
            rng.usize(..5)
        } else {
            [5, 15, 40, 100][rng.usize(..4)]
        };
        let mut body = Body {
            rng,
            shape,
            stack: Vec::new(),
            function: Function::new_with_locals_types(declared),
            locals,
            counters,
            frames: vec![Frame {
                label: results.clone(),
                results: results.clone(),
                height: 0,
            }],
            scratch,
            results,
            budget,
            is_small,
        };
        if !is_small {
            body.note_instance();
            body.count_fuel();
        }
        body.steps();
        body.function
    }

    pub(super) fn emit(&mut self, instruction: I<'_>) {
        self.function.instruction(&instruction);
    }

    /// Ends the run when the fuel is used up.
    pub(super) fn count_fuel(&mut self) {
        let fuel = self.shape.fuel;
        self.emit(I::GlobalGet(fuel));
        self.emit(I::I32Const(1));
        self.emit(I::I32Sub);
        self.emit(I::GlobalSet(fuel));
        self.emit(I::GlobalGet(fuel));
        self.emit(I::I32Const(0));
        self.emit(I::I32LtS);
        self.emit(I::If(BlockType::Empty));
        self.emit(I::Unreachable);
        self.emit(I::End);
    }

    // --- values ---

    /// The types above the innermost block's floor.
    fn available(&self) -> &[ValType] {
        let frame = self.frames.last().expect("a block is open");
        &self.stack[frame.height..]
    }

    /// Makes these the topmost types: what is there if it fits, mostly, or new values.
    pub(super) fn want(&mut self, types: &[ValType]) {
        if self.available().ends_with(types) && self.rng.u8(..4) != 0 {
            return;
        }
        for &ty in types {
            self.value(ty, 2);
        }
    }

    /// Pushes an integer constant.
    pub(super) fn constant_integer(&mut self, ty: ValType, value: i64) {
        if ty == ValType::I64 {
            self.emit(I::I64Const(value));
        } else {
            self.emit(I::I32Const(value as i32));
        }
        self.stack.push(ty);
    }

    /// Turns a constant on top into something that no compiler folds: adds a global's difference
    /// with itself.
    pub(super) fn hide_top(&mut self, ty: ValType) {
        let fuel = self.shape.fuel;
        self.emit(I::GlobalGet(fuel));
        self.emit(I::I32Const(0));
        self.emit(I::I32And);
        if ty == ValType::I64 {
            self.emit(I::I64ExtendI32U);
            self.emit(I::I64Or);
        } else {
            self.emit(I::I32Or);
        }
    }

    /// Pushes a value of a type, computed in at most `depth` levels.
    pub(super) fn value(&mut self, ty: ValType, depth: u32) {
        let choice = self.rng.u8(..16);
        if choice < 8
            && let Some(local) = self.local_of(ty)
        {
            self.emit(I::LocalGet(local));
            self.stack.push(ty);
            return;
        }
        if choice < 9
            && let Some(global) = self.global_of(ty)
        {
            self.emit(I::GlobalGet(global));
            self.stack.push(ty);
            return;
        }
        if choice < 13 && depth > 0 {
            for _ in 0..30 {
                let op = ops::random(self.rng, self.shape.vectors);
                if op.result == ty {
                    for &param in op.params {
                        self.value(param, depth - 1);
                    }
                    self.apply(&op);
                    return;
                }
            }
        }
        match ty {
            ValType::I32 => self
                .function
                .instruction(&I::I32Const(integer(self.rng) as i32)),
            ValType::I64 => self.function.instruction(&I::I64Const(integer(self.rng))),
            ValType::F32 => {
                let bits = single_bits(self.rng);
                self.function.instruction(&I::F32Const(Ieee32::new(bits)))
            }
            ValType::F64 => {
                let bits = float_bits(self.rng);
                self.function.instruction(&I::F64Const(Ieee64::new(bits)))
            }
            ValType::V128 => {
                let bits = vector(self.rng) as i128;
                self.function.instruction(&I::V128Const(bits))
            }
            EXCEPTION => self.function.instruction(&I::RefNull(NO_EXCEPTION)),
            ValType::Ref(_) if self.rng.bool() => {
                self.function.instruction(&I::RefNull(HeapType::FUNC))
            }
            ValType::Ref(_) => {
                let func = self.rng.u32(..self.shape.funcs.len() as u32);
                self.function.instruction(&I::RefFunc(func))
            }
        };
        self.stack.push(ty);
    }

    fn local_of(&mut self, ty: ValType) -> Option<u32> {
        pick(self.rng, &self.locals, ty)
    }

    fn global_of(&mut self, ty: ValType) -> Option<u32> {
        let at = pick(self.rng, &self.shape.globals, ty)?;
        Some(self.shape.first_global + at)
    }

    /// Applies an operator to the topmost values.
    fn apply(&mut self, op: &Op) {
        if op.nan == Nan::Seen {
            self.make_canonical(*op.params.last().expect("it has operands"));
        }
        self.function.instruction(&op.instruction);
        self.stack.truncate(self.stack.len() - op.params.len());
        self.stack.push(op.result);
        match op.nan {
            Nan::Lanes32 => self.make_lanes_canonical(0x7fc0_0000_7fc0_0000, I::F32x4Eq),
            Nan::Lanes64 => self.make_lanes_canonical(0x7ff8_0000_0000_0000, I::F64x2Eq),
            Nan::Hidden | Nan::Seen => {}
        }
    }

    /// Replaces a float on top by the canonical NaN if it is one.
    pub(super) fn make_canonical(&mut self, ty: ValType) {
        let (local, nan, equal) = match ty {
            ValType::F32 => {
                let nan = I::F32Const(Ieee32::new(0x7fc0_0000));
                (self.scratch, nan, I::F32Eq)
            }
            ValType::F64 => {
                let nan = I::F64Const(Ieee64::new(0x7ff8_0000_0000_0000));
                (self.scratch + 1, nan, I::F64Eq)
            }
            _ => return,
        };
        self.emit(I::LocalTee(local));
        self.emit(nan);
        self.emit(I::LocalGet(local));
        self.emit(I::LocalGet(local));
        self.emit(equal);
        self.emit(I::Select);
    }

    fn make_lanes_canonical(&mut self, nan: u64, equal: I<'_>) {
        let local = self.scratch + 2;
        let nan = i128::from(nan) << 64 | i128::from(nan);
        self.emit(I::LocalTee(local));
        self.emit(I::V128Const(nan));
        self.emit(I::LocalGet(local));
        self.emit(I::LocalGet(local));
        self.emit(equal);
        self.emit(I::V128Bitselect);
    }

    /// Pushes a condition, a comparison most often.
    fn condition(&mut self) {
        if self.rng.u8(..4) == 0 {
            self.value(ValType::I32, 2);
            return;
        }
        let op = ops::comparison(self.rng);
        for &param in op.params {
            self.value(param, 1);
        }
        self.apply(&op);
        if self.rng.u8(..4) == 0 {
            self.emit(I::I32Eqz);
        }
    }

    // --- steps ---

    /// Steps until the innermost block is done, then its end.
    fn steps(&mut self) {
        let most = self.rng.usize(1..=12);
        for _ in 0..most {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            self.step();
        }
        self.finish_block();
    }

    fn step(&mut self) {
        let choice = match self.rng.u8(..44) {
            // Blocks, which may be loops, calls and helpers.
            23..=31 | 38 | 40..=42 if self.is_small => 32,
            choice => choice,
        };
        match choice {
            0..=5 => {
                let ty = self.shape.random_type(self.rng);
                self.value(ty, 2);
            }
            6..=14 => {
                let op = ops::random(self.rng, self.shape.vectors);
                self.want(op.params);
                self.apply(&op);
            }
            15..=18 => self.assign_local(),
            19 => self.assign_global(),
            20..=21 => self.select(),
            22 => {
                if !self.available().is_empty() {
                    self.emit(I::Drop);
                    self.stack.pop();
                }
            }
            23..=26 => self.block(),
            27..=28 => self.branch_if(),
            29..=31 => self.call(),
            32..=34 => self.load(),
            35..=36 => self.store(),
            37 if self.shape.vectors => self.load_lane(),
            38 => self.bulk(),
            40 => self.bulk_loop(),
            // More where memories are large.
            39 if !self.is_small && self.shape.is_vast() => self.bulk_loop(),
            41..=42 => self.counted_loop(),
            43 => self.atomic(),
            _ => self.reference(),
        }
    }

    fn assign_local(&mut self) {
        if self.locals.is_empty() {
            return;
        }
        let local = self.rng.usize(..self.locals.len());
        let ty = self.locals[local];
        self.want(&[ty]);
        if self.rng.bool() {
            self.emit(I::LocalTee(local as u32));
        } else {
            self.emit(I::LocalSet(local as u32));
            self.stack.pop();
        }
    }

    fn assign_global(&mut self) {
        if self.shape.globals.is_empty() {
            return;
        }
        let global = self.rng.usize(..self.shape.globals.len());
        let ty = self.shape.globals[global];
        self.want(&[ty]);
        self.emit(I::GlobalSet(self.shape.first_global + global as u32));
        self.stack.pop();
    }

    fn select(&mut self) {
        let ty = self.shape.random_type(self.rng);
        self.want(&[ty, ty]);
        self.condition();
        match ty {
            ValType::Ref(_) => self.emit(I::TypedSelect(ty)),
            _ if self.rng.u8(..4) == 0 => self.emit(I::TypedSelect(ty)),
            _ => self.emit(I::Select),
        }
        self.stack.truncate(self.stack.len() - 2);
    }

    fn reference(&mut self) {
        if !self.shape.references {
            return;
        }
        let size = self.shape.table_size;
        match self.rng.u8(..4) {
            0 => {
                self.want(&[ValType::FUNCREF]);
                self.emit(I::RefIsNull);
                self.stack.pop();
                self.stack.push(ValType::I32);
            }
            1 => {
                let index = self.rng.u32(..size + 1) as i32;
                self.emit(I::I32Const(index));
                self.emit(I::TableGet(0));
                self.stack.push(ValType::FUNCREF);
            }
            2 => {
                // Only the elements that no call uses.
                self.emit(I::I32Const(size as i32 - 1));
                self.stack.push(ValType::I32);
                self.value(ValType::FUNCREF, 0);
                self.emit(I::TableSet(0));
                self.stack.truncate(self.stack.len() - 2);
            }
            _ => {
                self.emit(I::TableSize(0));
                self.stack.push(ValType::I32);
            }
        }
    }

    // --- blocks ---

    fn block(&mut self) {
        if self.frames.len() >= MAX_NESTING {
            return;
        }
        if !self.shape.tags.is_empty() && self.rng.u8(..4) == 0 {
            self.try_block();
            return;
        }
        let kind = self.rng.u8(..4);
        let mut taken = self.rng.usize(..=3);
        if kind >= 2 {
            // The condition comes between the parameters and the block.
            self.condition();
            self.stack.pop();
        }
        taken = taken.min(self.available().len());
        let params = self.stack[self.stack.len() - taken..].to_vec();
        let mut results = self.shape.random_types(self.rng, 3);
        if kind == 2 {
            // Without `else`: nothing changes.
            results.clone_from(&params);
        }
        let ty = self.block_type(&params, &results);
        let height = self.stack.len() - taken;
        let label = if kind == 0 { &params } else { &results };
        self.frames.push(Frame {
            label: label.clone(),
            results: results.clone(),
            height,
        });
        match kind {
            0 => {
                self.emit(I::Loop(ty));
                self.count_fuel();
            }
            1 => self.emit(I::Block(ty)),
            _ => self.emit(I::If(ty)),
        }
        if kind == 3 {
            self.then_else(&params);
            return;
        }
        self.steps();
    }

    /// A few steps without blocks and calls.
    pub(super) fn plain_steps(&mut self) {
        let was_small = core::mem::replace(&mut self.is_small, true);
        for _ in 0..self.rng.usize(1..=5) {
            self.step();
        }
        self.is_small = was_small;
    }

    /// Both arms of an `if`.
    fn then_else(&mut self, params: &[ValType]) {
        for _ in 0..self.rng.usize(..5) {
            if self.budget > 0 {
                self.budget -= 1;
                self.step();
            }
        }
        self.leave_results();
        self.emit(I::Else);
        let height = self.frames.last().expect("the `if` is open").height;
        self.stack.truncate(height);
        self.stack.extend(params);
        self.steps();
    }

    /// A body whose exceptions are caught, with what they carry, at the end of a block around it, or
    /// at other labels that fit.
    fn try_block(&mut self) {
        let tag = self.random_tag();
        let with_ref = self.rng.u8(..3) == 0;
        let caught = self.caught(tag, with_ref);
        let height = self.stack.len();
        let outer = self.block_type(&[], &caught);
        self.emit(I::Block(outer));
        self.frames.push(Frame {
            label: caught.clone(),
            results: caught,
            height,
        });
        let mut catches = vec![catch(tag, with_ref, 0)];
        for _ in 0..self.rng.usize(..3) {
            let (tag, with_ref) = (self.random_tag(), self.rng.bool());
            let caught = self.caught(tag, with_ref);
            let depth = self.rng.usize(..self.frames.len());
            if self.label(depth) == caught {
                let at = self.rng.usize(..=catches.len());
                catches.insert(at, catch(tag, with_ref, depth as u32));
            }
        }
        let results = self.shape.random_types(self.rng, 2);
        let inner = self.block_type(&[], &results);
        self.emit(I::TryTable(inner, Cow::Owned(catches)));
        self.frames.push(Frame {
            label: results.clone(),
            results,
            height,
        });
        self.steps();
        self.finish_block();
    }

    /// A tag, or none for all of them.
    fn random_tag(&mut self) -> Option<u32> {
        let tags = self.shape.tags.len() as u32;
        (self.rng.u8(..4) != 0).then(|| self.rng.u32(..tags))
    }

    fn payload(&self, tag: u32) -> Vec<ValType> {
        let ty = self.shape.tags[tag as usize];
        self.shape.types[ty as usize].0.clone()
    }

    /// What the label of a clause takes.
    fn caught(&self, tag: Option<u32>, with_ref: bool) -> Vec<ValType> {
        let mut caught = tag.map_or_else(Vec::new, |tag| self.payload(tag));
        caught.extend(with_ref.then_some(EXCEPTION));
        caught
    }

    /// An exception on top goes away, or is thrown again.
    fn use_exception(&mut self) {
        match self.rng.u8(..4) {
            0 => self.emit(I::Drop),
            _ => {
                let ty = self.block_type(&[EXCEPTION], &[]);
                self.condition();
                self.stack.pop();
                self.emit(I::If(ty));
                self.emit(I::ThrowRef);
                self.emit(I::Else);
                self.emit(I::Drop);
                self.emit(I::End);
            }
        }
        self.stack.pop();
    }

    fn block_type(&mut self, params: &[ValType], results: &[ValType]) -> BlockType {
        match (params, results) {
            ([], []) => BlockType::Empty,
            ([], [result]) if self.rng.bool() => BlockType::Result(*result),
            _ => {
                let signature: Signature = (params.to_vec(), results.to_vec());
                BlockType::FunctionType(self.shape.type_index(signature))
            }
        }
    }

    /// Ends the innermost block: its results, or a jump elsewhere.
    fn finish_block(&mut self) {
        self.leave_results();
        self.emit(I::End);
        let frame = self.frames.pop().expect("a block is open");
        self.stack.truncate(frame.height);
        self.stack.extend(&frame.results);
        if frame.results.last() == Some(&EXCEPTION) {
            self.use_exception();
        }
    }

    /// Leaves exactly the results of the innermost block on the stack, or jumps.
    fn leave_results(&mut self) {
        let frame = self.frames.last().expect("a block is open");
        let results = frame.results.clone();
        let floor = frame.height;
        if self.rng.u8(..4) == 0 {
            self.jump();
            return;
        }
        if !self.available().ends_with(&results) {
            for &ty in &results {
                self.value(ty, 1);
            }
        }
        if self.stack.len() == floor + results.len() {
            return;
        }
        if results.is_empty() && self.rng.bool() {
            for _ in floor..self.stack.len() {
                self.emit(I::Drop);
            }
        } else if self.frames.len() == 1 && self.rng.bool() {
            self.emit(I::Return);
        } else {
            // Takes the results with it and leaves what is below.
            let label = &self.frames.last().expect("a block is open").label;
            if *label == results && !self.is_loop() {
                self.emit(I::Br(0));
            } else {
                self.jump();
            }
        }
    }

    /// Whether the innermost block may be a loop, whose label is its head.
    fn is_loop(&self) -> bool {
        let frame = self.frames.last().expect("a block is open");
        frame.label != frame.results
    }

    // --- leaving ---

    /// Goes elsewhere for good; what follows is unreachable.
    fn jump(&mut self) {
        let depth = self.rng.usize(..self.frames.len());
        let choice = match self.rng.u8(..10) {
            // Across instances, often.
            3..=6 if self.shape.place.is_some() => 8,
            choice => choice,
        };
        match choice {
            0..=3 => {
                self.want_label(depth);
                self.emit(I::Br(depth as u32));
            }
            4..=6 => self.branch_table(depth),
            7 => {
                let results = self.results.clone();
                self.want(&results);
                self.emit(I::Return);
            }
            8 if !self.is_small => self.tail_call(),
            _ if self.shape.tags.is_empty() => {
                self.want_label(depth);
                self.emit(I::Br(depth as u32));
            }
            _ => {
                let tag = self.rng.u32(..self.shape.tags.len() as u32);
                let payload = self.payload(tag);
                self.want(&payload);
                self.emit(I::Throw(tag));
            }
        }
    }

    fn label(&self, depth: usize) -> Vec<ValType> {
        self.frames[self.frames.len() - 1 - depth].label.clone()
    }

    fn want_label(&mut self, depth: usize) {
        let label = self.label(depth);
        self.want(&label);
    }

    fn branch_if(&mut self) {
        let depth = self.rng.usize(..self.frames.len());
        self.want_label(depth);
        self.condition();
        self.emit(I::BrIf(depth as u32));
        self.stack.pop();
    }

    pub(super) fn branch_table(&mut self, depth: usize) {
        let label = self.label(depth);
        let fitting: Vec<u32> = (0..self.frames.len())
            .filter(|&other| self.label(other) == label)
            .map(|other| other as u32)
            .collect();
        let count = self.rng.usize(..6);
        let targets: Vec<u32> = (0..count)
            .map(|_| fitting[self.rng.usize(..fitting.len())])
            .collect();
        self.want(&label);
        self.value(ValType::I32, 1);
        if self.rng.bool() {
            self.emit(I::I32Const(7));
            self.emit(I::I32And);
        }
        self.emit(I::BrTable(Cow::Owned(targets), depth as u32));
    }

    // --- calls ---

    fn call(&mut self) {
        let callee = self.callee(None);
        let (params, results) = self.shape.types[callee.ty as usize].clone();
        self.want(&params);
        self.go(callee, false);
        self.stack.truncate(self.stack.len() - params.len());
        self.stack.extend(&results);
    }

    fn tail_call(&mut self) {
        let results = self.results.clone();
        let callee = self.callee(Some(&results));
        let params = self.shape.types[callee.ty as usize].0.clone();
        self.want(&params);
        if callee.is_host {
            self.note(Event::HostTailCalled);
        }
        self.go(callee, true);
    }

    /// Something to call, with certain results if it must have them: a function of the module, or
    /// anything in the world's table, or what a global refers to.
    fn callee(&mut self, results: Option<&[ValType]>) -> Callee {
        let shape = &*self.shape;
        let fits = |ty: u32| results.is_none_or(|results| shape.types[ty as usize].1 == *results);
        let own = (0..shape.funcs.len() as u32).map(|func| Callee {
            ty: shape.funcs[func as usize],
            is_host: shape.is_host[func as usize],
            by: By::Function(func),
        });
        let fitting = |callee: &Callee| fits(callee.ty);
        let mut candidates: Vec<Callee> = own.filter(fitting).collect();
        if let Some(place) = &shape.place
            && self.rng.bool()
        {
            let slots = (0..)
                .zip(&place.slots)
                .map(|(slot, &(ty, is_host))| Callee {
                    ty,
                    is_host,
                    by: By::Slot(slot),
                });
            let references = place.references.iter().map(|&(global, ty)| Callee {
                ty,
                is_host: false,
                by: By::Reference(global),
            });
            let elsewhere = slots.chain(references).filter(fitting);
            candidates.extend(elsewhere);
        }
        candidates[self.rng.usize(..candidates.len())]
    }

    /// Calls it, directly or by a table.
    fn go(&mut self, callee: Callee, is_tail: bool) {
        let (table_index, element) = match callee.by {
            By::Function(func) if self.rng.u8(..3) == 0 => match &self.shape.place {
                Some(_) => (1, func),
                None => (0, func),
            },
            By::Function(func) => {
                self.emit(if is_tail {
                    I::ReturnCall(func)
                } else {
                    I::Call(func)
                });
                return;
            }
            By::Slot(slot) => (0, slot),
            By::Reference(global) => {
                self.emit(I::GlobalGet(global));
                self.emit(if is_tail {
                    I::ReturnCallRef(callee.ty)
                } else {
                    I::CallRef(callee.ty)
                });
                return;
            }
        };
        self.table_index(element);
        let type_index = callee.ty;
        self.emit(if is_tail {
            I::ReturnCallIndirect {
                type_index,
                table_index,
            }
        } else {
            I::CallIndirect {
                type_index,
                table_index,
            }
        });
    }

    /// Emits the index of an element of a table; a wrong one now and then.
    fn table_index(&mut self, element: u32) {
        let index = match self.rng.u8(..16) {
            0 => self.rng.u32(..self.shape.table_size + 2),
            _ => element,
        };
        self.emit(I::I32Const(index as i32));
        if self.rng.bool() {
            self.hide_top(ValType::I32);
        }
    }

    // --- events ---

    /// Counts an event, where there are several instances.
    pub(super) fn note(&mut self, event: Event) {
        if self.shape.place.is_some() {
            let global = event as u32;
            self.emit(I::GlobalGet(global));
            self.emit(I::I32Const(1));
            self.emit(I::I32Add);
            self.emit(I::GlobalSet(global));
        }
    }

    /// Counts that another instance than before runs.
    fn note_instance(&mut self) {
        let Some(place) = &self.shape.place else {
            return;
        };
        let id = place.id as i32;
        let (crossed, last) = (Event::Crossed as u32, Event::LastInstance as u32);
        self.emit(I::GlobalGet(crossed));
        self.emit(I::GlobalGet(last));
        self.emit(I::I32Const(id));
        self.emit(I::I32Ne);
        self.emit(I::I32Add);
        self.emit(I::GlobalSet(crossed));
        self.emit(I::I32Const(id));
        self.emit(I::GlobalSet(last));
    }
}

/// What a call goes to.
#[derive(Clone, Copy)]
struct Callee {
    /// The type's index.
    ty: u32,
    is_host: bool,
    by: By,
}

/// How a callee is named.
#[derive(Clone, Copy)]
enum By {
    Function(u32),
    /// An element of the table that all instances share.
    Slot(u32),
    /// A global with a reference.
    Reference(u32),
}

fn catch(tag: Option<u32>, with_ref: bool, label: u32) -> Catch {
    match (tag, with_ref) {
        (Some(tag), false) => Catch::One { tag, label },
        (Some(tag), true) => Catch::OneRef { tag, label },
        (None, false) => Catch::All { label },
        (None, true) => Catch::AllRef { label },
    }
}

/// The index of a random item of the type.
fn pick(rng: &mut Rng, types: &[ValType], ty: ValType) -> Option<u32> {
    let count = types.iter().filter(|other| **other == ty).count();
    if count == 0 {
        return None;
    }
    let nth = rng.usize(..count);
    let found = (0..).zip(types).filter(|(_, other)| **other == ty).nth(nth);
    found.map(|(index, _)| index)
}

//! Calls: of functions, through tables and references, and of the runtime.

use super::counts::Count;
use super::scan::NO_CONSTRUCT;
use super::{Builder, Frame, Kind, Unsupported};
use crate::contract::helpers;
use crate::masm::{Cond, LoadOp, Width};
use crate::opt::form::ir::{Alias, BlockId, CallSite, Callee, Edge, Exit, Op, Ty, Value, Values};
use std::sync::Arc;
use wasmparser::Operator;
use zwasm_core::vmctx::func_ref;
use zwasm_core::{BlockSignature, FuncType, TrapCode, ValType};

/// What a reference may be that is called.
#[derive(Clone, Copy)]
enum Checks {
    /// Null, else of the type.
    Null,
    /// An element of a table: null, or of another type than this one.
    Element(u32),
}

/// A comparison of a reference with that of the function that it leads to mostly.
struct Guess {
    func: u32,
    /// How often the call runs, and its arguments.
    count: Count,
    args: Values,
    /// Where code goes on with that function, and where with another, and how often.
    same: (BlockId, Count),
    other: (BlockId, Count),
}

impl Builder<'_> {
    pub(super) fn call_operator(&mut self, op: &Operator<'_>) -> Result<bool, Unsupported> {
        match *op {
            Operator::Call { function_index } => {
                self.call_function(function_index)?;
            }
            Operator::CallIndirect {
                type_index,
                table_index,
            } => {
                let reference = self.element_reference(table_index);
                let checks = Checks::Element(type_index);
                self.call_reference(type_index, reference, checks)?;
            }
            Operator::CallRef { type_index } => {
                let reference = self.pop();
                self.call_reference(type_index, reference, Checks::Null)?;
            }
            Operator::ReturnCall { function_index } => {
                self.tail_call_function(function_index)?;
            }
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                let reference = self.element_reference(table_index);
                let checks = Checks::Element(type_index);
                self.tail_call_reference(type_index, reference, checks)?;
            }
            Operator::ReturnCallRef { type_index } => {
                let reference = self.pop();
                self.tail_call_reference(type_index, reference, Checks::Null)?;
            }
            _ => return Ok(self.helper_operator(op)),
        }
        Ok(true)
    }

    fn direct(&mut self, func: u32) -> (Arc<FuncType>, Callee, Option<Value>) {
        let info = self.env.info;
        let ty = self.env.types[info.funcs[func as usize] as usize].clone();
        match info.defined_func(func) {
            Some(defined) => (ty, Callee::Defined(defined), None),
            None => {
                let offset = info.offsets.imported_funcs + func * 8;
                let reference = self.context_load(offset, Alias::Fixed);
                (ty, Callee::Imported, Some(reference))
            }
        }
    }

    fn call_function(&mut self, func: u32) -> Result<(), Unsupported> {
        if !self.inline_call(func)? {
            let (ty, callee, reference) = self.direct(func);
            self.call(callee, reference, &ty);
        }
        Ok(())
    }

    fn tail_call_function(&mut self, func: u32) -> Result<(), Unsupported> {
        if !self.inline_tail_call(func)? {
            let (ty, callee, reference) = self.direct(func);
            self.tail_call(callee, reference, &ty);
        }
        Ok(())
    }

    /// Pops the index of an indirect call; the reference is whatever is there.
    fn element_reference(&mut self, table: u32) -> Value {
        let index = self.pop();
        let place = self.element(table, index, TrapCode::UndefinedElement);
        let load = Op::Load(LoadOp::U64, Alias::Table);
        self.emit(load, Ty::I64, &place, 0)
    }

    /// Calls what a reference leads to. Where that was one function mostly, it is compared with that function's, which
    /// then is called as if it had been named.
    fn call_reference(
        &mut self,
        type_index: u32,
        reference: Value,
        checks: Checks,
    ) -> Result<(), Unsupported> {
        let ty = self.env.types[type_index as usize].clone();
        let Some(guess) = self.guess(type_index, reference) else {
            self.check_reference(reference, checks);
            self.call(Callee::Reference, Some(reference), &ty);
            return Ok(());
        };
        let behind = self.function.add_block(self.loop_depth);
        let signature = BlockSignature::Func(ty.clone());
        let place = (self.stack.len(), NO_CONSTRUCT);
        self.control
            .push(Frame::new(Kind::Block, signature, behind, place));
        let height = self.stack.len();
        self.begin_way(&guess.same, &guess.args);
        self.call_function(guess.func)?;
        if self.reachable {
            let exit = self.branch_exit(0);
            self.finish_block(exit);
        }
        self.stack.truncate(height);
        self.begin_way(&guess.other, &guess.args);
        self.check_reference(reference, checks);
        self.call(Callee::Reference, Some(reference), &ty);
        self.end();
        self.count = guess.count;
        Ok(())
    }

    /// The same of a tail call.
    fn tail_call_reference(
        &mut self,
        type_index: u32,
        reference: Value,
        checks: Checks,
    ) -> Result<(), Unsupported> {
        let ty = self.env.types[type_index as usize].clone();
        if let Some(guess) = self.guess(type_index, reference) {
            self.begin_way(&guess.same, &guess.args);
            self.tail_call_function(guess.func)?;
            self.begin_way(&guess.other, &guess.args);
        }
        self.check_reference(reference, checks);
        self.tail_call(Callee::Reference, Some(reference), &ty);
        Ok(())
    }

    /// Compares a reference with that of the function of this instance that it leads to mostly, if there is one; the
    /// block ends, with the arguments taken off the stack.
    fn guess(&mut self, type_index: u32, reference: Value) -> Option<Guess> {
        let (func, part) = self.favourite(type_index)?;
        let count = self.count;
        let guessed = self.own_reference(func);
        let op = Op::Compare(Cond::Eq, Width::W64);
        let is_guessed = self.emit(op, Ty::I32, &[reference, guessed], 0);
        let [same, other] = [0; 2].map(|_| self.function.add_block(self.loop_depth));
        let edges = [same, other].map(|to| Edge {
            to,
            args: Values::new(),
        });
        self.finish_block(Exit::Branch(is_guessed, edges));
        let params = self.env.types[type_index as usize].params().len();
        Some(Guess {
            func,
            count,
            args: self.pop_many(params),
            same: (same, count.part(part)),
            other: (other, count.part(1.0 - part)),
        })
    }

    /// Goes on in a block that runs so often, with these values on the stack.
    fn begin_way(&mut self, &(block, count): &(BlockId, Count), args: &[Value]) {
        self.count = count;
        self.reachable = true;
        self.start(block);
        self.stack.extend(args);
    }

    /// Traps where a reference is null, or not of the type.
    fn check_reference(&mut self, reference: Value, checks: Checks) {
        let type_index = match checks {
            Checks::Null => {
                self.trap_if_null(reference, TrapCode::NullFunctionReference);
                return;
            }
            Checks::Element(type_index) => type_index,
        };
        self.trap_if_null(reference, TrapCode::UninitializedElement);
        let signature = self.emit(
            Op::Load(LoadOp::U32, Alias::Table),
            Ty::I32,
            &[reference],
            u64::from(func_ref::offset::signature),
        );
        let expected = self.emit(
            Op::Load(LoadOp::U32, Alias::Fixed),
            Ty::I32,
            &[self.context],
            self.env.info.called_type_offset(type_index).into(),
        );
        let op = Op::Compare(Cond::Ne, Width::W32);
        let differs = self.emit(op, Ty::I32, &[signature, expected], 0);
        self.trap_if(differs, TrapCode::IndirectCallTypeMismatch);
    }

    fn site(&mut self, callee: Callee, reference: Option<Value>, ty: &FuncType) -> u32 {
        let mut args: Values = reference.into_iter().collect();
        args.extend(self.pop_many(ty.params().len()));
        self.function.calls.push(CallSite {
            callee,
            params: ty.params().into(),
            results: ty.results().into(),
            args,
        });
        self.function.calls.len() as u32 - 1
    }

    fn call(&mut self, callee: Callee, reference: Option<Value>, ty: &FuncType) {
        let site = self.site(callee, reference, ty);
        let pads = self.pad_edges(false);
        self.emit_call(site, pads);
    }

    fn tail_call(&mut self, callee: Callee, reference: Option<Value>, ty: &FuncType) {
        if let Some(call) = self.body.call {
            // The callee that this is in is gone; its caller goes on behind the call.
            let origin = core::mem::replace(&mut self.origin, call);
            let site = self.site(callee, reference, ty);
            let pads = self.pad_edges(true);
            self.emit_call(site, pads);
            self.origin = origin;
            self.leave_body();
            return;
        }
        let site = self.site(callee, reference, ty);
        self.close(Exit::TailCall(site));
    }

    /// Adds a call, which ends the block if it may lead to landing pads.
    fn emit_call(&mut self, site: u32, pads: Vec<Edge>) {
        let call = self.emit(Op::Call, Ty::None, &[], u64::from(site));
        let results = self.function.calls[site as usize].results.clone();
        for (i, ty) in results.into_iter().enumerate() {
            let result = self.emit(Op::CallResult, Ty::of(ty), &[call], i as u64);
            self.stack.push(result);
        }
        if pads.is_empty() {
            return;
        }
        let next = self.function.add_block(self.loop_depth);
        let mut edges = vec![Edge {
            to: next,
            args: Values::new(),
        }];
        edges.extend(pads);
        self.finish_block(Exit::Invoke(edges));
        self.start(next);
    }

    // --- the runtime ---

    fn helper_operator(&mut self, op: &Operator<'_>) -> bool {
        if let Operator::Throw { tag_index } = *op
            && self.jump_to_clause(tag_index)
        {
            return true;
        }
        let Some(call) = helpers::runtime_call(op, self.env.info, self.env.types) else {
            return false;
        };
        let results = call.results.as_slice();
        self.helper(call.entry, call.immediates, call.operands, results);
        if helpers::ends_activation(call.entry) {
            // Never returns.
            self.close(Exit::Trap(TrapCode::Unreachable));
        }
        true
    }

    /// Calls an entry of the helper table on the topmost values.
    pub(super) fn helper(
        &mut self,
        entry: u32,
        immediates: [u64; 2],
        operands: usize,
        results: &[ValType],
    ) {
        let args = self.pop_many(operands);
        let params = args
            .iter()
            .map(|&arg| self.function[arg].ty.val_type())
            .collect();
        self.function.calls.push(CallSite {
            callee: Callee::Helper(entry, immediates),
            params,
            results: results.into(),
            args,
        });
        let site = self.function.calls.len() as u32 - 1;
        let pads = if helpers::ends_activation(entry) {
            self.pad_edges(false)
        } else {
            Vec::new()
        };
        self.emit_call(site, pads);
    }
}

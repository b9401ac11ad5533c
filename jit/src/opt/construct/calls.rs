//! Calls: of functions, through tables and references, and of the runtime.

use super::{Builder, Unsupported};
use crate::contract::helpers;
use crate::masm::{Cond, LoadOp, Width};
use crate::opt::form::ir::{Alias, CallSite, Callee, Edge, Exit, Op, Ty, Value, Values};
use std::sync::Arc;
use wasmparser::Operator;
use zwasm_core::vmctx::func_ref;
use zwasm_core::{FuncType, TrapCode, ValType};

impl Builder<'_> {
    pub(super) fn call_operator(&mut self, op: &Operator<'_>) -> Result<bool, Unsupported> {
        match *op {
            Operator::Call { function_index } => {
                if self.inline_call(function_index)? {
                    return Ok(true);
                }
                let (ty, callee, reference) = self.direct(function_index);
                self.call(callee, reference, &ty);
            }
            Operator::CallIndirect {
                type_index,
                table_index,
            } => {
                let ty = self.env.types[type_index as usize].clone();
                let reference = self.indirect(type_index, table_index);
                self.call(Callee::Reference, Some(reference), &ty);
            }
            Operator::CallRef { type_index } => {
                let ty = self.env.types[type_index as usize].clone();
                let reference = self.callee_reference();
                self.call(Callee::Reference, Some(reference), &ty);
            }
            Operator::ReturnCall { function_index } => {
                if self.inline_tail_call(function_index)? {
                    return Ok(true);
                }
                let (ty, callee, reference) = self.direct(function_index);
                self.tail_call(callee, reference, &ty);
            }
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                let ty = self.env.types[type_index as usize].clone();
                let reference = self.indirect(type_index, table_index);
                self.tail_call(Callee::Reference, Some(reference), &ty);
            }
            Operator::ReturnCallRef { type_index } => {
                let ty = self.env.types[type_index as usize].clone();
                let reference = self.callee_reference();
                self.tail_call(Callee::Reference, Some(reference), &ty);
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

    /// Pops the index of an indirect call; the reference is not null and has the type.
    fn indirect(&mut self, type_index: u32, table: u32) -> Value {
        let index = self.pop();
        let place = self.element(table, index, TrapCode::UndefinedElement);
        let load = Op::Load(LoadOp::U64, Alias::Table);
        let reference = self.emit(load, Ty::I64, &place, 0);
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
        reference
    }

    fn callee_reference(&mut self) -> Value {
        let reference = self.pop();
        self.trap_if_null(reference, TrapCode::NullFunctionReference);
        reference
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

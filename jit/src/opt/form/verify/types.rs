//! What operations take and give.

use crate::masm::vector::Lanes;
use crate::masm::{FloatPart, FloatWidth, FromInt, IntUnary, LoadOp, ToInt, Width};
use crate::opt::form::ir::{BlockId, Edge, Exit, Function, Op, Ty, Value};

pub(super) fn check(function: &Function) -> Result<(), String> {
    for block in function.block_ids() {
        let data = &function[block];
        for &node in &data.nodes {
            check_node(function, node)?;
        }
        let condition = data.exit.condition();
        if condition.is_some_and(|condition| function[condition].ty != Ty::I32) {
            return Err(format!("{block} branches on what is no i32"));
        }
        for edge in data.exit.edges() {
            check_edge(function, block, edge)?;
        }
        if let Exit::TailCall(call) = data.exit {
            let given = check_call(function, call as usize);
            given.map_err(|why| format!("the end of {block} {why}"))?;
        }
    }
    Ok(())
}

fn check_edge(function: &Function, from: BlockId, edge: &Edge) -> Result<(), String> {
    let params = &function[edge.to].params;
    if params.len() != edge.args.len() {
        return Err(format!(
            "{from} gives {} arguments to {}, which has {} parameters",
            edge.args.len(),
            edge.to,
            params.len()
        ));
    }
    for (&param, &arg) in params.iter().zip(&edge.args) {
        if function[param].ty != function[arg].ty {
            return Err(format!("{from} gives {arg} for {param}, of another type"));
        }
    }
    Ok(())
}

/// The types of operands that an operation takes, and of its result.
fn check_node(function: &Function, value: Value) -> Result<(), String> {
    let node = &function[value];
    let operands = node.args.iter().filter(|&&arg| arg != Value::NONE);
    let given: Vec<Ty> = operands.map(|&arg| function[arg].ty).collect();
    let fits = |args: &[Ty], result: Ty| {
        if given == args && node.ty == result {
            Ok(())
        } else {
            Err(format!(
                "{value}: {:?} of {given:?} gives {:?}",
                node.op, node.ty
            ))
        }
    };
    let access = |rest: &[Ty], result: Ty| {
        // Base, and perhaps an index of either width.
        let mut types = vec![Ty::I64];
        if node.args[1] != Value::NONE {
            let index = function[node.args[1]].ty;
            if !matches!(index, Ty::I32 | Ty::I64) {
                return Err(format!("{value}: the index is no integer"));
            }
            types.push(index);
        }
        types.extend_from_slice(rest);
        fits(&types, result)
    };
    match node.op {
        Op::Const | Op::VectorConst | Op::Param | Op::Context | Op::MemoryBase => {
            Err(format!("{value}: {:?} is no node of a block", node.op))
        }
        Op::Sum(_) if i32::try_from(node.imm as i64).is_err() => {
            Err(format!("{value}: the constant has more than 32 bits"))
        }
        Op::Alu(_, w) | Op::AndNot(w) | Op::Div(_, w) | Op::Sum(w) => {
            fits(&[Ty::int(w); 2], Ty::int(w))
        }
        Op::Funnel(w) if (1..u64::from(w.bits())).contains(&node.imm) => {
            fits(&[Ty::int(w); 2], Ty::int(w))
        }
        Op::Funnel(_) => Err(format!("{value}: shifted by {}", node.imm)),
        Op::MulHigh(_) => fits(&[Ty::I64; 2], Ty::I64),
        Op::IntUnary(IntUnary::Wrap, Width::W32) => fits(&[Ty::I64], Ty::I32),
        Op::IntUnary(IntUnary::Extend32S, Width::W64) => {
            let from = if given == [Ty::I32] { Ty::I32 } else { Ty::I64 };
            fits(&[from], Ty::I64)
        }
        Op::IntUnary(_, w) => fits(&[Ty::int(w)], Ty::int(w)),
        Op::ExtendU => fits(&[Ty::I32], Ty::I64),
        Op::Narrow => fits(&[Ty::I64], Ty::I32),
        Op::Compare(_, w) => fits(&[Ty::int(w), Ty::int(w)], Ty::I32),
        Op::Select => fits(&[Ty::I32, node.ty, node.ty], node.ty),
        Op::Float(_, w) => fits(&[Ty::float(w), Ty::float(w)], Ty::float(w)),
        Op::FloatUnary(_, w) => fits(&[Ty::float(w)], Ty::float(w)),
        Op::FloatCompare(_, w) => fits(&[Ty::float(w), Ty::float(w)], Ty::I32),
        Op::FromInt(from, w) => {
            let from = match from {
                FromInt::I32S | FromInt::I32U => Ty::I32,
                FromInt::I64S | FromInt::I64U => Ty::I64,
            };
            fits(&[from], Ty::float(w))
        }
        Op::FloatConvert(FloatWidth::F32) => fits(&[Ty::F64], Ty::F32),
        Op::FloatConvert(FloatWidth::F64) => fits(&[Ty::F32], Ty::F64),
        Op::ToBits(w) => fits(&[Ty::float(w)], bits(w)),
        Op::FromBits(w) => fits(&[bits(w)], Ty::float(w)),
        Op::Truncate(to, w) | Op::TruncateSaturating(to, w) => {
            let to = match to {
                ToInt::I32S | ToInt::I32U => Ty::I32,
                ToInt::I64S | ToInt::I64U => Ty::I64,
            };
            fits(&[Ty::float(w)], to)
        }
        Op::VecUnary(_) => fits(&[Ty::V128], Ty::V128),
        Op::VecBinary(_) | Op::Shuffle => fits(&[Ty::V128; 2], Ty::V128),
        Op::VecTernary(_) => fits(&[Ty::V128; 3], Ty::V128),
        Op::VecShift(_) => fits(&[Ty::V128, Ty::I32], Ty::V128),
        Op::VecTest(_) => fits(&[Ty::V128], Ty::I32),
        Op::Splat(lanes) => fits(&[lane(lanes)], Ty::V128),
        Op::FloatSplat(w) => fits(&[Ty::float(w)], Ty::V128),
        Op::ExtractLane(..) => fits(&[Ty::V128], node.ty),
        Op::FloatExtractLane(w, _) => fits(&[Ty::V128], Ty::float(w)),
        Op::ReplaceLane(lanes, _) => fits(&[Ty::V128, lane(lanes)], Ty::V128),
        Op::FloatReplaceLane(w, _) => fits(&[Ty::V128, Ty::float(w)], Ty::V128),
        Op::Load(op, _) => {
            let result = match op {
                LoadOp::S8To64 | LoadOp::S16To64 | LoadOp::S32To64 | LoadOp::U64 => Ty::I64,
                LoadOp::S8To32 | LoadOp::S16To32 => Ty::I32,
                // Unsigned loads give either width.
                LoadOp::U8 | LoadOp::U16 | LoadOp::U32 => node.ty,
            };
            access(&[], result)
        }
        Op::FloatLoad(part, _) => access(&[], part_ty(part)),
        Op::VecLoad(_) => access(&[], Ty::V128),
        Op::LoadLane(..) => access(&[Ty::V128], Ty::V128),
        Op::Store(..) => match given.last() {
            Some(&ty @ (Ty::I32 | Ty::I64)) => access(&[ty], Ty::None),
            _ => Err(format!("{value} stores what is no integer")),
        },
        Op::FloatStore(part, _) => access(&[part_ty(part)], Ty::None),
        Op::StoreLane(..) => access(&[Ty::V128], Ty::None),
        Op::Clear => fits(&[Ty::I64; 2], Ty::None),
        Op::Materialize => {
            fits(&[node.ty], node.ty)?;
            match function[node.args[0]].op {
                Op::Const | Op::VectorConst => Ok(()),
                _ => Err(format!("{value} is no constant in a register")),
            }
        }
        Op::Reload => fits(&[node.ty], node.ty),
        Op::Caught => fits(&[], node.ty),
        Op::Address => fits(&[Ty::I64], Ty::I64),
        Op::TrapIf(_) => fits(&[Ty::I32], Ty::None),
        Op::Call => {
            let given = check_call(function, node.imm as usize);
            given.map_err(|why| format!("{value} {why}"))
        }
        Op::CallResult => {
            fits(&[Ty::None], node.ty)?;
            check_result(function, value)
        }
    }
}

fn check_result(function: &Function, value: Value) -> Result<(), String> {
    let node = &function[value];
    let call = &function[node.args[0]];
    let result = match call.op {
        Op::Call => {
            let results = &function.calls[call.imm as usize].results;
            results.get(node.imm as usize)
        }
        _ => None,
    };
    if result.is_some_and(|&ty| Ty::of(ty) == node.ty) {
        Ok(())
    } else {
        Err(format!("{value} is no result of {}", node.args[0]))
    }
}

fn check_call(function: &Function, call: usize) -> Result<(), String> {
    let site = &function.calls[call];
    let mut types: Vec<Ty> = Vec::new();
    if site.callee.is_reference() {
        types.push(Ty::I64);
    }
    types.extend(site.params.iter().map(|&ty| Ty::of(ty)));
    let given: Vec<Ty> = site.args.iter().map(|&arg| function[arg].ty).collect();
    if types == given {
        Ok(())
    } else {
        Err(format!("passes {given:?} for {types:?}"))
    }
}

fn bits(width: FloatWidth) -> Ty {
    match width {
        FloatWidth::F32 => Ty::I32,
        FloatWidth::F64 => Ty::I64,
    }
}

fn part_ty(part: FloatPart) -> Ty {
    match part {
        FloatPart::F32 => Ty::F32,
        FloatPart::F64 => Ty::F64,
        FloatPart::V128 => Ty::V128,
    }
}

fn lane(lanes: Lanes) -> Ty {
    if lanes == Lanes::I64x2 {
        Ty::I64
    } else {
        Ty::I32
    }
}

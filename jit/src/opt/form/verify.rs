//! Checks the intermediate form: types, dominance, and that every parameter is fed.
//!
//! Runs after every pass in debug builds and tests.

use super::dominators::Dominators;
use super::ir::{BlockId, Edge, Exit, Function, Op, Ty, Value};
use super::predecessors::Predecessors;
use crate::masm::{FloatPart, FloatWidth, FromInt, LoadOp, ToInt, Width};

/// Panics when the function is not well-formed; `pass` names who left it so.
pub(crate) fn verify(function: &Function, pass: &str) {
    if let Err(why) = check(function) {
        panic!("after {pass}: {why}\n{function}");
    }
}

/// Says what is wrong.
pub(crate) fn check(function: &Function) -> Result<(), String> {
    let dominators = Dominators::of(function);
    let predecessors = Predecessors::of(function);
    let mut defined: Vec<Option<(BlockId, usize)>> = vec![None; function.nodes.len()];
    for block in function.block_ids() {
        let data = &function[block];
        let values = data.params.iter().map(|&param| (param, 0));
        let nodes = data
            .nodes
            .iter()
            .enumerate()
            .map(|(i, &node)| (node, i + 1));
        for (value, at) in values.chain(nodes) {
            if defined[value.0 as usize].replace((block, at)).is_some() {
                return Err(format!("{value} is in two places"));
            }
        }
    }
    let is_available = |value: Value, block: BlockId, at: usize| {
        let op = function[value].op;
        if matches!(
            op,
            Op::Const | Op::VectorConst | Op::Context | Op::MemoryBase
        ) {
            return true;
        }
        match defined[value.0 as usize] {
            Some((in_block, position)) if in_block == block => position < at,
            Some((in_block, position)) => {
                // What comes behind a call that throws is not there.
                let is_behind = |call| position > call + 1;
                let after = match &function[in_block].exit {
                    Exit::Invoke(edges) if function.invoked(in_block).is_some_and(is_behind) => {
                        edges[0].to
                    }
                    _ => in_block,
                };
                dominators.dominates(in_block, block) && dominators.dominates(after, block)
            }
            None => false,
        }
    };
    for block in function.block_ids() {
        let data = &function[block];
        for (i, &param) in data.params.iter().enumerate() {
            let node = &function[param];
            if node.op != Op::Param || node.imm != i as u64 {
                return Err(format!("{param} is not parameter {i} of {block}"));
            }
        }
        for (i, &node) in data.nodes.iter().enumerate() {
            let mut missing = None;
            function.for_each_arg(node, |arg| {
                if !is_available(arg, block, i + 1) {
                    missing = Some(arg);
                }
            });
            if let Some(arg) = missing {
                return Err(format!(
                    "{node} in {block} uses {arg}, which is not available"
                ));
            }
            check_types(function, node)?;
        }
        let end = data.nodes.len() + 1;
        let mut missing = None;
        function.for_each_exit_arg(block, |arg| {
            if !is_available(arg, block, end) {
                missing = Some(arg);
            }
        });
        if let Some(arg) = missing {
            return Err(format!(
                "the end of {block} uses {arg}, which is not available"
            ));
        }
        if let Exit::Invoke(edges) = &data.exit
            && predecessors.to(edges[0].to).len() != 1
        {
            return Err(format!("{block} shares {} with others", edges[0].to));
        }
        if matches!(data.exit, Exit::Open) {
            return Err(format!("{block} has no end"));
        }
        if data
            .exit
            .condition()
            .is_some_and(|c| function[c].ty != Ty::I32)
        {
            return Err(format!("{block} branches on what is no i32"));
        }
        for (i, edge) in data.exit.edges().iter().enumerate() {
            check_edge(function, block, edge)?;
            let is_throw = i > 0 && matches!(data.exit, Exit::Invoke(_));
            if is_throw != function[edge.to].pad.is_some() {
                return Err(format!("{block} and {} disagree about throwing", edge.to));
            }
        }
        check_pads(function, block)?;
    }
    Ok(())
}

/// What landing pads and the calls that may lead there look like.
fn check_pads(function: &Function, block: BlockId) -> Result<(), String> {
    let data = &function[block];
    if data.pad.is_some() && (!data.params.is_empty() || !function.catches) {
        return Err(format!("the landing pad {block} is none"));
    }
    let is_caught = |&node: &Value| function[node].op == Op::Caught;
    let caught = data.nodes.iter().filter(|&node| is_caught(node)).count();
    let first = data
        .nodes
        .iter()
        .take_while(|&node| is_caught(node))
        .count();
    if caught != first || (caught > 0 && data.pad.is_none()) {
        return Err(format!(
            "{block} catches in its middle, or is no landing pad"
        ));
    }
    if !matches!(data.exit, Exit::Invoke(_)) {
        return Ok(());
    }
    let call = function.invoked(block);
    let call = call.ok_or_else(|| format!("{block} has no call that throws"))?;
    let is_more = |&node: &Value| !matches!(function[node].op, Op::CallResult | Op::Reload);
    match data.nodes[call + 1..].iter().find(|&node| is_more(node)) {
        Some(node) => Err(format!("{node} is behind the call that ends {block}")),
        None => Ok(()),
    }
}

fn check_edge(function: &Function, from: BlockId, edge: &Edge) -> Result<(), String> {
    if edge.to.0 as usize >= function.blocks.len() {
        return Err(format!("{from} leads nowhere"));
    }
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

/// The types of operands that an operation takes, and of its result; `None` stands for any.
fn check_types(function: &Function, value: Value) -> Result<(), String> {
    let node = &function[value];
    let fits = |args: &[Ty], result: Ty| {
        let given: Vec<Ty> = node
            .args
            .iter()
            .filter(|&&arg| arg != Value::NONE)
            .map(|&arg| function[arg].ty)
            .collect();
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
        let mut wide = vec![Ty::I64];
        if node.args[1] != Value::NONE {
            wide.push(function[node.args[1]].ty);
        }
        wide.extend_from_slice(rest);
        if wide.len() > 1 && node.args[1] != Value::NONE && !matches!(wide[1], Ty::I32 | Ty::I64) {
            return Err(format!("{value}: the index is no integer"));
        }
        fits(&wide, result)
    };
    match node.op {
        Op::Const | Op::VectorConst | Op::Param | Op::Context | Op::MemoryBase => {
            Err(format!("{value}: {:?} is in the list of nodes", node.op))
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
        Op::IntUnary(crate::masm::IntUnary::Wrap, Width::W32) => fits(&[Ty::I64], Ty::I32),
        Op::IntUnary(crate::masm::IntUnary::Extend32S, Width::W64) => {
            let arg = function[node.args[0]].ty;
            match arg {
                Ty::I32 | Ty::I64 => fits(&[arg], Ty::I64),
                _ => fits(&[Ty::I64], Ty::I64),
            }
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
        Op::Store(..) => match function[node.args[2]].ty {
            ty @ (Ty::I32 | Ty::I64) => access(&[ty], Ty::None),
            _ => Err(format!("{value} stores what is no integer")),
        },
        Op::FloatStore(part, _) => access(&[part_ty(part)], Ty::None),
        Op::StoreLane(..) => access(&[Ty::V128], Ty::None),
        Op::Clear => fits(&[Ty::I64; 2], Ty::None),
        Op::Materialize | Op::Reload => fits(&[node.ty], node.ty),
        Op::Caught => fits(&[], node.ty),
        Op::Address => fits(&[Ty::I64], Ty::I64),
        Op::TrapIf(_) => fits(&[Ty::I32], Ty::None),
        Op::Call => check_call(function, value),
        Op::CallResult => {
            let call = &function[node.args[0]];
            let site = &function.calls[call.imm as usize];
            match site.results.get(node.imm as usize) {
                Some(&ty) if call.op == Op::Call && Ty::of(ty) == node.ty => Ok(()),
                _ => Err(format!("{value} is no result of {}", node.args[0])),
            }
        }
    }
}

fn check_call(function: &Function, value: Value) -> Result<(), String> {
    let site = &function.calls[function[value].imm as usize];
    let mut types: Vec<Ty> = Vec::new();
    if site.callee.is_reference() {
        types.push(Ty::I64);
    }
    types.extend(site.params.iter().map(|&ty| Ty::of(ty)));
    let given: Vec<Ty> = site.args.iter().map(|&arg| function[arg].ty).collect();
    if types == given {
        Ok(())
    } else {
        Err(format!("{value} passes {given:?} for {types:?}"))
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

fn lane(lanes: crate::masm::vector::Lanes) -> Ty {
    if lanes == crate::masm::vector::Lanes::I64x2 {
        Ty::I64
    } else {
        Ty::I32
    }
}

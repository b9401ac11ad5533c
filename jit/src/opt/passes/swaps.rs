//! Byte swaps, which wasm has no operator for: producers write them as shifts, masks and unions.
//!
//! Of each value that is made of whole bytes of another one it is found which these are; where they
//! are all of them in reverse, one instruction does it. What led there may be unused then, and is left.

use crate::masm::{AluOp, IntUnary, Width};
use crate::opt::form::ir::{Function, Node, Op, Ty, Value};
use foldhash::{HashMap, HashMapExt};

/// A byte that is zero.
const ZERO: u8 = u8::MAX;

/// The value that bytes are of, and which one each of them is, the lowest first.
type Bytes = (Value, [u8; 8]);

/// Replaces unions that come to byte swaps.
pub(crate) fn run(function: &mut Function) {
    let mut known: HashMap<Value, Bytes> = HashMap::new();
    for block in function.block_ids() {
        for i in 0..function[block].nodes.len() {
            let node = function[block].nodes[i];
            let Some(bytes) = moved(function, &known, node) else {
                continue;
            };
            let data = &function[node];
            let is_union = matches!(data.op, Op::Alu(op, _) if !op.is_shift() && op != AluOp::And);
            if is_union && is_reverse(bytes.1, data.ty) && function[bytes.0].ty == data.ty {
                let op = Op::IntUnary(IntUnary::SwapBytes, data.ty.width());
                function[node] = Node::new(op, data.ty, &[bytes.0], 0);
            } else {
                known.insert(node, bytes);
            }
        }
    }
}

fn is_reverse(bytes: [u8; 8], ty: Ty) -> bool {
    match ty {
        Ty::I32 => bytes == [3, 2, 1, 0, ZERO, ZERO, ZERO, ZERO],
        _ => bytes == [7, 6, 5, 4, 3, 2, 1, 0],
    }
}

/// The bytes of a value, which are its own if they are not known to be those of another.
fn bytes_of(function: &Function, known: &HashMap<Value, Bytes>, value: Value) -> Bytes {
    known.get(&value).copied().unwrap_or_else(|| {
        let own = match function[value].ty {
            Ty::I32 => [0, 1, 2, 3, ZERO, ZERO, ZERO, ZERO],
            _ => [0, 1, 2, 3, 4, 5, 6, 7],
        };
        (value, own)
    })
}

/// The bytes of a node that moves some or leaves some out.
fn moved(function: &Function, known: &HashMap<Value, Bytes>, node: Value) -> Option<Bytes> {
    let data = &function[node];
    let [a, b, _] = data.args;
    let of = |value| bytes_of(function, known, value);
    match data.op {
        Op::ExtendU => known.get(&a).copied(),
        Op::IntUnary(IntUnary::Wrap, Width::W64) => {
            let (value, mut bytes) = of(a);
            bytes[4..].fill(ZERO);
            Some((value, bytes))
        }
        Op::Alu(op, width) => match function.constant(b) {
            Some(constant) => {
                let (value, bytes) = of(a);
                Some((value, by_constant(op, width, bytes, constant)?))
            }
            None => union(op, *known.get(&a)?, *known.get(&b)?),
        },
        _ => None,
    }
}

/// Bytes that an operation with a constant leaves whole.
fn by_constant(op: AluOp, width: Width, bytes: [u8; 8], constant: u64) -> Option<[u8; 8]> {
    if op == AluOp::And {
        let mut kept = bytes;
        for (byte, mask) in kept.iter_mut().zip(constant.to_le_bytes()) {
            match mask {
                0 => *byte = ZERO,
                0xff => {}
                _ => return None,
            }
        }
        return Some(kept);
    }
    let bits = u64::from(width.bits());
    let count = constant & (bits - 1);
    if !op.is_shift() || !count.is_multiple_of(8) {
        return None;
    }
    let (size, count) = ((bits / 8) as usize, (count / 8) as usize);
    let mut result = [ZERO; 8];
    for (i, byte) in result[..size].iter_mut().enumerate() {
        let from = match op {
            AluOp::Shl => i.checked_sub(count),
            AluOp::ShrU => Some(i + count),
            AluOp::Rotl => Some((i + size - count) % size),
            AluOp::Rotr => Some((i + count) % size),
            _ => return None,
        };
        if let Some(from) = from.filter(|&from| from < size) {
            *byte = bytes[from];
        }
    }
    Some(result)
}

/// Bytes of one value that are put together.
fn union(op: AluOp, (value, a): Bytes, (other, b): Bytes) -> Option<Bytes> {
    if value != other || !matches!(op, AluOp::Or | AluOp::Xor | AluOp::Add) {
        return None;
    }
    let mut result = a;
    for (byte, other) in result.iter_mut().zip(b) {
        match (*byte, other) {
            (ZERO, _) => *byte = other,
            (_, ZERO) => {}
            _ => return None,
        }
    }
    Some((value, result))
}

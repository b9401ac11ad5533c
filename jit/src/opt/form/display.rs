//! The intermediate form as text, for dumps, for the messages of the verifier, and for tests of passes:
//! `parse` reads it again.
//!
//! ```text
//! block0(v0: I32, v1: I64): depth 0
//!   v5: I64 = Alu(Add, W64)(v1, 5L)
//!   v6: None = Store(B8, Heap)(memory, _, v5) 16
//!   if v0 block1(v5) else block2()
//! ```
//!
//! Constants are where they are used, and say of what type they are: `-1` is an `I32`, `-1L` an `I64`, `0.5f`
//! and `0.5d` are floats, bits of NaNs in hexadecimal (`nan:7fc00000f`), and vectors two halves, the
//! high one first. `_` is an operand that is absent. What follows the operands is the immediate, of calls the
//! callee and the types of what it takes and gives.
//!
//! Left out are the operators that something was made for, and types of references (they are `I64`).

use super::ir::{BlockId, CallSite, Edge, Exit, Function, Node, Op, Pad, Ty, Value};
use core::fmt;
use zwasm_core::ValType;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block{}", self.0)
    }
}

/// An operand: constants by their value.
struct Operand<'f>(&'f Function, Value);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 == Value::NONE {
            return f.write_str("_");
        }
        let node = &self.0[self.1];
        match node.op {
            Op::Const => fmt_constant(f, node),
            Op::VectorConst => fmt_vector(f, self.0, node),
            Op::Context => f.write_str("context"),
            Op::MemoryBase => f.write_str("memory"),
            _ => write!(f, "{}", self.1),
        }
    }
}

fn fmt_constant(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    match node.ty {
        Ty::I32 => write!(f, "{}", node.imm as i32),
        Ty::F32 => match f32::from_bits(node.imm as u32) {
            nan if nan.is_nan() => write!(f, "nan:{:x}f", node.imm),
            float => write!(f, "{float:?}f"),
        },
        Ty::F64 => match f64::from_bits(node.imm) {
            nan if nan.is_nan() => write!(f, "nan:{:x}d", node.imm),
            float => write!(f, "{float:?}d"),
        },
        Ty::I64 | Ty::None | Ty::V128 => write!(f, "{}L", node.imm as i64),
    }
}

/// The vector that the immediate of a node says.
fn fmt_vector(f: &mut fmt::Formatter<'_>, function: &Function, node: &Node) -> fmt::Result {
    let [low, high] = function.vectors[node.imm as usize];
    write!(f, "{high:#x}:{low:#x}")
}

fn fmt_list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    f.write_str("(")?;
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    f.write_str(")")
}

struct List<'f>(&'f Function, &'f [Value]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_list(f, self.1.iter().map(|&value| Operand(self.0, value)))
    }
}

/// Who is called, what it takes and what it gives.
struct Called<'f>(&'f CallSite);

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = |types: &[ValType]| -> Vec<String> {
            let types = types.iter().map(|&ty| format!("{:?}", Ty::of(ty)));
            types.collect()
        };
        write!(f, "{:?} ", self.0.callee)?;
        fmt_list(f, types(&self.0.params))?;
        f.write_str(" -> ")?;
        fmt_list(f, types(&self.0.results))
    }
}

impl fmt::Display for Pad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pad for ")?;
        match self.tag {
            Some(tag) => write!(f, "tag {tag}")?,
            None => f.write_str("any tag")?,
        }
        let with_ref = if self.with_ref { " with its ref" } else { "" };
        write!(f, "{with_ref} in {} slots", self.slots)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.catches {
            writeln!(f, "catches")?;
        }
        for id in self.block_ids() {
            self.fmt_header(f, id)?;
            for &value in &self[id].nodes {
                self.fmt_node(f, value)?;
            }
            self.fmt_exit(f, &self[id].exit)?;
        }
        Ok(())
    }
}

impl Function {
    fn fmt_header(&self, f: &mut fmt::Formatter<'_>, id: BlockId) -> fmt::Result {
        let block = &self[id];
        write!(f, "{id}")?;
        if !block.params.is_empty() {
            let typed = |param: &Value| format!("{param}: {:?}", self[*param].ty);
            fmt_list(f, block.params.iter().map(typed))?;
        }
        write!(f, ": depth {}", block.loop_depth)?;
        if block.is_loop_header {
            f.write_str(", a loop")?;
        }
        if block.is_rare {
            f.write_str(", rare")?;
        }
        if let Some(often) = block.often {
            write!(f, ", often {often}")?;
        }
        if let Some(pad) = block.pad {
            write!(f, ", {pad}")?;
        }
        writeln!(f)
    }

    fn fmt_node(&self, f: &mut fmt::Formatter<'_>, value: Value) -> fmt::Result {
        let node = &self[value];
        write!(f, "  {value}: {:?} = {:?}", node.ty, node.op)?;
        if node.op == Op::Call {
            let site = &self.calls[node.imm as usize];
            return writeln!(f, "{} {}", List(self, &site.args), Called(site));
        }
        let last = node.args.iter().rposition(|&arg| arg != Value::NONE);
        let args = &node.args[..last.map_or(0, |last| last + 1)];
        write!(f, "{}", List(self, args))?;
        match node.op {
            Op::Shuffle => {
                f.write_str(" ")?;
                fmt_vector(f, self, node)?;
            }
            _ if node.imm != 0 => write!(f, " {}", node.imm as i64)?,
            _ => {}
        }
        writeln!(f)
    }

    fn fmt_exit(&self, f: &mut fmt::Formatter<'_>, exit: &Exit) -> fmt::Result {
        let target = |edge: &Edge| format!("{}{}", edge.to, List(self, &edge.args));
        match exit {
            Exit::Open => writeln!(f, "  ?"),
            Exit::Jump(edge) => writeln!(f, "  jump {}", target(edge)),
            Exit::Branch(cond, [yes, no]) => {
                let cond = Operand(self, *cond);
                writeln!(f, "  if {cond} {} else {}", target(yes), target(no))
            }
            Exit::Table(index, edges) => {
                let targets: Vec<String> = edges.iter().map(target).collect();
                writeln!(
                    f,
                    "  table {} [{}]",
                    Operand(self, *index),
                    targets.join(", ")
                )
            }
            Exit::Return(values) => writeln!(f, "  return {}", List(self, values)),
            Exit::Invoke(edges) => {
                let targets: Vec<String> = edges.iter().map(target).collect();
                writeln!(f, "  go on {}", targets.join(" or at a throw "))
            }
            Exit::Trap(code) => writeln!(f, "  trap {code:?}"),
            Exit::TailCall(call) => {
                let site = &self.calls[*call as usize];
                writeln!(f, "  tail call{} {}", List(self, &site.args), Called(site))
            }
        }
    }
}

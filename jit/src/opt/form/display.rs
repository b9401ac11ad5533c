//! The intermediate form as text, for dumps and for the messages of the verifier.

use super::ir::{BlockId, Edge, Exit, Function, Op, Ty, Value, Values};
use core::fmt;

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
        let node = &self.0[self.1];
        match node.op {
            Op::Const => match node.ty {
                Ty::I32 => write!(f, "{}", node.imm as i32),
                Ty::I64 => write!(f, "{}", node.imm as i64),
                Ty::F32 => write!(f, "{}f", f32::from_bits(node.imm as u32)),
                _ => write!(f, "{}d", f64::from_bits(node.imm)),
            },
            Op::VectorConst => {
                let [low, high] = self.0.vectors[node.imm as usize];
                write!(f, "{high:#x}:{low:#x}")
            }
            Op::Context => f.write_str("context"),
            Op::MemoryBase => f.write_str("memory"),
            _ => write!(f, "{}", self.1),
        }
    }
}

struct List<'f>(&'f Function, &'f [Value]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, &value) in self.1.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", Operand(self.0, value))?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in self.block_ids() {
            let block = &self[id];
            write!(f, "{id}")?;
            if !block.params.is_empty() {
                write!(f, "{}", List(self, &block.params))?;
            }
            let loops = if block.is_loop_header { ", a loop" } else { "" };
            let pad = if block.pad.is_some() { ", a pad" } else { "" };
            writeln!(f, ": depth {}{loops}{pad}", block.loop_depth)?;
            for &value in &block.nodes {
                let node = &self[value];
                let args: Values = match node.op {
                    Op::Call => self.calls[node.imm as usize].args.clone(),
                    _ => node
                        .args
                        .iter()
                        .copied()
                        .filter(|&a| a != Value::NONE)
                        .collect(),
                };
                write!(
                    f,
                    "  {value}: {:?} = {:?}{}",
                    node.ty,
                    node.op,
                    List(self, &args)
                )?;
                match node.op {
                    Op::Call => writeln!(f, " {:?}", self.calls[node.imm as usize].callee)?,
                    _ if node.imm != 0 => writeln!(f, " {}", node.imm)?,
                    _ => writeln!(f)?,
                }
            }
            self.fmt_exit(f, &block.exit)?;
        }
        Ok(())
    }
}

impl Function {
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
                let call = &self.calls[*call as usize];
                writeln!(f, "  tail call {:?}{}", call.callee, List(self, &call.args))
            }
        }
    }
}

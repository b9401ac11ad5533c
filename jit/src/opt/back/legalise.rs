//! Gives instructions operands that they can have: constants that no instruction holds get
//! registers.

use crate::masm::Target;
use crate::opt::form::immediate::is_immediate;
use crate::opt::form::ir::{Function, Node, Op, Origin, Value};
use foldhash::{HashMap, HashMapExt};

/// How many entries' room a map keeps from block to block.
const ROOM_KEPT: usize = 1024;

/// Makes constants into [`Op::Materialize`] nodes where they are no immediates. One serves all later
/// uses in its block.
pub(crate) fn run(function: &mut Function, target: &Target) {
    let mut pass = Pass {
        made: HashMap::new(),
        nodes: Vec::new(),
    };
    for block in function.block_ids() {
        let nodes = core::mem::take(&mut function[block].nodes);
        // To clear what has much room takes as long as filling it.
        if pass.made.capacity() > ROOM_KEPT {
            pass.made = HashMap::new();
        }
        pass.made.clear();
        pass.nodes.clear();
        for &node in &nodes {
            fold_index(function, node);
            let data = function[node];
            for i in 0..3 {
                let arg = data.args[i];
                if arg != Value::NONE
                    && matches!(function[arg].op, Op::Const | Op::VectorConst)
                    && !is_immediate(function, &data, i, target)
                {
                    function[node].args[i] = pass.register(function, arg);
                }
            }
            pass.nodes.push(node);
        }
        if let Some(cond) = function[block].exit.condition()
            && function[cond].op == Op::Const
        {
            let value = pass.register(function, cond);
            function[block].exit.set_condition(value);
        }
        // The block keeps its memory where that is enough.
        let mut kept = nodes;
        kept.clear();
        kept.extend_from_slice(&pass.nodes);
        function[block].nodes = kept;
    }
}

struct Pass {
    made: HashMap<Value, Value>,
    nodes: Vec<Value>,
}

impl Pass {
    fn register(&mut self, function: &mut Function, constant: Value) -> Value {
        if let Some(&value) = self.made.get(&constant) {
            return value;
        }
        let node = Node::new(Op::Materialize, function[constant].ty, &[constant], 0);
        let value = function.add(node, Origin::default());
        self.nodes.push(value);
        self.made.insert(constant, value);
        value
    }
}

/// A constant index becomes part of the displacement.
fn fold_index(function: &mut Function, node: Value) {
    let data = function[node];
    let is_access = matches!(
        data.op,
        Op::Load(..)
            | Op::FloatLoad(..)
            | Op::VecLoad(_)
            | Op::LoadLane(..)
            | Op::Store(..)
            | Op::FloatStore(..)
            | Op::StoreLane(..)
    );
    if !is_access || data.args[1] == Value::NONE {
        return;
    }
    if let Some(index) = function.constant(data.args[1])
        && let Some(sum) = index.checked_add(data.imm)
        && i32::try_from(sum).is_ok()
    {
        function[node].args[1] = Value::NONE;
        function[node].imm = sum;
    }
}

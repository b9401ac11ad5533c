//! Removes block parameters that are always the same value.
//!
//! Construction gives a join a parameter for every local assigned in its construct; most of them
//! merge one value with itself. A parameter whose arguments are all one other value, or itself, is
//! that value; removing one can make others trivial, so this goes on until nothing changes. What
//! nobody uses goes as well.
//!
//! Source: Braun et al., Simple and Efficient Construction of Static Single Assignment Form, 2013,
//! which shows that this gives minimal form for reducible control flow.

use super::ir::{BlockId, Function, Op, Value};
use super::ways::Ways;

/// What a value was replaced by: a forest whose roots stand for themselves.
struct Replaced(Vec<Value>);

impl Replaced {
    fn find(&mut self, value: Value) -> Value {
        let mut root = value;
        while self.0[root.0 as usize] != root {
            root = self.0[root.0 as usize];
        }
        // Later walks are short.
        let mut at = value;
        while at != root {
            at = core::mem::replace(&mut self.0[at.0 as usize], root);
        }
        root
    }
}

/// Removes trivial and unused parameters.
pub(super) fn simplify(function: &mut Function) {
    let ways = Ways::of(function);
    let mut replaced = Replaced((0..function.nodes.len() as u32).map(Value).collect());
    remove_trivial(function, &ways, &mut replaced);
    function.map_args(|value| replaced.find(value));
    keep(function, &ways, |param| {
        replaced.0[param.0 as usize] == param
    });
    let used = used_params(function);
    keep(function, &ways, |param| used[param.0 as usize]);
}

fn remove_trivial(function: &Function, ways: &Ways, replaced: &mut Replaced) {
    // Which parameters a value is an argument of: they are looked at again when it is replaced.
    let mut users: Vec<Vec<(u32, u32)>> = vec![Vec::new(); function.nodes.len()];
    let mut work: Vec<(u32, u32)> = Vec::new();
    for (id, block) in function.blocks.iter().enumerate().rev() {
        for at in (0..block.params.len()).rev() {
            let param = (id as u32, at as u32);
            work.push(param);
            for &(from, edge) in ways.to(BlockId(id as u32)) {
                let arg = function[from].exit.edges()[edge as usize].args[at];
                if function[arg].op == Op::Param {
                    users[arg.0 as usize].push(param);
                }
            }
        }
    }
    while let Some((id, at)) = work.pop() {
        // The function's own parameters come from its caller.
        if id == 0 {
            continue;
        }
        let param = function.blocks[id as usize].params[at as usize];
        if replaced.find(param) != param {
            continue;
        }
        let mut only = None;
        let mut is_trivial = true;
        for &(from, edge) in ways.to(BlockId(id)) {
            let edge = &function[from].exit.edges()[edge as usize];
            let arg = replaced.find(edge.args[at as usize]);
            if arg == param || only == Some(arg) {
                continue;
            }
            is_trivial = only.is_none();
            only = Some(arg);
            if !is_trivial {
                break;
            }
        }
        let Some(value) = only.filter(|_| is_trivial) else {
            continue;
        };
        replaced.0[param.0 as usize] = value;
        let mut again = core::mem::take(&mut users[param.0 as usize]);
        work.append(&mut again.clone());
        if function[value].op == Op::Param {
            users[value.0 as usize].append(&mut again);
        }
    }
}

/// The parameters that something uses, other than parameters that nothing uses.
fn used_params(function: &Function) -> Vec<bool> {
    let mut used = vec![false; function.nodes.len()];
    let mut work: Vec<Value> = Vec::new();
    let mut mark = |value: Value, work: &mut Vec<Value>| {
        if function[value].op == Op::Param && !core::mem::replace(&mut used[value.0 as usize], true)
        {
            work.push(value);
        }
    };
    for block in &function.blocks {
        for &node in &block.nodes {
            function.for_each_arg(node, |arg| mark(arg, &mut work));
        }
        block
            .exit
            .condition()
            .into_iter()
            .for_each(|value| mark(value, &mut work));
        match &block.exit {
            super::ir::Exit::Return(values) => {
                values.iter().for_each(|&value| mark(value, &mut work));
            }
            super::ir::Exit::TailCall(call) => {
                let args = &function.calls[*call as usize].args;
                args.iter().for_each(|&value| mark(value, &mut work));
            }
            _ => {}
        }
    }
    // What flows into a used parameter is used.
    let mut inflow: Vec<Vec<Value>> = vec![Vec::new(); function.nodes.len()];
    for block in &function.blocks {
        for edge in block.exit.edges() {
            let params = &function[edge.to].params;
            for (&param, &arg) in params.iter().zip(&edge.args) {
                inflow[param.0 as usize].push(arg);
            }
        }
    }
    while let Some(param) = work.pop() {
        for arg in core::mem::take(&mut inflow[param.0 as usize]) {
            mark(arg, &mut work);
        }
    }
    used
}

/// Removes the parameters that are not to stay, with their arguments; the function's own stay.
fn keep(function: &mut Function, ways: &Ways, stays: impl Fn(Value) -> bool) {
    for id in 1..function.blocks.len() {
        let params = core::mem::take(&mut function.blocks[id].params);
        let flags: Vec<bool> = params.iter().map(|&param| stays(param)).collect();
        if flags.contains(&false) {
            for &(from, edge) in ways.to(BlockId(id as u32)) {
                let edge = &mut function[from].exit.edges_mut()[edge as usize];
                let mut flag = flags.iter();
                edge.args
                    .retain(|_| *flag.next().expect("one per parameter"));
            }
        }
        let mut flag = flags.iter();
        let mut params = params;
        params.retain(|_| *flag.next().expect("one per parameter"));
        for (i, &param) in params.iter().enumerate() {
            function[param].imm = i as u64;
        }
        function.blocks[id].params = params;
    }
}

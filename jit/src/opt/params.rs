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
use super::lists::Lists;
use super::ways::Ways;
use foldhash::{HashMap, HashMapExt};

/// What a value was replaced by: a forest whose roots stand for themselves.
struct Replaced(Vec<Value>);

impl Replaced {
    fn find(&mut self, value: Value) -> Value {
        let above = self.0[value.0 as usize];
        if above == value {
            return value;
        }
        let mut root = above;
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
    let used = used_params(function, &replaced);
    keep(function, &ways, |param| used[param.0 as usize]);
}

/// What is known of a parameter's arguments.
#[derive(Clone, Copy)]
enum Merge {
    /// None but itself so far.
    Nothing,
    One(Value),
    Several,
}

impl Merge {
    fn with(self, param: Value, arg: Value) -> Merge {
        match self {
            _ if arg == param => self,
            Merge::Nothing => Merge::One(arg),
            Merge::One(only) if only == arg => self,
            Merge::One(_) | Merge::Several => Merge::Several,
        }
    }
}

fn remove_trivial(function: &Function, ways: &Ways, replaced: &mut Replaced) {
    // Once over all blocks in their order, which settles all but what goes around loops. The
    // function's own parameters come from its caller.
    let mut merges: Vec<Merge> = Vec::new();
    for (id, block) in function.blocks.iter().enumerate().skip(1) {
        if block.params.is_empty() {
            continue;
        }
        merges.clear();
        merges.resize(block.params.len(), Merge::Nothing);
        for &(from, edge) in ways.to(BlockId(id as u32)) {
            let args = &function[from].exit.edges()[edge as usize].args;
            for ((merge, &param), &arg) in merges.iter_mut().zip(&block.params).zip(args) {
                if !matches!(merge, Merge::Several) {
                    *merge = merge.with(param, replaced.find(arg));
                }
            }
        }
        for (&merge, &param) in merges.iter().zip(&block.params) {
            if let Merge::One(value) = merge {
                replaced.0[param.0 as usize] = replaced.find(value);
            }
        }
    }
    // Then those that are left, again when an argument was replaced.
    let mut users: Vec<(u32, (u32, u32))> = Vec::new();
    let mut work: Vec<(u32, u32)> = Vec::new();
    for (id, block) in function.blocks.iter().enumerate().skip(1).rev() {
        let id = id as u32;
        for (at, &param) in block.params.iter().enumerate().rev() {
            if replaced.find(param) != param {
                continue;
            }
            let at = at as u32;
            let is_back = |way: &&(BlockId, u32)| way.0.0 >= id;
            if ways.to(BlockId(id)).iter().any(|way| is_back(&way)) {
                work.push((id, at));
            }
            for &(from, edge) in ways.to(BlockId(id)) {
                let arg =
                    replaced.find(function[from].exit.edges()[edge as usize].args[at as usize]);
                if arg != param && function[arg].op == Op::Param {
                    users.push((arg.0, (id, at)));
                }
            }
        }
    }
    if work.is_empty() {
        return;
    }
    let users = Lists::of(function.nodes.len(), &users);
    // Users that were those of a parameter before it was replaced.
    let mut inherited: HashMap<Value, Vec<Value>> = HashMap::new();
    while let Some((id, at)) = work.pop() {
        let param = function.blocks[id as usize].params[at as usize];
        if replaced.find(param) != param {
            continue;
        }
        let mut merge = Merge::Nothing;
        for &(from, edge) in ways.to(BlockId(id)) {
            let args = &function[from].exit.edges()[edge as usize].args;
            merge = merge.with(param, replaced.find(args[at as usize]));
            if let Merge::Several = merge {
                break;
            }
        }
        let Merge::One(value) = merge else {
            continue;
        };
        replaced.0[param.0 as usize] = value;
        // All that stood for the parameter stand for the value now.
        let mut of_param = vec![param];
        while let Some(one) = of_param.pop() {
            work.extend(users.at(one.0));
            of_param.extend(inherited.get(&one).into_iter().flatten());
        }
        inherited.entry(value).or_default().push(param);
    }
}

/// The parameters that something uses, other than parameters that nothing uses or that were
/// replaced.
fn used_params(function: &Function, replaced: &Replaced) -> Vec<bool> {
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
    let mut inflow: Vec<(u32, Value)> = Vec::new();
    for block in &function.blocks {
        for edge in block.exit.edges() {
            let params = &function[edge.to].params;
            for (&param, &arg) in params.iter().zip(&edge.args) {
                let is_left = replaced.0[param.0 as usize] == param;
                if is_left && arg != param && function[arg].op == Op::Param {
                    inflow.push((param.0, arg));
                }
            }
        }
    }
    let inflow = Lists::of(function.nodes.len(), &inflow);
    while let Some(param) = work.pop() {
        inflow
            .at(param.0)
            .iter()
            .for_each(|&arg| mark(arg, &mut work));
    }
    used
}

/// Removes the parameters that are not to stay, with their arguments; the function's own stay.
fn keep(function: &mut Function, ways: &Ways, stays: impl Fn(Value) -> bool) {
    let mut flags: Vec<bool> = Vec::new();
    for id in 1..function.blocks.len() {
        let mut params = core::mem::take(&mut function.blocks[id].params);
        flags.clear();
        flags.extend(params.iter().map(|&param| stays(param)));
        if flags.contains(&false) {
            for &(from, edge) in ways.to(BlockId(id as u32)) {
                let edge = &mut function[from].exit.edges_mut()[edge as usize];
                retain(&mut edge.args, &flags);
            }
            retain(&mut params, &flags);
            for (i, &param) in params.iter().enumerate() {
                function[param].imm = i as u64;
            }
        }
        function.blocks[id].params = params;
    }
}

/// Keeps the values whose flags are set.
fn retain(values: &mut Vec<Value>, flags: &[bool]) {
    let mut flags = flags.iter();
    values.retain(|_| *flags.next().expect("one per parameter"));
}

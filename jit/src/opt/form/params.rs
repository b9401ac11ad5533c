//! Finds block parameters that are always the same value.
//!
//! Construction gives a loop's header a parameter for every local assigned in the loop, and folded
//! branches leave joins with fewer edges. A parameter whose arguments are all one other value, or
//! itself, is that value; replacing one can make others trivial, so this goes on until nothing
//! changes.
//!
//! Source: Braun et al., Simple and Efficient Construction of Static Single Assignment Form, 2013,
//! which shows that this gives minimal form for reducible control flow.

use super::ir::{BlockId, Function, Op, Value, Values};
use super::lists::Lists;
use super::predecessors::Predecessors;
use foldhash::{HashMap, HashMapExt};

/// What a value was replaced by: a forest whose roots stand for themselves.
pub(crate) struct Replaced(Vec<Value>);

impl Replaced {
    pub(crate) fn find(&mut self, value: Value) -> Value {
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

/// What trivial parameters are replaced by; everything else stands for itself.
pub(crate) fn trivial(function: &Function, predecessors: &Predecessors) -> Replaced {
    let mut replaced = Replaced((0..function.nodes.len() as u32).map(Value).collect());
    onwards(function, predecessors, &mut replaced);
    around(function, predecessors, &mut replaced);
    replaced
}

/// One walk over all blocks in their order settles all but what goes around loops.
fn onwards(function: &Function, predecessors: &Predecessors, replaced: &mut Replaced) {
    // The function's own parameters come from its caller.
    let mut merges: Vec<Merge> = Vec::new();
    for (id, block) in function.blocks.iter().enumerate().skip(1) {
        if block.params.is_empty() {
            continue;
        }
        merges.clear();
        merges.resize(block.params.len(), Merge::Nothing);
        for &(from, edge) in predecessors.to(BlockId(id as u32)) {
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
}

/// A parameter: its block, and its number there.
type Param = (u32, u32);

/// The value that all arguments are, but for the parameter itself.
fn merged(
    function: &Function,
    predecessors: &Predecessors,
    (id, at): Param,
    replaced: &mut Replaced,
) -> Option<Value> {
    let param = function.blocks[id as usize].params[at as usize];
    let mut merge = Merge::Nothing;
    for &(from, edge) in predecessors.to(BlockId(id)) {
        let args = &function[from].exit.edges()[edge as usize].args;
        merge = merge.with(param, replaced.find(args[at as usize]));
        if let Merge::Several = merge {
            break;
        }
    }
    match merge {
        Merge::One(value) => Some(value),
        Merge::Nothing | Merge::Several => None,
    }
}

/// Then the parameters of loops, and those that become trivial with them.
fn around(function: &Function, predecessors: &Predecessors, replaced: &mut Replaced) {
    let mut work: Vec<Param> = Vec::new();
    for (id, block) in function.blocks.iter().enumerate().skip(1).rev() {
        let is_loop = predecessors.to(BlockId(id as u32)).iter();
        if block.params.is_empty() || !is_loop.into_iter().any(|edge| edge.0.0 >= id as u32) {
            continue;
        }
        for (at, &param) in block.params.iter().enumerate().rev() {
            let param_at = (id as u32, at as u32);
            if replaced.find(param) == param
                && merged(function, predecessors, param_at, replaced).is_some()
            {
                work.push(param_at);
            }
        }
    }
    if work.is_empty() {
        return;
    }
    let users = users(function, replaced);
    // Users that were those of a parameter before it was replaced.
    let mut inherited: HashMap<Value, Vec<Value>> = HashMap::new();
    while let Some((id, at)) = work.pop() {
        let param = function.blocks[id as usize].params[at as usize];
        if replaced.find(param) != param {
            continue;
        }
        let Some(value) = merged(function, predecessors, (id, at), replaced) else {
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

/// The parameters that each parameter is an argument of.
fn users(function: &Function, replaced: &mut Replaced) -> Lists<Param> {
    let mut users: Vec<(u32, Param)> = Vec::new();
    for edge in function.blocks.iter().flat_map(|block| block.exit.edges()) {
        for (at, (&param, &arg)) in function[edge.to].params.iter().zip(&edge.args).enumerate() {
            let arg = replaced.find(arg);
            if arg != param && function[arg].op == Op::Param && replaced.find(param) == param {
                users.push((arg.0, (edge.to.0, at as u32)));
            }
        }
    }
    Lists::of(function.nodes.len(), &users)
}

/// Removes the parameters that are not to stay, with their arguments; the function's own stay.
pub(crate) fn keep(
    function: &mut Function,
    predecessors: &Predecessors,
    stays: impl Fn(Value) -> bool,
) {
    let mut flags: Vec<bool> = Vec::new();
    for id in 1..function.blocks.len() {
        let mut params = core::mem::take(&mut function.blocks[id].params);
        flags.clear();
        flags.extend(params.iter().map(|&param| stays(param)));
        if flags.contains(&false) {
            for &(from, edge) in predecessors.to(BlockId(id as u32)) {
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
pub(crate) fn retain(values: &mut Values, flags: &[bool]) {
    let mut flags = flags.iter();
    values.retain(|_| *flags.next().expect("one per parameter"));
}

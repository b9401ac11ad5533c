//! Our register allocator beside regalloc2, Cranelift's, on the same functions.
//!
//! `cargo bench -p zwasm-benches --features regalloc --bench regalloc [-- FILE…]`; without files, every
//! module of the corpus. Each function comes out of the optimizing
//! compiler behind instruction selection, with the constraints that our emission has on this machine.
//! Printed per module: time of both allocators per instruction (best of three), and moves, reloads,
//! stores and operands in memory, in the code and weighted by ten for each loop around. regalloc2 is
//! not told which operations commute; it splits live ranges, which ours does not.

use regalloc2::{
    Algorithm, Allocation, Block, Ctx, Edit, Function, Inst, InstRange, MachineEnv, Operand,
    OperandConstraint, OperandKind, OperandPos, PReg, PRegSet, RegClass, RegallocOptions, VReg,
};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use zwasm::lab::{Constraint, Inserted, Problem, Register, count};
use zwasm::{Config, Engine, Module, Tier};
use zwasm_workloads::Corpus;

/// Passes of our compiler that are register allocation.
const PASSES: [&str; 4] = ["live ranges", "placing", "slots", "spilling"];

/// Times are the best of this many.
const REPEATS: usize = 3;

/// A [`Problem`] in regalloc2's terms.
struct Given {
    operands: Vec<Vec<Operand>>,
    clobbers: Vec<PRegSet>,
    /// First and last instruction of each block, exclusive.
    ranges: Vec<(usize, usize)>,
    /// Of each instruction.
    depths: Vec<u32>,
    succs: Vec<Vec<Block>>,
    preds: Vec<Vec<Block>>,
    params: Vec<Vec<VReg>>,
    args: Vec<Vec<Vec<VReg>>>,
    values: usize,
    env: MachineEnv,
    saved: Vec<PReg>,
}

fn class(is_float: bool) -> RegClass {
    if is_float {
        RegClass::Float
    } else {
        RegClass::Int
    }
}

fn physical(register: Register) -> PReg {
    PReg::new(register.number as usize, class(register.is_float))
}

fn set(registers: &[Register], is_float: bool) -> PRegSet {
    let mut set = PRegSet::empty();
    for &register in registers.iter().filter(|r| r.is_float == is_float) {
        set.add(physical(register));
    }
    set
}

impl Given {
    fn of(problem: &Problem) -> Given {
        let value = |v: u32| VReg::new(v as usize, class(problem.is_float[v as usize]));
        let constraint = |constraint| match constraint {
            Constraint::Anywhere => OperandConstraint::Any,
            Constraint::Register => OperandConstraint::Reg,
            Constraint::Fixed(register) => OperandConstraint::FixedReg(physical(register)),
            Constraint::Reuses(at) => OperandConstraint::Reuse(at),
        };
        let mut all_temporary = set(&problem.temporary, false);
        all_temporary.union_from(set(&problem.temporary, true));
        let count = problem.blocks.len();
        let mut given = Given {
            operands: Vec::new(),
            clobbers: Vec::new(),
            ranges: Vec::new(),
            depths: Vec::new(),
            succs: Vec::new(),
            preds: vec![Vec::new(); count],
            params: Vec::new(),
            args: Vec::new(),
            values: problem.is_float.len(),
            env: MachineEnv {
                preferred_regs_by_class: [
                    set(&problem.temporary, false),
                    set(&problem.temporary, true),
                    PRegSet::empty(),
                ],
                non_preferred_regs_by_class: [
                    set(&problem.saved, false),
                    set(&problem.saved, true),
                    PRegSet::empty(),
                ],
                // What our backends keep for themselves serves cycles of moves.
                scratch_by_class: [
                    Some(PReg::new(62, RegClass::Int)),
                    Some(PReg::new(62, RegClass::Float)),
                    None,
                ],
                fixed_stack_slots: Vec::new(),
            },
            saved: problem.saved.iter().map(|&r| physical(r)).collect(),
        };
        for (at, block) in problem.blocks.iter().enumerate() {
            let first = given.operands.len();
            for inst in &block.insts {
                let mut operands = Vec::new();
                for &(v, c) in &inst.uses {
                    let (kind, at) = (OperandKind::Use, OperandPos::Early);
                    operands.push(Operand::new(value(v), constraint(c), kind, at));
                }
                for &(v, c) in &inst.defs {
                    let (kind, at) = (OperandKind::Def, OperandPos::Late);
                    operands.push(Operand::new(value(v), constraint(c), kind, at));
                }
                let mut clobbers = PRegSet::empty();
                for &register in &inst.clobbers {
                    clobbers.add(physical(register));
                }
                if inst.is_call {
                    clobbers.union_from(all_temporary);
                }
                given.operands.push(operands);
                given.clobbers.push(clobbers);
                given.depths.push(block.depth);
            }
            given.ranges.push((first, given.operands.len()));
            let to = |way: &(u32, Vec<u32>)| Block::new(way.0 as usize);
            given.succs.push(block.edges.iter().map(to).collect());
            let args = |way: &(u32, Vec<u32>)| way.1.iter().map(|&v| value(v)).collect();
            given.args.push(block.edges.iter().map(args).collect());
            given
                .params
                .push(block.params.iter().map(|&v| value(v)).collect());
            for edge in &block.edges {
                given.preds[edge.0 as usize].push(Block::new(at));
            }
        }
        given
    }

    /// What regalloc2 inserted.
    fn inserted(&self, output: &regalloc2::Output) -> Inserted {
        let mut inserted = Inserted::default();
        for (point, edit) in &output.edits {
            let depth = self.depths[point.inst().index()];
            let Edit::Move { from, to } = edit;
            match (from.is_reg(), to.is_reg()) {
                (true, true) => count(&mut inserted.moves, depth),
                (false, true) => count(&mut inserted.reloads, depth),
                (true, false) => count(&mut inserted.stores, depth),
                (false, false) => {
                    count(&mut inserted.reloads, depth);
                    count(&mut inserted.stores, depth);
                }
            }
        }
        let mut used: BTreeSet<PReg> = BTreeSet::new();
        let mut note = |allocation: &Allocation| used.extend(allocation.as_reg());
        for (_, edit) in &output.edits {
            let Edit::Move { from, to } = edit;
            note(from);
            note(to);
        }
        output.allocs.iter().for_each(&mut note);
        for (at, operands) in self.operands.iter().enumerate() {
            let is_move = self.clobbers[at] == PRegSet::empty() && operands.len() > 1;
            for (operand, allocation) in operands.iter().zip(output.inst_allocs(Inst::new(at))) {
                let is_memory = operand.kind() == OperandKind::Use
                    && operand.constraint() == OperandConstraint::Any
                    && allocation.is_stack();
                // Arguments on the stack and returned values are nobody's.
                if is_memory && is_move && !self.is_ret(Inst::new(at)) {
                    count(&mut inserted.memory_operands, self.depths[at]);
                }
            }
        }
        // Parameters from the stack that are in registers.
        if let Some(operands) = self.operands.first() {
            for (operand, allocation) in operands.iter().zip(output.inst_allocs(Inst::new(0))) {
                let is_any = operand.constraint() == OperandConstraint::Any;
                if operand.kind() == OperandKind::Def && is_any && allocation.is_reg() {
                    count(&mut inserted.reloads, 0);
                }
            }
        }
        for _ in self.saved.iter().filter(|preg| used.contains(preg)) {
            count(&mut inserted.stores, 0);
            count(&mut inserted.reloads, 0);
        }
        inserted
    }
}

impl Function for Given {
    fn num_insts(&self) -> usize {
        self.operands.len()
    }

    fn num_blocks(&self) -> usize {
        self.ranges.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        let (first, end) = self.ranges[block.index()];
        InstRange::new(Inst::new(first), Inst::new(end))
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.succs[block.index()]
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.preds[block.index()]
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.params[block.index()]
    }

    fn is_ret(&self, inst: Inst) -> bool {
        self.is_end(inst)
            .is_some_and(|block| self.succs[block].is_empty())
    }

    fn is_branch(&self, inst: Inst) -> bool {
        self.is_end(inst)
            .is_some_and(|block| !self.succs[block].is_empty())
    }

    fn branch_blockparams(&self, block: Block, _: Inst, way: usize) -> &[VReg] {
        &self.args[block.index()][way]
    }

    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        &self.operands[inst.index()]
    }

    fn inst_clobbers(&self, inst: Inst) -> PRegSet {
        self.clobbers[inst.index()]
    }

    fn num_vregs(&self) -> usize {
        self.values
    }

    fn spillslot_size(&self, class: RegClass) -> usize {
        if class == RegClass::Float { 2 } else { 1 }
    }
}

impl Given {
    /// The block that ends with an instruction.
    fn is_end(&self, inst: Inst) -> Option<usize> {
        let at = self.ranges.partition_point(|range| range.1 <= inst.index());
        (self.ranges.get(at)?.1 == inst.index() + 1).then_some(at)
    }
}

/// Sums over functions.
#[derive(Default)]
struct Totals {
    functions: u64,
    instructions: u64,
    refused: u64,
    times: [Duration; 2],
    inserted: [Inserted; 2],
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.functions += other.functions;
        self.instructions += other.instructions;
        self.refused += other.refused;
        for i in 0..2 {
            self.times[i] += other.times[i];
            add(&mut self.inserted[i], &other.inserted[i]);
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {} functions, {} instructions{}",
            self.functions,
            self.instructions,
            if self.refused > 0 {
                format!(", {} refused by regalloc2", self.refused)
            } else {
                String::new()
            }
        );
        for (i, who) in ["ours", "regalloc2"].into_iter().enumerate() {
            let ns = self.times[i].as_nanos() as f64 / self.instructions.max(1) as f64;
            let parts = parts(&self.inserted[i]).map(|(what, [in_code, weighted])| {
                let per = |n: f64| n / self.instructions.max(1) as f64;
                format!("{what} {:.4} / {:.2}", per(in_code), per(weighted))
            });
            println!("  {who:<10} {ns:>7.1} ns  {}", parts.join("  "));
        }
    }

    /// Weighted instructions inserted, ours over regalloc2's; operands in memory left out.
    fn ratio(&self, which: usize) -> f64 {
        let sum = |inserted: &Inserted| -> f64 {
            parts(inserted)[..3].iter().map(|part| part.1[which]).sum()
        };
        sum(&self.inserted[0]) / sum(&self.inserted[1]).max(1e-9)
    }
}

fn parts(inserted: &Inserted) -> [(&'static str, [f64; 2]); 4] {
    [
        ("moves", inserted.moves),
        ("reloads", inserted.reloads),
        ("stores", inserted.stores),
        ("memory operands", inserted.memory_operands),
    ]
}

fn add(to: &mut Inserted, more: &Inserted) {
    for (to, more) in [
        (&mut to.moves, more.moves),
        (&mut to.reloads, more.reloads),
        (&mut to.stores, more.stores),
        (&mut to.memory_operands, more.memory_operands),
    ] {
        to[0] += more[0];
        to[1] += more[1];
    }
}

/// Both allocators on every function of a module.
fn measure(bytes: &[u8], ctx: &mut Ctx) -> zwasm::Result<Totals> {
    let mut config = Config::new();
    config.tier(Tier::Opt);
    let module = Module::new(&Engine::new(&config)?, bytes)?;
    let mut totals = Totals::default();
    for defined in 0..module.stats().functions as u32 {
        let mut best = [Duration::MAX; 2];
        let mut result = None;
        for _ in 0..REPEATS {
            let passes = module.allocation_problem(defined)?;
            let Some(problem) = passes.problem else {
                break;
            };
            let ours = passes.passes.iter().filter(|p| PASSES.contains(&p.name));
            best[0] = best[0].min(ours.map(|pass| pass.time).sum());
            let given = Given::of(&problem);
            let options = RegallocOptions {
                verbose_log: false,
                validate_ssa: false,
                algorithm: Algorithm::Ion,
            };
            let start = Instant::now();
            let output = regalloc2::run_with_ctx(&given, &given.env, &options, ctx);
            best[1] = best[1].min(start.elapsed());
            result = Some(match output {
                Ok(output) => Ok((given.inserted(output), problem.ours, given.operands.len())),
                Err(why) => Err(format!("{why}")),
            });
        }
        match result {
            Some(Ok((theirs, ours, instructions))) => {
                totals.functions += 1;
                totals.instructions += instructions as u64;
                for (i, inserted) in [ours, theirs].into_iter().enumerate() {
                    totals.times[i] += best[i];
                    add(&mut totals.inserted[i], &inserted);
                }
            }
            Some(Err(why)) => {
                if totals.refused == 0 {
                    eprintln!("function {defined}: {why}");
                }
                totals.refused += 1;
            }
            // Left to the baseline compiler.
            None => {}
        }
    }
    Ok(totals)
}

fn main() {
    let files: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .map(PathBuf::from)
        .collect();
    let mut ctx = Ctx::default();
    let mut all = Totals::default();
    let mut ratios = Vec::new();
    let corpus = Corpus::load().expect("the committed corpus");
    let modules: Vec<(String, PathBuf)> = if files.is_empty() {
        let path = |w: &zwasm_workloads::Workload| (w.id.clone(), corpus.dir().join(&w.module));
        corpus.workloads.iter().map(path).collect()
    } else {
        files
            .into_iter()
            .map(|f| (f.display().to_string(), f))
            .collect()
    };
    for (name, path) in modules {
        let bytes = std::fs::read(&path).expect("a module");
        match measure(&bytes, &mut ctx) {
            Ok(totals) => {
                totals.print(&name);
                ratios.push((totals.ratio(1), name));
                all.add(&totals);
            }
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    all.print("all");
    println!(
        "inserted instructions, ours over regalloc2's: {:.3} in the code, {:.3} weighted; time {:.3}",
        all.ratio(0),
        all.ratio(1),
        all.times[0].as_secs_f64() / all.times[1].as_secs_f64()
    );
    let logs: Vec<f64> = ratios.iter().map(|r| r.0.max(1e-3).ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    println!(
        "weighted, geometric mean of {} modules: {:.3}",
        logs.len(),
        mean.exp()
    );
    ratios.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (ratio, name) in ratios.iter().take(8) {
        println!("  {ratio:>8.3} {name}");
    }
}

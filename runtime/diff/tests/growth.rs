//! Functions of many shapes compile in every tier, and what the optimizing tier works on grows with
//! them: nodes and rounds of register allocation are counted, times are the command's.

use zwasm::{Config, Engine, Module, Tier};
use zwasm_diff::growth::SHAPES;

fn load(tier: Tier, module: &[u8]) -> Module {
    let mut config = Config::new();
    config.tier(tier).validation_threads(1);
    let engine = Engine::new(&config).expect("a valid configuration");
    Module::new(&engine, module).expect("a valid module")
}

#[test]
fn every_shape_compiles_in_every_tier() {
    for shape in SHAPES {
        for &tier in Tier::ALL {
            let module = load(tier, &shape.module(6_000));
            let compiled = module.compile_all();
            compiled.unwrap_or_else(|error| panic!("{}, {tier}: {error}", shape.name));
        }
    }
}

#[test]
fn work_grows_with_the_size() {
    let Some(&opt) = Tier::ALL.iter().find(|tier| tier.name() == "opt") else {
        return;
    };
    for shape in SHAPES {
        // The rounds of register allocation, and the nodes at the end.
        let work = |bytes: usize| {
            let times = load(opt, &shape.module(bytes)).time_passes();
            let times = times.expect("no function is beyond a limit");
            let pass = |name: &str| {
                let known = times.passes.iter().find(|pass| pass.name == name);
                *known.expect("a pass that always runs")
            };
            let (rounds, nodes) = (pass("live ranges").runs, pass("emission").nodes_after);
            (rounds, nodes, times.left_to_baseline)
        };
        let (rounds, nodes, left) = work(8_000);
        let (rounds_large, nodes_large, left_large) = work(32_000);
        let name = shape.name;
        assert_eq!(
            (left, left_large),
            (0, 0),
            "{name}: left to the baseline compiler"
        );
        assert!(
            nodes_large <= 5 * nodes,
            "{name}: {nodes} nodes, {nodes_large}"
        );
        assert!(
            rounds_large <= rounds + 6,
            "{name}: {rounds} rounds, {rounds_large}"
        );
    }
}

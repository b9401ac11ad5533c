//! Machine code depends on nothing but the module, the configuration and the instruction set: not on
//! what else an engine has seen.

use zwasm::{Config, Engine, Isa, Module, Tier};

const CALLS: &str = r#"(module
    (type $unused (func (param f32 f32 f32)))
    (type $a (func (param i32) (result i32)))
    (type $b (func (param i64) (result i64)))
    (import "" "f" (func $imported (type $b)))
    (table 4 funcref)
    (elem (i32.const 0) $double $imported)
    (tag $t (param i64))
    (memory 1)
    (global $g (mut i64) (i64.const 0))
    (func $double (type $a) (i32.add (local.get 0) (local.get 0)))
    (func (export "a") (param i32) (result i32)
        (call_indirect (type $a) (local.get 0) (i32.const 0)))
    (func (export "b") (param i64) (result i64)
        (global.set $g (local.get 0))
        (call_indirect (type $b) (local.get 0) (i32.const 1)))
    (func (export "c") (param i64) (result i64)
        (return_call_indirect (type $b) (local.get 0) (i32.const 1)))
    (func (export "d") (param i64) (result i64)
        (block $h (result i64)
            (try_table (result i64) (catch $t $h)
                (throw $t (call $imported (local.get 0)))))))"#;

/// Other types, which take the numbers that the module's would have.
const OTHERS: &str = r#"(module
    (type (func (param v128 v128)))
    (type (func (param i64 i64 i64) (result i64)))
    (type (func (param f64) (result f64)))
    (type (func (param i64) (result i64)))
    (func (type 0)) (func (type 1) (i64.const 0)) (func (type 2) (local.get 0))
    (table funcref (elem 0 1 2)))"#;

#[test]
fn code_is_the_same_in_every_engine() {
    for tier in [Tier::Baseline, Tier::Opt] {
        if !Tier::ALL.contains(&tier) {
            continue;
        }
        let mut config = Config::new();
        config.tier(tier);
        let (empty, full) = (Engine::new(&config).unwrap(), Engine::new(&config).unwrap());
        let others = Module::new(&full, OTHERS).unwrap();
        let modules = [&empty, &full].map(|engine| Module::new(engine, CALLS).unwrap());
        for isa in Isa::ALL {
            for defined in 0..5 {
                let [a, b] = modules
                    .each_ref()
                    .map(|module| module.machine_code(defined, isa).unwrap().bytes);
                assert_eq!(a, b, "{tier}, {}, function {defined}", isa.name());
            }
        }
        drop(others);
    }
}

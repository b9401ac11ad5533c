//! What code of tier `auto` has seen decides what the better code looks like, never what it does: calls whose callee
//! was guessed go elsewhere, blocks that never ran are run, loops go on for longer.

use zwasm::{Config, Engine, Error, Func, Instance, Module, Ref, Store, Tier, TrapCode, Val};

/// A function for each way to call what an element of a table is: the element, rounds, a number to go on with.
/// Callees add to a global of their own instance, so that it shows whose they are.
const CALLS: &str = r#"(module
    (type $f (func (param i32) (result i32)))
    (type $go (func (param i32 i32 i32) (result i32)))
    (tag $odd (param i32))
    (global $calls (export "calls") (mut i32) (i32.const 0))
    (table $table (export "table") 12 funcref)
    (table $typed (export "typed") 12 (ref null $f))
    (elem (table $table) (i32.const 0) func $next $twice $throws $deep $wide)
    (elem (table $typed) (i32.const 0) (ref null $f)
        (ref.func $next) (ref.func $twice) (ref.func $throws) (ref.func $deep))
    (func $note (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
    (func $next (export "next") (type $f) (call $note) (i32.add (local.get 0) (i32.const 1)))
    (func $twice (export "twice") (type $f) (call $note) (i32.mul (local.get 0) (i32.const 2)))
    (func $throws (type $f)
        (call $note)
        (if (i32.and (local.get 0) (i32.const 1)) (then (throw $odd (local.get 0))))
        (i32.add (local.get 0) (i32.const 3)))
    (func $deep (type $f)
        (if (result i32) (i32.gt_u (local.get 0) (i32.const 3))
            (then (i32.div_u (local.get 0) (i32.sub (local.get 0) (i32.const 64))))
            (else (call $next (local.get 0)))))
    (func $wide (param i64) (result i32) (i32.wrap_i64 (local.get 0)))

    (func $tail (type $go) (return_call_indirect $table (type $f) (local.get 2) (local.get 0)))
    (func $tail_ref (type $go)
        (return_call_ref $f (local.get 2) (table.get $typed (local.get 0))))
    (func $caught (type $go)
        (block $odd (result i32)
            (try_table (catch $odd $odd)
                (return (call_indirect $table (type $f) (local.get 2) (local.get 0))))
            (unreachable))
        (i32.const 1000) (i32.add))
    (func $loops (export "loops") (param $way i32) (param $at i32) (param $rounds i32)
        (param $x i32) (result i32)
        (loop $again
            (block $done (block $3 (block $2 (block $1 (block $0
                (br_table $0 $1 $2 $3 (local.get $way)))
                (local.set $x (call_indirect $table (type $f) (local.get $x) (local.get $at)))
                (br $done))
                (local.set $x (call_ref $f (local.get $x) (table.get $typed (local.get $at))))
                (br $done))
                (local.set $x (call $tail (local.get $at) (i32.const 0) (local.get $x)))
                (br $done))
                (local.set $x (call $caught (local.get $at) (i32.const 0) (local.get $x)))
            )
            (local.set $x (i32.and (local.get $x) (i32.const 0xff)))
            (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
        (local.get $x))
    (func (export "tail") (param i32 i32) (result i32)
        (return_call $tail (local.get 0) (i32.const 0) (local.get 1)))
    (func (export "tail ref") (param i32 i32) (result i32)
        (return_call $tail_ref (local.get 0) (i32.const 0) (local.get 1)))
)"#;

/// How a call ended, and how often functions of each instance were called by then.
type Seen = (Result<i32, Option<TrapCode>>, [i32; 2]);

struct World {
    store: Store<()>,
    instance: Instance,
    other: Instance,
}

impl World {
    /// Two instances of one module: the first has functions of the second in its tables, too.
    fn new(config: &Config) -> World {
        let engine = Engine::new(config).expect("a valid configuration");
        let module = Module::new(&engine, CALLS).expect("valid");
        let mut store = Store::new(&engine, ());
        let mut instance = || Instance::new(&mut store, &module, &[]).expect("no imports");
        let (instance, other) = (instance(), instance());
        let foreign: Func = other.get_func(&mut store, "next").expect("exported");
        for name in ["table", "typed"] {
            let table = instance.get_table(&mut store, name).expect("exported");
            let foreign = Ref::Func(Some(foreign));
            table.set(&mut store, 6, foreign).expect("it fits");
        }
        World {
            store,
            instance,
            other,
        }
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32, Option<TrapCode>> {
        let func = self.instance.get_func(&mut self.store, name);
        let arguments: Vec<Val> = arguments.iter().map(|&it| Val::I32(it)).collect();
        let mut results = [Val::I32(0)];
        let ended = func.expect("exported");
        let ended = ended.call(&mut self.store, &arguments, &mut results);
        let code = |error: Error| error.trap_code();
        ended.map_err(code)?;
        Ok(results[0].i32().expect("an i32"))
    }

    /// How often functions of each of the instances were called.
    fn calls(&mut self) -> [i32; 2] {
        [self.instance, self.other].map(|instance| {
            let calls = instance.get_global(&mut self.store, "calls");
            let calls = calls.expect("exported").get(&self.store);
            calls.i32().expect("an i32")
        })
    }

    /// Everything that is called after one callee was called often.
    fn see(&mut self, usual: i32) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut see = |world: &mut World, name: &str, arguments: &[i32]| {
            let result = world.call(name, arguments);
            seen.push((result, world.calls()));
        };
        for way in 0..4 {
            see(self, "loops", &[way, usual, 40, 2]);
        }
        for _ in 0..40 {
            see(self, "tail", &[usual, 4]);
            see(self, "tail ref", &[usual, 4]);
        }
        for at in [usual, 0, 1, 2, 3, 4, 5, 6, 11, 12, -1] {
            for way in 0..4 {
                for rounds in [1, 70, 300] {
                    see(self, "loops", &[way, at, rounds, 2]);
                }
            }
            see(self, "tail", &[at, 7]);
            see(self, "tail ref", &[at, 7]);
        }
        seen
    }
}

#[test]
fn callees_that_were_guessed_are_others() {
    let configuration = |tier, after, inline| {
        let mut config = Config::new();
        config.tier(tier);
        config.tier_up_after(after).tier_up_in_background(false);
        config.stress(zwasm::Stress {
            inline,
            ..zwasm::Stress::default()
        });
        config
    };
    if !Tier::ALL.contains(&Tier::Auto) {
        return;
    }
    for usual in [0, 1, 2, 3, 6] {
        let right = World::new(&configuration(Tier::Interp, 0, false)).see(usual);
        for after in [0, 20, 200, 399] {
            for inline in [false, true] {
                let config = configuration(Tier::Auto, after, inline);
                let seen = World::new(&config).see(usual);
                assert_eq!(seen, right, "usually {usual}, after {after}, {inline}");
            }
        }
    }
}

/// Code that has seen where calls go has the callees in their place.
#[test]
fn callees_come_in_place_of_indirect_calls() {
    const HOT: &str = r#"(module
        (type $f (func (param i32) (result i32)))
        (table funcref (elem $a $b))
        (func $a (type $f) (unreachable))
        (func $b (type $f) (i32.add (local.get 0) (i32.const 1)))
        (func (export "run") (param $n i32) (param $at i32) (result i32) (local $x i32) (local $i i32)
            (loop $again
                (local.set $i (i32.const 100))
                (loop $wait
                    (br_if $wait (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
                (local.set $x (call_indirect (type $f) (local.get $x) (local.get $at)))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x)))"#;
    if !Tier::ALL.contains(&Tier::Auto) {
        return;
    }
    let mut config = Config::new();
    config.tier(Tier::Auto);
    config.tier_up_after(100_000).tier_up_in_background(false);
    let (mut store, instance) = crate::instantiate(&config, HOT);
    let run = instance.get_typed_func::<(i32, i32), i32>(&mut store, "run");
    let run = run.expect("exported");
    // A round is a hundred and one units of the loops, and ten of the callee as long as it is called.
    assert_eq!(run.call(&mut store, (2000, 1)).expect("no trap"), 2000);
    assert_eq!(instance.module(&store).stats().functions_tiered_up, 1);
    assert_eq!(run.call(&mut store, (50_000, 1)).expect("no trap"), 50_000);
    assert_eq!(instance.module(&store).stats().functions_tiered_up, 1);
    let error = run.call(&mut store, (1, 0)).expect_err("the other one");
    assert_eq!(error.trap_code(), Some(TrapCode::Unreachable));
    let error = run.call(&mut store, (1, 2)).expect_err("behind the table");
    assert_eq!(error.trap_code(), Some(TrapCode::UndefinedElement));
}

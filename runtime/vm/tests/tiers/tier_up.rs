//! Tier `auto`: when functions get better code, on which threads, and that nobody can tell but by time.

use crate::instantiate;
use std::time::{Duration, Instant};
use zwasm::{Caller, Config, Engine, Func, Instance, Module, Store, Tier};

/// Emulators on busy machines included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tier `auto`, if this build has it, with better code after so many iterations.
fn auto(after: u32, in_background: bool) -> Option<Config> {
    let mut config = Config::new();
    config
        .tier(Tier::Auto)
        .tier_up_after(after)
        .tier_up_in_background(in_background);
    Tier::ALL.contains(&Tier::Auto).then_some(config)
}

fn call(store: &mut Store<()>, instance: &Instance, name: &str, argument: i32) -> Option<i32> {
    let function = instance.get_typed_func::<i32, i32>(&mut *store, name);
    function.expect("exported").call(&mut *store, argument).ok()
}

const SUM: &str = r#"(module
    (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "sum") (param i32) (result i32) (local $sum i32)
        (block $end (loop $next
            (br_if $end (i32.eqz (local.get 0)))
            (local.set $sum (i32.add (local.get $sum) (local.get 0)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br $next)))
        (local.get $sum)))"#;

/// Each function by its own count: ten for a call, one for an iteration.
#[test]
fn functions_that_run_often_get_better_code() {
    let Some(config) = auto(100, false) else {
        return;
    };
    let (mut store, instance) = instantiate(&config, SUM);
    let module = instance.module(&store).clone();
    let better = || module.stats().functions_tiered_up;
    for _ in 0..10 {
        assert_eq!(call(&mut store, &instance, "twice", 21), Some(42));
        assert_eq!(better(), 0);
    }
    assert_eq!(call(&mut store, &instance, "sum", 10), Some(55));
    assert_eq!(better(), 0);
    assert_eq!(call(&mut store, &instance, "sum", 1000), Some(500_500));
    assert_eq!(better(), 1);
    assert_eq!(call(&mut store, &instance, "sum", 1000), Some(500_500));
    assert_eq!(call(&mut store, &instance, "twice", 21), Some(42));
    assert_eq!(better(), 2);
    assert_eq!(call(&mut store, &instance, "twice", 21), Some(42));
    let stats = module.stats();
    assert_eq!(
        (stats.functions_compiled, stats.functions_tiered_up),
        (2, 2)
    );
    assert!(stats.code_bytes > 0);
}

/// What code was replaced goes when no call can be in it: with the next that is replaced after that.
#[test]
fn replaced_code_goes() {
    const RUNS: &str = r#"(module
        (import "" "calls" (func $calls))
        (func $hot (export "hot") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func $warm (export "warm") (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))
        (func $cool (export "cool") (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))
        (func (export "inside") (param i32) (result i32)
            (call $calls)
            (i32.add (call $hot (local.get 0)) (call $warm (local.get 0)))))"#;
    let Some(config) = auto(0, false) else {
        return;
    };
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = Module::new(&engine, RUNS).expect("valid");
    let bytes = || module.stats().code_bytes;
    let mut store = Store::new(&engine, ());
    let calls = Func::wrap(&mut store, |_: Caller<'_, ()>| {});
    let instance = Instance::new(&mut store, &module, &[calls.into()]).expect("it fits");
    // Each gets better code at its first call, and runs on in the first.
    assert_eq!(call(&mut store, &instance, "hot", 1), Some(2));
    let of_two = bytes();
    assert_eq!(call(&mut store, &instance, "warm", 1), Some(3));
    let of_three = bytes();
    assert!(of_three < 2 * of_two, "what was replaced first is gone");
    // Of three functions replaced in one run, nothing goes before it ends.
    assert_eq!(call(&mut store, &instance, "inside", 1), Some(5));
    let before = bytes();
    assert!(before > of_three);
    assert_eq!(call(&mut store, &instance, "cool", 1), Some(4));
    let cool = of_three - of_two / 2;
    assert!(bytes() < before + cool, "{} of {before}", bytes());
    for (name, answer) in [("hot", 2), ("warm", 3), ("cool", 4), ("inside", 5)] {
        assert_eq!(call(&mut store, &instance, name, 1), Some(answer));
    }
}

/// Fuel is counted by one compiler only, so there is nothing better.
#[test]
fn engines_that_count_fuel_stay_with_their_code() {
    let Some(mut config) = auto(0, false) else {
        return;
    };
    config.consume_fuel(true);
    let (mut store, instance) = instantiate(&config, SUM);
    store.set_fuel(1 << 40).expect("on");
    assert_eq!(
        call(&mut store, &instance, "sum", 100_000),
        Some(705_082_704)
    );
    let module = instance.module(&store);
    assert_eq!(module.stats().functions_tiered_up, 0);
}

/// Functions with values in all kinds of places when they ask, so that each must be kept.
fn crowded(functions: u32) -> String {
    let mut text = String::from("(module");
    for f in 0..functions {
        text += &format!(
            "(func (export \"f{f}\") (param i32) (result i32)
                (local $a i64) (local $b f64) (local $c v128) (local $d i32) (local $i i32)
                (local $e i64) (local $g i64) (local $h f32)
                (local.set $a (i64.const {f})) (local.set $b (f64.const 0.5))
                (local.set $c (i32x4.splat (local.get 0))) (local.set $e (i64.const 3))
                (local.set $g (i64.const 5)) (local.set $h (f32.const 0.25))
                (loop $next
                    (local.set $a (i64.add (local.get $a) (local.get $e)))
                    (local.set $b (f64.add (local.get $b) (f64.const 1)))
                    (local.set $c (i32x4.add (local.get $c) (i32x4.splat (i32.const 1))))
                    (local.set $g (i64.xor (local.get $g) (local.get $a)))
                    (local.set $h (f32.add (local.get $h) (f32.const 1)))
                    (local.set $d (i32.add (local.get $d) (local.get 0)))
                    (br_if $next (i32.lt_u
                        (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
                (i32.add (i32.add (i32.wrap_i64 (local.get $a)) (i32.trunc_f64_s (local.get $b)))
                    (i32.add (i32x4.extract_lane 2 (local.get $c))
                        (i32.add (i32.wrap_i64 (local.get $g))
                            (i32.add (local.get $d) (i32.trunc_f32_s (local.get $h)))))))"
        );
    }
    text.push(')');
    text
}

/// What `crowded` answers: the interpreter says so.
fn answers(functions: u32) -> Vec<Option<i32>> {
    let mut config = Config::new();
    config.tier(Tier::Interp);
    let (mut store, instance) = instantiate(&config, crowded(functions));
    let names = (0..functions).map(|f| format!("f{f}"));
    names
        .map(|name| call(&mut store, &instance, &name, 7))
        .collect()
}

/// Asking keeps all registers, in the middle of a call.
#[test]
fn nothing_is_lost_when_code_asks() {
    let expected = answers(1);
    for after in 0..40 {
        for in_background in [false, true] {
            let Some(config) = auto(after, in_background) else {
                return;
            };
            let (mut store, instance) = instantiate(&config, crowded(1));
            for _ in 0..3 {
                assert_eq!(call(&mut store, &instance, "f0", 7), expected[0], "{after}");
            }
        }
    }
}

/// Several threads run a module while it changes, again and again.
#[test]
fn code_changes_under_threads_that_run_it() {
    const FUNCTIONS: u32 = 12;
    let Some(config) = auto(5, true) else { return };
    let expected = answers(FUNCTIONS);
    let text = crowded(FUNCTIONS);
    for _ in 0..20 {
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, &text).expect("a valid module");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (engine, module, expected) = (&engine, &module, &expected);
                scope.spawn(move || {
                    let mut store = Store::new(engine, ());
                    let instance = Instance::new(&mut store, module, &[]).expect("no start");
                    for round in 0..30 {
                        let f = (round * 5 + thread * 3) % FUNCTIONS;
                        let result = call(&mut store, &instance, &format!("f{f}"), 7);
                        assert_eq!(result, expected[f as usize]);
                    }
                });
            }
        });
        let start = Instant::now();
        while module.stats().functions_tiered_up < FUNCTIONS as usize {
            assert!(start.elapsed() < PATIENCE, "{:?}", module.stats());
            std::thread::sleep(Duration::from_millis(1));
        }
        // All of it is the better code now.
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("no start");
        for (f, expected) in expected.iter().enumerate() {
            assert_eq!(call(&mut store, &instance, &format!("f{f}"), 7), *expected);
        }
    }
}

/// Threads are in the middle of long calls when the code of these is replaced, and come back from others to where
/// they were called. Code that goes too early is traps in debug builds: where nobody waits for the threads, or an
/// entry is published before its code, this test ends in a signal.
#[test]
fn code_is_replaced_under_long_calls() {
    const LONG: &str = r#"(module
        (func $leaf (param i32) (result i32)
            (if (result i32) (i32.and (local.get 0) (i32.const 1))
                (then (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1)))
                (else (i32.shr_u (local.get 0) (i32.const 1)))))
        (func $middle (param i32) (result i32) (local $i i32)
            (local.set $i (i32.const 40))
            (loop $again
                (local.set 0 (call $leaf (local.get 0)))
                (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (local.get 0))
        (func (export "long") (param i32) (result i32) (local $i i32)
            (local.set $i (i32.const 60))
            (loop $again
                (local.set 0 (i32.xor (call $middle (local.get 0)) (local.get $i)))
                (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (local.get 0)))"#;
    let Some(config) = auto(100, true) else {
        return;
    };
    let right = {
        let mut config = Config::new();
        config.tier(Tier::Interp);
        let (mut store, instance) = instantiate(&config, LONG);
        call(&mut store, &instance, "long", 27)
    };
    for _ in 0..20 {
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, LONG).expect("a valid module");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).expect("no start");
                    for _ in 0..20 {
                        assert_eq!(call(&mut store, &instance, "long", 27), right);
                    }
                });
            }
        });
    }
}

/// Modules and engines go while their functions wait for better code, or have it made.
#[test]
fn what_waits_goes_with_its_module() {
    const FUNCTIONS: u32 = 40;
    let Some(config) = auto(0, true) else { return };
    let text = crowded(FUNCTIONS);
    let kept = Engine::new(&config).expect("a valid configuration");
    for round in 0..30 {
        let engine = match round % 3 {
            0 => Engine::new(&config).expect("a valid configuration"),
            _ => kept.clone(),
        };
        let module = Module::new(&engine, &text).expect("a valid module");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("no start");
        for f in 0..FUNCTIONS {
            call(&mut store, &instance, &format!("f{f}"), 7).expect("a result");
        }
        if round % 2 == 0 {
            drop(module);
        }
    }
}

/// A trap in better code is at the same operators.
#[test]
fn backtraces_do_not_change() {
    const TRAPS: &str = r#"(module
        (func $inner (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func (export "outer") (param i32) (result i32)
            (i32.add (call $inner (local.get 0)) (i32.const 1))))"#;
    let Some(config) = auto(25, false) else {
        return;
    };
    let (mut store, instance) = instantiate(&config, TRAPS);
    let outer = instance.get_typed_func::<i32, i32>(&store, "outer");
    let outer = outer.expect("exported");
    let traces: Vec<Vec<_>> = (0..8)
        .map(|_| {
            let error = outer.call(&mut store, 0).expect_err("a division by zero");
            let frames = error.backtrace().iter();
            frames
                .map(|frame| (frame.func_index(), frame.module_offset()))
                .collect()
        })
        .collect();
    assert_eq!(traces[0].len(), 2);
    assert!(traces.iter().all(|trace| *trace == traces[0]), "{traces:?}");
    let module = instance.module(&store);
    assert_eq!(module.stats().functions_tiered_up, 2);
}

/// What asks for better code counts as code.
#[test]
fn limits_of_code_hold() {
    let Some(mut config) = auto(100, false) else {
        return;
    };
    let text = format!("(module (func {}))", "(loop)".repeat(3000));
    for limit in [50_000, 90_000, 130_000] {
        let engine = Engine::new(config.max_function_code(limit)).expect("valid");
        let module = Module::new(&engine, &text).expect("valid");
        let bytes = module.compile_all().map(|()| module.stats().code_bytes);
        assert!(
            bytes.is_err() || bytes.as_ref().is_ok_and(|&it| it <= limit as usize),
            "{bytes:?}"
        );
    }
}

/// Nested loops with values in all kinds of places, entered at each of them: the answers are the
/// interpreter's whatever the number of iterations before.
#[test]
fn calls_go_on_in_better_code_at_any_loop() {
    const NEST: &str = r#"(module (memory 1)
        (func (export "nest") (param $n i32) (result i32)
            (local $i i32) (local $j i32) (local $k i32) (local $s i64) (local $f f64) (local $v v128)
            (local $never i32) (local $p i32)
            (local.set $never (i32.const 7))
            (i32.const 11)
            (block $out
                (loop $one
                    (local.set $j (i32.const 0))
                    (i32.add (local.get $never) (local.get $i))
                    (if (i32.and (local.get $i) (i32.const 1))
                        (then
                            (local.set $f (f64.add (local.get $f) (f64.const 1.5)))
                            (f32.const 2.5)
                            (loop $two (param f32) (result f32)
                                (local.set $k (local.get $j))
                                (block $skip
                                    (br_if $skip (i32.eq (local.get $j) (i32.const 3)))
                                    (i32.const 5)
                                    (loop $three (param i32)
                                        (local.set $p)
                                        (local.set $s (i64.add (local.get $s)
                                            (i64.extend_i32_u (i32.mul (local.get $p) (local.get $k)))))
                                        (local.set $v (i32x4.add (local.get $v) (i32x4.splat (local.get $k))))
                                        (i32.const 9)
                                        (br_if $three (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $n)))
                                        (drop)))
                                (local.set $j (i32.add (local.get $j) (i32.const 1)))
                                (f32.add (f32.const 1))
                                (br_if $two (i32.lt_u (local.get $j) (local.get $n))))
                            (f64.promote_f32) (local.get $f) (f64.add) (local.set $f))
                        (else (local.set $s (i64.sub (local.get $s) (i64.const 1)))))
                    (i64.extend_i32_u) (local.get $s) (i64.add) (local.set $s)
                    (br_if $out (i32.ge_u (local.get $i) (local.get $n)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br $one)))
            (i32.add (local.get $never))
            (i32.add (i32.trunc_f64_s (local.get $f)))
            (i32.add (i32x4.extract_lane 1 (local.get $v)))
            (i32.add (i32.wrap_i64 (local.get $s)))))"#;
    let mut interpreter = Config::new();
    interpreter.tier(Tier::Interp);
    let (mut store, instance) = instantiate(&interpreter, NEST);
    let right: Vec<_> = (0..9)
        .map(|n| call(&mut store, &instance, "nest", n))
        .collect();
    for after in 0..120 {
        for of_calls in [false, true] {
            let Some(mut config) = auto(after, false) else {
                return;
            };
            config.tier_up_of_calls(of_calls);
            let (mut store, instance) = instantiate(&config, NEST);
            let answers: Vec<_> = (0..9)
                .map(|n| call(&mut store, &instance, "nest", n))
                .collect();
            assert_eq!(answers, right, "after {after} iterations");
            if !of_calls {
                let stats = instance.module(&store).stats();
                assert_eq!(stats.functions_tiered_up, 0);
                assert!((1..=3).contains(&stats.loops_tiered_up));
            }
        }
    }
}

/// A call that does not end is not stuck in the first code: the host lets it go once it is not.
#[test]
fn a_loop_that_never_ends_gets_better_code() {
    const WAIT: &str = r#"(module (import "" "goes on" (func $goes_on (result i32)))
        (func (export "wait") (param i32) (result i32) (local $i i32)
            (loop $outer
                (local.set $i (i32.const 0))
                (loop $inner
                    (br_if $inner (i32.lt_u
                        (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
                (br_if $outer (call $goes_on)))
            (local.get 0)))"#;
    let Some(config) = auto(1000, true) else {
        return;
    };
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = Module::new(&engine, WAIT).expect("valid");
    let mut store = Store::new(&engine, ());
    let (started, of_module) = (Instant::now(), module.clone());
    let goes_on = Func::wrap(&mut store, move |_: Caller<'_, ()>| {
        assert!(started.elapsed() < PATIENCE, "nobody made better code");
        i32::from(of_module.stats().loops_tiered_up == 0)
    });
    let instance = Instance::new(&mut store, &module, &[goes_on.into()]).expect("it fits");
    assert_eq!(call(&mut store, &instance, "wait", 7), Some(7));
}

/// What is special about a frame that is left in a loop: handlers around it, results and arguments on the
/// stack, tail calls out of it, operands that are constants, with and without a loop behind them.
#[test]
fn frames_of_all_kinds_are_left_at_loops() {
    let parameters = "i64 ".repeat(12);
    let results = "i64 ".repeat(9);
    let last_nine: String = (3..12).map(|at| format!("(local.get {at})")).collect();
    let frames = format!(
        r#"(module (tag $t (param i32))
        (func $throws (param i32) (if (i32.eq (local.get 0) (i32.const 3)) (then (throw $t (i32.const 40)))))
        (func (export "handlers") (param $n i32) (result i32) (local $i i32) (local $s i32)
            (i32.const 100)
            (block $caught (result i32)
                (try_table (catch $t $caught)
                    (loop $next
                        (local.set $s (i32.add (local.get $s) (local.get $i)))
                        (call $throws (local.get $i))
                        (br_if $next (i32.lt_u
                            (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
                (i32.const 7))
            (i32.add) (i32.add (local.get $s)))
        (func (export "inside") (param $n i32) (result i32) (local $i i32) (local $s i32)
            (loop $next
                (block $caught (result i32)
                    (try_table (catch $t $caught)
                        (local.set $s (i32.add (local.get $s) (i32.const 1)))
                        (loop $inner
                            (local.set $s (i32.add (local.get $s) (i32.const 2)))
                            (call $throws (local.get $i))
                            (br_if $inner (i32.rem_u (local.get $s) (i32.const 7)))))
                    (i32.const 5))
                (local.set $s (i32.add (local.get $s)))
                (br_if $next (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
            (local.get $s))
        (func $wide (param {parameters}) (result {results}) (local $i i32)
            (loop $next
                (local.set 11 (i64.add (local.get 11) (local.get 3)))
                (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
                (br_if $next (i64.gt_s (local.get 0) (i64.const 0))))
            {last_nine})
        (func $narrow (param i64) (result {results}) (local $i i64)
            (loop $next
                (br_if $next (i64.lt_u
                    (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get 0))))
            (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
            (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10) (local.get $i)
            (return_call $wide))
        (func (export "wide") (param i32) (result i32)
            (call $narrow (i64.extend_i32_u (local.get 0)))
            {adds}
            (i32.wrap_i64))
        (func $odd (param $n i32) (param $left i32) (result i32)
            (loop $next (br_if $next (i32.lt_s (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5))))
            (if (i32.eqz (local.get $left)) (then (return (local.get $n))))
            (return_call $odd (i32.const 0) (i32.sub (local.get $left) (i32.const 1))))
        (func (export "again") (param i32) (result i32) (call $odd (i32.const 0) (local.get 0)))
        (func (export "below") (param $n i32) (result i32) (local $i i32)
            (i32.const 77)
            (if (i32.and (local.get $n) (i32.const 1))
                (then (loop $next (br_if $next (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))))
            (loop $next (br_if $next (i32.lt_u
                (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
            (i32.add (local.get $i))))"#,
        adds = "(i64.add)".repeat(8),
    );
    let mut interpreter = Config::new();
    interpreter.tier(Tier::Interp);
    let names = ["handlers", "inside", "wide", "again", "below"];
    let answers = |config: &Config| -> Vec<Option<i32>> {
        let (mut store, instance) = instantiate(config, &frames);
        let mut answers = Vec::new();
        for name in names {
            answers.extend((0..6).map(|n| call(&mut store, &instance, name, n)));
        }
        answers
    };
    let right = answers(&interpreter);
    for after in 0..40 {
        for of_calls in [false, true] {
            let Some(mut config) = auto(after, false) else {
                return;
            };
            config.tier_up_of_calls(of_calls);
            assert_eq!(answers(&config), right, "after {after} iterations");
        }
    }
}

/// Nests as deep as a module may have them: what is done for an entrance far inside is in proportion to the
/// function, or there is none.
#[test]
fn entrances_far_inside() {
    const DEPTH: usize = 3000;
    let nests = [
        // Loops in loops, with an operand below each.
        ("i32.const 1 loop ", "end drop "),
        // Conditions between them, which all operands and locals pass.
        (
            "i32.const 1 local.get 0 if i32.const 2 loop ",
            "end drop end drop ",
        ),
        ("loop i32.const 1 local.set 1 block ", "end end "),
    ];
    for (open, close) in nests {
        let text = format!(
            "(module (func (export \"f\") (param i32) (result i32) (local i32)
                {}
                loop $next
                    local.get 0 i32.const 1 i32.add local.tee 0 i32.const 100 i32.lt_u br_if $next
                end
                {} local.get 0))",
            open.repeat(DEPTH),
            close.repeat(DEPTH)
        );
        let Some(mut config) = auto(50, false) else {
            return;
        };
        config.tier_up_of_calls(false);
        let (mut store, instance) = instantiate(&config, text);
        assert_eq!(call(&mut store, &instance, "f", 1), Some(100));
        assert_eq!(call(&mut store, &instance, "f", 2), Some(100));
    }
}

//! Callees in place of calls: nobody can tell, least of all by a backtrace.

use crate::configurations;
use zwasm::{Caller, Config, Engine, Error, Extern, Func, Instance, Module, Store, TrapCode, Val};

/// How a call of an export with a number ended: results, or a trap with its frames.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Returned(Vec<i64>),
    Ended(Option<TrapCode>, bool, Vec<(u32, Option<usize>)>, usize),
}

impl Outcome {
    fn of(error: &Error) -> Outcome {
        let frames = error.backtrace().iter();
        let frames = frames.map(|frame| (frame.func_index(), frame.module_offset()));
        let omitted = error.as_trap().map_or(0, |trap| trap.backtrace().omitted());
        let is_exception = error.is_exception();
        Outcome::Ended(error.trap_code(), is_exception, frames.collect(), omitted)
    }
}

/// Every tier, and each of them with as much inlining as it can do.
fn all() -> Vec<(Config, String)> {
    let mut all = configurations();
    for (mut config, name) in configurations() {
        config.stress(zwasm::Stress {
            inline: true,
            ..zwasm::Stress::default()
        });
        all.push((config, format!("{name}, inlining")));
    }
    all
}

/// Calls `name` with each of the numbers under every configuration, all of which must agree.
fn check(text: &str, name: &str, numbers: impl IntoIterator<Item = i32> + Clone) -> Vec<Outcome> {
    check_in(&all(), text, name, numbers)
}

/// The same under these configurations. The import `host.f` fails for 13 and gives back other
/// numbers.
pub(crate) fn check_in(
    configurations: &[(Config, String)],
    text: &str,
    name: &str,
    numbers: impl IntoIterator<Item = i32> + Clone,
) -> Vec<Outcome> {
    let wasm = wat::parse_str(text).expect("valid text");
    let mut expected: Option<Vec<Outcome>> = None;
    for (config, configuration) in configurations {
        let engine = Engine::new(config).expect("a valid configuration");
        let module = Module::new(&engine, &wasm).expect("a valid module");
        let mut store = Store::new(&engine, ());
        let host = Func::wrap(&mut store, |_: Caller<'_, ()>, n: i32| {
            if n == 13 {
                Err(Error::host(std::io::Error::other("thirteen")))
            } else {
                Ok(n)
            }
        });
        let imports: Vec<Extern> = module.imports().map(|_| host.into()).collect();
        let instance = Instance::new(&mut store, &module, &imports).expect("no start function");
        let func = instance.get_func(&store, name).expect("exported");
        let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
        let mut outcomes = Vec::new();
        for number in numbers.clone() {
            outcomes.push(
                match func.call(&mut store, &[Val::I32(number)], &mut results) {
                    Ok(()) => Outcome::Returned(
                        results
                            .iter()
                            .map(|it| {
                                it.i64()
                                    .unwrap_or_else(|| it.i32().expect("a number").into())
                            })
                            .collect(),
                    ),
                    Err(error) => Outcome::of(&error),
                },
            );
        }
        match &expected {
            None => expected = Some(outcomes),
            Some(expected) => assert_eq!(*expected, outcomes, "{configuration}"),
        }
    }
    expected.expect("there is a configuration")
}

/// Functions of the frames of a trap.
fn funcs(outcome: &Outcome) -> Vec<u32> {
    match outcome {
        Outcome::Ended(_, _, frames, _) => frames.iter().map(|frame| frame.0).collect(),
        Outcome::Returned(values) => panic!("returned {values:?}"),
    }
}

/// Traps of every kind, three calls deep, in loops and behind calls of the same functions.
#[test]
fn traps_in_callees_show_the_calls() {
    let text = r#"(module
        (import "host" "f" (func $host (param i32) (result i32)))
        (memory 1)
        (table 2 funcref)
        (tag $t)
        (type $unary (func (param i32) (result i32)))
        (func $fail (param $how i32) (result i32)
            (block $throw (block $fill (block $null (block $grow (block $access (block $divide
                (block $truncate (block $host (block $unreachable
                    (br_table $unreachable $host $truncate $divide $access $grow $null $fill $throw
                        $grow (local.get $how)))
                unreachable)
                (return (call $host (i32.const 13))))
                (return (i32.trunc_f64_s (f64.const nan))))
                (return (i32.rem_s (i32.const 1) (call $host (i32.const 0)))))
                (return (i32.load offset=4 (i32.const -5))))
                (return (call $host (local.get $how))))
                (return (call_indirect (type $unary) (i32.const 1) (local.get $how))))
                (memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))
                (return (i32.const 1)))
            (throw $t))
        (func $middle (param $how i32) (result i32)
            (i32.add (i32.const 1) (call $fail (local.get $how))))
        (func $outer (param $how i32) (result i32) (local $i i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (call $middle (i32.const 5))))
                (br_if $again
                    (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
            (i32.add
                (local.get $sum)
                (i32.add (call $middle (i32.const 9)) (call $middle (local.get $how)))))
        (func (export "f") (param i32) (result i32) (call $outer (local.get 0))))"#;
    let outcomes = check(text, "f", 0..10);
    let Outcome::Ended(code, ..) = outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(code, Some(TrapCode::Unreachable));
    for how in [0, 1, 2, 3, 4, 6, 7, 8] {
        assert_eq!(funcs(&outcomes[how]), [1, 2, 3, 4], "{how}");
    }
    assert_eq!(outcomes[5], Outcome::Returned(vec![3 * 6 + 10 + 6]));
}

/// What is folded into other instructions, and checks without guard regions, traps where it stands.
#[test]
fn accesses_in_callees_trap_at_theirs() {
    let text = r#"(module
        (memory 1)
        (memory $big i64 1)
        (func $load (param i32) (result i32) (i32.load (local.get 0)))
        (func $store (param i32 i32) (i32.store offset=8 (local.get 0) (local.get 1)))
        (func $wide (param i64) (result i32) (i32.load $big offset=16 (local.get 0)))
        (func $sum (param i32) (result i32)
            (i32.add (call $load (local.get 0))
                (i32.add (call $load (i32.add (local.get 0) (i32.const 4)))
                    (call $wide (i64.extend_i32_u (local.get 0))))))
        (func (export "f") (param i32) (result i32) (local i32)
            (loop $again
                (call $store (i32.add (local.get 0) (local.get 1)) (i32.const 3))
                (br_if $again (i32.lt_u
                    (local.tee 1 (i32.add (local.get 1) (i32.const 4))) (i32.const 12))))
            (call $sum (local.get 0))))"#;
    check(
        text,
        "f",
        [0, 65_508, 65_512, 65_516, 65_520, 65_532, 65_536, -4],
    );
}

/// Locals start anew in every round, results and early returns find the right places, and what was
/// on the stack below the call stays.
#[test]
fn values_of_callees_are_their_own() {
    let text = r#"(module
        (global $g (mut i64) (i64.const 0))
        (func $count (param i32) (result i32) (local $n i32)
            (loop $more
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $more (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1)))))
            (local.get $n))
        (func $first (result i32) (local i32)
            (local.set 0 (i32.add (local.get 0) (i32.const 1))) (local.get 0))
        (func $classify (param i32) (result i32 i64)
            (i32.const 77)
            (block $b (result i32) (block $c (result i32)
                (local.get 0) (br_table 0 1 0 (i32.and (local.get 0) (i32.const 3)))))
            (i32.const 5) i32.add
            (if (param i32) (result i32) (i32.gt_s (local.get 0) (i32.const 20))
                (then (return (i64.const 20)))
                (else))
            drop
            (i64.extend_i32_u (local.get 0)))
        (func $three (param i32) (result i32 i32 i32)
            (block $b (result i32 i32 i32)
                (br $b (local.get 0) (i32.const 2) (call $count (local.get 0)))))
        (func $never (param i32) (result i32) (if (local.get 0) (then unreachable)) unreachable)
        (func $forever (param i32) (result i32) (loop (br 0)) unreachable)
        (func $set (param i64) (global.set $g (i64.add (global.get $g) (local.get 0))))
        (func $get (result i64) (global.get $g))
        (func (export "f") (param $n i32) (result i32 i32 i32 i64 i64 i32)
                (local $i i32) (local $a i32) (local $b i64)
            (global.set $g (i64.const 0))
            (loop $again
                (local.set $a (i32.add (local.get $a)
                    (i32.mul (call $first) (call $count (local.get $i)))))
                (call $set (i64.extend_i32_s (local.get $a)))
                (call $classify (local.get $i))
                (local.set $b (i64.add (local.get $b)))
                (local.set $a (i32.add (local.get $a)))
                (if (i32.eq (local.get $n) (i32.const 30)) (then (drop (call $never (local.get $n)))))
                (if (i32.eq (local.get $n) (i32.const 31)) (then (drop (call $forever (local.get $n)))))
                (br_if $again (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
            (call $three (local.get $a))
            (local.get $b) (call $get)
            (local.get $i)))"#;
    check(text, "f", (0..31).chain([100, 1000]));
}

/// A body that can be left out of nothing but a frame: vectors, references, floats, wide results.
#[test]
fn callees_of_every_type() {
    let text = r#"(module
        (elem declare func $twice)
        (func $twice (param f64) (result f64) (f64.mul (local.get 0) (f64.const 2)))
        (func $blend (param v128 v128 i32) (result v128)
            (if (result v128) (local.get 2)
                (then (i32x4.add (local.get 0) (local.get 1)))
                (else (local.get 0))))
        (func $choose (param i32) (result funcref)
            (if (result funcref) (local.get 0)
                (then (ref.func $twice)) (else (ref.null func))))
        (func (export "f") (param $n i32) (result i32 i64) (local $v v128) (local $d f64)
            (local.set $d (f64.const 1))
            (loop $again
                (local.set $v (call $blend
                    (local.get $v) (i32x4.splat (local.get $n))
                    (i32.and (local.get $n) (i32.const 1))))
                (local.set $d (call $twice (local.get $d)))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.add (i32x4.extract_lane 2 (local.get $v))
                (ref.is_null (call $choose (i32.lt_s (local.get $n) (i32.const 2)))))
            (i64.reinterpret_f64 (local.get $d))))"#;
    check(text, "f", [1, 2, 3, 10, 40]);
}

/// A function in its own body: the same frames at every depth, and an end to it.
#[test]
fn recursion_is_as_deep_as_it_was() {
    let text = r#"(module
        (func $down (export "f") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.div_u (i32.const 1) (local.get 0)))))
        (func $even (export "even") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (unreachable))))
        (func $odd (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 9))))
        (func $fib (export "fib") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;
    let outcomes = check(text, "f", (0..80).step_by(7));
    let Outcome::Ended(_, _, frames, omitted) = outcomes.last().expect("there are some") else {
        panic!("{outcomes:?}")
    };
    assert_eq!(frames.len() + omitted, 78);
    check(text, "even", 0..9);
    let fib = check(text, "fib", 0..15);
    assert_eq!(fib[14], Outcome::Returned(vec![377]));
}

/// Depths differ between tiers, the end does not.
#[test]
fn recursion_without_end_overflows_the_stack() {
    let text = r#"(module
        (func $deep (export "f") (param i32) (result i32)
            (i32.add (i32.const 1) (call $deep (local.get 0))))
        (func $one (export "one") (param i32) (result i32)
            (i32.add (i32.const 1) (call $two (local.get 0))))
        (func $two (param i32) (result i32) (i32.sub (call $one (local.get 0)) (i32.const 1))))"#;
    for (config, name) in all() {
        let (mut store, instance) = crate::instantiate(&config, text);
        for (export, others) in [("f", [0, 0]), ("one", [1, 2])] {
            let func = instance
                .get_typed_func::<i32, i32>(&store, export)
                .expect("exported");
            let error = func.call(&mut store, 1).expect_err("the stack ends");
            assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow), "{name}");
            let frames = error.backtrace();
            assert!(frames.len() >= 32, "{name}");
            for pair in frames.windows(2) {
                let pair = [pair[0].func_index(), pair[1].func_index()];
                let [a, b] = others;
                assert!(pair == [a, b] || pair == [b, a], "{name}: {pair:?}");
            }
        }
    }
}

/// What a callee calls instead of returning is called in its place, and needs no room for it.
#[test]
fn tail_calls_of_callees_replace_them() {
    let text = r#"(module
        (import "host" "f" (func $host (param i32) (result i32)))
        (type $unary (func (param i32) (result i32)))
        (table funcref (elem $check $down $even))
        (func $check (param i32) (result i32)
            (i32.div_u (i32.const 100) (i32.sub (local.get 0) (i32.const 5))))
        (func $down (export "down") (param i32) (result i32)
            (if (i32.gt_u (local.get 0) (i32.const 1000))
                (then (return_call $down (i32.sub (local.get 0) (i32.const 1)))))
            (return_call $check (i32.and (local.get 0) (i32.const 7))))
        (func $even (export "even") (param i32) (result i32)
            (if (local.get 0) (then (return_call $odd (i32.sub (local.get 0) (i32.const 1)))))
            (i32.const 1))
        (func $odd (param i32) (result i32)
            (if (local.get 0) (then (return_call $even (i32.sub (local.get 0) (i32.const 1)))))
            (return_call $check (i32.const 5)))
        (func $any (param i32) (result i32)
            (if (i32.eq (local.get 0) (i32.const 11)) (then (return_call $host (local.get 0))))
            (local.get 0)
            (return_call_indirect (type $unary)
                (local.get 0) (i32.rem_u (local.get 0) (i32.const 4))))
        (func $sum (param $n i32) (result i32) (local $i i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum)
                    (i32.add (i32.const 3) (call $any (local.get $n)))))
                (br_if $again (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
            (i32.add (call $even (local.get $n)) (local.get $sum)))
        (func (export "f") (param i32) (result i32) (call $sum (local.get 0))))"#;
    let outcomes = check(text, "f", (0..32).chain([1_000_000, 1_000_001, 1_000_002]));
    // The functions that called instead of returning are gone.
    assert_eq!(funcs(&outcomes[5]), [1, 6, 7]);
    let numbers = (0..16).chain([1_000_000, 1_000_001, 1_000_005]);
    for name in ["down", "even"] {
        let outcomes = check(text, name, numbers.clone());
        assert_eq!(funcs(&outcomes[5]), [1]);
    }
}

/// Locals and operands start anew with every round of functions that call each other at their ends.
#[test]
fn tail_calls_become_loops() {
    let text = r#"(module
        (memory 1)
        (func $letters (export "letters") (param $at i32) (result i32 i64) (local $sum i64)
            (i32.const 7)
            (if (i32.lt_s (local.get $at) (i32.const 0)) (then unreachable))
            (loop $again
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $at))))
                (if (i64.lt_u (local.get $sum) (i64.const 50))
                    (then (br_if $again (i32.and (local.get $at) (i32.const 1)))))
                (if (i32.gt_u (local.get $at) (i32.const 60))
                    (then (return_call $digits
                        (i32.sub (local.get $at) (i32.const 1)) (local.get $sum)))))
            (i32.store (local.get $at) (i32.const 65))
            (if (local.get $at) (then (return_call $letters (i32.sub (local.get $at) (i32.const 3)))))
            (local.get $sum))
        (func $digits (param $at i32) (param $sum i64) (result i32 i64) (local $n i32)
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (block $done
                (br_table $done $done $done (i32.rem_u (local.get $at) (i32.const 5)))
                unreachable)
            (if (i32.and (local.get $at) (i32.const 2))
                (then (return_call $digits
                    (i32.sub (local.get $at) (local.get $n))
                    (i64.add (local.get $sum) (i64.const 1)))))
            (if (i64.gt_u (local.get $sum) (i64.const 70))
                (then (return_call $letters (i32.sub (local.get $at) (i32.const 3)))))
            (return_call $last (i32.wrap_i64 (local.get $sum))))
        (func $last (param i32) (result i32 i64)
            (i32.div_u (i32.const 1000) (i32.sub (local.get 0) (i32.const 62)))
            (i64.const 3))
        (func (export "f") (param i32) (result i64)
            (local i64)
            (call $letters (local.get 0))
            (local.set 1) (i64.extend_i32_u) (local.get 1) (i64.add)))"#;
    check(text, "f", 0..150);
    check(text, "letters", 0..150);
}

/// Callees that cannot stand in place of their calls are called, and do what they did.
#[test]
fn some_callees_are_called() {
    let text = r#"(module
        (tag $t (param i32))
        (func $tail (param i32 i32) (result i32)
            (if (result i32) (local.get 0)
                (then (return_call $tail
                    (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 2))))
                (else (i32.div_s (local.get 1) (i32.sub (local.get 1) (i32.const 6))))))
        (func $throw (param i32) (if (i32.and (local.get 0) (i32.const 1)) (then
            (throw $t (local.get 0)))))
        (func $catch (param i32) (result i32)
            (block $caught (result i32)
                (try_table (catch $t $caught) (call $throw (local.get 0)))
                (i32.const 100)))
        (func $both (param i32) (result i32)
            (i32.add (call $catch (local.get 0)) (call $tail (local.get 0) (i32.const 0))))
        (func (export "f") (param i32) (result i32) (local i32) (local i32)
            (loop $again
                (local.set 2 (i32.add (local.get 2) (call $both (local.get 1))))
                (br_if $again (i32.lt_u
                    (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
            (call $throw (i32.add (local.get 0) (i32.const 1)))
            (local.get 2)))"#;
    check(text, "f", 0..6);
}

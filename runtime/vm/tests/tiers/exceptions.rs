//! Handlers: what they find in locals and on the stack, and which one is taken.

use crate::inline::{Outcome, check_in};
use crate::{configurations, instantiate};
use zwasm::{Caller, Config, Engine, ExternType, Func, Instance, Module, Store, Stress, Tag};

/// Every tier, and each of them with the detours that change where values are.
fn all() -> Vec<(Config, String)> {
    let mut all = configurations();
    let detour = |name, change: fn(&mut Stress)| (name, change);
    for (name, change) in [
        detour("inlining", |stress| stress.inline = true),
        detour("spilling", |stress| stress.spill = true),
        detour("few registers", |stress| stress.few_registers = true),
        detour("few registers, inlining", |stress| {
            stress.few_registers = true;
            stress.inline = true;
        }),
        detour("spilling, inlining", |stress| {
            stress.spill = true;
            stress.inline = true;
        }),
        detour("no folding, far branches", |stress| {
            stress.no_fold = true;
            stress.far_branches = true;
        }),
    ] {
        for (mut config, configuration) in configurations() {
            let mut stress = Stress::default();
            change(&mut stress);
            config.stress(stress);
            all.push((config, format!("{configuration}, {name}")));
        }
    }
    for (config, _) in &mut all {
        config.wasm_exceptions(true).wasm_tail_call(true);
    }
    all
}

/// Calls an export with each of the numbers under every configuration, all of which must agree, and
/// sees to it that the optimizing compiler made its own code.
fn check(text: &str, name: &str, numbers: impl IntoIterator<Item = i32> + Clone) -> Vec<Outcome> {
    for (config, configuration) in all() {
        let engine = Engine::new(&config).expect("a valid configuration");
        if engine.tier().name() == "opt" {
            let module = Module::new(&engine, text).expect("a valid module");
            let times = module.time_passes().expect("compiles");
            assert_eq!(times.left_to_baseline, 0, "{configuration}");
        }
    }
    check_in(&all(), text, name, numbers)
}

fn returned(outcome: &Outcome) -> &[i64] {
    match outcome {
        Outcome::Returned(values) => values,
        Outcome::Ended(..) => panic!("{outcome:?}"),
    }
}

/// What `throwing` functions are made of: they throw by their argument, at the end of some calls.
const THROWERS: &str = r#"
    (import "host" "f" (func $host (param i32) (result i32)))
    (tag $none)
    (tag $one (param i32))
    (tag $mixed (param i32 v128 f64 i64 f32))
    (type $unary (func (param i32) (result i32)))
    (table funcref (elem $throw $deep $host))
    (func $throw (param i32) (result i32)
        (if (i32.eq (i32.rem_u (local.get 0) (i32.const 5)) (i32.const 1)) (then (throw $none)))
        (if (i32.eq (i32.rem_u (local.get 0) (i32.const 5)) (i32.const 2))
            (then (throw $one (i32.add (local.get 0) (i32.const 1000)))))
        (if (i32.eq (i32.rem_u (local.get 0) (i32.const 5)) (i32.const 3))
            (then (throw $mixed
                (local.get 0)
                (i32x4.splat (local.get 0))
                (f64.convert_i32_s (local.get 0))
                (i64.extend_i32_s (local.get 0))
                (f32.convert_i32_s (local.get 0)))))
        (i32.mul (local.get 0) (i32.const 3)))
    ;; Uses every register that callees preserve before it throws.
    (func $deep (param i32) (result i32)
        (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32)
        (local $i i32)
        (local.set $a (i32.const 1)) (local.set $b (i32.const 2)) (local.set $c (i32.const 3))
        (local.set $d (i32.const 4)) (local.set $e (i32.const 5)) (local.set $f (i32.const 6))
        (loop $again
            (local.set $a (i32.add (local.get $a) (call $host (local.get $b))))
            (local.set $b (i32.add (local.get $b) (local.get $c)))
            (local.set $c (i32.xor (local.get $c) (local.get $d)))
            (local.set $d (i32.add (local.get $d) (local.get $e)))
            (local.set $e (i32.sub (local.get $e) (local.get $f)))
            (local.set $f (i32.add (local.get $f) (local.get $a)))
            (br_if $again (i32.lt_u
                (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
        (i32.add
            (call $throw (local.get 0))
            (i32.add (i32.add (local.get $a) (local.get $b))
                (i32.add (i32.add (local.get $c) (local.get $d))
                    (i32.add (local.get $e) (local.get $f))))))
"#;

fn module(functions: &str) -> String {
    format!("(module {THROWERS} {functions})")
}

/// Every kind of clause at once, with payloads of every type.
#[test]
fn clauses_get_what_was_thrown() {
    let text = module(
        r#"
        (func (export "f") (param $n i32) (result i32 i64)
            (local $v v128) (local $d f64) (local $q i64) (local $s f32) (local $k i32)
            (block $all (block $one (result i32) (block $mixed (result i32 v128 f64 i64 f32)
                (try_table (catch $mixed $mixed) (catch $one $one) (catch_all $all)
                    (local.set $k (call $deep (local.get $n))))
                (return (local.get $k) (i64.const -1)))
                (local.set $s) (local.set $q) (local.set $d) (local.set $v) (local.set $k)
                (return
                    (i32.add (local.get $k) (i32x4.extract_lane 3 (local.get $v)))
                    (i64.add (local.get $q) (i64.add
                        (i64.trunc_f64_s (local.get $d)) (i64.trunc_f32_s (local.get $s))))))
                (return (i64.const 1)))
            (i32.const 7) (i64.const 7))"#,
    );
    let outcomes = check(&text, "f", 0..11);
    assert_eq!(returned(&outcomes[1]), [7, 7]);
    assert_eq!(returned(&outcomes[2]), [1002, 1]);
    assert_eq!(returned(&outcomes[3]), [6, 9]);
}

/// Locals are as they were at the call that threw, whichever it was; operands below the label too.
#[test]
fn handlers_see_locals_as_they_were() {
    let text = module(
        r#"
        (func (export "f") (param $n i32) (result i32 i32 i64 i32)
            (local $a i32) (local $b i64) (local $d f64) (local $v v128) (local $at i32)
            (i32.const 11) (call $host (local.get $n)) (i32.add)
            (local.set $b (i64.const 3))
            (block $out
                (block $caught
                    (try_table (catch_all $caught)
                        (local.set $a (i32.const 1))
                        (local.set $at (call $throw (i32.sub (local.get $n) (i32.const 1))))
                        (local.set $a (i32.add (local.get $a) (local.get $at)))
                        (local.set $b (i64.extend_i32_u (local.get $a)))
                        (local.set $d (f64.convert_i32_s (local.get $at)))
                        (local.set $at (call $deep (i32.sub (local.get $n) (i32.const 2))))
                        (local.set $v (i32x4.splat (local.get $at)))
                        (if (i32.and (local.get $n) (i32.const 1))
                            (then (local.set $d (f64.add (local.get $d) (f64.const 0.5))))
                            (else (local.set $at
                                (call_indirect (type $unary)
                                    (i32.add (local.get $n) (i32.const 7))
                                    (i32.rem_u (local.get $n) (i32.const 3))))))
                        (local.set $v (i32x4.add (local.get $v) (i32x4.splat (local.get $at))))
                        (drop (call $throw (i32.add (local.get $n) (i32.const 1))))
                        (local.set $d (f64.mul (local.get $d) (f64.const 2)))
                        (br $out)))
                (local.set $at (i32.add (local.get $at) (i32.const 100000))))
            (i32.add (local.get $a) (i32.add (local.get $at)
                (i32x4.extract_lane 1 (local.get $v))))
            (i64.add (local.get $b) (i64.reinterpret_f64 (local.get $d)))
            (local.get $at))"#,
    );
    check(&text, "f", (0..40).filter(|n| *n != 13));
}

/// Values in every register that there is, and more, are live into a handler.
#[test]
fn many_values_live_into_handlers() {
    let ints: String = (0..24)
        .map(|i| format!("(local $i{i} i32) (local $f{i} f64) (local $v{i} v128)"))
        .collect();
    let set: String = (0..24)
        .map(|i| {
            format!(
                "(local.set $i{i} (i32.mul (local.get $n) (i32.const {})))
                 (local.set $f{i} (f64.convert_i32_s (local.get $i{i})))
                 (local.set $v{i} (i16x8.splat (local.get $i{i})))",
                2 * i + 1
            )
        })
        .collect();
    let change: String = (0..24)
        .step_by(3)
        .map(|i| {
            format!(
                "(local.set $i{i} (i32.add (local.get $i{i}) (call $throw (local.get $n))))
                 (local.set $v{i} (i16x8.add (local.get $v{i}) (local.get $v{})))
                 (local.set $n (i32.add (local.get $n) (i32.const 10)))
                 (local.set $f{i} (f64.add (local.get $f{i}) (f64.const 0.25)))",
                i + 1
            )
        })
        .collect();
    let sum: String = (0..24)
        .map(|i| {
            format!(
                "(local.set $s (i64.mul (i64.const 31) (i64.add (local.get $s) (i64.add
                    (i64.extend_i32_s (local.get $i{i}))
                    (i64.add (i64.reinterpret_f64 (local.get $f{i}))
                        (i64x2.extract_lane 1 (local.get $v{i})))))))"
            )
        })
        .collect();
    let text = module(&format!(
        r#"
        (func (export "f") (param $n i32) (result i64) (local $s i64) {ints}
            {set}
            (block $caught
                (try_table (catch_all $caught)
                    {change}
                    (local.set $n (call $deep (local.get $n)))))
            {sum}
            (i64.add (local.get $s) (i64.extend_i32_s (local.get $n))))"#
    ));
    check(&text, "f", 0..10);
}

/// A handler in a loop goes on with the next round; one leads back to the loop's head itself.
#[test]
fn loops_with_handlers() {
    let text = module(
        r#"
        (func $rounds (export "f") (param $n i32) (result i64)
            (local $i i32) (local $sum i64) (local $failed i32)
            (loop $again
                (block $next (block $caught (result i32)
                    (try_table (catch $one $caught) (catch $none $next) (catch_all $next)
                        (local.set $sum (i64.add (local.get $sum)
                            (i64.extend_i32_s (call $throw (local.get $i)))))
                        (local.set $sum (i64.add (local.get $sum)
                            (i64.extend_i32_s (call $deep (i32.add (local.get $i) (local.get $n)))))))
                    (br $next))
                    (local.set $failed (i32.add (local.get $failed))))
                (br_if $again (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                    (i32.add (local.get $n) (i32.const 20)))))
            (i64.add (i64.mul (local.get $sum) (i64.const 1000))
                (i64.extend_i32_u (local.get $failed))))
        (func (export "back") (param $n i32) (result i64)
            (local $i i32) (local $sum i64)
            (i32.const 0)
            (loop $again (param i32)
                (local.set $sum (i64.add (i64.extend_i32_u) (local.get $sum)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (if (i32.gt_u (local.get $i) (i32.const 30)) (then (return (local.get $sum))))
                (try_table (catch $one $again)
                    (block $quiet
                        (try_table (catch $none $quiet)
                            (drop (call $throw (i32.add (local.get $n) (local.get $i)))))
                        (br $quiet))
                    (br $again (local.get $i)))
                unreachable)
            unreachable)"#,
    );
    check(&text, "f", 0..10);
    check(&text, "back", 0..10);
}

/// The innermost clause that fits is taken, and later clauses of the same one are not.
#[test]
fn nested_handlers() {
    let text = module(
        r#"
        (func (export "f") (param $n i32) (result i32) (local $x i32)
            (local.set $x (local.get $n))
            (block $outer
                (try_table (catch_all $outer)
                    (local.set $x (i32.add (local.get $x) (i32.const 1)))
                    (block $middle (result i32)
                        (try_table (result i32) (catch $one $middle) (catch $one $middle)
                            (local.set $x (i32.add (local.get $x) (i32.const 10)))
                            (block $inner
                                (try_table (catch $none $inner)
                                    (local.set $x (i32.add (local.get $x) (i32.const 100)))
                                    (local.set $x (call $throw (local.get $x)))
                                    (local.set $x (i32.add (local.get $x) (i32.const 1)))
                                    (try_table (local.set $x (call $deep (local.get $x)))))
                                (local.set $x (i32.add (local.get $x) (i32.const 10000))))
                            (call $throw (local.get $x))))
                    (local.set $x (i32.add (local.get $x)))
                    (local.set $x (call $deep (local.get $x)))
                    (return (local.get $x))))
            (i32.sub (i32.const 0) (local.get $x)))"#,
    );
    check(&text, "f", 0..60);
}

/// The exception itself is thrown again, from handlers in handlers and by other functions.
#[test]
fn exceptions_are_thrown_again() {
    let text = module(
        r#"
        (func $again (param $n i32) (result i32) (local $e exnref) (local $r i32)
            (block $ref (result exnref)
                (block $one (result i32 exnref)
                    (try_table (catch_ref $one $one) (catch_all_ref $ref)
                        (local.set $r (call $throw (local.get $n))))
                    (return (local.get $r)))
                (local.set $e) (local.set $r)
                (if (i32.eq (local.get $r) (i32.const 1007)) (then (return (i32.const -7))))
                (local.get $e))
            (local.set $e)
            (if (i32.eq (local.get $n) (i32.const 26)) (then (throw_ref (ref.null exn))))
            (drop (call $host (local.get $r)))
            (throw_ref (local.get $e)))
        (func (export "f") (param $n i32) (result i32) (local $k i32)
            (local.set $k (i32.const 5))
            (block $none
                (block $one (result i32)
                    (try_table (catch $one $one) (catch $none $none)
                        (local.set $k (i32.add (call $again (local.get $n)) (local.get $n)))
                        (local.set $k (i32.add (call $again (local.get $k)) (local.get $n))))
                    (return (local.get $k)))
                (return (i32.add (local.get $k))))
            (i32.sub (i32.const -1000) (local.get $k)))"#,
    );
    check(&text, "f", 0..40);
}

/// Callees in place of calls throw into handlers of their callers, and have their own.
#[test]
fn throws_through_inlined_callees() {
    let text = module(
        r#"
        (func $maybe (param i32)
            (if (i32.and (local.get 0) (i32.const 1))
                (then (throw $one (i32.mul (local.get 0) (i32.const 2)))))
            (if (i32.and (local.get 0) (i32.const 2)) (then (throw $none))))
        (func $own (param $n i32) (result i32) (local $k i32)
            (local.set $k (i32.const 50))
            (block $caught
                (try_table (catch $none $caught)
                    (call $maybe (local.get $n))
                    (local.set $k (i32.const 60))
                    (call $maybe (i32.add (local.get $n) (i32.const 6))))
                (local.set $k (i32.const 70)))
            (i32.add (local.get $k) (local.get $n)))
        (func $early (param i32) (result i32)
            (block $caught (result i32)
                (try_table (catch $one $caught)
                    (return (i32.add (call $own (local.get 0)) (i32.const 1000))))
                unreachable))
        ;; A tail call leaves the body, and its handlers with it.
        (func $leaves (param i32) (result i32)
            (block $caught (result i32)
                (try_table (result i32) (catch $one $caught)
                    (call $maybe (i32.and (local.get 0) (i32.const 64)))
                    (return_call $own (local.get 0)))))
        (func $leaves_indirect (param i32) (result i32)
            (block $caught (result i32)
                (try_table (catch $one $caught)
                    (return_call_indirect (type $unary) (local.get 0) (i32.const 0)))
                unreachable))
        (func (export "f") (param $n i32) (result i32) (local $i i32) (local $sum i32)
            (loop $again
                (block $next (block $caught (result i32)
                    (try_table (catch $one $caught) (catch_all $next)
                        (local.set $sum (i32.add (local.get $sum) (call $own (local.get $i))))
                        (call $maybe (local.get $n))
                        (local.set $sum (i32.add (local.get $sum) (call $early (local.get $i))))
                        (local.set $sum (i32.add (local.get $sum) (call $leaves (local.get $i))))
                        (local.set $sum
                            (i32.add (local.get $sum) (call $leaves_indirect (local.get $i)))))
                    (br $next))
                    (local.set $sum (i32.add (local.get $sum))))
                (br_if $again (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
            (call $maybe (i32.shr_u (local.get $n) (i32.const 4)))
            (local.get $sum))"#,
    );
    check(&text, "f", (0..20).chain([32, 64, 65]));
}

/// Traps are not caught, and backtraces name the operators, in handlers and out of them.
#[test]
fn traps_pass_by_handlers() {
    let text = module(
        r#"
        (memory 1)
        (func $trap (param i32) (result i32)
            (i32.div_u (i32.const 7) (i32.sub (local.get 0) (i32.const 3))))
        (func (export "f") (param $n i32) (result i32)
            (block $caught
                (try_table (catch_all $caught)
                    (drop (call $trap (local.get $n)))
                    (drop (call $host (local.get $n)))
                    (drop (i32.load (i32.mul (local.get $n) (i32.const 5000))))
                    (return (call $throw (local.get $n)))))
            (drop (call $trap (i32.sub (local.get $n) (i32.const 3))))
            (if (i32.eq (local.get $n) (i32.const 8)) (then (throw $one (local.get $n))))
            (block $again (result exnref)
                (try_table (catch_all_ref $again)
                    (return (call $deep (local.get $n))))
                unreachable)
            (throw_ref))"#,
    );
    let outcomes = check(&text, "f", 0..20);
    let ended = |outcome: &Outcome| matches!(outcome, Outcome::Ended(..));
    for how in [3, 6, 8, 13, 14, 15] {
        assert!(ended(&outcomes[how]), "{how}: {:?}", outcomes[how]);
    }
}

/// Many handlers in one function, each for some of the calls.
#[test]
fn many_handlers() {
    let nest: String = (0..40)
        .map(|i| {
            format!(
                "(block $b{i} (block $c{i} (result i32)
                    (try_table (catch $one $c{i}) (catch $none $b{i})
                        (local.set $x (i32.add (local.get $x)
                            (call $throw (i32.add (local.get $n) (i32.const {i})))))
                        (local.set $y (call $deep (i32.add (local.get $x) (i32.const {})))))
                    (br $b{i}))
                    (local.set $x (i32.xor (local.get $x))))
                 (local.set $y (i32.add (local.get $y) (local.get $x)))",
                3 * i
            )
        })
        .collect();
    let text = module(&format!(
        r#"
        (func (export "f") (param $n i32) (result i32) (local $x i32) (local $y i32)
            (block $out (result i32 v128 f64 i64 f32)
                (try_table (catch $mixed $out)
                    {nest})
                (return (i32.add (local.get $x) (local.get $y))))
            drop drop drop drop
            (i32.add (local.get $y)))"#
    ));
    check(&text, "f", 0..12);
}

/// A label of the function itself: what is caught is what it returns.
#[test]
fn handlers_that_return() {
    let text = module(
        r#"
        (func $inner (param $n i32) (result i32)
            (try_table (catch $one 0)
                (drop (call $throw (local.get $n)))
                (drop (call $deep (i32.add (local.get $n) (i32.const 1)))))
            (i32.const 3))
        (func (export "f") (param $n i32) (result i32) (local $k i32)
            (local.set $k (i32.const 4))
            (block $none
                (try_table (catch $none $none) (catch_all $none)
                    (local.set $k (i32.add (call $inner (local.get $n)) (i32.const 9)))))
            (i32.add (local.get $k) (local.get $n)))"#,
    );
    let outcomes = check(&text, "f", 0..10);
    assert_eq!(returned(&outcomes[2]), [1002 + 9 + 2]);
}

/// Throws of an imported tag under two names are caught by either.
#[test]
fn the_same_tag_twice() {
    let text = r#"(module
        (tag $mine (param i32))
        (func (export "f") (param i32) (result i32) (local $k i32)
            (local.set $k (i32.const 10))
            (block $one (result i32)
                (block $all
                    (try_table (catch $mine $one) (catch_all $all)
                        (if (local.get 0) (then (throw $mine (local.get 0))))
                        (local.set $k (i32.const 20))
                        (try_table (catch_all $all) (throw $mine (i32.const 1)))))
                (i32.add (local.get $k) (i32.const 5)))))"#;
    let outcomes = check(text, "f", 0..3);
    let values: Vec<&[i64]> = outcomes.iter().map(returned).collect();
    assert_eq!(values, [&[25][..], &[1], &[2]]);
}

/// Two imports may be one tag: then the first clause takes the exception, whatever its name.
#[test]
fn imports_of_one_tag() {
    let text = r#"(module
        (import "host" "a" (tag $a (param i32)))
        (import "host" "b" (tag $b (param i32)))
        (func (export "f") (param i32) (result i32)
            (block $as_a (result i32)
                (block $as_b (result i32)
                    (try_table (catch $b $as_b) (catch $a $as_a) (throw $a (local.get 0)))
                    unreachable)
                (return (i32.add (i32.const 1000))))))"#;
    for (config, name) in all() {
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, text).expect("a valid module");
        let types: Vec<ExternType> = module.imports().map(|import| import.ty).collect();
        let ExternType::Tag(ty) = types[0].clone() else {
            panic!("{types:?}")
        };
        let mut store = Store::new(&engine, ());
        let tags = [(); 2].map(|()| Tag::new(&mut store, &ty).expect("a tag"));
        for (second, expected) in [(1, 7), (0, 1007)] {
            let imports = [tags[0].into(), tags[second].into()];
            let instance = Instance::new(&mut store, &module, &imports).expect("no start");
            let func = instance
                .get_typed_func::<i32, i32>(&store, "f")
                .expect("exported");
            assert_eq!(
                func.call(&mut store, 7).expect("caught"),
                expected,
                "{name}"
            );
        }
    }
}

/// The frame of the function that the host calls is the first one: what it alone holds is not
/// collected, wherever in the frame that lies.
#[test]
fn the_outermost_frame_holds_exceptions() {
    let held = 12;
    let locals = "exnref ".repeat(held);
    let make: String = (0..held)
        .map(|i| format!("(local.set {} (call $make (i64.const {i})))\n", i + 1))
        .collect();
    let ask: String = (0..held)
        .map(|i| {
            format!(
                "(local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 3))
                  (block $h (result i64)
                    (try_table (catch $e $h) (throw_ref (local.get {}))) (unreachable))))\n",
                i + 1
            )
        })
        .collect();
    let text = format!(
        r#"(module (tag $e (param i64))
        (func $make (param i64) (result exnref) (local $kept exnref)
          (block $h (result i64 exnref)
            (try_table (catch_ref $e $h) (throw $e (local.get 0))) (unreachable))
          (local.set $kept) (drop) (local.get $kept))
        (func $churn (param $n i32)
          (loop $l
            (drop (call $make (i64.const -1)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
        (func (export "f") (param $n i32) (result i64) (local {locals}) (local $sum i64)
          {make} (call $churn (local.get $n)) {ask} (local.get $sum)))"#
    );
    let expected = (0..held as i64).fold(0, |sum, i| sum * 3 + i);
    for (config, name) in all() {
        let (mut store, instance) = instantiate(&config, &text);
        let f = instance
            .get_typed_func::<i32, i64>(&store, "f")
            .expect("exported");
        assert_eq!(f.call(&mut store, 50_000).ok(), Some(expected), "{name}");
    }
}

/// A tail call leaves the function's handlers, whoever is called and however: exceptions of the callee
/// are the caller's to catch, or nobody's.
#[test]
fn tail_calls_leave_handlers() {
    const LIBRARY: &str = r#"(module
        (import "host" "relay" (func $relay (param i32) (result i32)))
        (tag $t (export "t") (param i32))
        (func (export "throw") (param i32) (result i32) (throw $t (local.get 0)))
        (func (export "relay") (param i32) (result i32) (return_call $relay (local.get 0))))"#;
    let ways = [
        ("import", "host", "(return_call $f (local.get 0))"),
        (
            "table",
            "host",
            "(return_call_indirect (type $unary) (local.get 0) (i32.const 0))",
        ),
        (
            "reference",
            "host",
            "(return_call_ref $unary (local.get 0) (ref.func $f))",
        ),
        ("guest's import", "throw", "(return_call $f (local.get 0))"),
        (
            "guest's table",
            "throw",
            "(return_call_indirect (type $unary) (local.get 0) (i32.const 0))",
        ),
        ("two", "relay", "(return_call $f (local.get 0))"),
        ("own", "throw", "(return_call $own (local.get 0))"),
    ];
    for (way, callee, tail_call) in ways {
        let text = format!(
            r#"(module
            (type $unary (func (param i32) (result i32)))
            (import "library" "t" (tag $t (param i32)))
            (import "library" "f" (func $f (param i32) (result i32)))
            (table funcref (elem $f))
            (func $own (param i32) (result i32) (throw $t (local.get 0)))
            (func $left (export "left") (param i32) (result i32)
                (block $mine (result i32)
                    (block $all
                        (try_table (catch $t $mine) (try_table (catch_all $all) {tail_call})))
                    (return (i32.const -2)))
                (i32.add (i32.const 1000)))
            (func (export "caught") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (result i32) (catch $t $h) (call $left (local.get 0)))
                    (return (i32.const -1)))
                (i32.add (i32.const 2000))))"#
        );
        for (config, configuration) in all() {
            let name = format!("{way}, {configuration}");
            let engine = Engine::new(&config).expect("a valid configuration");
            let mut store = Store::new(&engine, None::<Func>);
            let host = Func::wrap(
                &mut store,
                |mut caller: Caller<'_, Option<Func>>, number: i32| {
                    let throw = caller.data().expect("set below");
                    let throw = throw.typed::<i32, i32>(&caller)?;
                    throw.call(&mut caller, number)
                },
            );
            let library = Module::new(&engine, LIBRARY).expect("a valid module");
            let library = Instance::new(&mut store, &library, &[host.into()]).expect("no start");
            *store.data_mut() = library.get_func(&store, "throw");
            let tag = library.get_export(&store, "t").expect("exported");
            let f = match callee {
                "host" => host.into(),
                _ => library.get_export(&store, callee).expect("exported"),
            };
            let module = Module::new(&engine, &text).unwrap_or_else(|e| panic!("{e}: {text}"));
            let instance = Instance::new(&mut store, &module, &[tag, f]).expect("no start");
            let mut call = |export, number| {
                let func = instance.get_typed_func::<i32, i32>(&store, export);
                func.expect("exported").call(&mut store, number)
            };
            assert_eq!(call("caught", 7).ok(), Some(2007), "{name}");
            let error = call("left", 7).expect_err("nobody catches");
            assert_eq!(error.trap_code(), None, "{name}");
            assert!(error.to_string().contains("exception"), "{name}: {error}");
        }
    }
}

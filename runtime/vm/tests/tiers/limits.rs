//! Functions as large, as deep and as wide as validation allows: compiling them ends, in time that
//! grows with their size, and what cannot be compiled is an error with a name.

use crate::instantiate;
use std::time::{Duration, Instant};
use zwasm::{Config, Error, Tier, Val};

/// Emulators on busy machines included; what is quadratic takes hours.
const PATIENCE: Duration = Duration::from_secs(300);

/// A module of one exported function without parameters or results. `types` are further function
/// types, from index 1 on.
fn module(types: &[(&[u8], &[u8])], locals: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, content: &[u8]| {
        bytes.push(id);
        leb(&mut bytes, content.len());
        bytes.extend_from_slice(content);
    };
    let mut content = Vec::new();
    leb(&mut content, types.len() + 1);
    content.extend([0x60, 0, 0]);
    for (params, results) in types {
        content.push(0x60);
        for list in [params, results] {
            leb(&mut content, list.len());
            content.extend_from_slice(list);
        }
    }
    section(1, &content);
    section(3, &[1, 0]);
    section(7, b"\x01\x01f\0\0");
    let mut function = locals.to_vec();
    function.extend_from_slice(body);
    function.push(0x0b);
    let mut content = vec![1];
    leb(&mut content, function.len());
    content.extend(function);
    section(10, &content);
    bytes
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const NO_LOCALS: &[u8] = &[0];
const I32: u8 = 0x7f;
const V128: u8 = 0x7b;
const UNREACHABLE: u8 = 0x00;
const BLOCK: u8 = 0x02;
const END: u8 = 0x0b;
const BR_IF: u8 = 0x0d;
const DROP: u8 = 0x1a;
const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
const I32_CONST: u8 = 0x41;
const EMPTY: u8 = 0x40;

/// Calls the function under every tier. Returns each tier's error, if there was one.
fn run(wasm: &[u8]) -> Vec<(Tier, Option<Error>)> {
    let call = |&tier: &Tier| {
        let mut config = Config::new();
        config.tier(tier);
        let (mut store, instance) = instantiate(&config, wasm);
        let func = instance.get_func(&store, "f").expect("exported");
        let begun = Instant::now();
        let result = func.call(&mut store, &[], &mut []);
        assert!(begun.elapsed() < PATIENCE, "{tier}: {:?}", begun.elapsed());
        (tier, result.err())
    };
    Tier::ALL.iter().map(call).collect()
}

fn runs_everywhere(wasm: &[u8]) {
    for (tier, error) in run(wasm) {
        assert!(error.is_none(), "{tier}: {error:?}");
    }
}

/// As [`run`], of tiers that make machine code.
fn native_error(wasm: &[u8]) -> Vec<String> {
    let errors = run(wasm).into_iter();
    errors
        .filter(|(tier, _)| *tier != Tier::Interp)
        .map(|(_, error)| error.expect("too large").to_string())
        .collect()
}

#[test]
fn blocks_above_a_high_stack() {
    let mut body = Vec::new();
    body.extend([I32_CONST, 0].repeat(100_000));
    body.extend([BLOCK, EMPTY, END].repeat(200_000));
    body.extend([DROP].repeat(100_000));
    runs_everywhere(&module(&[], NO_LOCALS, &body));
}

#[test]
fn locals_read_far_below_their_assignments() {
    // 200 locals, each read deep down, then assigned under many other values.
    let mut body = Vec::new();
    for round in 0..100 {
        for local in 0..100 {
            body.extend([LOCAL_GET, local]);
        }
        body.extend([I32_CONST, 0].repeat(500));
        for local in 0..100 {
            body.extend([I32_CONST, round % 64, LOCAL_SET, local]);
        }
    }
    body.extend([DROP].repeat(100 * 600));
    runs_everywhere(&module(&[], &[1, 100, I32], &body));
}

#[test]
fn the_most_locals_and_many_calls() {
    // 50,000 locals of which one is used; the function calls itself, behind a branch.
    let mut body = vec![BLOCK, EMPTY, I32_CONST, 1, BR_IF, 0];
    body.extend([0x10, 0].repeat(200_000));
    body.extend([END, LOCAL_GET, 0, DROP]);
    let locals = [1, 0xd0, 0x86, 0x03, I32];
    runs_everywhere(&module(&[], &locals, &body));
}

#[test]
fn deep_nesting() {
    let mut body = [BLOCK, EMPTY].repeat(500_000);
    body.extend([END].repeat(500_000));
    runs_everywhere(&module(&[], NO_LOCALS, &body));
}

#[test]
fn tables_of_a_million_targets() {
    let count = 1_000_000;
    let mut body = vec![BLOCK, EMPTY, I32_CONST, 5, 0x0e];
    leb(&mut body, count);
    body.extend(std::iter::repeat_n(0, count + 1));
    body.push(END);
    runs_everywhere(&module(&[], NO_LOCALS, &body));
}

#[test]
fn tables_of_as_many_places() {
    // 50,000 blocks, each of them a target, and values to carry to each.
    let depth = 50_000;
    let results: &[u8] = &[I32; 2];
    let mut body = [BLOCK, 1].repeat(depth);
    // What lies below the carried values makes every branch copy them.
    body.extend([I32_CONST, 7, I32_CONST, 1, I32_CONST, 2, I32_CONST, 3, 0x0e]);
    leb(&mut body, depth - 1);
    for target in 0..depth {
        leb(&mut body, target);
    }
    body.extend([END].repeat(depth));
    body.extend([DROP, DROP]);
    runs_everywhere(&module(&[(&[], results)], NO_LOCALS, &body));
}

#[test]
fn code_beyond_the_limit() {
    // Each branch carries a thousand values, and is a few bytes long.
    let results = [I32; 1000];
    let mut body = vec![BLOCK, 1];
    body.extend([I32_CONST, 1].repeat(1001));
    for _ in 0..50_000 {
        body.extend([I32_CONST, 0, BR_IF, 0]);
    }
    body.extend([0x0c, 0, END]);
    body.extend([DROP].repeat(1000));
    let wasm = module(&[(&[], &results)], NO_LOCALS, &body);
    for error in native_error(&wasm) {
        assert!(error.contains("67108864"), "{error}");
        assert!(error.contains("function 0"), "{error}");
    }
}

#[test]
fn frames_beyond_the_limit() {
    // Blocks that never end leave a thousand vectors each, and take no code.
    let results = [V128; 1000];
    let mut body = [BLOCK, 1, UNREACHABLE, END].repeat(5_000);
    body.push(UNREACHABLE);
    let wasm = module(&[(&[], &results)], NO_LOCALS, &body);
    for (tier, error) in run(&wasm) {
        assert!(error.is_some(), "{tier}");
    }
}

#[test]
fn a_lowered_limit_names_the_function() {
    let products = "(i32.mul (local.get 0))".repeat(100);
    let text = format!(
        r#"(module
        (func $small (export "small") (result i32)
            i32.const 1)
        (func $large (export "large") (param i32) (result i32)
            i32.const 3
            {products})
        (func $middle (export "middle") (result i32)
            (call $small)
            (call $large (i32.const -1))
            i32.add))"#
    );
    let mut config = Config::new();
    config.max_function_code(300);
    for &tier in Tier::ALL {
        config.tier(tier);
        let (mut store, instance) = instantiate(&config, &text);
        let mut call = |name: &str, args: &[Val]| {
            let func = instance.get_func(&store, name).expect("exported");
            let mut result = [Val::I32(0)];
            func.call(&mut store, args, &mut result)
                .map(|()| result[0].i32())
        };
        if tier == Tier::Interp {
            assert_eq!(call("middle", &[]).ok(), Some(Some(4)));
            continue;
        }
        for _ in 0..2 {
            let error = call("large", &[Val::I32(2)]).expect_err("too large");
            assert_eq!(error.trap_code(), None);
            let error = call("middle", &[]).expect_err("it calls what is too large");
            let text = error.to_string();
            assert!(text.contains("function 1 (large)"), "{text}");
            assert!(text.contains("300 bytes"), "{text}");
            assert_eq!(call("small", &[]).ok(), Some(Some(1)));
        }
    }
}

//! Modules that were compiled before, by another engine and maybe another process.

use crate::{every_tier, reservations_are_dear};
use zwasm::{Config, Engine, Error, Instance, Module, Store, Tier, TrapCode, Val};

/// Something of everything that machine code has side tables for.
const TEXT: &str = r#"(module
    (type $unary (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "\2a\00\00\00")
    (tag $tag (param i32))
    (table funcref (elem $half $fail $load))
    (global $count (mut i32) (i32.const 0))
    (func $half (type $unary) (i32.div_u (i32.const 84) (local.get 0)))
    (func $fail (type $unary) (throw $tag (local.get 0)))
    (func $load (type $unary) (i32.load (local.get 0)))
    (func (export "indirect") (param i32 i32) (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (call_indirect (type $unary) (local.get 1) (local.get 0)))
    (func (export "caught") (param i32) (result i32)
        (block $handler (result i32)
            (try_table (result i32) (catch $tag $handler) (call $fail (local.get 0)))))
    (func (export "count") (result i32) (global.get $count)))"#;

/// The default, but for what costs memory under an emulator.
fn config() -> Config {
    affordable(Config::new())
}

fn affordable(mut config: Config) -> Config {
    if reservations_are_dear() {
        config.memory_reservation(1 << 20);
    }
    config
}

fn precompiled(config: &Config, text: &str) -> Result<Vec<u8>, Error> {
    let engine = Engine::new(config).expect("a valid configuration");
    engine.precompile_module(text.as_bytes())
}

fn deserialize(config: &Config, bytes: &[u8]) -> Result<Module, Error> {
    let engine = Engine::new(config).expect("a valid configuration");
    // SAFETY: the bytes are what `precompile_module` returned; tests that change them expect a
    // refusal, which is what they are about.
    unsafe { Module::deserialize(&engine, bytes) }
}

fn is_native(config: &Config) -> bool {
    Engine::new(config).expect("valid").tier() != Tier::Interp
}

type Trace = Vec<(u32, Option<usize>)>;

/// What a call gives: results, or a trap with its place.
fn outcome(
    store: &mut Store<()>,
    instance: &Instance,
    name: &str,
    arguments: &[i32],
) -> Result<i32, (Option<TrapCode>, Trace)> {
    let function = instance.get_func(&*store, name).expect("exported");
    let arguments: Vec<Val> = arguments.iter().map(|&it| Val::I32(it)).collect();
    let mut results = [Val::I32(0)];
    match function.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Ok(results[0].i32().expect("an i32")),
        Err(error) => {
            let frames = error.backtrace().iter();
            let trace = frames.map(|frame| (frame.func_index(), frame.module_offset()));
            Err((error.trap_code(), trace.collect()))
        }
    }
}

const CALLS: &[(&str, &[i32])] = &[
    ("indirect", &[0, 2]),
    ("indirect", &[0, 0]),
    ("indirect", &[2, 8]),
    ("indirect", &[2, -1]),
    ("indirect", &[1, 5]),
    ("indirect", &[9, 5]),
    ("caught", &[7]),
    ("count", &[]),
];

fn all_outcomes(module: &Module) -> Vec<Result<i32, (Option<TrapCode>, Trace)>> {
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, module, &[]).expect("no imports");
    let calls = CALLS.iter();
    calls
        .map(|(name, arguments)| outcome(&mut store, &instance, name, arguments))
        .collect()
}

#[test]
fn a_precompiled_module_is_the_module() {
    every_tier(|config| {
        let config = affordable(config);
        let engine = Engine::new(&config).expect("a valid configuration");
        let expected = all_outcomes(&Module::new(&engine, TEXT).expect("valid"));
        assert_eq!(expected[0], Ok(42));
        if !is_native(&config) {
            let error = precompiled(&config, TEXT).expect_err("no machine code");
            assert!(error.to_string().contains("tier 'interp'"), "{error}");
            return;
        }
        let bytes = precompiled(&config, TEXT).expect("compiles");
        assert!(Module::is_precompiled(&bytes) && !Module::is_precompiled(b"\0asm"));
        // By other tiers, too: what runs is what was compiled.
        for &tier in Tier::ALL.iter().filter(|tier| **tier != Tier::Interp) {
            let mut other = config.clone();
            let module = deserialize(other.tier(tier), &bytes).expect("the same setting");
            assert_eq!(module.stats().functions_compiled, 0);
            assert_eq!(all_outcomes(&module), expected, "{tier}");
            let stats = module.stats();
            assert_eq!(stats.functions_compiled, stats.functions);
            assert_eq!(module.exports().len(), 4);
            // There is nothing that could be compiled once more.
            let error = module.machine_code(0, zwasm::Isa::ALL[0]);
            let error = error.expect_err("no bodies").to_string();
            assert!(error.contains("no bodies"), "{error}");
        }
    });
}

#[test]
fn other_settings_are_refused_in_one_line() {
    let config = config();
    if !is_native(&config) {
        return;
    }
    let bytes = precompiled(&config, TEXT).expect("compiles");
    let refused = |change: &dyn Fn(&mut Config), what: &str| {
        let mut other = config.clone();
        change(&mut other);
        let error = deserialize(&other, &bytes).expect_err(what).to_string();
        assert!(
            error.contains(what) && error.lines().count() == 1,
            "{error}"
        );
    };
    refused(
        &|config| {
            config.consume_fuel(true);
        },
        "fuel",
    );
    if !reservations_are_dear() {
        refused(
            &|config| {
                config.memory_reservation(1 << 20);
            },
            "guard regions",
        );
    }
    refused(
        &|config| {
            config.wasm_tail_call(false);
        },
        "proposals",
    );
    refused(
        &|config| {
            config.tier(Tier::Interp);
        },
        "tier 'interp'",
    );
    if cfg!(target_arch = "x86_64") {
        refused(
            &|config| {
                config.portable_code(true);
            },
            "processor",
        );
    }
}

#[test]
fn what_is_cut_off_or_altered_is_refused() {
    let config = config();
    if !is_native(&config) {
        return;
    }
    let engine = Engine::new(&config).expect("a valid configuration");
    let bytes = precompiled(&config, TEXT).expect("compiles");
    let refused = |bytes: &[u8]| {
        // SAFETY: nothing runs: all of these are refused, which is asserted, as a whole or in the
        // function that is altered.
        let module = unsafe { Module::deserialize(&engine, bytes) };
        let name = module.and_then(|module| {
            module.compile_all()?;
            Ok(module.function_name(0))
        });
        match name {
            // Only names were altered, and are not there.
            Ok(name) => assert_eq!(name, None),
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        }
    };
    (0..bytes.len()).for_each(|length| refused(&bytes[..length]));
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        refused(&altered);
    }
    let mut longer = bytes.clone();
    longer.push(0);
    refused(&longer);
    refused(b"\0asm\x01\0\0\0");
}

/// They need no compiler, and go with all their code.
#[test]
fn precompiled_modules_go() {
    let config = config();
    if !is_native(&config) {
        return;
    }
    let bytes = precompiled(&config, TEXT).expect("compiles");
    let engine = Engine::new(&config).expect("a valid configuration");
    for _ in 0..200 {
        // SAFETY: the bytes are what `precompile_module` returned.
        let module = unsafe { Module::deserialize(&engine, &bytes) }.expect("the same setting");
        assert_eq!(all_outcomes(&module)[0], Ok(42));
    }
    assert!(engine.type_count() < 8, "types went with the modules");
}

/// Data in images and names are not kept in memory as they were, and are there again.
#[test]
fn a_module_that_runs_is_written_whole() {
    let data = |byte: &str| byte.repeat(1 << 20);
    let text = format!(
        r#"(module
            (memory (export "memory") 40)
            (data (i32.const 70000) "{}") (data $passive "passive") (data (i32.const 0) "")
            (data (i32.const 5) "near") (data (i32.const 1200000) "{}")
            (func $named (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
            (func (export "divide") (param i32) (result i32) (call $named (local.get 0)))
            (func (export "init") (memory.init $passive (i32.const 90) (i32.const 0) (i32.const 7))))"#,
        data("a"),
        data("b")
    );
    every_tier(|config| {
        let config = affordable(config);
        if !is_native(&config) {
            return;
        }
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, &text).expect("valid");
        let look = |module: &Module| {
            let mut store = Store::new(module.engine(), ());
            let instance = Instance::new(&mut store, module, &[]).expect("no imports");
            let init = instance.get_typed_func::<(), ()>(&store, "init");
            init.expect("exported").call(&mut store, ()).expect("fits");
            assert_eq!(outcome(&mut store, &instance, "divide", &[1]), Ok(1));
            let divide = instance.get_typed_func::<i32, i32>(&store, "divide");
            let error = divide.expect("exported").call(&mut store, 0);
            let error = error.expect_err("a division by zero");
            assert_eq!(error.backtrace()[0].name(), Some("named"));
            let memory = instance.get_memory(&store, "memory").expect("exported");
            memory.data(&store).to_vec()
        };
        let fresh = module.serialize().expect("compiles");
        let memory = look(&module);
        assert_eq!((memory[70_000], memory[1_200_000]), (b'a', b'b'));
        assert_eq!(
            (&memory[5..9], &memory[90..97]),
            (&b"near"[..], &b"passive"[..])
        );
        let used = module.serialize().expect("compiles");
        assert_eq!(
            engine.precompile_module(text.as_bytes()).expect("compiles"),
            fresh
        );
        let folder = tempfile::tempdir().expect("a directory");
        let (file, next) = (folder.path().join("it"), folder.path().join("next"));
        for bytes in [fresh, used] {
            let module = deserialize(&config, &bytes).expect("the same setting");
            assert!(look(&module) == memory);
            assert!(module.serialize().expect("kept") == bytes);
            std::fs::write(&file, &bytes).expect("written");
            // SAFETY: the file has what `serialize` returned, and is not written to.
            let module = unsafe { Module::deserialize_file(&engine, &file) };
            let module = module.expect("the same setting");
            assert!(look(&module) == memory);
            // Another one in its place is another file.
            std::fs::write(&next, "another").expect("written");
            std::fs::rename(&next, &file).expect("renamed");
            assert!(look(&module) == memory);
            assert!(module.serialize().expect("kept") == bytes);
        }
    });
}

/// Code and side tables are read when they are needed, wherever the file is by then.
#[test]
fn a_file_that_is_gone_is_read_all_the_same() {
    every_tier(|config| {
        let config = affordable(config);
        if !is_native(&config) {
            return;
        }
        let engine = Engine::new(&config).expect("a valid configuration");
        let expected = all_outcomes(&Module::new(&engine, TEXT).expect("valid"));
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("it");
        let bytes = precompiled(&config, TEXT).expect("compiles");
        std::fs::write(&file, &bytes).expect("written");
        // SAFETY: the file has what `precompile_module` returned, and is not written to.
        let module = unsafe { Module::deserialize_file(&engine, &file) };
        let module = module.expect("the same setting");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(all_outcomes(&module), expected);
        assert!(module.serialize().expect("kept") == bytes);
    });
}

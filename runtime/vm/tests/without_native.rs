//! A build without native tiers: `cargo test -p zwasm --no-default-features --features wat --test
//! without_native`. With them, there is nothing to see here.

use zwasm::{Config, Engine, Instance, Module, Store, Tier};

const FACTORIAL: &str = r#"(module
    (func $f (export "f") (param i64) (result i64)
        (if (result i64) (i64.eqz (local.get 0))
            (then (i64.const 1))
            (else (i64.mul (local.get 0) (call $f (i64.sub (local.get 0) (i64.const 1))))))))"#;

fn is_without() -> bool {
    Tier::ALL == [Tier::Interp]
}

#[test]
fn the_interpreter_is_the_default_and_runs() {
    if !is_without() {
        return;
    }
    assert_eq!(Tier::default(), Tier::Interp);
    let engine = Engine::default();
    let module = Module::new(&engine, FACTORIAL).unwrap();
    module.compile_all().unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<i64, i64>(&store, "f").unwrap();
    assert_eq!(f.call(&mut store, 10).unwrap(), 3_628_800);
    assert_no_executable_memory();
}

#[test]
fn other_tiers_are_errors_with_a_name() {
    if !is_without() {
        return;
    }
    for tier in [Tier::Baseline, Tier::Opt] {
        let mut config = Config::new();
        config.tier(tier);
        let error = Engine::new(&config).expect_err("no such tier");
        assert_eq!(
            error.to_string(),
            format!("this build has no tier '{tier}'")
        );
        assert!(tier.name().parse::<Tier>().is_err());
    }
}

/// Whatever is executable comes from a file, and is not writable.
#[cfg(target_os = "linux")]
fn assert_no_executable_memory() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    for line in maps.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (rights, path) = (fields[1], fields.get(5).copied().unwrap_or_default());
        if rights.contains('x') {
            let is_file = path.starts_with('/') && !path.starts_with("/memfd:");
            let is_kernels = path == "[vdso]" || path == "[vsyscall]";
            assert!(is_file || is_kernels, "{line}");
            assert!(!rights.contains('w'), "{line}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn assert_no_executable_memory() {}

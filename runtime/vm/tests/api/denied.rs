//! System calls that a sandbox around the process denies.

use crate::{engine, every_tier};
use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// Makes this thread's calls of some system calls fail, for as long as it lives; false when the
/// system has no such filters.
fn deny(calls: &[libc::c_long]) -> bool {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let errno = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    // The number of the call is the first word of what a filter sees.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for &call in calls {
        program.push(libc::sock_filter {
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32)
        });
        program.push(statement(libc::BPF_RET | libc::BPF_K, errno));
    }
    program.push(statement(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_ALLOW,
    ));
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: both calls change what this thread may do; the second reads a program that lives.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const filter,
            ) == 0
    }
}

/// Runs a test on a thread of its own, without these system calls.
fn without(calls: &[libc::c_long], test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if deny(calls) {
                test();
            } else {
                println!("skipped: this system has no filters of system calls");
            }
        });
    });
}

/// Code, and large data, which otherwise lie in files in memory.
fn runs(config: &Config) -> Result<(), zwasm::Error> {
    let engine = Engine::new(config)?;
    let text = format!(
        r#"(module (memory 32) (data (i32.const 8) "{}")
        (func (export "f") (result i32) (i32.load8_u (i32.const 1000000))))"#,
        "a".repeat(1_200_000)
    );
    let module = Module::new(&engine, text)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let f = instance.get_typed_func::<(), i32>(&store, "f")?;
    assert_eq!(f.call(&mut store, ())?, 97);
    Ok(())
}

#[test]
fn files_in_memory_may_be_denied() {
    every_tier(|config| without(&[libc::SYS_memfd_create], || runs(&config).unwrap()));
}

/// Without any way to have pages for machine code, that is what the error says.
#[test]
fn pages_for_code_that_cannot_be_had_are_an_error() {
    every_tier(|config| {
        let native = engine(&config).tier() != Tier::Interp;
        without(&[libc::SYS_memfd_create, libc::SYS_mremap], || {
            let error = runs(&config).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), native, "{error:?}");
            assert!(error.is_none_or(|error| error.contains("machine code")));
        });
    });
}

//! Arguments, environment, clocks, random numbers, ending.

use crate::world::{DATA, OUT, SIZE, World};
use zwasm_wasi::{Errno, I32Exit, WasiCtx};

#[test]
fn arguments_and_environment() {
    let mut world = World::with(|builder, _| {
        builder
            .args(["program", "one", "", "zwei\0drei"])
            .env("NAME", "value")
            .envs([("EMPTY", "")]);
    });
    let sizes = world.call(|ctx, memory| ctx.args_sizes_get(memory, OUT, OUT + 4));
    assert_eq!(sizes, Ok(()));
    assert_eq!((world.u32(OUT), world.u32(OUT + 4)), (4, 8 + 4 + 1 + 5));
    assert_eq!(
        world.call(|ctx, memory| ctx.args_get(memory, OUT, DATA)),
        Ok(())
    );
    assert_eq!(world.u32(OUT + 4), DATA + 8);
    assert_eq!(world.get(DATA, 18), b"program\0one\0\0zwei\0");
    let sizes = world.call(|ctx, memory| ctx.environ_sizes_get(memory, OUT, OUT + 4));
    assert_eq!(sizes, Ok(()));
    assert_eq!((world.u32(OUT), world.u32(OUT + 4)), (2, 11 + 7));
    let env = world.call(|ctx, memory| ctx.environ_get(memory, OUT, DATA));
    assert_eq!(env, Ok(()));
    assert_eq!(world.get(DATA, 18), b"NAME=value\0EMPTY=\0");
    // The last NUL would be outside.
    let outside = world.call(|ctx, memory| ctx.args_get(memory, OUT, SIZE - 17));
    assert_eq!(outside, Err(Errno::Fault));
    let outside = world.call(|ctx, memory| ctx.args_get(memory, u32::MAX - 3, DATA));
    assert_eq!(outside, Err(Errno::Fault));
}

#[test]
fn nothing_is_granted_by_default() {
    let mut ctx = WasiCtx::builder().build();
    let mut bytes = vec![0; 64];
    let mut memory = zwasm_wasi::GuestMemory::new(&mut bytes);
    assert_eq!(ctx.args_sizes_get(&mut memory, 0, 4), Ok(()));
    assert_eq!(ctx.environ_sizes_get(&mut memory, 8, 12), Ok(()));
    assert_eq!(ctx.fd_prestat_get(&mut memory, 3, 0), Err(Errno::Badf));
    assert_eq!(ctx.fd_read(&mut memory, 0, 0, 1, 16), Ok(()));
    assert_eq!(bytes, [0; 64]);
}

#[test]
fn clocks() {
    let mut world = World::new();
    for clock in 0..4 {
        let resolution = world.call(|ctx, memory| ctx.clock_res_get(memory, clock, OUT));
        assert_eq!(resolution, Ok(()));
        assert!((1..1_000_000_000).contains(&world.u64(OUT)));
        let time = world.call(|ctx, memory| ctx.clock_time_get(memory, clock, 0, OUT));
        assert_eq!(time, Ok(()));
        let first = world.u64(OUT);
        let time = world.call(|ctx, memory| ctx.clock_time_get(memory, clock, 0, OUT));
        assert_eq!(time, Ok(()));
        assert!(world.u64(OUT) >= first);
        // The monotonic clock starts with the context, the wall clock in 1970.
        assert_eq!(first > 1_600_000_000_000_000_000, clock == 0);
    }
    let unknown = world.call(|ctx, memory| ctx.clock_time_get(memory, 4, 0, OUT));
    assert_eq!(unknown, Err(Errno::Inval));
    let outside = world.call(|ctx, memory| ctx.clock_res_get(memory, 0, SIZE - 7));
    assert_eq!(outside, Err(Errno::Fault));
}

#[test]
fn random_bytes() {
    let mut world = World::new();
    let filled = world.call(|ctx, memory| ctx.random_get(memory, DATA, 64));
    assert_eq!(filled, Ok(()));
    assert_ne!(world.get(DATA, 64), [0; 64]);
    assert_eq!(world.get(DATA + 64, 64), [0; 64]);
    assert_eq!(
        world.call(|ctx, memory| ctx.random_get(memory, SIZE, 0)),
        Ok(())
    );
    let outside = world.call(|ctx, memory| ctx.random_get(memory, DATA, u32::MAX));
    assert_eq!(outside, Err(Errno::Fault));
}

#[test]
fn ending() {
    let mut world = World::new();
    assert_eq!(world.ctx.proc_exit(7), I32Exit(7));
    assert_eq!(world.ctx.proc_raise(0), Ok(Ok(())));
    assert_eq!(world.ctx.proc_raise(17), Ok(Ok(())));
    assert_eq!(world.ctx.proc_raise(6), Ok(Err(I32Exit(134))));
    assert_eq!(world.ctx.proc_raise(18), Err(Errno::Notsup));
    assert_eq!(world.ctx.proc_raise(31), Err(Errno::Inval));
    assert_eq!(world.call(WasiCtx::sched_yield), Ok(()));
}

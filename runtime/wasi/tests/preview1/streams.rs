//! The standard streams.

use crate::world::{DATA, OUT, World};
use zwasm_wasi::{Errno, MemoryOutput, WasiCtx};

#[test]
fn memory_streams() {
    let errors = MemoryOutput::new(4);
    let mut world = World::with(|builder, _| {
        builder.stdin("input").stderr(errors.clone());
    });
    assert_eq!(world.read(0, 3), Ok(b"inp".to_vec()));
    assert_eq!(world.read(0, 100), Ok(b"ut".to_vec()));
    assert_eq!(world.read(0, 100), Ok(vec![]));
    assert_eq!(world.write(1, b"hello "), Ok(6));
    world.put(DATA, b"wide world");
    let count = world.iovs(&[(DATA, 4), (DATA, 0), (DATA + 4, 6)]);
    let written = world.call(|ctx, memory| ctx.fd_write(memory, 1, 0x100, count, OUT));
    assert_eq!((written, world.u32(OUT)), (Ok(()), 10));
    assert_eq!(world.stdout.contents(), b"hello wide world");
    // The capture is bounded: a short write first, then an error.
    assert_eq!(world.write(2, b"abcdef"), Ok(4));
    assert_eq!(world.write(2, b"g"), Err(Errno::Nospc));
    assert_eq!(world.write(2, b""), Ok(0));
    assert_eq!(errors.contents(), b"abcd");
}

#[test]
fn directions_and_positions() {
    let mut world = World::new();
    assert_eq!(world.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(world.read(1, 1), Err(Errno::Badf));
    assert_eq!(world.seek(1, 0, 1), Err(Errno::Spipe));
    assert_eq!(world.pwrite(1, b"x", 0), Err(Errno::Spipe));
    assert_eq!(world.pread(0, 1, 0), Err(Errno::Spipe));
    let tell = world.call(|ctx, memory| ctx.fd_tell(memory, 0, OUT));
    assert_eq!(tell, Err(Errno::Spipe));
    let resize = world.call(|ctx, memory| ctx.fd_filestat_set_size(memory, 1, 0));
    assert_eq!(resize, Err(Errno::Inval));
    let sync = world.call(|ctx, memory| ctx.fd_sync(memory, 1));
    assert_eq!(sync, Err(Errno::Inval));
    let stat = world.call(|ctx, memory| ctx.fd_filestat_get(memory, 1, OUT));
    assert_eq!((stat, world.filestat()), (Ok(()), (0, 0, 0, 0)));
    // No seeking and no telling, by which a C library knows a terminal.
    assert_eq!(
        world.fdstat(1).map(|(_, _, rights, _)| rights & 0x24),
        Ok(0)
    );
}

#[test]
fn closing_and_reusing() {
    let mut world = World::new();
    assert_eq!(world.close(0), Ok(()));
    assert_eq!(world.close(0), Err(Errno::Badf));
    // The lowest free number is given out.
    assert_eq!(world.open("file", 1), Ok(0));
    assert_eq!(world.read(99, 1), Err(Errno::Badf));
    assert_eq!(world.read(u32::MAX, 1), Err(Errno::Badf));
    // Output goes to a file after a renumbering.
    let moved = world.call(|ctx, memory| ctx.fd_renumber(memory, 0, 1));
    assert_eq!(moved, Ok(()));
    assert_eq!(world.write(1, b"to the file"), Ok(11));
    assert_eq!(world.stdout.contents(), b"");
    assert_eq!(
        std::fs::read(world.inside("file")).expect("the file"),
        b"to the file"
    );
}

#[test]
fn the_table_is_bounded() {
    let mut world = World::with(|builder, _| {
        builder.max_descriptors(6);
    });
    assert_eq!(world.open("a", 1), Ok(4));
    assert_eq!(world.open("b", 1), Ok(5));
    assert_eq!(world.open("c", 1), Err(Errno::Mfile));
    assert!(!world.inside("c").exists());
    assert_eq!(world.close(4), Ok(()));
    assert_eq!(world.open("c", 1), Ok(4));
}

#[test]
fn buffers_do_not_outlive_the_context() {
    // Only that flushing what inherits nothing is harmless: the host's streams are tested as a
    // program.
    let mut ctx = WasiCtx::builder().inherit_stdout_buffered(100).build();
    assert_eq!(ctx.flush(), Ok(()));
}

//! Pointers and lengths that no honest guest passes.

use crate::world::{CREAT, DATA, DIR, IOVS, OUT, PATH, SIZE, World};
use zwasm_wasi::{Errno, GuestMemory, WasiCtx};

type Call = fn(&mut WasiCtx, &mut GuestMemory<'_>, [u32; 8]) -> Result<(), Errno>;

/// Every call with its numbers taken from one array.
const CALLS: &[Call] = &[
    |c, m, n| c.args_get(m, n[0], n[1]),
    |c, m, n| c.args_sizes_get(m, n[0], n[1]),
    |c, m, n| c.environ_get(m, n[0], n[1]),
    |c, m, n| c.environ_sizes_get(m, n[0], n[1]),
    |c, m, n| c.clock_res_get(m, n[0] % 5, n[1]),
    |c, m, n| c.clock_time_get(m, n[0] % 5, 0, n[1]),
    |c, m, n| c.random_get(m, n[0], n[1]),
    |c, m, n| c.fd_advise(m, n[7], n[0].into(), u64::from(n[1]) << 32, n[2] % 7),
    |c, m, n| c.fd_fdstat_get(m, n[7], n[0]),
    |c, m, n| c.fd_fdstat_set_flags(m, n[7], n[0]),
    |c, m, n| c.fd_filestat_get(m, n[7], n[0]),
    |c, m, n| c.fd_filestat_set_times(m, n[7], n[0].into(), n[1].into(), n[2]),
    |c, m, n| c.fd_pread(m, n[7], n[0], n[1], u64::from(n[2]) << 32, n[3]),
    |c, m, n| c.fd_prestat_get(m, n[7], n[0]),
    |c, m, n| c.fd_prestat_dir_name(m, n[7], n[0], n[1]),
    |c, m, n| c.fd_read(m, n[7], n[0], n[1], n[2]),
    |c, m, n| c.fd_readdir(m, n[7], n[0], n[1], u64::from(n[2]), n[3]),
    |c, m, n| c.fd_seek(m, n[7], i64::from(n[0].cast_signed()) << 31, n[1], n[2]),
    |c, m, n| c.fd_tell(m, n[7], n[0]),
    |c, m, n| c.fd_write(m, n[7], n[0], n[1] % 2000, n[2]),
    |c, m, n| c.path_create_directory(m, n[7], n[0], n[1]),
    |c, m, n| c.path_filestat_get(m, n[7], n[0] % 2, n[1], n[2], n[3]),
    |c, m, n| c.path_filestat_set_times(m, n[7], n[0] % 2, n[1], n[2], 0, 0, n[3]),
    |c, m, n| c.path_link(m, n[7], 0, n[0], n[1], n[6], n[2], n[3]),
    |c, m, n| {
        let (lookup, oflags) = (n[0] % 2, n[3] % 16);
        c.path_open(m, n[7], lookup, n[1], n[2], oflags, u64::MAX, 0, n[4], n[5])
    },
    |c, m, n| c.path_readlink(m, n[7], n[0], n[1], n[2], n[3], n[4]),
    |c, m, n| c.path_remove_directory(m, n[7], n[0], n[1]),
    |c, m, n| c.path_rename(m, n[7], n[0], n[1], n[6], n[2], n[3]),
    |c, m, n| c.path_symlink(m, n[0], n[1], n[7], n[2], n[3]),
    |c, m, n| c.path_unlink_file(m, n[7], n[0], n[1]),
    |c, m, n| c.poll_oneoff(m, n[0], n[1], n[2], n[3]),
    |c, m, n| c.sock_accept(m, n[7], n[0], n[1]),
    |c, m, n| c.sock_recv(m, n[7], n[0], n[1], n[2], n[3], n[4]),
    |c, m, n| c.sock_send(m, n[7], n[0], n[1], n[2], n[3]),
    |c, m, n| c.sock_shutdown(m, n[7], n[0]),
];

/// Calls everything with edge values, many times. What matters is that it returns.
#[test]
fn no_numbers_make_a_call_panic() {
    let edges = [
        0,
        1,
        2,
        7,
        8,
        64,
        DATA,
        PATH,
        SIZE - 8,
        SIZE - 1,
        SIZE,
        SIZE + 1,
        i32::MAX as u32,
        u32::MAX - 7,
        u32::MAX,
        IOVS,
    ];
    let mut world = World::with(|builder, _| {
        builder.args(["a", "b"]).env("c", "d").max_descriptors(40);
    });
    world.open("file", CREAT).expect("created");
    // A small linear congruential generator: the same calls each time.
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let interrupted = || true;
    for _ in 0..400 {
        for call in CALLS {
            let mut numbers: [u32; 8] = std::array::from_fn(|_| edges[next() % edges.len()]);
            numbers[6] = (next() % 6) as u32;
            numbers[7] = (next() % 6) as u32;
            let mut memory = GuestMemory::with_interrupt(&mut world.bytes, &interrupted);
            // Both outcomes are right; returning is what is tested.
            let _ = call(&mut world.ctx, &mut memory, numbers);
        }
    }
}

#[test]
fn results_outside_leave_no_trace() {
    let mut world = World::new();
    let size = world.put(PATH, b"file");
    let open = world.call(|ctx, memory| {
        ctx.path_open(memory, DIR, 0, PATH, size, CREAT, u64::MAX, 0, 0, SIZE - 3)
    });
    assert_eq!(open, Err(Errno::Fault));
    assert!(!world.inside("file").exists());
    let fd = world.open("file", CREAT).expect("created");
    let count = world.iovs(&[(DATA, 4)]);
    let write = world.call(|ctx, memory| ctx.fd_write(memory, fd, IOVS, count, SIZE - 3));
    assert_eq!(write, Err(Errno::Fault));
    let write = world.call(|ctx, memory| ctx.fd_pwrite(memory, fd, IOVS, count, 0, SIZE - 3));
    assert_eq!(write, Err(Errno::Fault));
    let seek = world.call(|ctx, memory| ctx.fd_seek(memory, fd, 1, 0, SIZE - 7));
    assert_eq!(seek, Err(Errno::Fault));
    assert_eq!(world.seek(fd, 0, 1), Ok(0));
    assert_eq!(world.stat("file", 0).map(|stat| stat.1), Ok(0));
}

#[test]
fn buffers_outside_or_too_many() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    let mut write = |buffers: &[(u32, u32)]| {
        let count = world.iovs(buffers);
        world.call(|ctx, memory| ctx.fd_write(memory, fd, IOVS, count, OUT))
    };
    assert_eq!(write(&[(DATA, 4), (SIZE - 3, 4)]), Err(Errno::Fault));
    assert_eq!(write(&[(DATA, 4), (u32::MAX, u32::MAX)]), Err(Errno::Fault));
    assert_eq!(write(&[(SIZE, 0), (u32::MAX, 0)]), Ok(()));
    for count in [1025, u32::MAX, 1 << 29, (1 << 29) + 1] {
        let many = world.call(|ctx, memory| ctx.fd_write(memory, fd, IOVS, count, OUT));
        assert_eq!(many, Err(Errno::Inval));
    }
    assert_eq!(world.stat("file", 0).map(|stat| stat.1), Ok(0));
    // Buffers that overlap each other, their own array and the result are the guest's business.
    let count = world.iovs(&[(0, 0x200), (0, 0x200)]);
    let write = world.call(|ctx, memory| ctx.fd_write(memory, fd, IOVS, count, OUT));
    assert_eq!(write, Ok(()));
    assert_eq!(world.seek(fd, 0, 0), Ok(0));
    let count = world.iovs(&[(0, 0x200), (0, 0x200)]);
    let read = world.call(|ctx, memory| ctx.fd_read(memory, fd, IOVS, count, IOVS));
    assert_eq!((read, world.u32(IOVS)), (Ok(()), 0x400));
}

#[test]
fn paths_that_are_no_paths() {
    let mut world = World::new();
    assert_eq!(world.open_read("a\0b"), Err(Errno::Inval));
    let long = "x".repeat(300);
    assert_eq!(world.open_read(&long), Err(Errno::Nametoolong));
    world.put(PATH, &[0xff, 0xfe]);
    let invalid = world.call(|ctx, memory| ctx.path_unlink_file(memory, DIR, PATH, 2));
    assert_eq!(invalid, Err(Errno::Ilseq));
    let deep = "d/".repeat(2500);
    assert_eq!(world.open_read(&deep), Err(Errno::Nametoolong));
}

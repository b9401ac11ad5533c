//! `wasi_unstable`: each number and structure that differs from preview 1.

use crate::world::{CREAT, DATA, DIR, FOLLOW, OUT, World};
use zwasm_wasi::{Errno, Snapshot0};

#[test]
fn whence_counts_from_current_end_and_start() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    assert_eq!(world.write(fd, b"hello world"), Ok(11));
    let mut seek = |offset: i64, whence| {
        let sought =
            world.call(|ctx, memory| Snapshot0(ctx).fd_seek(memory, fd, offset, whence, OUT));
        sought.map(|()| world.u64(OUT))
    };
    assert_eq!(seek(-5, 1), Ok(6), "from the end");
    assert_eq!(seek(1, 0), Ok(7), "from where it is");
    assert_eq!(seek(3, 2), Ok(3), "from the start");
    assert_eq!(seek(0, 0), Ok(3));
    assert_eq!(seek(-1, 2), Err(Errno::Inval));
    for whence in [3, 255, u32::MAX] {
        assert_eq!(seek(0, whence), Err(Errno::Inval));
    }
}

/// Checks a `filestat` of 56 bytes against that of preview 1, and that nothing is behind it.
fn check(world: &mut World, old: u32, new: u32) {
    let get = |world: &World, pointer, size| world.get(pointer, size).to_vec();
    for (of_old, of_new, size) in [
        (0, 0, 8),
        (8, 8, 8),
        (16, 16, 1),
        (20, 24, 4),
        (24, 32, 8),
        (32, 40, 8),
        (40, 48, 8),
        (48, 56, 8),
    ] {
        let [a, b] = [
            get(world, old + of_old, size),
            get(world, new + of_new, size),
        ];
        assert_eq!(a, b, "at {of_old}");
    }
    assert_eq!(get(world, old + 17, 3), [0; 3]);
    assert_eq!(get(world, old + 56, 8), [0xaa; 8], "56 bytes and no more");
}

#[test]
fn a_filestat_has_56_bytes() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    assert_eq!(world.write(fd, b"text"), Ok(4));
    assert_eq!(world.link("file", "hard"), Ok(()));
    assert_eq!(world.symlink("file", "soft"), Ok(()));
    let (old, new) = (DATA, DATA + 256);
    for fd in [fd, DIR, 0, 1] {
        world.put(old, &[0xaa; 64]);
        let stat = world.call(|ctx, memory| Snapshot0(ctx).fd_filestat_get(memory, fd, old));
        assert_eq!(stat, Ok(()));
        let stat = world.call(|ctx, memory| ctx.fd_filestat_get(memory, fd, new));
        assert_eq!(stat, Ok(()));
        check(&mut world, old, new);
    }
    for (path, lookup) in [("file", 0), ("soft", 0), ("soft", FOLLOW), (".", 0)] {
        world.put(old, &[0xaa; 64]);
        let stat = world.at(path, |ctx, memory, dir, path, size| {
            Snapshot0(ctx).path_filestat_get(memory, dir, lookup, path, size, old)
        });
        assert_eq!(stat, Ok(()));
        let stat = world.at(path, |ctx, memory, dir, path, size| {
            ctx.path_filestat_get(memory, dir, lookup, path, size, new)
        });
        assert_eq!(stat, Ok(()));
        check(&mut world, old, new);
    }
    assert!(world.u32(old + 20) > 0);
    let stat = world.call(|ctx, memory| Snapshot0(ctx).fd_filestat_get(memory, 99, old));
    assert_eq!(stat, Err(Errno::Badf));
    let end = crate::world::SIZE - 55;
    let stat = world.call(|ctx, memory| Snapshot0(ctx).fd_filestat_get(memory, 0, end));
    assert_eq!(stat, Err(Errno::Fault));
    let fits = crate::world::SIZE - 56;
    let stat = world.call(|ctx, memory| Snapshot0(ctx).fd_filestat_get(memory, 0, fits));
    assert_eq!(stat, Ok(()));
}

/// A subscription of 56 bytes to a clock.
fn clock(userdata: u64, id: u32, timeout_ns: u64, flags: u16) -> [u8; 56] {
    let mut bytes = [0; 56];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[16..24].copy_from_slice(&0xdead_u64.to_le_bytes());
    bytes[24..28].copy_from_slice(&id.to_le_bytes());
    bytes[32..40].copy_from_slice(&timeout_ns.to_le_bytes());
    bytes[48..50].copy_from_slice(&flags.to_le_bytes());
    bytes
}

/// A subscription of 56 bytes to a descriptor.
fn descriptor(userdata: u64, tag: u8, fd: u32) -> [u8; 56] {
    let mut bytes = [0; 56];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = tag;
    bytes[16..20].copy_from_slice(&fd.to_le_bytes());
    bytes
}

/// (user data, error, type) of each event.
fn poll(world: &mut World, subscriptions: &[[u8; 56]]) -> Result<Vec<(u64, u16, u8)>, Errno> {
    world.put(DATA, &subscriptions.concat());
    let events = DATA + 0x2000;
    let count = subscriptions.len() as u32;
    world.call(|ctx, memory| Snapshot0(ctx).poll_oneoff(memory, DATA, events, count, OUT))?;
    let event = |i| {
        let at = events + 32 * i;
        (world.u64(at), world.u16(at + 8), world.get(at + 10, 1)[0])
    };
    Ok((0..world.u32(OUT)).map(event).collect())
}

#[test]
fn a_subscription_has_56_bytes() {
    let mut world = World::new();
    let begun = std::time::Instant::now();
    let soon = clock(7, 1, 20_000_000, 0);
    assert_eq!(poll(&mut world, &[soon]), Ok(vec![(7, 0, 0)]));
    assert!(begun.elapsed().as_millis() >= 20);
    let never = clock(8, 1, u64::MAX, 0);
    let past = clock(9, 0, 1, 1);
    let file = world.open("file", CREAT).expect("created");
    let found = poll(
        &mut world,
        &[
            never,
            past,
            descriptor(10, 1, 0),
            descriptor(11, 2, 1),
            descriptor(12, 2, file),
            descriptor(13, 1, 99),
            clock(14, 99, 0, 0),
        ],
    );
    let badf = Errno::Badf as u16;
    let inval = Errno::Inval as u16;
    assert_eq!(
        found,
        Ok(vec![
            (9, 0, 0),
            (10, 0, 1),
            (11, 0, 2),
            (12, 0, 2),
            (13, badf, 1),
            (14, inval, 0)
        ])
    );
    assert_eq!(poll(&mut world, &[clock(0, 1, 0, 2)]), Err(Errno::Inval));
    assert_eq!(poll(&mut world, &[descriptor(0, 3, 0)]), Err(Errno::Inval));
    assert_eq!(poll(&mut world, &[]), Err(Errno::Inval));
    let at_the_end = crate::world::SIZE - 55;
    let outside =
        world.call(|ctx, memory| Snapshot0(ctx).poll_oneoff(memory, at_the_end, DATA, 1, OUT));
    assert_eq!(outside, Err(Errno::Fault));
}

//! `poll_oneoff`.

use crate::world::{CREAT, DATA, DIR, NONBLOCK, OUT, SIZE, World};
use std::cell::Cell;
use std::time::{Duration, Instant};
use zwasm_wasi::{Errno, GuestMemory};

/// Where the events go.
const EVENTS: u32 = 0x8000;

/// Puts a clock's subscription.
fn clock(world: &mut World, index: u32, userdata: u64, id: u32, timeout: u64, absolute: bool) {
    let at = DATA + index * 48;
    world.put(at, &[0; 48]);
    world.put(at, &userdata.to_le_bytes());
    world.put(at + 16, &id.to_le_bytes());
    world.put(at + 24, &timeout.to_le_bytes());
    world.put(at + 40, &u16::from(absolute).to_le_bytes());
}

/// Puts a descriptor's subscription.
fn descriptor(world: &mut World, index: u32, userdata: u64, fd: u32, write: bool) {
    let at = DATA + index * 48;
    world.put(at, &[0; 48]);
    world.put(at, &userdata.to_le_bytes());
    world.put(at + 8, &[1 + u8::from(write)]);
    world.put(at + 16, &fd.to_le_bytes());
}

/// (userdata, error, type, bytes, flags)
type Event = (u64, u16, u8, u64, u16);

fn poll(world: &mut World, count: u32) -> Result<Vec<Event>, Errno> {
    world.bytes[EVENTS as usize..].fill(0xaa);
    world.call(|ctx, memory| ctx.poll_oneoff(memory, DATA, EVENTS, count, OUT))?;
    let events = (0..world.u32(OUT)).map(|i| {
        let at = EVENTS + i * 32;
        assert_eq!(world.get(at + 11, 5), [0; 5], "padding is not zero");
        assert_eq!(world.get(at + 26, 6), [0; 6], "padding is not zero");
        (
            world.u64(at),
            world.u16(at + 8),
            world.get(at + 10, 1)[0],
            world.u64(at + 16),
            world.u16(at + 24),
        )
    });
    Ok(events.collect())
}

#[test]
fn clocks_fire_when_due() {
    let mut world = World::new();
    let start = Instant::now();
    clock(&mut world, 0, 7, 1, 30_000_000, false);
    clock(&mut world, 1, 8, 0, 3_600_000_000_000, false);
    assert_eq!(poll(&mut world, 2), Ok(vec![(7, 0, 0, 0, 0)]));
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(30), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
    // Absolute times that are past, on both clocks.
    clock(&mut world, 0, 1, 1, 0, true);
    clock(&mut world, 1, 2, 0, 1_000_000_000, true);
    let both = vec![(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)];
    assert_eq!(poll(&mut world, 2), Ok(both));
    // A duration that does not fit just never ends; the other one does.
    clock(&mut world, 0, 1, 1, u64::MAX, false);
    clock(&mut world, 1, 2, 1, 0, false);
    assert_eq!(poll(&mut world, 2), Ok(vec![(2, 0, 0, 0, 0)]));
}

#[test]
fn impossible_clocks_fail_as_events() {
    let mut world = World::new();
    for (id, errno) in [(2, 58), (3, 58), (4, 28)] {
        clock(&mut world, 0, 1, id, 0, false);
        assert_eq!(poll(&mut world, 1), Ok(vec![(1, errno, 0, 0, 0)]));
    }
}

#[test]
fn files_and_streams_are_ready() {
    let mut world = World::with(|builder, _| {
        builder.stdin("abc");
    });
    let fd = world.open("file", CREAT).expect("created");
    assert_eq!(world.write(fd, b"12345"), Ok(5));
    assert_eq!(world.seek(fd, 1, 0), Ok(1));
    descriptor(&mut world, 0, 1, fd, false);
    descriptor(&mut world, 1, 2, fd, true);
    descriptor(&mut world, 2, 3, 0, false);
    descriptor(&mut world, 3, 4, 1, true);
    descriptor(&mut world, 4, 5, 77, true);
    descriptor(&mut world, 5, 6, DIR, false);
    clock(&mut world, 6, 7, 1, 1_000_000_000_000, false);
    let events = vec![
        (1, 0, 1, 4, 0),
        (2, 0, 2, 0, 0),
        (3, 0, 1, 3, 0),
        (4, 0, 2, 0, 0),
        (5, 8, 2, 0, 0),
        (6, 8, 1, 0, 0),
    ];
    assert_eq!(poll(&mut world, 7), Ok(events));
    assert_eq!(world.read(0, 10), Ok(b"abc".to_vec()));
    descriptor(&mut world, 0, 1, 0, false);
    assert_eq!(poll(&mut world, 1), Ok(vec![(1, 0, 1, 0, 1)]));
}

#[test]
fn a_pipe_becomes_ready() {
    let mut world = World::new();
    let path = world.inside("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    let fd = world.open_read("pipe").expect("opened");
    let set = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, NONBLOCK));
    assert_eq!(set, Ok(()));
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(25));
        std::fs::write(path, "late").expect("written");
    });
    descriptor(&mut world, 0, 1, fd, false);
    clock(&mut world, 1, 2, 1, 10_000_000_000, false);
    let events = poll(&mut world, 2).expect("polled");
    writer.join().expect("the writer ended");
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].0, events[0].1, events[0].2), (1, 0, 1));
    assert_eq!(world.read(fd, 10), Ok(b"late".to_vec()));
}

#[test]
fn waiting_is_interruptible() {
    let mut world = World::new();
    clock(&mut world, 0, 1, 1, u64::MAX, false);
    let asked = Cell::new(0);
    let interrupted = || {
        asked.set(asked.get() + 1);
        asked.get() == 3
    };
    let start = Instant::now();
    let mut memory = GuestMemory::with_interrupt(&mut world.bytes, &interrupted);
    let result = world.ctx.poll_oneoff(&mut memory, DATA, EVENTS, 1, OUT);
    assert_eq!(result, Err(Errno::Intr));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn bad_arguments() {
    let mut world = World::new();
    assert_eq!(poll(&mut world, 0), Err(Errno::Inval));
    for count in [16 * 1024 + 1, u32::MAX, u32::MAX / 48 + 2] {
        assert_eq!(poll(&mut world, count), Err(Errno::Inval));
    }
    assert_eq!(poll(&mut world, 16 * 1024), Err(Errno::Fault));
    clock(&mut world, 0, 1, 1, 0, false);
    world.put(DATA + 8, &[3]);
    assert_eq!(poll(&mut world, 1), Err(Errno::Inval));
    world.put(DATA + 8, &[0]);
    world.put(DATA + 40, &[2]);
    assert_eq!(poll(&mut world, 1), Err(Errno::Inval));
    let outside = world.call(|ctx, memory| ctx.poll_oneoff(memory, DATA, SIZE - 31, 1, OUT));
    assert_eq!(outside, Err(Errno::Fault));
}

#[test]
fn events_may_overwrite_the_subscriptions() {
    let mut world = World::new();
    for index in 0..3 {
        clock(&mut world, index, u64::from(index), 1, 0, false);
    }
    let overlap = world.call(|ctx, memory| ctx.poll_oneoff(memory, DATA, DATA, 3, OUT));
    assert_eq!((overlap, world.u32(OUT)), (Ok(()), 3));
    let userdata: Vec<_> = (0..3).map(|i| world.u64(DATA + i * 32)).collect();
    assert_eq!(userdata, [0, 1, 2]);
}

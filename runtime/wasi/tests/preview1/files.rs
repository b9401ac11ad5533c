//! Reading, writing, positions, sizes, flags and times of files.

use crate::world::{
    APPEND, CREAT, DATA, DIR, EXCL, FOLLOW, IOVS, NONBLOCK, OUT, TRUNC, World, read_only,
    read_write, write_only,
};
use zwasm_wasi::Errno;

#[test]
fn write_seek_read() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    assert_eq!(world.write(fd, b"hello world"), Ok(11));
    assert_eq!(world.seek(fd, 0, 1), Ok(11));
    assert_eq!(world.seek(fd, -5, 2), Ok(6));
    assert_eq!(world.read(fd, 100), Ok(b"world".to_vec()));
    assert_eq!(world.read(fd, 100), Ok(vec![]));
    assert_eq!(world.seek(fd, -1, 0), Err(Errno::Inval));
    assert_eq!(world.seek(fd, -100, 1), Err(Errno::Inval));
    assert_eq!(world.seek(fd, 0, 3), Err(Errno::Inval));
    assert_eq!(world.pread(fd, 5, 0), Ok(b"hello".to_vec()));
    assert_eq!(world.pread(fd, 5, 100), Ok(vec![]));
    assert_eq!(world.pread(fd, 5, u64::MAX), Err(Errno::Inval));
    assert_eq!(world.pwrite(fd, b"J", 0), Ok(1));
    assert_eq!(world.pwrite(fd, b"J", u64::MAX), Err(Errno::Inval));
    // Neither moved the position.
    let tell = world.call(|ctx, memory| ctx.fd_tell(memory, fd, OUT));
    assert_eq!((tell, world.u64(OUT)), (Ok(()), 11));
    assert_eq!(
        std::fs::read(world.inside("file")).expect("the file"),
        b"Jello world"
    );
}

#[test]
fn several_buffers() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    world.put(DATA, b"abcdef");
    let count = world.iovs(&[(DATA + 3, 3), (DATA, 0), (DATA, 3), (DATA, 6)]);
    let written = world.call(|ctx, memory| ctx.fd_write(memory, fd, IOVS, count, OUT));
    assert_eq!((written, world.u32(OUT)), (Ok(()), 12));
    assert_eq!(world.seek(fd, 0, 0), Ok(0));
    let count = world.iovs(&[(DATA, 2), (DATA + 100, 3), (DATA + 200, 100)]);
    let read = world.call(|ctx, memory| ctx.fd_read(memory, fd, IOVS, count, OUT));
    assert_eq!((read, world.u32(OUT)), (Ok(()), 12));
    assert_eq!(world.get(DATA, 2), b"de");
    assert_eq!(world.get(DATA + 100, 3), b"fab");
    assert_eq!(world.get(DATA + 200, 7), b"cabcdef");
    let read = world.call(|ctx, memory| ctx.fd_pread(memory, fd, IOVS, count, 6, OUT));
    assert_eq!((read, world.u32(OUT)), (Ok(()), 6));
    assert_eq!(world.get(DATA + 100, 3), b"cde");
}

#[test]
fn creating_and_cutting() {
    let mut world = World::new();
    assert_eq!(world.open("file", 0), Err(Errno::Noent));
    let fd = world.open("file", CREAT | EXCL).expect("created");
    assert_eq!(world.write(fd, b"text"), Ok(4));
    assert_eq!(world.open("file", CREAT | EXCL), Err(Errno::Exist));
    let fd = world.open("file", CREAT).expect("opened");
    assert_eq!(world.read(fd, 10), Ok(b"text".to_vec()));
    world.open("file", TRUNC).expect("cut");
    assert_eq!(world.stat("file", 0).map(|stat| stat.1), Ok(0));
    // Creating and cutting do not make a descriptor writable.
    let fd = world.open_with(DIR, "new", FOLLOW, CREAT, read_only(), 0);
    assert_eq!(world.write(fd.expect("created"), b"x"), Err(Errno::Badf));
    let fd = world.open_with(DIR, "new", FOLLOW, CREAT, read_only(), 0);
    assert_eq!(world.write(fd.expect("opened"), b"x"), Err(Errno::Badf));
    let fd = world.open_with(DIR, "new", FOLLOW, TRUNC, read_only(), 0);
    assert_eq!(world.write(fd.expect("cut"), b"x"), Err(Errno::Badf));
    let fd = world.open_with(DIR, "new", FOLLOW, 0, write_only(), 0);
    assert_eq!(world.read(fd.expect("opened"), 1), Err(Errno::Badf));
    let exclusive = world.open_with(DIR, "new", FOLLOW, CREAT | EXCL, read_only(), 0);
    assert_eq!(exclusive, Err(Errno::Exist));
}

#[test]
fn appending() {
    let mut world = World::new();
    let fd = world
        .open_with(DIR, "file", FOLLOW, CREAT, read_write(), APPEND)
        .expect("created");
    assert_eq!(world.write(fd, b"one"), Ok(3));
    assert_eq!(world.seek(fd, 0, 0), Ok(0));
    assert_eq!(world.write(fd, b"two"), Ok(3));
    // Appending wins over a position, as on Linux.
    assert_eq!(world.pwrite(fd, b"!", 0), Ok(1));
    assert_eq!(world.fdstat(fd).map(|stat| stat.1), Ok(1));
    assert_eq!(world.seek(fd, 0, 0), Ok(0));
    assert_eq!(world.read(fd, 10), Ok(b"onetwo!".to_vec()));
    let clear = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, 0));
    assert_eq!(clear, Ok(()));
    assert_eq!(world.seek(fd, 0, 0), Ok(0));
    assert_eq!(world.write(fd, b"O"), Ok(1));
    let set = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, APPEND | NONBLOCK));
    assert_eq!(set, Ok(()));
    assert_eq!(world.write(fd, b"!"), Ok(1));
    assert_eq!(world.pread(fd, 10, 0), Ok(b"Onetwo!!".to_vec()));
    assert_eq!(world.fdstat(fd).map(|stat| stat.1), Ok(5));
    for unsupported in [2, 8, 16, 32, 1 << 16] {
        let set = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, unsupported));
        assert_eq!(set, Err(Errno::Inval));
    }
}

#[test]
fn synchronised_files() {
    let mut world = World::new();
    let fd = world
        .open_with(DIR, "file", FOLLOW, CREAT, read_write(), 2 | 8 | 16)
        .expect("created");
    assert_eq!(world.fdstat(fd).map(|stat| stat.1), Ok(2 | 8 | 16));
    assert_eq!(world.write(fd, b"x"), Ok(1));
    assert_eq!(world.call(|ctx, memory| ctx.fd_sync(memory, fd)), Ok(()));
    let datasync = world.call(|ctx, memory| ctx.fd_datasync(memory, fd));
    assert_eq!(datasync, Ok(()));
    let dir = world.call(|ctx, memory| ctx.fd_sync(memory, DIR));
    assert_eq!(dir, Err(Errno::Badf));
    let dir = world.call(|ctx, memory| ctx.fd_datasync(memory, DIR));
    assert_eq!(dir, Err(Errno::Badf));
}

#[test]
fn sizes() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    let resize = world.call(|ctx, memory| ctx.fd_filestat_set_size(memory, fd, 100));
    assert_eq!(resize, Ok(()));
    let stat = world.call(|ctx, memory| ctx.fd_filestat_get(memory, fd, OUT));
    assert_eq!(stat, Ok(()));
    assert_eq!((world.filestat().0, world.filestat().1), (4, 100));
    let huge = world.call(|ctx, memory| ctx.fd_filestat_set_size(memory, fd, u64::MAX));
    assert_eq!(huge, Err(Errno::Inval));
    let allocate = world.call(|ctx, memory| ctx.fd_allocate(memory, fd, 100, 100));
    assert_eq!(allocate, Ok(()));
    assert_eq!(world.stat("file", 0).map(|stat| stat.1), Ok(200));
    let nothing = world.call(|ctx, memory| ctx.fd_allocate(memory, fd, 0, 0));
    assert_eq!(nothing, Err(Errno::Inval));
    let huge = world.call(|ctx, memory| ctx.fd_allocate(memory, fd, u64::MAX, u64::MAX));
    assert_eq!(huge, Err(Errno::Inval));
    let reader = world.open_read("file").expect("opened");
    let resize = world.call(|ctx, memory| ctx.fd_filestat_set_size(memory, reader, 0));
    assert_eq!(resize, Err(Errno::Inval));
    let allocate = world.call(|ctx, memory| ctx.fd_allocate(memory, reader, 0, 1));
    assert_eq!(allocate, Err(Errno::Badf));
    for advice in 0..6 {
        let advise = world.call(|ctx, memory| ctx.fd_advise(memory, fd, 0, 10, advice));
        assert_eq!(advise, Ok(()));
    }
    let unknown = world.call(|ctx, memory| ctx.fd_advise(memory, fd, 0, 10, 6));
    assert_eq!(unknown, Err(Errno::Inval));
    let dir = world.call(|ctx, memory| ctx.fd_advise(memory, DIR, 0, 0, 0));
    assert_eq!(dir, Err(Errno::Badf));
}

#[test]
fn times() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    let set = world.call(|ctx, memory| {
        ctx.fd_filestat_set_times(memory, fd, 1_000_000_001, 2_000_000_002, 1 | 4)
    });
    assert_eq!(set, Ok(()));
    let stat = world.call(|ctx, memory| ctx.fd_filestat_get(memory, fd, OUT));
    assert_eq!(stat, Ok(()));
    assert_eq!(world.u64(OUT + 40), 1_000_000_001);
    assert_eq!(world.u64(OUT + 48), 2_000_000_002);
    let both = world.call(|ctx, memory| ctx.fd_filestat_set_times(memory, fd, 0, 0, 3));
    assert_eq!(both, Err(Errno::Inval));
    let unknown = world.call(|ctx, memory| ctx.fd_filestat_set_times(memory, fd, 0, 0, 16));
    assert_eq!(unknown, Err(Errno::Inval));
    let mut set_at = |path: &str, lookup, modified, flags| {
        world.at(path, |ctx, memory, dir, path, size| {
            ctx.path_filestat_set_times(memory, dir, lookup, path, size, 0, modified, flags)
        })
    };
    assert_eq!(set_at("file", FOLLOW, 3_000_000_003, 4), Ok(()));
    assert_eq!(set_at("missing", FOLLOW, 0, 4), Err(Errno::Noent));
    assert_eq!(set_at("file", 2, 0, 4), Err(Errno::Inval));
    assert_eq!(world.symlink("file", "link"), Ok(()));
    let set = world.at("link", |ctx, memory, dir, path, size| {
        ctx.path_filestat_set_times(memory, dir, 0, path, size, 0, 4_000_000_004, 4)
    });
    assert_eq!(set, Ok(()));
    assert_eq!(world.stat("link", 0).map(|stat| stat.3), Ok(4_000_000_004));
    assert_eq!(
        world.stat("link", FOLLOW).map(|stat| stat.3),
        Ok(3_000_000_003)
    );
    let now = world.at("link", |ctx, memory, dir, path, size| {
        ctx.path_filestat_set_times(memory, dir, FOLLOW, path, size, 0, 0, 2 | 8)
    });
    assert_eq!(now, Ok(()));
    assert!(world.stat("file", 0).expect("the file").3 > 1_600_000_000_000_000_000);
    let dir = world.call(|ctx, memory| ctx.fd_filestat_set_times(memory, DIR, 5, 6, 1 | 4));
    assert_eq!(dir, Ok(()));
    assert_eq!(world.stat(".", 0).map(|stat| stat.3), Ok(6));
}

#[test]
fn renumbering() {
    let mut world = World::new();
    let a = world.open("a", CREAT).expect("created");
    let b = world.open("b", CREAT).expect("created");
    let mut renumber = |from, to| world.call(|ctx, memory| ctx.fd_renumber(memory, from, to));
    assert_eq!(renumber(a, a), Ok(()));
    assert_eq!(renumber(a, 77), Err(Errno::Badf));
    assert_eq!(renumber(77, a), Err(Errno::Badf));
    assert_eq!(renumber(a, b), Ok(()));
    assert_eq!(world.write(b, b"x"), Ok(1));
    assert_eq!(world.close(a), Err(Errno::Badf));
    assert_eq!(world.stat("a", 0).map(|stat| stat.1), Ok(1));
    assert_eq!(world.stat("b", 0).map(|stat| stat.1), Ok(0));
}

#[test]
fn every_way_to_append_appends() {
    // From the start, after cutting, and set later; by both kinds of write.
    let ways: [(u32, u32, u64); 4] = [
        (CREAT, APPEND, read_write()),
        (CREAT | TRUNC, APPEND, write_only()),
        (CREAT | EXCL, APPEND, write_only()),
        (CREAT, 0, read_write()),
    ];
    for (oflags, fdflags, rights) in ways {
        let mut world = World::new();
        let fd = world
            .open_with(DIR, "file", FOLLOW, oflags, rights, fdflags)
            .unwrap_or_else(|error| panic!("{oflags} {fdflags}: {error}"));
        let set = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, APPEND));
        assert_eq!(set, Ok(()));
        assert_eq!(world.write(fd, b"ab"), Ok(2));
        assert_eq!(world.seek(fd, 0, 0), Ok(0));
        assert_eq!(world.write(fd, b"cd"), Ok(2));
        assert_eq!(world.seek(fd, 0, 1), Ok(4));
        // As the official suite has it: the position stays, and the end is 4 or 7.
        assert_eq!(world.pwrite(fd, b"efg", 0), Ok(3));
        assert_eq!(world.seek(fd, 0, 1), Ok(4));
        assert_eq!(world.seek(fd, 0, 2), Ok(7));
        let written = std::fs::read(world.inside("file")).expect("the file");
        assert_eq!(written, b"abcdefg", "{oflags} {fdflags}");
    }
}

#[test]
fn creating_does_not_open_directories() {
    let mut world = World::new();
    assert_eq!(world.mkdir("dir"), Ok(()));
    assert_eq!(world.symlink("dir", "link"), Ok(()));
    let free = world.open("file", CREAT).expect("created");
    assert_eq!(world.close(free), Ok(()));
    for path in ["dir", "dir/", "dir/.", ".", "link", "link/"] {
        for rights in [read_only(), write_only(), read_write(), 0] {
            for lookup in [0, FOLLOW] {
                let mut open = |oflags| world.open_with(DIR, path, lookup, oflags, rights, 0);
                let is_link = path == "link" && lookup == 0;
                let expected = if is_link { Errno::Loop } else { Errno::Isdir };
                assert_eq!(open(CREAT), Err(expected), "{path} {rights:#x} {lookup}");
                assert_eq!(open(TRUNC), Err(expected), "{path} {rights:#x} {lookup}");
                assert_eq!(open(CREAT | TRUNC), Err(expected), "{path} {rights:#x}");
                let slash = path.ends_with('/');
                let exists = if slash { Errno::Isdir } else { Errno::Exist };
                assert_eq!(open(CREAT | EXCL), Err(exists), "{path} {rights:#x}");
            }
        }
    }
    assert_eq!(world.open("file", CREAT), Ok(free), "no descriptor is lost");
}

fn make_pipe(world: &World) -> std::path::PathBuf {
    let pipe = world.inside("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    pipe
}

#[test]
fn a_pipe_opened_for_writing_waits_for_its_reader() {
    for oflags in [0, CREAT] {
        let mut world = World::new();
        let pipe = make_pipe(&world);
        assert_eq!(world.symlink("pipe", "link"), Ok(()));
        let reader = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::fs::read(pipe).expect("read to the end")
        });
        let begun = std::time::Instant::now();
        let fd = world
            .open_with(DIR, "link", FOLLOW, oflags, write_only(), 0)
            .expect("opened when the reader came");
        assert!(begun.elapsed().as_millis() >= 90);
        assert_eq!(world.write(fd, b"through"), Ok(7));
        assert_eq!(world.close(fd), Ok(()));
        assert_eq!(reader.join().expect("no panic"), b"through");
    }
}

#[test]
fn a_pipe_without_a_reader_is_an_error_for_those_who_do_not_wait() {
    let mut world = World::new();
    make_pipe(&world);
    for oflags in [0, CREAT] {
        let refused = world.open_with(DIR, "pipe", FOLLOW, oflags, write_only(), NONBLOCK);
        assert_eq!(refused, Err(Errno::Nxio));
    }
    // Both ends at once wait for nobody.
    assert!(world.open("pipe", 0).is_ok());
    let mut world = World::new();
    make_pipe(&world);
    let size = world.put(crate::world::PATH, b"pipe");
    let interrupted = || true;
    let mut memory = zwasm_wasi::GuestMemory::with_interrupt(&mut world.bytes, &interrupted);
    let waiting = world.ctx.path_open(
        &mut memory,
        DIR,
        FOLLOW,
        crate::world::PATH,
        size,
        0,
        write_only(),
        0,
        0,
        OUT,
    );
    assert_eq!(waiting, Err(Errno::Intr));
    // A socket has no driver either, and never will.
    let socket = world.inside("socket");
    let _listener = std::os::unix::net::UnixListener::bind(socket).expect("a socket");
    let refused = world.open_with(DIR, "socket", FOLLOW, 0, write_only(), 0);
    assert_eq!(refused, Err(Errno::Nxio));
}

#[test]
fn a_pipe_in_the_directory_does_not_hang() {
    let mut world = World::new();
    make_pipe(&world);
    let fd = world.open_read("pipe").expect("opened without a writer");
    assert_eq!(world.fdstat(fd).map(|stat| stat.0), Ok(0));
    let set = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, NONBLOCK));
    assert_eq!(set, Ok(()));
    let writer = world
        .open_with(DIR, "pipe", FOLLOW, 0, write_only(), 0)
        .expect("opened");
    assert_eq!(world.read(fd, 10), Err(Errno::Again));
    assert_eq!(world.write(writer, b"through"), Ok(7));
    assert_eq!(world.read(fd, 10), Ok(b"through".to_vec()));
    let clear = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, 0));
    assert_eq!(clear, Ok(()));
    // A blocking read ends when the embedder says so.
    let count = world.iovs(&[(DATA, 10)]);
    let interrupted = || true;
    let mut memory = zwasm_wasi::GuestMemory::with_interrupt(&mut world.bytes, &interrupted);
    let read = world.ctx.fd_read(&mut memory, fd, IOVS, count, OUT);
    assert_eq!(read, Err(Errno::Intr));
}
